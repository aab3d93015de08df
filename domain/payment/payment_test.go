package payment

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

func TestStatuses(t *testing.T) {
	t.Parallel()
	terminal := map[Status]bool{Paid: true, Failed: true, Canceled: true, Expired: true}
	for _, from := range Statuses {
		require.True(t, from.Valid())
		require.True(t, from.CanBecome(from))
		require.Equal(t, terminal[from], from.Terminal(), from)
		require.Equal(t, from != Processing, from.Stable())
		for _, to := range Statuses {
			if terminal[from] && to != from {
				require.False(t, from.CanBecome(to), "%s → %s", from, to)
			}
		}
	}
	require.False(t, Reserved.CanBecome(Expired), "what is reserved is captured or given back")
	require.False(t, Processing.CanBecome("paid"))
	require.False(t, Status("paid").Valid())
	require.Len(t, edges, len(Statuses))
	for v, known := range map[Verdict]bool{Succeeded: true, Authorized: true, Declined: true, Closed: true, Pending: false, Unknown: false, Absent: false, "": false} {
		require.Equal(t, known, v.Known(), v)
	}
}

func TestAttemptRemembersItsOutcome(t *testing.T) {
	t.Parallel()
	for _, o := range outcomes {
		w := newWorld(t)
		w.open()
		w.settle(1, o.Outcome, last)
		a := w.attempts[0]
		if !a.Verdict.Known() {
			continue
		}
		got := a.Outcome()
		require.Equal(t, o.Verdict, got.Verdict, o.name)
		require.Equal(t, o.AmountMinor, got.AmountMinor)
		require.Equal(t, o.Currency, got.Currency)
		require.Equal(t, o.Decline != nil, got.Decline != nil)
		require.True(t, w.settle(1, got).Quiet, "%s: what is remembered is no news", o.name)
	}
}

func TestPublicShowsNoSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open()
	w.settle(1, toScan)
	p := w.payment
	p.CustomerID, p.Parked = "usr_1", "waits too long"
	v := p.Public()
	require.Equal(t, "12.34", v.Amount)
	require.Equal(t, "0.00", v.AmountCaptured)
	require.False(t, v.Livemode)
	require.True(t, v.NeedsOperator)
	require.Equal(t, &PublicAction{Type: "qr_code", URL: qr.URL, ExpiresAt: p.ExpiresAt.UTC()}, v.NextAction)
	require.Nil(t, v.EffectiveAt)
	text, err := json.Marshal(v)
	require.NoError(t, err)
	require.Contains(t, string(text), `"metadata":{}`)
	require.NotContains(t, string(text), "waits too long", "why is for operators")

	w.settle(1, succeeded)
	v = w.payment.Public()
	require.Nil(t, v.NextAction, "nothing is left to do")
	require.Equal(t, "12.34", v.AmountCaptured)
	require.Equal(t, "2026-11-21", v.BusinessDate)
	require.Equal(t, time.UTC, v.EffectiveAt.Location())
	stale := w.payment
	stale.NextAction = qr
	require.Nil(t, stale.Public().NextAction, "shown only while it can be done")
	stale.Book = id.Live
	require.True(t, stale.Public().Livemode)
}

func TestDossierFindsAttempts(t *testing.T) {
	t.Parallel()
	d := Dossier{Attempts: []Attempt{{Ordinal: 1}, {Ordinal: 2}}}
	require.Equal(t, 2, d.Attempt(2).Ordinal)
	require.Nil(t, d.Attempt(0))
	require.Nil(t, d.Attempt(3))
}

// A cancel before any channel heard of the payment, or between two channels,
// has a place of its own among the causes.
func TestCanceledWithoutALiveAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.settle(0, closed, ends(Canceled))
	require.Equal(t, "en1", r.Step.String())
	require.Equal(t, Canceled, w.payment.Status)
	require.True(t, w.settle(0, closed, ends(Canceled)).Quiet)
	_, err := Settle(w.about(0, succeeded))
	require.ErrorContains(t, err, "contradicts_state")

	for _, no := range []Outcome{closed, softNo} {
		w = newWorld(t)
		w.open()
		w.settle(1, no)
		require.Equal(t, Processing, w.payment.Status)
		require.True(t, w.settle(0, closed).Quiet, "no end was asked for")
		w.settle(0, closed, ends(Canceled))
		require.Equal(t, Canceled, w.payment.Status)
	}
}

