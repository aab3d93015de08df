package store

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/user"
)

// maxSession is how long a session lasts at most, however often it is refreshed.
const maxSession = 365 * 24 * time.Hour

const sqlSetCredentials = `
	INSERT INTO user_credentials (book, user_id, merchant_id, login_digest, password, changed_at) VALUES ($1, $2, $3, $4, $5, $6)
	ON CONFLICT (book, user_id) DO UPDATE SET login_digest = excluded.login_digest, password = excluded.password, changed_at = excluded.changed_at`

// Register makes a user with a login of their own. One that is taken is Conflict "login_taken".
func (s *Store) Register(ctx context.Context, u user.User, login access.Login, password string) (user.User, error) {
	db, digest, err := s.loginOf(ctx, u.Book, u.MerchantID, login)
	if err != nil {
		return u, err
	}
	u.ID = s.Mint(id.User)
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if u, _, err = s.createUser(ctx, tx, u, ledger.Principal{Kind: ledger.ByUser, ID: u.ID}); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, sqlSetCredentials, u.Book, u.ID, u.MerchantID, digest, password, s.clock())
		return err
	})
	return u, failure(err)
}

// loginOf is where a login is kept, and as what.
func (s *Store) loginOf(ctx context.Context, book id.Book, merchantID string, login access.Login) (*database, []byte, error) {
	db, err := s.db(book)
	if err != nil {
		return nil, nil, err
	}
	secret, err := s.digestSecret(ctx, book)
	if err != nil {
		return nil, nil, err
	}
	return db, login.Digest(secret, merchantID), nil
}

// SetCredentials gives a user a login and a password, or others than before, and ends their sessions.
func (s *Store) SetCredentials(ctx context.Context, ref user.Ref, login access.Login, password string) error {
	u, err := s.User(ctx, ref)
	if err != nil {
		return err
	}
	db, digest, err := s.loginOf(ctx, u.Book, u.MerchantID, login)
	if err != nil {
		return err
	}
	return failure(pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		u, err := s.readUser(ctx, tx, ref, " FOR UPDATE")
		if err == nil {
			err = u.Open()
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlSetCredentials, u.Book, u.ID, u.MerchantID, digest, password, s.clock()); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, sqlEndSessions, u.Book, u.ID, s.clock(), "password_changed")
		return err
	}))
}

const sqlChangePassword = `UPDATE user_credentials SET password = $3, changed_at = $4 WHERE book = $1 AND user_id = $2 AND password = $5`

const sqlEndOtherSessions = `
	UPDATE user_sessions SET ended_at = $3, ended_why = 'password_changed' WHERE user_id = $2 AND book = $1 AND ended_at IS NULL AND id <> $4`

// ChangePassword changes the password of a user who knows it, and ends their other sessions. right judges the hash that stands.
func (s *Store) ChangePassword(ctx context.Context, session access.Session, fresh string, right func(hash string) bool) error {
	db, err := s.db(session.Book)
	if err != nil {
		return err
	}
	guesses := sha256.Sum256([]byte("password\x00" + session.UserID)) // whoever has found a token may not guess on at leisure
	if err := s.countGuess(ctx, db, session.Book, guesses[:]); err != nil {
		return err
	}
	var stands string
	err = db.pool.QueryRow(ctx, `SELECT password FROM user_credentials WHERE book = $1 AND user_id = $2`, session.Book, session.UserID).Scan(&stands)
	if err != nil && err != pgx.ErrNoRows {
		return failure(err)
	}
	if !right(stands) {
		return wrongPassword()
	}
	return failure(pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sqlChangePassword, session.Book, session.UserID, fresh, s.clock(), stands)
		if err == nil && tag.RowsAffected() == 0 { // somebody was ahead
			err = wrongPassword()
		}
		if err == nil {
			_, err = tx.Exec(ctx, sqlEndOtherSessions, session.Book, session.UserID, s.clock(), session.ID)
		}
		if err == nil {
			_, err = tx.Exec(ctx, sqlNoGuesses, session.Book, guesses[:])
		}
		return err
	}))
}

// wrongPassword tells nobody whether there is such a login.
func wrongPassword() error {
	return fault.Denied("login_failed", "login or password is wrong")
}

