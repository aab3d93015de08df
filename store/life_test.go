package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/exception"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
)

func TestAPaymentFromReceiptToItsEnd(t *testing.T) {
	t.Parallel()
	h := newShop(t, payment.Terms{FeeBasisPoints: 100})
	p := h.paid("A-1001", cny(1234))

	got, err := h.s.Payment(t.Context(), h.Book, h.MerchantID, p)
	require.NoError(t, err)
	require.Equal(t, payment.Paid, got.Status)
	require.Equal(t, cny(1234), got.Captured)
	require.Equal(t, cny(12), got.Fee)
	require.Equal(t, "A-1001", got.OrderRef)
	require.Equal(t, cny(1234), got.Parts[0].Captured)
	require.Equal(t, map[string]string{"basket": "42"}, got.Metadata)
	require.NotEmpty(t, got.BusinessDate)
	require.True(t, id.Is(id.User, got.CustomerID))

	order, payments, err := h.s.Order(t.Context(), h.Book, h.MerchantID, got.OrderID)
	require.NoError(t, err)
	require.Equal(t, trade.Paid, order.Status)
	require.Equal(t, cny(1234), order.Paid)
	require.Equal(t, []payment.Payment{got}, payments)

	d := h.dossier(p)
	require.Equal(t, "tok_ok", d.Secrets.Token)
	require.True(t, d.Opened)
	require.Equal(t, payment.Succeeded, d.Attempt(1).Verdict)
	require.Equal(t, "CNY", d.Attempt(1).Currency)
	require.Equal(t, int64(100), d.Terms.FeeBasisPoints)
	require.Equal(t, time.UTC, d.Terms.Zone)

	line, err := h.s.Timeline(t.Context(), h.Book, h.MerchantID, p)
	require.NoError(t, err)
	var kinds []string
	for i, o := range line {
		kinds = append(kinds, o.Kind)
		require.True(t, i == 0 || !o.At.Before(line[i-1].At), "in order")
	}
	require.Equal(t, []string{"request", "event", "risk", "routing", "intent", "journal", "journal", "event"}, kinds)
	require.Equal(t, "12.34", line[0].Data["amount"])
	legs := line[5].Data["legs"].([]any)
	require.Len(t, legs, 3)
	require.Equal(t, "12.34", legs[0].(map[string]any)["amount"])
}

func TestAnUnknownOutcomeStandsOnMemoUntilKnown(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("A-1", cny(500))
	h.commit(h.open(p, 1))
	h.commit(h.settle(p, 1, payment.Outcome{Verdict: payment.Unknown, Reason: "timeout"}))
	require.True(t, h.dossier(p).Payment.InDoubt)
	require.Equal(t, int64(500), h.balance("memo/in_doubt/"+h.ChannelAccount))
	h.db.Audit(t)

	h.commit(h.settle(p, 1, h.succeeded(p)))
	require.False(t, h.dossier(p).Payment.InDoubt)
	require.Zero(t, h.balance("memo/in_doubt/"+h.ChannelAccount))
	require.Equal(t, int64(500), h.balance("channel/"+h.ChannelAccount+"/clearing"))
	require.Equal(t, int64(-500), h.balance("merchant/"+h.MerchantID+"/available"), "a credit")
}

func TestANextActionIsStoredSealedAndOnlyThere(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("A-1", cny(500))
	h.commit(h.open(p, 1))
	secret := "https://qr.example/very-secret"
	h.commit(h.settle(p, 1, payment.Outcome{Verdict: payment.Pending, Action: &payment.Action{Type: "qr_code", URL: secret}}))
	got := h.dossier(p).Payment
	require.Equal(t, payment.RequiresAction, got.Status)
	require.Equal(t, secret, got.NextAction.URL)
	var leaks int
	err := h.db.Owner.QueryRow(t.Context(), `SELECT
		(SELECT count(*) FROM events WHERE data::text LIKE '%very-secret%') + (SELECT count(*) FROM payments WHERE payments::text LIKE '%very-secret%')`).Scan(&leaks)
	require.NoError(t, err)
	require.Zero(t, leaks, "I-26")

	// Whoever moves the payment for another reason doesn't lose the action.
	parked := got
	parked.Parked, parked.Sequence = "look at this", got.Sequence+1
	h.commit(h.step(p, id.Case, 1, payment.Update{Before: got, After: parked, Event: "payment.parked"}))
	require.Equal(t, secret, h.dossier(p).Payment.NextAction.URL)

	h.commit(h.settle(p, 1, h.succeeded(p)))
	require.Nil(t, h.dossier(p).Payment.NextAction)
}