// A channel that closes of its own accord, and no other is left: the payment
// ends by what had happened so far.
func TestClosedByTheChannel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before Outcome
		change func(*world)
		want   Status
		code   string
	}{
		"a QR code lapsed":      {before: toScan, want: Expired},
		"cancel was asked for":  {before: toScan, change: func(w *world) { w.payment.CancelRequested = w.now }, want: Canceled},
		"after the expiry":      {before: waiting, change: func(w *world) { w.now = w.payment.ExpiresAt }, want: Expired},
		"before the expiry":     {before: waiting, want: Failed, code: "closed_by_channel"},
		"an authorization":      {before: authorized, want: Canceled},
		"of too little":         {before: of(authorized, 1, "CNY"), want: Failed, code: "amount_mismatch"},
		"never expires":         {before: waiting, change: func(w *world) { w.payment.ExpiresAt = time.Time{} }, want: Failed, code: "closed_by_channel"},
		"after a day of doubts": {before: nobodySays, change: func(w *world) { w.payment.Parked = "unknown for 24h" }, want: Failed, code: "closed_by_channel"},
	} {
		w := newWorld(t)
		w.open()
		w.settle(1, c.before)
		if c.change != nil {
			c.change(w)
		}
		w.settle(1, closed, last)
		require.Equal(t, c.want, w.payment.Status, name)
		require.Equal(t, c.code, w.payment.DeclineCode, name)
	}
}

// The next channel is tried from a payment that asks nothing of the customer,
// and its doubt is its own.
func TestNextChannelStartsClean(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open()
	w.settle(1, toScan)
	w.settle(1, closed)
	require.Equal(t, Processing, w.payment.Status)
	require.Nil(t, w.payment.NextAction)
	w.open()
	w.settle(2, nobodySays)
	require.True(t, w.payment.InDoubt, "the second channel's outcome is unknown, whatever the first one had shown")
	other := toScan
	other.Action = &Action{Type: "redirect", URL: "https://pay.example/2"}
	w.settle(2, other)
	require.Equal(t, other.Action, w.payment.NextAction)
	before := w.payment
	w.settle(1, softNo, last)
	require.Equal(t, before, w.payment, "a late no of the first channel doesn't end what the second is doing")
}

// What a repeat must bring again is in a change's content; what a clock or a
// mint gave isn't.
func TestContents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open()
	r, err := Settle(w.about(1, succeeded))
	require.NoError(t, err)
	w.now = w.now.Add(time.Hour)
	later, err := Settle(w.about(1, succeeded))
	require.NoError(t, err)
	hash := func(list ...ledger.Change) string { return ledger.Step{Changes: list}.ContentHash() }
	before := w.payment
	require.Equal(t, hash(r.Changes(before, &w.attempts[0])...), hash(later.Changes(before, &w.attempts[0])...))

	seen := map[string]bool{}
	for _, c := range []ledger.Change{
		Receive{Payment: Payment{ID: "pay_1"}}, Receive{Payment: Payment{ID: "pay_2"}},
		Receive{Payment: Payment{ID: "pay_1"}, Idempotency: Idempotency{RequestHash: "x"}},
		Intend{Attempt: Attempt{Key: "k"}}, Intend{Attempt: Attempt{Key: "k", RequestHash: "x"}}, Intend{Attempt: Attempt{Key: "k", ChannelAccount: "cha_1"}},
		Update{After: Payment{Status: Paid}}, Update{After: Payment{Status: Failed}}, Update{After: Payment{Status: Failed, DeclineCode: "x"}},
		Update{After: Payment{InDoubt: true}}, Update{After: Payment{Parked: "x"}}, Update{After: Payment{Captured: money.New(1, "CNY")}},
		AttemptUpdate{After: Attempt{Verdict: Closed}}, AttemptUpdate{After: Attempt{Verdict: Closed, Dead: true}}, AttemptUpdate{After: Attempt{AmountMinor: 1}},
		RequestCancel{PaymentID: "pay_1"}, OpenCase{ID: "x"}, OpenCase{ID: "x", Kind: "k"}, PayOrder{},
		Act{PaymentID: "pay_1"}, Act{PaymentID: "pay_1", Decision: "accept"}, Act{PaymentID: "pay_1", Actor: "ada"},
		SeeCallback{ID: "clb_1"}, SeeCallback{ID: "clb_1", Disposition: "applied"},
	} {
		h := hash(c)
		require.False(t, seen[h], "%#v", c)
		seen[h] = true
	}
}
