package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/trade"
	"paysaga/domain/user"
)

const userColumns = ` u.book::text, u.id, u.merchant_id, coalesce(u.reference, ''), u.status, u.sequence, coalesce(u.language, ''), u.preferences,
	coalesce(u.referrer_id, ''), u.metadata, coalesce(u.auto_withdraw, '{}'), u.created_at, coalesce(u.updated_at, u.created_at),
	CASE WHEN u.status = 'frozen' THEN (
		SELECT json_agg(json_build_object('by', a.by_kind, 'actor', a.by_id, 'reason', coalesce(a.reason, ''), 'at', a.at) ORDER BY a.sequence)
		FROM user_acts a WHERE a.book = u.book AND a.user_id = u.id AND a.kind = 'user.frozen' AND a.sequence > coalesce(
			(SELECT max(sequence) FROM user_acts t WHERE t.book = u.book AND t.user_id = u.id AND t.kind = 'user.unfrozen'), 0)) END,
	(SELECT details_sealed FROM user_details d WHERE d.book = u.book AND d.user_id = u.id),
	(SELECT profile_sealed FROM user_profiles p WHERE p.book = u.book AND p.user_id = u.id)`

// userStands is a user as read: Profile is what was said of them, and Known that, and what payments brought beside it.
type userStands struct {
	user.User
	known user.Profile
}

func (s *Store) scanUser(row pgx.CollectableRow) (userStands, error) {
	var u userStands
	var details, profile, freezes []byte
	err := row.Scan(&u.Book, &u.ID, &u.MerchantID, &u.Reference, &u.Status, &u.Sequence, &u.Language, &u.Preferences, &u.ReferrerID, &u.Metadata, &u.Withdraw,
		&u.CreatedAt, &u.UpdatedAt, &freezes, &details, &profile)
	if err != nil {
		return u, err
	}
	if freezes != nil {
		if err := json.Unmarshal(freezes, &u.Freezes); err != nil {
			return u, fault.Internal("freezes that can't be read", err)
		}
	}
	u.Profile, u.known, err = s.openProfile(profile, details)
	return u, err
}

// openProfile opens what was said of a user, and what is known of them: that, and what payments brought where nothing was said.
func (s *Store) openProfile(profile, details []byte) (said, known user.Profile, err error) {
	brought := map[string]string{}
	for _, one := range []struct {
		sealed []byte
		into   any
	}{{profile, &said}, {details, &brought}} {
		if one.sealed == nil {
			continue
		}
		text, err := s.OpenSealed(one.sealed)
		if err != nil {
			return said, known, err
		}
		if err := json.Unmarshal(text, one.into); err != nil {
			return said, known, fault.Internal("a profile that can't be read", err)
		}
	}
	return said, said.Over(brought), nil
}

const sqlUser = `SELECT` + userColumns + ` FROM users u WHERE u.book = $1 AND u.id = $2 AND ($3 = '' OR u.merchant_id = $3)`

// User reads one; another merchant's is NotFound (I-25).
func (s *Store) User(ctx context.Context, ref user.Ref) (user.User, error) {
	db, err := s.db(ref.Book)
	if err != nil {
		return user.User{}, err
	}
	u, err := s.readUser(ctx, db.pool, ref, "")
	return u.shown(), err
}

// shown is the user with all that is known of them.
func (u userStands) shown() user.User {
	u.Profile = u.known
	return u.User
}

func (s *Store) readUser(ctx context.Context, q querier, ref user.Ref, lock string) (userStands, error) {
	rows, err := q.Query(ctx, sqlUser+lock, ref.Book, ref.ID, ref.MerchantID)
	if err != nil {
		return userStands{}, failure(err)
	}
	u, err := pgx.CollectExactlyOneRow(rows, s.scanUser)
	if err == pgx.ErrNoRows {
		return u, fault.NotFound("user")
	}
	return u, failure(err)
}

