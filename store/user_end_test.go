package store_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/user"
)

// topsUp makes the Step that receives a top-up.
func (h *shop) topsUp(userID string, minor int64) ledger.Step {
	p := payment.Payment{ID: h.s.Mint(id.TopUp), MerchantID: h.MerchantID, CustomerID: userID, Amount: cny(minor), Method: payment.MethodCardToken}
	return h.step(p.ID, id.Receive, 1, payment.ReceiveTopUp{Payment: p, Idempotency: h.key("topup", p.ID, userID),
		Secrets: payment.Secrets{Token: "tok_of_ada", CustomerIP: "203.0.113.7"}})
}

func (h *shop) ends(userID string, d user.Doing) *fault.Error {
	h.t.Helper()
	before := h.rows()
	was, err := h.s.User(h.t.Context(), h.ref(userID))
	require.NoError(h.t, err)
	_, err = h.s.DoUser(h.t.Context(), h.ref(userID), h.by(), d)
	require.True(h.t, fault.Is(err, fault.KindConflict, ""), "%v", err)
	is, err2 := h.s.User(h.t.Context(), h.ref(userID))
	require.NoError(h.t, err2)
	require.Equal(h.t, was, is)
	require.Equal(h.t, before, h.rows())
	return fault.As(err)
}

func TestNobodyEndsWithSomethingUnderWay(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 1000)
	h := p.shop
	ada, bob := p.user(), p.user()
	h.fill(ada, 300)
	for range 2 {
		h.commit(h.takes(ada, 100))
	}
	transfer := h.commit(h.sends(ada, bob, 100)).Object
	h.commit(h.topsUp(ada, 50))
	p.promised(ada, 1, 60)
	all := map[string]string{"payouts": "2", "transfers": "1", "topups": "1", "rebates": "1"}
	for _, act := range []user.Act{user.Close, user.Erase} {
		err := h.ends(ada, user.Doing{Act: act})
		require.Equal(t, "payout_under_way", err.Code)
		require.Equal(t, all, err.Details)
	}
	delete(all, "rebates")
	require.Equal(t, all, h.ends(ada, user.Doing{Act: user.Close, GiveUpRebates: true}).Details)
	require.Equal(t, "transfer_under_way", h.ends(bob, user.Doing{Act: user.Close}).Code, "money is on its way to the wallet")
	h.commit(h.moves(transfer))
	require.Equal(t, "wallet_not_empty", h.ends(bob, user.Doing{Act: user.Close}).Code)

	// Promises alone: who gives them up may go.
	cy := p.user()
	p.promised(cy, 2, 60)
	require.Equal(t, "rebate_under_way", h.ends(cy, user.Doing{Act: user.Close}).Code)
	_, err := h.s.DoUser(t.Context(), h.ref(cy), h.by(), user.Doing{Act: user.Close, GiveUpRebates: true})
	require.NoError(t, err)
}

// Who is to be erased waits for payments over channels, too: their sagas need what is personal.
func TestNobodyIsErasedWithAPaymentUnderWay(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	paymentID := h.pay("A-1", cny(100))
	customer := h.dossier(paymentID).Payment.CustomerID
	require.Equal(t, "payment_under_way", h.ends(customer, user.Doing{Act: user.Erase}).Code)
	_, err := h.s.DoUser(t.Context(), h.ref(customer), h.by(), user.Doing{Act: user.Close})
	require.NoError(t, err, "it moves no wallet")
	require.Equal(t, "payment_under_way", h.ends(customer, user.Doing{Act: user.Erase}).Code)
}

// A payout and a top-up that are received while their user is closed: one of them passes, never both.
func TestClosingAgainstWhatIsReceived(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	for i := range 12 {
		holds, receive := int64(100), h.takes
		if i%2 == 1 {
			holds, receive = 0, h.topsUp
		}
		u := h.user(holds)
		var received, closed error
		together(2, func(n int) {
			if n == 0 {
				_, received = h.s.Commit(t.Context(), receive(u, 100))
				return
			}
			_, closed = h.s.DoUser(t.Context(), h.ref(u), h.by(), user.Doing{Act: user.Close})
		})
		require.False(t, received == nil && closed == nil, strconv.Itoa(i))
		require.True(t, received == nil || fault.Is(received, fault.KindConflict, "wallet_closed"), "%v", received)
		require.True(t, closed == nil || fault.Is(closed, fault.KindConflict, ""), "%v", closed)
	}
}

// Whose freezes stand is read out of the acts since the last thaw.
func TestFreezesStandUntilTheyAreLifted(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx := t.Context()
	u := h.person("c-1", "")
	operator := ledger.Principal{Kind: ledger.ByOperator, ID: "opr_1", Reason: "a court's order"}
	do := func(act user.Act, by ledger.Principal) (user.User, error) {
		return h.s.DoUser(ctx, h.ref(u.ID), by, user.Doing{Act: act})
	}
	for _, by := range []ledger.Principal{h.by(), operator} { // one that was lifted says nothing of the next
		_, err := do(user.Freeze, operator)
		require.NoError(t, err)
		_, err = do(user.Unfreeze, operator)
		require.NoError(t, err)
		got, err := do(user.Freeze, by)
		require.NoError(t, err)
		require.Len(t, got.Freezes, 1)
		require.Equal(t, []string{string(by.Kind), by.ID, by.Reason}, []string{string(got.Freezes[0].By), got.Freezes[0].Actor, got.Freezes[0].Reason})
		_, err = do(user.Unfreeze, by)
		require.NoError(t, err)
	}
	_, err := do(user.Freeze, h.by())
	require.NoError(t, err)
	both, err := do(user.Freeze, operator)
	require.NoError(t, err)
	require.Len(t, both.Freezes, 2)
	again, err := do(user.Freeze, operator)
	require.NoError(t, err)
	require.Equal(t, both, again, "a repeat says nothing new")
	for _, act := range []user.Act{user.Unfreeze, user.Close, user.Erase} {
		_, err = do(act, h.by())
		require.True(t, fault.Is(err, fault.KindDenied, "frozen_by_operator"), "%v", err)
	}
	free, err := do(user.Unfreeze, operator)
	require.NoError(t, err)
	require.Empty(t, free.Freezes)
}
