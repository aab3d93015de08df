package api

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/user"
)

// RegisterUser makes a user who logs in by themselves, and logs them in.
func (s *server) RegisterUser(c echo.Context) error {
	var r RegisterRequest
	body, err := s.readAnonymous(c, &r)
	if err != nil {
		return err
	}
	login, err := checkCredentials(r.Login, r.Password)
	if err == nil {
		err = checkMerchant(r.MerchantID)
	}
	if err != nil {
		return err
	}
	change, err := changeOf(UserChangeRequest{Name: r.Name, Email: r.Email, Phone: r.Phone, Country: r.Country, PushTokens: r.PushTokens,
		Language: r.Language, Preferences: r.Preferences, Referrer: r.Referrer})
	if err == nil {
		err = s.conforms("registerUser", body)
	}
	if err != nil {
		return err
	}
	u := user.User{Book: bookOf(r.Livemode), MerchantID: r.MerchantID, Status: user.Active}
	if err := change.Apply(&u); err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	hash, err := s.hash(ctx, r.Password)
	if err != nil {
		return err
	}
	if u, err = s.Logins.Register(ctx, u, login, hash); err != nil {
		return err
	}
	grant, err := s.Logins.OpenSession(ctx, access.Session{Book: u.Book, MerchantID: u.MerchantID, UserID: u.ID})
	if err != nil {
		return err
	}
	return s.granted(ctx, c, http.StatusCreated, grant)
}

