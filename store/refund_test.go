package store_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
)

// give makes the Step that receives a refund.
func (h *shop) give(paymentID, key string, minor int64) ledger.Step {
	r := refund.Refund{ID: h.s.Mint(id.Refund), PaymentID: paymentID, MerchantID: h.MerchantID, Amount: cny(minor)}
	return h.step(r.ID, id.Receive, 1, refund.Receive{Refund: r, Idempotency: h.key("refund", key, strconv.FormatInt(minor, 10))})
}

// settleRefund makes the Step of what a channel said of a refund.
func (h *shop) settleRefund(refundID string, ordinal int, out payment.Outcome) ledger.Step {
	h.t.Helper()
	d, err := h.s.RefundDossier(h.t.Context(), h.Book, refundID)
	require.NoError(h.t, err)
	m := refund.Move{Refund: d.Refund, Ordinal: ordinal, Outcome: out, Now: time.Now()}
	return ledger.Step{Book: h.Book, Cause: id.Key(refundID, m.Step()), Business: refundID, By: ledger.Service("test"), Changes: []ledger.Change{m}}
}

// sendRefund makes the Step that commits a try's intent.
func (h *shop) sendRefund(refundID string, ordinal int) ledger.Step {
	h.t.Helper()
	request, err := json.Marshal(channels.RefundRequest{AmountMinor: 100, Currency: "CNY"})
	require.NoError(h.t, err)
	key := id.Key(refundID, id.Step{Code: id.RefundOut, Ordinal: ordinal})
	return h.step(refundID, id.Open, ordinal, refund.Intend{Request: request, Attempt: refund.Attempt{Of: refundID, Ordinal: ordinal, Key: key,
		Channel: "sandbox", ChannelAccount: h.ChannelAccount, RequestHash: hashOf(string(request))}})
}

func given(minor int64) payment.Outcome {
	return payment.Outcome{Verdict: payment.Succeeded, AmountMinor: minor, Currency: "CNY", ChannelID: "re_1", EffectiveAt: time.Now()}
}

func TestRefundsAreArbitratedUnderTheLock(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.paid("A-1", cny(1000))
	var received, refused atomic.Int32
	together(60, func(i int) {
		_, err := h.s.Commit(t.Context(), h.give(p, "k"+strconv.Itoa(i), 100))
		switch {
		case err == nil:
			received.Add(1)
		case fault.Is(err, fault.KindConflict, "refund_exceeds_payment"):
			refused.Add(1)
		default:
			t.Errorf("%v", err)
		}
	})
	require.Equal(t, int32(10), received.Load(), "I-12")
	require.Equal(t, int32(50), refused.Load())
	d := h.dossier(p)
	require.Equal(t, int64(1000), d.Payment.Refunding.Minor)
	require.Equal(t, int64(1000), -h.balance("merchant/"+h.MerchantID+"/refunding"))
	list, more, err := h.s.Refunds(t.Context(), refund.Filter{Book: h.Book, PaymentID: p, Limit: 100})
	require.NoError(t, err)
	require.False(t, more)
	require.Len(t, list, 10)
	together(10, func(i int) { // and all of them settle at once, half of them fail
		h.commit(h.sendRefund(list[i].ID, 1))
		out := given(100)
		if i%2 == 0 {
			out = payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: "account_closed"}}
		}
		h.commit(h.settleRefund(list[i].ID, 1, out))
	})
	after := h.dossier(p).Payment
	require.Equal(t, []int64{500, 0}, []int64{after.Refunded.Minor, after.Refunding.Minor})
	require.Equal(t, int64(500), -h.balance("merchant/"+h.MerchantID+"/available"), "what failed is where it was (I-07)")
}

func TestATryIsFollowedOnlyWhenItIsDead(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	r := h.commit(h.give(h.paid("A-1", cny(1000)), "k", 100)).Object
	h.commit(h.sendRefund(r, 1))
	h.refused(h.sendRefund(r, 2), fault.KindConflict, "attempt_alive")
	h.commit(h.settleRefund(r, 1, payment.Outcome{Verdict: payment.Declined}))
	h.refused(h.sendRefund(r, 2), fault.KindConflict, "refund_parked")
	h.commit(h.settleRefund(r, 1, given(100)))
	h.refused(h.sendRefund(r, 2), fault.KindConflict, "refund_ended")
	in, err := h.s.RefundIntent(t.Context(), h.Book, r+":rf1")
	require.NoError(t, err)
	require.Equal(t, payment.Succeeded, in.Attempt.Verdict)
	require.Equal(t, int64(100), in.Request.AmountMinor)
	_, err = h.s.RefundIntent(t.Context(), h.Book, r+":rf2")
	require.Equal(t, fault.KindNotFound, fault.Of(err), "nothing is sent without an intent (I-13)")
}