const sqlUsersPage = `SELECT` + userColumns + ` FROM users u
	WHERE u.book = $1 AND ($2 = '' OR u.merchant_id = $2) AND ($3 = '' OR u.status = $3) AND ($4 = '' OR u.reference = $4)
		AND ($5 = '' OR u.referrer_id = $5) AND ($6 = '' OR u.id < $6)
	ORDER BY u.id DESC LIMIT $7`

// Users lists users, newest first.
func (s *Store) Users(ctx context.Context, f user.Filter) (page []user.User, more bool, err error) {
	db, err := s.db(f.Book)
	if err != nil {
		return nil, false, err
	}
	rows, err := db.pool.Query(ctx, sqlUsersPage, f.Book, f.MerchantID, string(f.Status), f.Reference, f.ReferrerID, f.After, f.Limit+1)
	if err != nil {
		return nil, false, failure(err)
	}
	list, err := pgx.CollectRows(rows, s.scanUser)
	for _, u := range list[:min(len(list), f.Limit)] {
		page = append(page, u.shown())
	}
	return page, len(list) > f.Limit, failure(err)
}

const sqlMakeUser = `
	INSERT INTO users (book, id, merchant_id, reference, status, created_at) VALUES ($1, $2, $3, nullif($4, ''), 'active', $5)
	ON CONFLICT (merchant_id, reference, book) DO NOTHING`

const sqlUserByReference = `SELECT u.id FROM users u WHERE u.merchant_id = $1 AND u.reference = $2 AND u.book = $3`

const sqlMerchantStands = `SELECT true FROM merchants WHERE book = $1 AND id = $2`

// CreateUser makes a user, or finds the one who stands under the reference: whom a payment brought is filled in; who says the same stays
// as they are; who says something else is Conflict "user_reference_exists".
func (s *Store) CreateUser(ctx context.Context, u user.User, by ledger.Principal) (made user.User, created bool, err error) {
	db, err := s.db(u.Book)
	if err != nil {
		return u, false, err
	}
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		made, created, err = s.createUser(ctx, tx, u, by)
		return err
	})
	return made, created, failure(err)
}

func (s *Store) createUser(ctx context.Context, tx pgx.Tx, u user.User, by ledger.Principal) (user.User, bool, error) {
	var stands bool
	if err := tx.QueryRow(ctx, sqlMerchantStands, u.Book, u.MerchantID).Scan(&stands); err == pgx.ErrNoRows {
		return u, false, fault.NotFound("merchant")
	} else if err != nil {
		return u, false, err
	}
	if u.ID == "" {
		u.ID = s.Mint(id.User)
	}
	tag, err := tx.Exec(ctx, sqlMakeUser, u.Book, u.ID, u.MerchantID, u.Reference, s.clock())
	if err != nil {
		return u, false, err
	}
	if tag.RowsAffected() == 0 {
		if err := tx.QueryRow(ctx, sqlUserByReference, u.MerchantID, u.Reference, u.Book).Scan(&u.ID); err != nil {
			return u, false, err
		}
	}
	before, err := s.readUser(ctx, tx, user.Ref{Book: u.Book, MerchantID: u.MerchantID, ID: u.ID}, " FOR UPDATE")
	if err != nil {
		return u, false, err
	}
	if before.Sequence > 0 {
		if before.Status != user.Active || !before.saysAsMuch(u) {
			return u, false, fault.Conflict("user_reference_exists", "a user of this reference stands already, and says something else").
				WithParam("reference").WithDetail("user_id", u.ID)
		}
		return before.shown(), false, nil
	}
	after := before
	after.Profile, after.Language, after.Preferences, after.ReferrerID, after.Metadata = u.Profile, u.Language, u.Preferences, u.ReferrerID, u.Metadata
	after.Withdraw = u.Withdraw
	after, err = s.setUser(ctx, tx, before, after, userMove{by: by, event: "user.created"})
	return after.shown(), true, err
}

// saysAsMuch says whether the one who stands is who would be made.
func (u userStands) saysAsMuch(want user.User) bool {
	a, _ := json.Marshal([]any{u.Language, u.Preferences, u.ReferrerID, metadataOf(u.Metadata), u.Withdraw}) // plain texts
	b, _ := json.Marshal([]any{want.Language, want.Preferences, want.ReferrerID, metadataOf(want.Metadata), want.Withdraw})
	return string(a) == string(b) && u.Profile.Same(want.Profile)
}