// LogInUser opens a session for whoever knows the password.
func (s *server) LogInUser(c echo.Context) error {
	var r LoginRequest
	body, err := s.readAnonymous(c, &r)
	if err != nil {
		return err
	}
	if r.MerchantID == "" || r.Login == "" || r.Password == "" {
		return required(firstEmpty("merchant_id", r.MerchantID, "login", r.Login, "password", r.Password), "this is needed to log in")
	}
	if err := s.conforms("logInUser", body); err != nil {
		return err
	}
	login, err := access.CheckLogin(r.Login)
	if err != nil || !id.Is(id.Merchant, r.MerchantID) {
		return fault.Denied("login_failed", "login or password is wrong") // there can be none like it
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	release, err := s.hashing.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	grant, err := s.Logins.LogIn(ctx, bookOf(r.Livemode), r.MerchantID, login, func(hash string) bool { return access.VerifyPassword(hash, r.Password) })
	if err != nil {
		return err
	}
	return s.granted(ctx, c, http.StatusOK, grant)
}

// RefreshUserSession gives the next token, and the next refresh token.
func (s *server) RefreshUserSession(c echo.Context) error {
	var r RefreshRequest
	body, err := s.readAnonymous(c, &r)
	if err == nil {
		err = s.conforms("refreshUserSession", body)
	}
	if err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	grant, err := s.Logins.Refresh(ctx, r.RefreshToken)
	if err != nil {
		return err
	}
	return s.granted(ctx, c, http.StatusOK, grant)
}

// LogOutUser ends a session.
func (s *server) LogOutUser(c echo.Context) error {
	var r RefreshRequest
	body, err := s.readAnonymous(c, &r)
	if err == nil {
		err = s.conforms("logOutUser", body)
	}
	if err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	if err := s.Logins.LogOut(ctx, r.RefreshToken); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// SetUserCredentials gives a merchant's user a login.
func (s *server) SetUserCredentials(c echo.Context, userID UserID, _ SetUserCredentialsParams) error {
	var r CredentialsRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	login, err := checkCredentials(r.Login, r.Password)
	if err == nil {
		err = s.conforms("setUserCredentials", body)
	}
	if err != nil {
		return err
	}
	ref, err := userRef(c, userID)
	if err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	hash, err := s.hash(ctx, r.Password)
	if err != nil {
		return err
	}
	if err := s.Logins.SetCredentials(ctx, ref, login, hash); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// ChangeUserPassword changes the password of a user who knows it.
func (s *server) ChangeUserPassword(c echo.Context) error {
	var r PasswordRequest
	body, err := s.readAnonymous(c, &r)
	if err != nil {
		return err
	}
	if r.CurrentPassword == "" {
		return required("current_password", "say the password that you have")
	}
	if err := access.CheckPassword(r.Password, ""); err != nil {
		return err
	}
	if err := s.conforms("changeUserPassword", body); err != nil {
		return err
	}
	who := callerOf(c)
	if who.user == "" {
		return fault.Denied("users_only", "only a user who is logged in changes their password; give others new credentials")
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	fresh, err := s.hash(ctx, r.Password)
	if err != nil {
		return err
	}
	session := access.Session{ID: who.SessionID, Book: who.Book, MerchantID: who.merchant, UserID: who.user}
	if err := s.Logins.ChangePassword(ctx, session, fresh, func(hash string) bool { return access.VerifyPassword(hash, r.CurrentPassword) }); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// readAnonymous reads what comes from anywhere on the net, of each address only so much.
func (s *server) readAnonymous(c echo.Context, into any) ([]byte, error) {
	if !s.callers.allows(c.Request().RemoteAddr, s.Now()) {
		return nil, fault.Unavailable("too_many_requests", "too many requests from this address; wait a while", nil).WithRetryAfter(time.Second)
	}
	return readJSON(c, into)
}

func checkCredentials(text, password string) (access.Login, error) {
	login, err := access.CheckLogin(text)
	if err == nil {
		err = access.CheckPassword(password, login)
	}
	return login, err
}

func checkMerchant(merchantID string) error {
	if !id.Is(id.Merchant, merchantID) {
		return fault.Invalid("id_invalid", "merchant_id", "this is not a merchant's id")
	}
	return nil
}

// firstEmpty is the first name whose value is empty.
func firstEmpty(pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			return pairs[i]
		}
	}
	return ""
}

// bookOf is the book that users log in to: nobody's real customers act in a load test.
func bookOf(livemode bool) id.Book {
	if livemode {
		return id.Live
	}
	return id.Test
}

// hash is what is kept of a password.
func (s *server) hash(ctx context.Context, password string) (string, error) {
	release, err := s.hashing.take(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	var salt [access.SaltLen]byte
	_, _ = rand.Read(salt[:]) // never fails: it ends the process instead
	return access.HashPassword(password, salt), nil
}

// granted answers a session with its token.
func (s *server) granted(ctx context.Context, c echo.Context, status int, grant access.Grant) error {
	now := s.Now()
	key, err := s.Sessions.TokenKey(ctx, grant.Book, access.TokenPeriod(now))
	if err != nil {
		return err
	}
	token, err := SignToken(key, grant.Session, now)
	if err != nil {
		return err
	}
	return reply(c, status, mediaJSON, UserSession{Object: "user_session", Livemode: grant.Book.Livemode(), UserID: grant.UserID, Token: token,
		ExpiresIn: int(access.TokenLife / time.Second), RefreshToken: grant.Refresh})
}

// slots bounds how many passwords are hashed at once: each takes 19 MiB, and whoever knocks often enough could otherwise take all there is.
type slots chan struct{}

func (s slots) take(ctx context.Context) (release func(), err error) {
	select {
	case s <- struct{}{}:
		return func() { <-s }, nil
	case <-ctx.Done():
		return nil, fault.Unavailable("too_many_requests", "too many log in at once; wait a while", ctx.Err())
	}
}

// addresses bounds how often each address on the net may knock. It forgets them all when it knows too many, rather than grow.
type addresses struct {
	mu    sync.Mutex
	known map[string]*rate.Limiter
	rate  rate.Limit
	burst int
}

const maxAddresses = 50_000

func (a *addresses) allows(remote string, now time.Time) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.known[host]
	if l == nil {
		if len(a.known) >= maxAddresses || a.known == nil {
			a.known = map[string]*rate.Limiter{}
		}
		l = rate.NewLimiter(a.rate, a.burst)
		a.known[host] = l
	}
	return l.AllowN(now, 1)
}
