package api_test

import (
	"crypto/ed25519"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"paysaga/api"
	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// A user's token says who they are, and lets them no further than users may come (I-25).
func TestUsersComeNoFurtherThanTheirOwn(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	if a := f.do(t, request(http.MethodGet, "/v1/payments", "", f.asUser(t, shop, mint(id.User)))); a.status != 403 || a.text(t, "code") != "users_forbidden" {
		t.Errorf("a user lists payments: %d %s", a.status, a.body)
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	now := f.clock.Now()
	session := f.store.newSession(shop, mint(id.User))
	key, _ := f.store.TokenKey(t.Context(), id.Test, access.TokenPeriod(now))
	sign := func(k access.TokenKey, s access.Session, at time.Time) string {
		text, err := api.SignToken(k, s, at)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := sign(key, session, now)
	other := key
	other.Private = ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", 32)))
	live := key
	live.Book = id.Live
	ofLive, ended, stolen, far := session, session, session, key
	ofLive.Book, ended.ID, stolen.UserID, far.Period = id.Live, mint(id.Session), mint(id.User), key.Period+1
	claims := jwt.MapClaims{"iss": "paysaga", "sub": session.UserID, "mer": shop, "sid": session.ID, "book": "test", "per": key.Period, "exp": now.Add(time.Minute).Unix()}
	none, _ := jwt.NewWithClaims(jwt.SigningMethodNone, claims).SignedString(jwt.UnsafeAllowNoneSignatureType)
	public, _ := key.Private.Public().(ed25519.PublicKey)
	hmac, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(public))
	delete(claims, "exp")
	endless, _ := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims).SignedString(key.Private)
	for name, token := range map[string]string{
		"signed by another": sign(other, session, now), "expired": sign(key, session, now.Add(-access.TokenLife-time.Second)),
		"of no algorithm": none, "the public key as a password": hmac, "without an end": endless, "of another book": sign(live, ofLive, now),
		"of a session that has ended": sign(key, ended, now), "of another user's session": sign(key, stolen, now), "of a key to come": sign(far, session, now),
		"torn": good[:len(good)-2], "of two parts": strings.Join(strings.Split(good, ".")[:2], "."), "too long": good + strings.Repeat("a", 2000), "garbage": "a.b.c",
	} {
		if a := f.do(t, request(http.MethodGet, "/v1/payments", "", as(token))); a.status != http.StatusUnauthorized || a.text(t, "code") != "unauthenticated" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := f.do(t, request(http.MethodGet, "/v1/payments", "", as(good))); a.status != http.StatusForbidden {
		t.Errorf("the good one: %d %s", a.status, a.body)
	}
	f.store.broken("Session", fault.Unavailable("database_unavailable", "x", nil))
	if a := f.do(t, request(http.MethodGet, "/v1/payments", "", as(good))); a.status != http.StatusServiceUnavailable {
		t.Errorf("while nobody can look: %d %s", a.status, a.body)
	}
}
