package store_test

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/notice"
	"paysaga/domain/user"
	"paysaga/store/storetest"
)

func (h *shop) by() ledger.Principal {
	return ledger.Principal{Kind: ledger.ByMerchant, ID: h.KeyID, RequestID: "req_1", Reason: "a test"}
}

func (h *shop) person(reference, referrer string) user.User {
	h.t.Helper()
	u, created, err := h.s.CreateUser(h.t.Context(), user.User{Book: h.Book, MerchantID: h.MerchantID, Reference: reference, ReferrerID: referrer}, h.by())
	require.NoError(h.t, err)
	require.True(h.t, created)
	return u
}

func (h *shop) ref(userID string) user.Ref {
	return user.Ref{Book: h.Book, MerchantID: h.MerchantID, ID: userID}
}

// fill puts money into a user's wallet, or takes it out; it comes of nothing that other checks look for.
func (h *shop) fill(userID string, minor int64) {
	h.t.Helper()
	business := h.s.Mint(id.Request)
	cause := id.Key(business, id.Step{Code: id.Move, Ordinal: 1})
	c := ledger.Chart{Book: h.Book, Currency: "CNY"}
	from, to := c.Clearing(h.ChannelAccount), c.Wallet(userID)
	if minor < 0 {
		from, to, minor = to, from, -minor
	}
	j, err := ledger.Post(ledger.Posting{Cause: cause, Kind: "test", Late: ledger.ToNextOpen}, ledger.Dr(from, cny(minor)), ledger.Cr(to, cny(minor)))
	require.NoError(h.t, err)
	h.commit(ledger.Step{Book: h.Book, Cause: cause, Business: business, By: ledger.Service("test"), Journals: []ledger.Journal{j}})
}

func text(s string) *string { return &s }

func TestAUserIsMadeOnceAndIsThePaymentsCustomer(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx := t.Context()
	want := user.User{Book: h.Book, MerchantID: h.MerchantID, Reference: "customer-1", Language: notice.Chinese, Profile: user.Profile{Email: "ada@example.com"}}
	h.pay("A-1", cny(100)) // its customer is customer-1, whose name came with it
	u, created, err := h.s.CreateUser(ctx, want, h.by())
	require.NoError(t, err)
	require.True(t, created, "whom a payment brought is filled in")
	require.Equal(t, "Ada", u.Profile.Name, "what the payment brought is known, too")
	require.Equal(t, "ada@example.com", u.Profile.Email)
	require.EqualValues(t, 1, u.Sequence)

	again, created, err := h.s.CreateUser(ctx, want, h.by())
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, u.ID, again.ID)
	want.Profile.Email = "eve@example.com"
	_, _, err = h.s.CreateUser(ctx, want, h.by())
	require.True(t, fault.Is(err, fault.KindConflict, "user_reference_exists"), "%v", err)

	// The next payment doesn't take away what was said.
	h.pay("A-2", cny(100))
	read, err := h.s.User(ctx, h.ref(u.ID))
	require.NoError(t, err)
	require.Equal(t, "ada@example.com", read.Profile.Email)
	require.Equal(t, notice.Chinese, read.Language)

	other := storetest.Plant(t, h.s, id.Test)
	_, err = h.s.User(ctx, user.Ref{Book: h.Book, MerchantID: other.MerchantID, ID: u.ID})
	require.True(t, fault.Is(err, fault.KindNotFound, ""), "I-25")
	_, err = h.s.User(ctx, user.Ref{Book: id.Live, ID: u.ID})
	require.True(t, fault.Is(err, fault.KindNotFound, ""), "I-25")
}

func TestManyAtOnceMakeOneUser(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	var made atomic.Int32
	together(8, func(int) {
		_, created, err := h.s.CreateUser(t.Context(), user.User{Book: h.Book, MerchantID: h.MerchantID, Reference: "c-1"}, h.by())
		if err == nil && created {
			made.Add(1)
		} else if err != nil {
			t.Error(err)
		}
	})
	require.EqualValues(t, 1, made.Load())
	var events int
	require.NoError(t, h.db.Owner.QueryRow(t.Context(), `SELECT count(*) FROM events WHERE object_type = 'user'`).Scan(&events))
	require.Equal(t, 1, events)
}

func TestChangesAreToldInSequenceAndWithoutWhatIsPersonal(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx := t.Context()
	u := h.person("c-secret-7", "")
	u, err := h.s.ChangeUser(ctx, h.ref(u.ID), h.by(), user.Change{Email: text("ada@example.com"), PushTokens: &[]string{"tok"}})
	require.NoError(t, err)
	require.EqualValues(t, 2, u.Sequence)
	same, err := h.s.ChangeUser(ctx, h.ref(u.ID), h.by(), user.Change{Email: text("ada@example.com")})
	require.NoError(t, err)
	require.EqualValues(t, 2, same.Sequence, "what says nothing new is no change")
	for i, act := range []user.Act{user.Freeze, user.Freeze, user.Unfreeze, user.Close} {
		u, err = h.s.DoUser(ctx, h.ref(u.ID), h.by(), user.Doing{Act: act})
		require.NoError(t, err, i)
	}
	require.EqualValues(t, 5, u.Sequence)
	_, err = h.s.ChangeUser(ctx, h.ref(u.ID), h.by(), user.Change{Email: text("eve@example.com")})
	require.True(t, fault.Is(err, fault.KindConflict, "user_closed"))
	_, err = h.s.DoUser(ctx, h.ref(u.ID), h.by(), user.Doing{Act: user.Unfreeze})
	require.True(t, fault.Is(err, fault.KindConflict, "user_closed"))

	rows, err := h.db.Owner.Query(ctx, `SELECT type, sequence, data::text FROM events WHERE object_id = $1 ORDER BY sequence`, u.ID)
	require.NoError(t, err)
	var types []string
	for want := int64(1); rows.Next(); want++ {
		var kind, data string
		var sequence int64
		require.NoError(t, rows.Scan(&kind, &sequence, &data))
		require.Equal(t, want, sequence, "I-23")
		require.NotContains(t, data, "ada@", "I-26")
		require.NotContains(t, data, "secret", "I-26")
		types = append(types, kind)
	}
	require.Equal(t, []string{"user.created", "user.updated", "user.frozen", "user.unfrozen", "user.closed"}, types)
	var by, reason string
	require.NoError(t, h.db.Owner.QueryRow(ctx, `SELECT by_id, reason FROM user_acts WHERE user_id = $1 AND kind = 'user.frozen'`, u.ID).Scan(&by, &reason))
	require.Equal(t, []string{h.KeyID, "a test"}, []string{by, reason})
}

