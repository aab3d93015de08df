package store_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/domain/trade"
	"paysaga/domain/user"
)

// split makes the Step of a payment of which the wallet's part is given; 0 is all of it.
func (h *shop) split(user, key string, amount money.Amount, wallet int64) ledger.Step {
	p := payment.Payment{ID: h.s.Mint(id.Payment), Amount: amount, Method: payment.MethodCardToken, ExpiresAt: time.Now().Add(time.Hour),
		Parts: []payment.Part{{Source: payment.FromWallet, Amount: cny(wallet)}}}
	if wallet > 0 {
		p.Parts = []payment.Part{{Source: payment.FromChannel}, p.Parts[0]}
	}
	return h.step(p.ID, id.Receive, 1, payment.Receive{
		Idempotency: access.Idempotency{MerchantID: h.MerchantID, Operation: "POST /v1/payments", Key: key, RequestHash: hashOf(key)},
		Order:       &trade.Order{Reference: key, Type: trade.Purchase, Currency: amount.Currency},
		Payment:     p, Customer: &payment.Customer{ID: user, Existing: true}})
}

// giveTo is give of a payment whose customer's wallet may get a part.
func (h *shop) giveTo(user, paymentID, key string, minor int64) ledger.Step {
	r := refund.Refund{ID: h.s.Mint(id.Refund), PaymentID: paymentID, MerchantID: h.MerchantID, Amount: cny(minor), User: user}
	return h.step(r.ID, id.Receive, 1, refund.Receive{Refund: r, Idempotency: h.key("refund", key, strconv.FormatInt(minor, 10))})
}

// overChannel is what the channel says of a payment's part that is its.
func (h *shop) overChannel(paymentID string) payment.Outcome {
	o := h.succeeded(paymentID)
	o.AmountMinor = h.dossier(paymentID).Payment.OverChannel().Minor
	return o
}

func (h *shop) purse(user string) []int64 {
	h.t.Helper()
	return []int64{-h.balance("user/" + user + "/wallet"), -h.balance("user/" + user + "/held")}
}

func TestAWalletsPartIsSetAsideOnce(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	user := h.user(1000)
	var received, refused atomic.Int32
	together(60, func(i int) {
		_, err := h.s.Commit(t.Context(), h.split(user, "k"+strconv.Itoa(i), cny(300), 100))
		switch {
		case err == nil:
			received.Add(1)
		case fault.Is(err, fault.KindConflict, "insufficient_balance"):
			refused.Add(1)
		default:
			t.Errorf("%v", err)
		}
	})
	require.Equal(t, []int32{10, 50}, []int32{received.Load(), refused.Load()}, "no more than the wallet holds (I-06)")
	require.Equal(t, []int64{0, 1000}, h.purse(user))
}

func TestWhoMayNotSpendSetsNothingAside(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	user := h.user(1000)
	stranger := h.split(user, "stranger", cny(300), 100)
	c := stranger.Changes[0].(payment.Receive)
	c.Customer = &payment.Customer{ID: h.s.Mint(id.User), Existing: true}
	stranger.Changes[0] = c
	h.refused(stranger, fault.KindInvalid, "customer_unknown")
	c.Customer = &payment.Customer{Reference: "c"}
	stranger.Changes[0] = c
	h.refused(stranger, fault.KindInvalid, "field_required")
	h.refused(h.split(user, "all", cny(100), 100), fault.KindInvalid, "parts_differ")
	h.refused(h.split(user, "more", cny(100), 101), fault.KindInvalid, "parts_differ")
	h.refused(h.split(user, "dollars", money.New(100, "USD"), 50), fault.KindConflict, "insufficient_balance")
	for status, code := range map[string]string{"frozen": "wallet_frozen", "closed": "wallet_closed"} {
		h.setStatus(user, status)
		h.refused(h.split(user, status, cny(300), 100), fault.KindConflict, code)
	}
	require.Equal(t, []int64{1000, 0}, h.purse(user))
}

func TestTwoPartsAreTakenOrGivenBackTogether(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	user := h.user(1000)
	first, second := h.commit(h.split(user, "k1", cny(300), 100)).Object, h.commit(h.split(user, "k2", cny(300), 100)).Object
	require.Equal(t, []int64{800, 200}, h.purse(user))
	for _, p := range []string{first, second} {
		h.commit(h.open(p, 1))
	}
	h.setStatus(user, "frozen")
	h.commit(h.settle(first, 1, h.overChannel(first)))
	h.commit(h.settle(second, 1, payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: "stolen_card", Hard: true}}))
	require.Equal(t, []int64{900, 0}, h.purse(user), "what was set aside comes back, whatever has become of its holder")
	require.Equal(t, int64(200), h.balance("channel/"+h.ChannelAccount+"/clearing")-1000)
	require.Equal(t, int64(300), -h.balance("merchant/"+h.MerchantID+"/available"))
	require.Equal(t, payment.Failed, h.dossier(second).Payment.Status)
}