const sqlCredentials = `
	SELECT c.user_id, c.password, u.status
	FROM user_credentials c JOIN users u ON u.book = c.book AND u.id = c.user_id
	WHERE c.merchant_id = $1 AND c.login_digest = $2 AND c.book = $3`

// LogIn opens a session for whoever knows the password of a login: right judges the hash, empty if there is no such login. Every guess is
// counted before it is judged, so that many at once are as many; too many are Unavailable "too_many_attempts" with a time to wait.
func (s *Store) LogIn(ctx context.Context, book id.Book, merchantID string, login access.Login, right func(hash string) bool) (access.Grant, error) {
	db, digest, err := s.loginOf(ctx, book, merchantID, login)
	if err != nil {
		return access.Grant{}, err
	}
	if err := s.countGuess(ctx, db, book, digest); err != nil {
		return access.Grant{}, err
	}
	var userID, hash string
	var status user.Status
	err = db.pool.QueryRow(ctx, sqlCredentials, merchantID, digest, book).Scan(&userID, &hash, &status)
	if err != nil && err != pgx.ErrNoRows {
		return access.Grant{}, failure(err)
	}
	if !right(hash) || status != user.Active && status != user.Frozen {
		return access.Grant{}, wrongPassword()
	}
	if _, err := db.pool.Exec(ctx, sqlNoGuesses, book, digest); err != nil {
		return access.Grant{}, failure(err)
	}
	return s.OpenSession(ctx, access.Session{Book: book, MerchantID: merchantID, UserID: userID})
}

const (
	sqlFirstGuess = `
	INSERT INTO login_throttles (book, digest, failed, last_at) VALUES ($1, $2, 1, $3) ON CONFLICT (book, digest) DO NOTHING`
	sqlGuesses   = `SELECT failed, last_at FROM login_throttles WHERE book = $1 AND digest = $2 FOR UPDATE`
	sqlNoGuesses = `DELETE FROM login_throttles WHERE book = $1 AND digest = $2`
	sqlNextGuess = `UPDATE login_throttles SET failed = $3, last_at = $4 WHERE book = $1 AND digest = $2`
	sqlOldGuess  = `
	DELETE FROM login_throttles WHERE ctid = ANY(ARRAY(
		SELECT ctid FROM login_throttles WHERE last_at < $1 ORDER BY last_at LIMIT 10 FOR UPDATE SKIP LOCKED))`
)

// countGuess counts one more guess, or refuses it. Each sweeps some that count no more, so the table doesn't grow.
func (s *Store) countGuess(ctx context.Context, db *database, book id.Book, digest []byte) error {
	now := s.clock()
	return failure(pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sqlFirstGuess, book, digest, now)
		if err != nil || tag.RowsAffected() == 1 {
			if err == nil {
				_, err = tx.Exec(ctx, sqlOldGuess, now.Add(-48*time.Hour))
			}
			return err
		}
		var failed int
		var last time.Time
		if err := tx.QueryRow(ctx, sqlGuesses, book, digest).Scan(&failed, &last); err == pgx.ErrNoRows {
			return fault.Unavailable("store_busy", "others were just ahead", nil)
		} else if err != nil {
			return err
		}
		if access.Forgets(last, now) {
			failed = 0
		}
		if next := access.NextGuess(failed, last); now.Before(next) {
			return fault.Unavailable("too_many_attempts", "too many wrong tries; wait a while", nil).WithRetryAfter(next.Sub(now))
		}
		_, err = tx.Exec(ctx, sqlNextGuess, book, digest, failed+1, now)
		return err
	}))
}

// refreshPrefix begins a refresh token, with its book behind it.
const refreshPrefix = "rt_"

// newRefresh makes "rt_test_…", and what is kept of it.
func newRefresh(book id.Book) (token string, hash []byte) {
	token = refreshPrefix + strings.TrimPrefix(newToken(book), "sk_")
	sum := sha256.Sum256([]byte(token))
	return token, sum[:]
}

const sqlOpenSession = `
	INSERT INTO user_sessions (book, id, user_id, merchant_id, created_at, refreshed_at, expires_at) VALUES ($1, $2, $3, $4, $5, $5, $6)`

const sqlIssueRefresh = `INSERT INTO user_refreshes (book, hash, session_id, issued_at) VALUES ($1, $2, $3, $4)`

