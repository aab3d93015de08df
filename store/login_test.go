package store_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/user"
	"paysaga/store"
	"paysaga/store/storetest"
)

// plain lets a test do without the time that hashing takes.
func plain(password string) func(string) bool {
	return func(hash string) bool { return hash == password }
}

func (h *shop) registered(login access.Login) user.User {
	h.t.Helper()
	u, err := h.s.Register(h.t.Context(), user.User{Book: h.Book, MerchantID: h.MerchantID, Status: user.Active}, login, "right")
	require.NoError(h.t, err)
	return u
}

func TestARefreshTokenThatComesTwiceEndsItsSession(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx := t.Context()
	u := h.registered("ada")
	grant, err := h.s.LogIn(ctx, h.Book, h.MerchantID, "ada", plain("right"))
	require.NoError(t, err)
	require.Equal(t, u.ID, grant.UserID)
	next, err := h.s.Refresh(ctx, grant.Refresh)
	require.NoError(t, err)
	require.Equal(t, grant.ID, next.ID, "the session goes on")
	require.NotEqual(t, grant.Refresh, next.Refresh)
	_, err = h.s.Session(ctx, h.Book, grant.ID)
	require.NoError(t, err)

	_, err = h.s.Refresh(ctx, grant.Refresh) // a thief, or the one who was stolen from
	require.True(t, fault.Is(err, fault.KindDenied, "refresh_invalid"), "%v", err)
	_, err = h.s.Refresh(ctx, next.Refresh)
	require.True(t, fault.Is(err, fault.KindDenied, "refresh_invalid"), "both have lost it: %v", err)
	_, err = h.s.Session(ctx, h.Book, grant.ID)
	require.True(t, fault.Is(err, fault.KindNotFound, ""), "and the tokens with it")
	var why string
	require.NoError(t, h.db.Owner.QueryRow(ctx, `SELECT ended_why FROM user_sessions WHERE id = $1`, grant.ID).Scan(&why))
	require.Equal(t, "refresh_reused", why)
}

func TestOfManyWhoRefreshAtOnceOneGetsOn(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	h.registered("ada")
	grant, err := h.s.LogIn(t.Context(), h.Book, h.MerchantID, "ada", plain("right"))
	require.NoError(t, err)
	var got atomic.Int32
	together(8, func(int) {
		if _, err := h.s.Refresh(t.Context(), grant.Refresh); err == nil {
			got.Add(1)
		}
	})
	require.EqualValues(t, 1, got.Load())
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx := t.Context()
	u := h.registered("ada")
	in := func() access.Grant {
		t.Helper()
		g, err := h.s.LogIn(ctx, h.Book, h.MerchantID, "ada", plain("right"))
		require.NoError(t, err)
		return g
	}
	ended := func(g access.Grant, what string) {
		t.Helper()
		_, err := h.s.Session(ctx, h.Book, g.ID)
		require.True(t, fault.Is(err, fault.KindNotFound, ""), what)
		_, err = h.s.Refresh(ctx, g.Refresh)
		require.True(t, fault.Is(err, fault.KindDenied, "refresh_invalid"), what)
	}
	out := in()
	require.NoError(t, h.s.LogOut(ctx, out.Refresh))
	require.NoError(t, h.s.LogOut(ctx, out.Refresh))
	require.NoError(t, h.s.LogOut(ctx, "rt_test_nobody"))
	ended(out, "logged out")

	mine, other := in(), in()
	require.NoError(t, h.s.ChangePassword(ctx, mine.Session, "right", plain("right")))
	ended(other, "another place, after the password changed")
	_, err := h.s.Session(ctx, h.Book, mine.ID)
	require.NoError(t, err, "whoever changed it stays")
	err = h.s.ChangePassword(ctx, mine.Session, "x", plain("wrong"))
	require.True(t, fault.Is(err, fault.KindDenied, "login_failed"))

	_, err = h.s.DoUser(ctx, h.ref(u.ID), h.by(), user.Doing{Act: user.Freeze})
	require.NoError(t, err)
	frozen := in() // who is frozen may still look
	_, err = h.s.DoUser(ctx, h.ref(u.ID), h.by(), user.Doing{Act: user.Close})
	require.NoError(t, err)
	ended(frozen, "closed")
	ended(mine, "closed")
	_, err = h.s.LogIn(ctx, h.Book, h.MerchantID, "ada", plain("right"))
	require.True(t, fault.Is(err, fault.KindDenied, "login_failed"))
}

func TestASessionExpires(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	db := storetest.Open(t, func(c *store.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	h := &shop{t, db.Store, db, storetest.Plant(t, db.Store, id.Test)}
	h.registered("ada")
	g, err := h.s.LogIn(t.Context(), h.Book, h.MerchantID, "ada", plain("right"))
	require.NoError(t, err)
	ahead.Store(int64(access.SessionLife + time.Minute))
	_, err = h.s.Refresh(t.Context(), g.Refresh)
	require.True(t, fault.Is(err, fault.KindDenied, "refresh_invalid"))
	_, err = h.s.Session(t.Context(), h.Book, g.ID)
	require.True(t, fault.Is(err, fault.KindNotFound, ""))
}

// Wrong tries cost waiting, whether or not there is such a login, and so does the right one among them.
func TestGuessingCostsWaiting(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx := t.Context()
	h.registered("ada")
	for _, login := range []access.Login{"ada", "nobody"} {
		var judged atomic.Int32
		together(20, func(int) {
			_, _ = h.s.LogIn(ctx, h.Book, h.MerchantID, login, func(string) bool { judged.Add(1); return false })
		})
		require.LessOrEqual(t, judged.Load(), int32(7), "%s: as many at once are as many", login)
		_, err := h.s.LogIn(ctx, h.Book, h.MerchantID, login, plain("right"))
		require.True(t, fault.Is(err, fault.KindUnavailable, "too_many_attempts"), "%v", err)
		require.Positive(t, fault.As(err).RetryAfter)
	}
	_, err := h.s.LogIn(ctx, h.Book, storetest.Plant(t, h.s, id.Test).MerchantID, "ada", plain("right"))
	require.True(t, fault.Is(err, fault.KindDenied, "login_failed"), "a login is one merchant's: %v", err)
	_, err = h.s.Register(ctx, user.User{Book: h.Book, MerchantID: h.MerchantID}, "ada", "x")
	require.True(t, fault.Is(err, fault.KindConflict, "login_taken"), "%v", err)
}

func TestATokensKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	period := access.TokenPeriod(time.Now())
	var keys [4]access.TokenKey
	together(len(keys), func(i int) {
		var err error
		if keys[i], err = h.s.TokenKey(t.Context(), h.Book, period); err != nil {
			t.Error(err)
		}
	})
	for _, k := range keys {
		require.Equal(t, keys[0], k)
	}
	live, err := h.s.TokenKey(t.Context(), id.Live, period)
	require.NoError(t, err)
	require.NotEqual(t, keys[0].Private, live.Private, "no book signs for another")
}