func TestReferrersFormNoCircle(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx := t.Context()
	first := h.person("c-1", "")
	last := first
	for i := range 5 {
		last = h.person("d-"+strconv.Itoa(i), last.ID)
	}
	refuse := func(userID, referrer, code string) {
		t.Helper()
		_, err := h.s.ChangeUser(ctx, h.ref(userID), h.by(), user.Change{ReferrerID: &referrer})
		require.Equal(t, code, fault.As(err).Code, "%v", err)
		require.Equal(t, "referrer", fault.As(err).Param)
	}
	refuse(first.ID, last.ID, "referral_circle")
	refuse(first.ID, first.ID, "referral_circle")
	refuse(last.ID, first.ID, "referrer_known")
	refuse(first.ID, h.s.Mint(id.User), "referrer_unknown")
	other := storetest.Plant(t, h.s, id.Test)
	stranger, _, err := h.s.CreateUser(ctx, user.User{Book: h.Book, MerchantID: other.MerchantID}, h.by())
	require.NoError(t, err)
	refuse(first.ID, stranger.ID, "referrer_unknown")
	read, err := h.s.User(ctx, h.ref(first.ID))
	require.NoError(t, err)
	require.Empty(t, read.ReferrerID)

	// Two who bring each other at the same time: at most one of them did.
	for i := range 10 {
		a, b := h.person("a-"+strconv.Itoa(i), ""), h.person("b-"+strconv.Itoa(i), "")
		var done atomic.Int32
		together(2, func(n int) {
			who, whom := a.ID, b.ID
			if n == 1 {
				who, whom = whom, who
			}
			if _, err := h.s.ChangeUser(ctx, h.ref(who), h.by(), user.Change{ReferrerID: &whom}); err == nil {
				done.Add(1)
			}
		})
		require.EqualValues(t, 1, done.Load())
	}
}

func TestNobodyIsClosedWithMoneyLeft(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx := t.Context()
	u := h.person("c-1", "")
	h.fill(u.ID, 250)
	list, err := h.s.Wallets(ctx, h.ref(u.ID))
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.EqualValues(t, 250, list[0].Available)
	for _, act := range []user.Act{user.Close, user.Erase} {
		_, err := h.s.DoUser(ctx, h.ref(u.ID), h.by(), user.Doing{Act: act})
		require.True(t, fault.Is(err, fault.KindConflict, "wallet_not_empty"), "%v", err)
	}
	h.fill(u.ID, -250)
	closed, err := h.s.DoUser(ctx, h.ref(u.ID), h.by(), user.Doing{Act: user.Close})
	require.NoError(t, err)
	require.Equal(t, user.Closed, closed.Status)
	h.db.Audit(t)
}

func TestOfAnErasedUserNothingPersonalIsLeft(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx := t.Context()
	h.paid("A-1", cny(100))
	u, _, err := h.s.CreateUser(ctx, user.User{Book: h.Book, MerchantID: h.MerchantID, Reference: "customer-1", Metadata: map[string]string{"called": "Ada"},
		Profile: user.Profile{Email: "ada@example.com"}}, h.by())
	require.NoError(t, err)
	require.NoError(t, h.s.SetCredentials(ctx, h.ref(u.ID), "ada@example.com", "hash"))
	erased, err := h.s.DoUser(ctx, h.ref(u.ID), h.by(), user.Doing{Act: user.Erase})
	require.NoError(t, err)
	require.Equal(t, user.Erased, erased.Status)
	require.Equal(t, user.Profile{}, erased.Profile)
	for _, table := range []string{"user_details", "user_profiles", "user_credentials"} {
		var n int
		require.NoError(t, h.db.Owner.QueryRow(ctx, `SELECT count(*) FROM `+table+` WHERE user_id = $1`, u.ID).Scan(&n))
		require.Zero(t, n, table)
	}
	read, err := h.s.User(ctx, h.ref(u.ID))
	require.NoError(t, err)
	require.Empty(t, read.Reference)
	require.Empty(t, read.Metadata)
	// The reference is free again: the next payment under it is somebody new.
	h.pay("A-2", cny(100))
	page, _, err := h.s.Users(ctx, user.Filter{Book: h.Book, MerchantID: h.MerchantID, Reference: "customer-1", Limit: 10})
	require.NoError(t, err)
	require.Len(t, page, 1)
	require.NotEqual(t, u.ID, page[0].ID)
}
