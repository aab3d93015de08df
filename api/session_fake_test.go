package api_test

import (
	"context"
	"crypto/ed25519"
	"net/http"
	"testing"
	"time"

	"paysaga/api"
	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

func (m *memory) TokenKey(_ context.Context, book id.Book, period int) (access.TokenKey, error) {
	unlock, err := m.lock("TokenKey")
	defer unlock()
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, book)
	seed[31] = byte(period)
	return access.TokenKey{Book: book, Period: period, Private: ed25519.NewKeyFromSeed(seed)}, err
}

func (m *memory) Session(_ context.Context, book id.Book, sessionID string) (access.Session, error) {
	unlock, err := m.lock("Session")
	defer unlock()
	session, ok := m.sessions[sessionID]
	if err == nil && (!ok || session.Book != book) {
		err = fault.NotFound("session")
	}
	return session, err
}

// newSession lets a user of the test book be logged in.
func (m *memory) newSession(merchant, user string) access.Session {
	unlock, _ := m.lock("")
	defer unlock()
	session := access.Session{ID: mint(id.Session), Book: id.Test, MerchantID: merchant, UserID: user}
	m.sessions[session.ID] = session
	return session
}

// tokenOf is a session's token, issued at a time.
func tokenOf(t testing.TB, keys api.Sessions, session access.Session, at time.Time) string {
	t.Helper()
	key, err := keys.TokenKey(t.Context(), session.Book, access.TokenPeriod(at))
	if err != nil {
		t.Fatal(err)
	}
	token, err := api.SignToken(key, session, at)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// asUser makes a request a logged-in user's.
func (f *front) asUser(t testing.TB, merchant, user string) func(*http.Request) {
	t.Helper()
	return as(f.signIn(t, merchant, user))
}

// until asks again until the answer is as it should be.
func (f *front) until(t testing.TB, ask func() (answer, bool)) answer {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for {
		a, done := ask()
		if done {
			return a
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("it never came: %d %s", a.status, a.body)
		case <-late:
			t.Fatalf("it didn't come: %d %s", a.status, a.body)
		case <-tick.C:
		}
	}
}
