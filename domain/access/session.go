package access

import (
	"crypto/ed25519"
	"time"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// How long what a log-in gives is good for. A token is short-lived, since what it says is believed for that long; the refresh token that
// gets the next one is used once.
const (
	TokenLife   = 10 * time.Minute
	SessionLife = 90 * 24 * time.Hour // without a refresh
	tokenPeriod = 90 * 24 * time.Hour // of a signing key
)

// Session is what a user has who is logged in.
type Session struct {
	ID         string // ses_…
	Book       id.Book
	MerchantID string
	UserID     string
}

// Principal is the user who acts for themselves.
func (s Session) Principal() Principal {
	return Principal{Kind: ledger.ByUser, ID: s.UserID, Book: s.Book, MerchantID: s.MerchantID, UserID: s.UserID, SessionID: s.ID, Scopes: UserScopes}
}

// Grant is what a log-in or a refresh gives: the session, and the token that gets the next one. The latter is a secret, shown once.
type Grant struct {
	Session
	Refresh string // rt_…
}

// TokenKey signs the tokens of a book's users for a period.
type TokenKey struct {
	Book    id.Book
	Period  int
	Private ed25519.PrivateKey
}

// TokenPeriod numbers the period in which a token that is issued at t is signed.
func TokenPeriod(t time.Time) int { return int(t.Unix() / int64(tokenPeriod/time.Second)) }