// A binary from before refunds would make the whole of a payment available, whatever was given back of it meanwhile.
func TestAnOlderBinaryCannotMatureWhatWasGivenBack(t *testing.T) {
	t.Parallel()
	h := newShop(t, payment.Terms{SettlementDays: 2})
	p := h.paid("A-1", cny(1000))
	h.commit(h.give(p, "k", 300))
	require.Equal(t, int64(700), h.dossier(p).Payment.Pending.Minor)
	_, err := h.db.Owner.Exec(t.Context(), "UPDATE payments SET mature_due_at = NULL WHERE id = $1", p)
	var pg *pgconn.PgError
	require.True(t, errors.As(err, &pg) && pg.ConstraintName == "payments_pending", "%v", err)
	cause := id.Key(p, id.Step{Code: id.Mature, Ordinal: 1})
	mature := payment.MatureRest{PaymentID: p, MerchantID: h.MerchantID, Currency: "CNY", Cause: cause, Debt: id.Key(p, id.Step{Code: id.Recover, Ordinal: 1}),
		At: time.Now(), Captured: 1000}
	h.commit(h.step(p, id.Mature, 1, mature))
	require.Equal(t, int64(700), -h.balance("merchant/"+h.MerchantID+"/available"))
	require.Zero(t, h.balance("merchant/"+h.MerchantID+"/pending"))
	require.Zero(t, h.dossier(p).Payment.Pending.Minor)
}

func TestRefundsAreClaimedUntilTheyAreOpened(t *testing.T) {
	t.Parallel()
	h, c := clockedShop(t)
	r := h.commit(h.give(h.paid("A-1", cny(1000)), "k", 100)).Object
	claim := func() int {
		list, err := h.s.UnstartedRefunds(t.Context(), 5*time.Second, 10)
		require.NoError(t, err)
		return len(list)
	}
	require.Zero(t, claim(), "too young")
	c.forward(6 * time.Second)
	require.Equal(t, 1, claim())
	require.Zero(t, claim(), "claimed by us")
	c.forward(3 * time.Second)
	require.Equal(t, 1, claim())
	h.commit(h.sendRefund(r, 1))
	c.forward(time.Hour)
	require.Zero(t, claim())
	h.commit(h.settleRefund(r, 1, given(100)))
}

func TestPlacesAmongRefundsOfOneCharge(t *testing.T) {
	t.Parallel()
	h, c := clockedShop(t)
	p := h.paid("A-1", cny(1000))
	first, second := h.commit(h.give(p, "k1", 100)).Object, h.commit(h.give(p, "k2", 100)).Object
	claim := func(r string) time.Duration {
		at, err := h.s.ClaimRefundSlot(t.Context(), h.Book, r, time.Minute)
		require.NoError(t, err)
		return at.Sub(c.now())
	}
	require.LessOrEqual(t, claim(first), time.Duration(0))
	wait := claim(second)
	require.InDelta(t, time.Minute, wait, float64(5*time.Second))
	c.forward(wait + time.Second)
	require.LessOrEqual(t, claim(second), time.Duration(0))
	_, err := h.s.ClaimRefundSlot(t.Context(), h.Book, h.s.Mint(id.Refund), time.Minute)
	require.Equal(t, fault.KindNotFound, fault.Of(err))
}

// What was paid although it had failed is a case, also when the failure has posted more than its reversal.
func TestPaidAfterAFailureThatMatured(t *testing.T) {
	t.Parallel()
	h := newShop(t, payment.Terms{SettlementDays: 2})
	p := h.paid("A-1", cny(1000))
	r := h.commit(h.give(p, "k", 300)).Object
	h.commit(h.sendRefund(r, 1))
	h.commit(h.step(p, id.Mature, 1, payment.MatureRest{PaymentID: p, MerchantID: h.MerchantID, Currency: "CNY",
		Cause: id.Key(p, id.Step{Code: id.Mature, Ordinal: 1}), Debt: id.Key(p, id.Step{Code: id.Recover, Ordinal: 1}), At: time.Now(), Captured: 1000}))
	h.commit(h.settleRefund(r, 1, payment.Outcome{Verdict: payment.Declined, Dead: true}))
	require.Equal(t, int64(1000), -h.balance("merchant/"+h.MerchantID+"/available"))

	h.refused(h.settleRefund(r, 1, given(300)), fault.KindConflict, "cause_conflict")
	d, err := h.s.RefundDossier(t.Context(), h.Book, r)
	require.NoError(t, err)
	m := refund.Move{Refund: d.Refund, Ordinal: 1, Outcome: given(300), Contradicts: true, Now: time.Now()}
	h.commit(ledger.Step{Book: h.Book, Cause: id.Key(r, m.Step()), Business: r, By: ledger.Service("test"), Changes: []ledger.Change{m}})
	require.Equal(t, int64(300), h.balance("suspense/"+h.ChannelAccount+"/"+string(refund.PaidAfterAll)))
	told, err := h.s.Timeline(t.Context(), h.Book, h.MerchantID, p)
	require.NoError(t, err)
	text := ""
	for _, o := range told {
		text += o.Kind + " " + o.Text + "; "
	}
	for _, part := range []string{"request refund received: " + r, "intent refund try 1 at sandbox", "journal booked: refund_opened;", "journal booked: refund_opened_reversed",
		"event refund.created", "event refund.failed", "case case opened: refund_paid_after_all", "journal booked: suspense_returned"} {
		require.Contains(t, text, part)
	}
}