func metadataOf(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// userMove is what is to become of a user, and by whom.
type userMove struct {
	by     ledger.Principal
	event  string // its type
	change func(*user.User) (event string, err error)
	// ends is an act that is for good: nothing may be under way, and no wallet may hold anything. nil: it isn't.
	ends *user.Doing
}

// ChangeUser changes what is said of a user, under their lock. A change that says nothing new changes nothing.
func (s *Store) ChangeUser(ctx context.Context, ref user.Ref, by ledger.Principal, c user.Change) (user.User, error) {
	return s.moveUser(ctx, ref, userMove{by: by, change: func(u *user.User) (string, error) {
		if err := u.Open(); err != nil {
			return "", err
		}
		return "user.updated", c.Apply(u)
	}})
}

// DoUser freezes, unfreezes, closes or erases a user. Every Step that moves a wallet, or receives what will, shares the lock that this takes
// alone, so nothing moves any more once it has returned; who has anything under way doesn't end (user.Busy).
func (s *Store) DoUser(ctx context.Context, ref user.Ref, by ledger.Principal, d user.Doing) (user.User, error) {
	m := userMove{by: by, change: func(u *user.User) (string, error) {
		moved, err := u.Do(d.Act, by.Kind)
		if !moved {
			return "", err
		}
		return d.Act.Event(), nil
	}}
	if d.Act.Ends() {
		m.ends = &d
	}
	u, err := s.moveUser(ctx, ref, m)
	if err == nil && d.Act == user.Erase { // a repeat, too: the first may have been cut off
		err = s.forget(ctx, ref)
	}
	return u, err
}

func (s *Store) moveUser(ctx context.Context, ref user.Ref, m userMove) (after user.User, err error) {
	db, err := s.db(ref.Book)
	if err != nil {
		return after, err
	}
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		// The one lock order has users before accounts; of a merchant's users only one change of referrers is made at a time.
		before, err := s.readUser(ctx, tx, ref, " FOR UPDATE")
		if err != nil {
			return err
		}
		changed := before
		if m.event, err = m.change(&changed.User); err != nil {
			return err
		}
		if m.event == "" || m.event == "user.updated" && before.same(changed) {
			after = before.shown()
			return nil
		}
		if m.ends != nil {
			if err := mayEnd(ctx, tx, before.User, *m.ends); err != nil {
				return err
			}
		}
		changed, err = s.setUser(ctx, tx, before, changed, m)
		after = changed.shown()
		return err
	})
	return after, failure(err)
}

func (u userStands) same(v userStands) bool {
	return u.saysAsMuch(v.User) && u.Reference == v.Reference && u.Status == v.Status
}

const sqlSetUser = `
	UPDATE users SET status = @status, sequence = @sequence, reference = nullif(@reference, ''), language = nullif(@language, ''),
		preferences = @preferences, metadata = @metadata, referrer_id = nullif(@referrer, ''), auto_withdraw = nullif(@withdraw::jsonb, '{}'), updated_at = @at
	WHERE book = @book AND id = @id`

const sqlSetProfile = `
	INSERT INTO user_profiles (book, user_id, profile_sealed, updated_at) VALUES ($1, $2, $3, $4)
	ON CONFLICT (book, user_id) DO UPDATE SET profile_sealed = excluded.profile_sealed, updated_at = excluded.updated_at`

const sqlUserAct = `
	INSERT INTO user_acts (book, user_id, sequence, kind, by_kind, by_id, request_id, reason, at)
	VALUES ($1, $2, $3, $4, $5, $6, nullif($7, ''), nullif($8, ''), $9)`