// OpenSession logs a user in whom somebody else has vouched for: whoever calls it has.
func (s *Store) OpenSession(ctx context.Context, session access.Session) (access.Grant, error) {
	db, err := s.db(session.Book)
	if err != nil {
		return access.Grant{}, err
	}
	now := s.clock()
	token, hash := newRefresh(session.Book)
	session.ID = s.Mint(id.Session)
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sqlOpenSession, session.Book, session.ID, session.UserID, session.MerchantID, now, now.Add(access.SessionLife)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, sqlIssueRefresh, session.Book, hash, session.ID, now)
		return err
	})
	return access.Grant{Session: session, Refresh: token}, failure(err)
}

const sqlRefreshed = `
	SELECT x.id, x.user_id, x.merchant_id, x.created_at, r.used_at IS NOT NULL, x.ended_at IS NULL AND x.expires_at > $3 AND u.status IN ('active', 'frozen')
	FROM user_refreshes r JOIN user_sessions x ON x.book = r.book AND x.id = r.session_id JOIN users u ON u.book = x.book AND u.id = x.user_id
	WHERE r.book = $1 AND r.hash = $2
	FOR UPDATE OF r, x`

const sqlUseRefresh = `UPDATE user_refreshes SET used_at = $3 WHERE book = $1 AND hash = $2`

const sqlProlong = `UPDATE user_sessions SET refreshed_at = $3, expires_at = $4 WHERE book = $1 AND id = $2`

const sqlEndSession = `UPDATE user_sessions SET ended_at = $3, ended_why = $4 WHERE book = $1 AND id = $2 AND ended_at IS NULL`

// Refresh takes a refresh token and gives the next one. One that comes a second time was stolen, from one of the two who have it: the
// session ends, for both. It is Denied "refresh_invalid" then, as is any that isn't good.
func (s *Store) Refresh(ctx context.Context, token string) (access.Grant, error) {
	var g access.Grant
	now := s.clock()
	reused := false
	err := s.withRefresh(ctx, token, func(tx pgx.Tx, r refreshRow) error {
		switch {
		case !r.open:
			return refreshInvalid()
		case r.used:
			reused = true
			_, err := tx.Exec(ctx, sqlEndSession, r.Book, r.ID, now, "refresh_reused")
			return err
		}
		fresh, hash := newRefresh(r.Book)
		g = access.Grant{Session: r.Session, Refresh: fresh}
		until := now.Add(access.SessionLife)
		if last := r.createdAt.Add(maxSession); until.After(last) {
			until = last
		}
		if _, err := tx.Exec(ctx, sqlUseRefresh, r.Book, r.hash, now); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlProlong, r.Book, r.ID, now, until); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, sqlIssueRefresh, r.Book, hash, r.ID, now)
		return err
	})
	if err == nil && reused {
		return access.Grant{}, refreshInvalid()
	}
	return g, err
}

// LogOut ends the session of a refresh token, whether or not it was used already. One that is unknown ends nothing.
func (s *Store) LogOut(ctx context.Context, token string) error {
	err := s.withRefresh(ctx, token, func(tx pgx.Tx, r refreshRow) error {
		_, err := tx.Exec(ctx, sqlEndSession, r.Book, r.ID, s.clock(), "logged_out")
		return err
	})
	if fault.Is(err, fault.KindDenied, "refresh_invalid") {
		return nil
	}
	return err
}

// refreshRow is a refresh token under lock, with its session.
type refreshRow struct {
	access.Session
	hash       []byte
	createdAt  time.Time
	used, open bool
}

func (s *Store) withRefresh(ctx context.Context, token string, do func(pgx.Tx, refreshRow) error) error {
	rest, found := strings.CutPrefix(token, refreshPrefix)
	book, known := bookOf("sk_" + rest)
	if !found || !known {
		return refreshInvalid()
	}
	db, err := s.db(book)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(token))
	return failure(pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		r := refreshRow{Session: access.Session{Book: book}, hash: sum[:]}
		err := tx.QueryRow(ctx, sqlRefreshed, book, r.hash, s.clock()).Scan(&r.ID, &r.UserID, &r.MerchantID, &r.createdAt, &r.used, &r.open)
		if err == pgx.ErrNoRows {
			return refreshInvalid()
		} else if err != nil {
			return err
		}
		return do(tx, r)
	}))
}

func refreshInvalid() error {
	return fault.Denied("refresh_invalid", "the refresh token is invalid, or its session has ended; log in again")
}