func TestACaseIsOpenedAndSettledOnce(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("A-1", cny(500))
	h.commit(h.open(p, 1))
	h.commit(h.settle(p, 1, payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 400, Currency: "CNY"}))
	require.Contains(t, h.dossier(p).Payment.Parked, "partial_payment")
	require.Equal(t, int64(-400), h.balance("suspense/"+h.ChannelAccount+"/partial_payment"))

	d := h.dossier(p)
	caseID := exception.ID(p, exception.PartialPayment, "1")
	k, err := h.s.Case(t.Context(), h.Book, d.Payment.MerchantID, caseID)
	require.NoError(t, err)
	require.Equal(t, exception.Open, k.State())
	require.True(t, k.OnSuspense())
	_, err = h.s.Case(t.Context(), h.Book, h.s.Mint(id.Merchant), caseID)
	require.ErrorContains(t, err, "not_found", "another merchant's (I-25)")
	r, err := payment.Decide(payment.Case{Payment: d.Payment, Attempt: d.Attempt(1), Terms: d.Terms, Now: time.Now()}, &k, payment.Accept)
	require.NoError(t, err)
	move, err := k.Decide(exception.Accept, exception.By{Actor: "opr_1", Verified: true, Reason: "agreed"}, "", time.Now())
	require.NoError(t, err)
	accept := h.step(p, id.Act, 1, append(r.Changes(d.Payment, d.Attempt(1)), move,
		payment.Act{PaymentID: p, Act: "resolve", Decision: "accept", Actor: "opr_1", Verified: true, Reason: "agreed"})...)
	accept.Journals = r.Journals
	accept.By = ledger.Principal{Kind: ledger.ByOperator, ID: "opr_1", Reason: "agreed"}
	h.commit(accept)
	require.Equal(t, cny(400), h.dossier(p).Payment.Captured)
	require.Zero(t, h.balance("suspense/"+h.ChannelAccount+"/partial_payment"))
	k, err = h.s.Case(t.Context(), h.Book, "", caseID)
	require.NoError(t, err)
	require.Equal(t, exception.Closed, k.State())
	require.Equal(t, "opr_1", k.Actor)

	h.refused(h.step(p, id.Act, 2, move), "conflict", "case_closed")
	h.refused(h.step(p, id.Case, 2, payment.OpenCase{ID: caseID, Kind: "partial_payment", PaymentID: p, Amount: cny(1)}), "conflict", "case_exists")

	line, err := h.s.Timeline(t.Context(), h.Book, "", p)
	require.NoError(t, err)
	var kinds []string
	for _, o := range line {
		if o.Kind == "case" || o.Kind == "act" {
			kinds = append(kinds, o.Kind)
		}
	}
	require.Equal(t, []string{"case", "case", "act"}, kinds)
}

func TestACancelIsNotedOnce(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("A-1", cny(500))
	wish := func(n int, key string) ledger.Step {
		return h.step(p, id.CancelRequested, n, payment.RequestCancel{PaymentID: p, Idempotency: h.key("POST /v1/payments/"+p+"/cancel", key, "{}")})
	}
	require.Equal(t, p, h.commit(wish(1, "k1")).Object)
	first := h.dossier(p).Payment.CancelRequested
	require.False(t, first.IsZero())
	require.True(t, h.commit(wish(1, "k1")).Replayed)
	h.commit(wish(2, "k2"))
	require.Equal(t, first, h.dossier(p).Payment.CancelRequested, "a second wish changes nothing")

	d := h.dossier(p)
	r, err := payment.Settle(payment.Case{Payment: d.Payment, Terms: d.Terms, Now: time.Now(), Outcome: payment.Outcome{Verdict: payment.Closed}, End: payment.Canceled})
	require.NoError(t, err)
	h.commit(h.step(p, r.Step.Code, r.Step.Ordinal, r.Changes(d.Payment, nil)...))
	require.Equal(t, payment.Canceled, h.dossier(p).Payment.Status)
	h.refused(wish(3, "k3"), "conflict", "payment_not_cancelable")

	stranger := wish(4, "k4")
	c := stranger.Changes[0].(payment.RequestCancel)
	c.Idempotency.MerchantID = h.s.Mint(id.Merchant)
	stranger.Changes = []ledger.Change{c}
	h.refused(stranger, "not_found", "")
}