func TestRefundsOfTwoPartsAreArbitratedUnderTheLock(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	user := h.user(400)
	p := h.commit(h.split(user, "k1", cny(1000), 400)).Object
	h.commit(h.open(p, 1))
	h.commit(h.settle(p, 1, h.overChannel(p)))
	require.NoError(t, h.s.SetRefundParts(t.Context(), h.Book, h.MerchantID, refund.ProRata))
	var received atomic.Int32
	together(30, func(i int) {
		if _, err := h.s.Commit(t.Context(), h.giveTo(user, p, "r"+strconv.Itoa(i), 70)); err == nil {
			received.Add(1)
		} else if !fault.Is(err, fault.KindConflict, "refund_exceeds_payment") {
			t.Errorf("%v", err)
		}
	})
	require.Equal(t, int32(14), received.Load(), "I-12")
	after := h.dossier(p).Payment
	part := after.WalletPart()
	require.Equal(t, int64(392), part.Refunding.Minor, "two fifths of 980")
	list, _, err := h.s.Refunds(t.Context(), refund.Filter{Book: h.Book, PaymentID: p, Limit: 100})
	require.NoError(t, err)
	together(len(list), func(i int) {
		h.commit(h.sendRefund(list[i].ID, 1))
		h.commit(h.settleRefund(list[i].ID, 1, given(list[i].OverChannel())))
	})
	after = h.dossier(p).Payment
	part = after.WalletPart()
	require.Equal(t, []int64{392, 0}, []int64{part.Refunded.Minor, part.Refunding.Minor})
	require.Equal(t, []int64{392, 0}, h.purse(user))
	h.setStatus(user, "closed")
	h.refused(h.giveTo(user, p, "late", 20), fault.KindConflict, "wallet_closed")
}

func TestNobodyIsClosedWithARefundOnItsWay(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	holder := h.user(400)
	p := h.commit(h.split(holder, "k1", cny(1000), 400)).Object
	closes := func() error {
		_, err := h.s.DoUser(t.Context(), h.ref(holder), h.by(), user.Doing{Act: user.Close})
		return err
	}
	require.True(t, fault.Is(closes(), fault.KindConflict, "wallet_not_empty"), "it is set aside, and may come back")
	h.commit(h.open(p, 1))
	h.commit(h.settle(p, 1, h.overChannel(p)))
	r := h.commit(h.giveTo(holder, p, "r", 800)).Object
	require.True(t, fault.Is(closes(), fault.KindConflict, "refund_under_way"))
	h.commit(h.sendRefund(r, 1))
	h.commit(h.settleRefund(r, 1, given(600)))
	require.True(t, fault.Is(closes(), fault.KindConflict, "wallet_not_empty"))
}

// A binary that knows one part would charge the whole amount, and forget what was set aside: it can't.
func TestAnOlderBinaryCannotMoveAPaymentInParts(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.commit(h.split(h.user(1000), "k1", cny(300), 100)).Object
	blocked := func(sql string) {
		t.Helper()
		_, err := h.db.Owner.Exec(context.Background(), sql, p)
		var pg *pgconn.PgError
		require.True(t, errors.As(err, &pg) && pg.ConstraintName == "payments_parts_seen", "%v", err)
	}
	blocked(`UPDATE payments SET opened_at = now(), start_due_at = NULL WHERE id = $1`)
	h.commit(h.open(p, 1))
	blocked(`UPDATE payments SET status = 'failed', decline_code = 'x', sequence = sequence + 1 WHERE id = $1`)
	h.commit(h.settle(p, 1, h.overChannel(p)))
	blocked(`UPDATE payments SET refunding = 300, sequence = sequence + 1 WHERE id = $1`)
}

// Two payments from wallets were under way for one order: the second is one too many, and what is too much can go back to its wallet.
func TestAWalletThatPaysAnOrderTwiceOpensACase(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	user := h.user(1000)
	first := h.split(user, "k1", cny(300), 0)
	second := h.split(user, "k2", cny(300), 0)
	both := second.Changes[0].(payment.Receive)
	both.Order = first.Changes[0].(payment.Receive).Order
	second.Changes[0] = both
	var list []string
	for _, step := range []ledger.Step{first, second} {
		list = append(list, h.commit(step).Object)
	}
	for _, p := range list {
		d := h.dossier(p)
		r, err := payment.PayFromWallet(payment.Case{Payment: d.Payment, Terms: d.Terms, Now: time.Now()})
		require.NoError(t, err)
		step := h.step(p, r.Step.Code, r.Step.Ordinal, r.Changes(d.Payment, nil)...)
		step.Journals = r.Journals
		h.commit(step)
	}
	require.Equal(t, []int64{400, 0}, h.purse(user))
	var caseID string
	require.NoError(t, h.db.Owner.QueryRow(t.Context(), `SELECT id FROM cases WHERE payment_id = $1 AND kind = 'duplicate_payment' AND amount = 300 AND booked`,
		list[1]).Scan(&caseID))
	r := h.commit(h.giveTo(user, list[1], "back", 300)).Object
	h.commit(h.settleRefund(r, 0, payment.Outcome{Verdict: payment.Succeeded, Currency: "CNY"}))
	require.Equal(t, []int64{700, 0}, h.purse(user))
}