// setUser writes a change, and what follows from it: the event, and what an erased user leaves behind, which is nothing.
func (s *Store) setUser(ctx context.Context, tx pgx.Tx, before, after userStands, m userMove) (userStands, error) {
	if after.ReferrerID != before.ReferrerID {
		if err := s.checkReferrer(ctx, tx, after.User); err != nil {
			return after, err
		}
	}
	if after.Reference != before.Reference && after.Reference != "" {
		var stands string
		err := tx.QueryRow(ctx, sqlUserByReference, after.MerchantID, after.Reference, after.Book).Scan(&stands)
		if err == nil {
			return after, fault.Conflict("user_reference_exists", "a user of this reference stands already").WithParam("reference").WithDetail("user_id", stands)
		} else if err != pgx.ErrNoRows {
			return after, err
		}
	}
	after.UpdatedAt = s.clock()
	after.Sequence++
	preferences, err := json.Marshal(after.Preferences)
	if err != nil {
		return after, fault.Internal("preferences that are no JSON", err)
	}
	withdraw, err := json.Marshal(after.Withdraw)
	if err != nil {
		return after, fault.Internal("a wish that is no JSON", err)
	}
	if d := after.Withdraw.DestinationID; d != "" && after.Withdraw != before.Withdraw {
		if err := s.keeps(ctx, tx, after.User, d); err != nil {
			return after, err
		}
	}
	_, err = tx.Exec(ctx, sqlSetUser, pgx.NamedArgs{"book": after.Book, "id": after.ID, "status": string(after.Status), "sequence": after.Sequence,
		"reference": after.Reference, "language": string(after.Language), "preferences": string(preferences), "metadata": metadataOf(after.Metadata),
		"referrer": after.ReferrerID, "withdraw": string(withdraw), "at": after.UpdatedAt})
	if err != nil {
		return after, err
	}
	if !after.Profile.Same(before.Profile) && after.Status != user.Erased {
		if err := s.setProfile(ctx, tx, after.User); err != nil {
			return after, err
		}
	}
	if _, err := tx.Exec(ctx, sqlUserAct, after.Book, after.ID, after.Sequence, m.event, string(m.by.Kind), m.by.ID, m.by.RequestID, m.by.Reason,
		after.UpdatedAt); err != nil {
		return after, err
	}
	if m.ends != nil {
		if err := endUser(ctx, tx, after.User); err != nil {
			return after, err
		}
	}
	if after.Status == user.Erased {
		after.known = user.Profile{}
	} else if after, err = s.reread(ctx, tx, after); err != nil {
		return after, err
	}
	return after, emitUser(ctx, tx, after.User, m.event)
}

// reread is the user with what is known after the change.
func (s *Store) reread(ctx context.Context, tx pgx.Tx, u userStands) (userStands, error) {
	return s.readUser(ctx, tx, user.Ref{Book: u.Book, ID: u.ID}, "")
}

func (s *Store) setProfile(ctx context.Context, tx pgx.Tx, u user.User) error {
	text, err := json.Marshal(u.Profile)
	if err != nil {
		return fault.Internal("a profile that is no JSON", err)
	}
	sealed, err := s.Seal(text)
	if err == nil {
		_, err = tx.Exec(ctx, sqlSetProfile, u.Book, u.ID, sealed, u.UpdatedAt)
	}
	return err
}

const sqlUserEvent = `
	INSERT INTO events (book, object_id, sequence, id, type, api_version, created_at, merchant_id, business_id, object_type, data)
	VALUES (@book, @id, @sequence, @event, @type, @version, @at, @merchant, @id, 'user', @data::jsonb)`

// emitUser leaves the event of a user's move, under the lock of their row: nothing personal is in it (I-26).
func emitUser(ctx context.Context, tx pgx.Tx, u user.User, kind string) error {
	text, err := json.Marshal(u.Told())
	if err != nil {
		return fault.Internal("a user that is no JSON", err)
	}
	at := u.UpdatedAt.UTC().Truncate(time.Microsecond)
	_, err = tx.Exec(ctx, sqlUserEvent, pgx.NamedArgs{"book": u.Book, "id": u.ID, "sequence": u.Sequence, "event": mint(id.Event, at), "type": kind,
		"version": trade.APIVersion, "at": at, "merchant": u.MerchantID, "data": string(text)})
	return err
}
