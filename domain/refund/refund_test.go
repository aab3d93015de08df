package refund

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func cny(minor int64) money.Amount { return money.New(minor, "CNY") }

func paid(captured, fee, pending int64) Payment {
	return Payment{Book: id.Test, ID: "pay_1", MerchantID: "mer_1", Amount: cny(captured), Status: payment.Paid,
		Captured: cny(captured), Refunded: cny(0), Fee: cny(fee), Refunding: cny(0), FeeReturned: cny(0), Pending: cny(pending)}
}

func asked(amount money.Amount) Refund {
	return Refund{ID: "rfd_1", Part: 1, ChannelAccount: "cha_1", Amount: amount}
}

func TestOpenTakesTheMoneyWhereItIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name            string
		policy          string
		pending         int64
		available, debt int64
		want            Taken
	}{
		{"matured", "return", 0, 1000, 0, Taken{cny(3), cny(0), cny(97), cny(0), cny(0)}},
		{"the fee stays ours", "keep", 0, 1000, 0, Taken{cny(0), cny(0), cny(100), cny(0), cny(0)}},
		{"not matured", "return", 9700, 1000, 0, Taken{cny(3), cny(97), cny(0), cny(0), cny(0)}},
		{"partly", "return", 40, 50, 500, Taken{cny(3), cny(40), cny(50), cny(7), cny(0)}},
		{"all owed", "return", 0, -5, 97, Taken{cny(3), cny(0), cny(0), cny(97), cny(0)}},
	} {
		o, err := Open(Opening{Refund: asked(cny(100)), Payment: paid(10000, 300, c.pending), Terms: payment.Terms{FeeOnRefund: c.policy},
			Available: c.available, DebtRoom: c.debt})
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, o.Refund.Taken, c.name)
		require.Equal(t, Processing, o.Refund.Status, c.name)
		require.Equal(t, int64(100), o.Payment.Refunding.Minor, c.name)
		require.Equal(t, "rfd_1:rc1", o.Journal.Cause(), c.name)
		require.Equal(t, c.pending-c.want.Pending.Minor, o.Payment.Pending.Minor, c.name)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	rich := Opening{Refund: asked(cny(100)), Payment: paid(10000, 300, 0), Available: 1 << 40}
	for name, c := range map[string]struct {
		change func(*Opening)
		kind   fault.Kind
		code   string
	}{
		"of a failed payment":   {func(o *Opening) { o.Payment.Status = payment.Failed }, fault.KindConflict, "payment_not_refundable"},
		"of a reserved one":     {func(o *Opening) { o.Payment.Status = payment.Reserved }, fault.KindConflict, "payment_not_refundable"},
		"another currency":      {func(o *Opening) { o.Refund.Amount.Currency = "USD" }, fault.KindInvalid, "currency_mismatch"},
		"nothing":               {func(o *Opening) { o.Refund.Amount.Minor = 0 }, fault.KindInvalid, "amount_invalid"},
		"less than nothing":     {func(o *Opening) { o.Refund.Amount.Minor = -1 }, fault.KindInvalid, "amount_invalid"},
		"more than captured":    {func(o *Opening) { o.Refund.Amount.Minor = 10001 }, fault.KindConflict, "refund_exceeds_payment"},
		"more than done left":   {func(o *Opening) { o.Payment.Refunded.Minor = 9901 }, fault.KindConflict, "refund_exceeds_payment"},
		"more than open left":   {func(o *Opening) { o.Payment.Refunding.Minor = 9901 }, fault.KindConflict, "refund_exceeds_payment"},
		"more than there is":    {func(o *Opening) { o.Available = 96; o.DebtRoom = 0 }, fault.KindConflict, "insufficient_balance"},
		"more than may be owed": {func(o *Opening) { o.Available = 0; o.DebtRoom = 96 }, fault.KindConflict, "insufficient_balance"},
	} {
		o := rich
		c.change(&o)
		_, err := Open(o)
		require.True(t, fault.Is(err, c.kind, c.code), "%s: %v", name, err)
	}
}

func TestRefundsOfAPaymentAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		captured := rapid.Int64Range(1, 1_000_000).Draw(t, "captured")
		fee := rapid.Int64Range(0, captured).Draw(t, "fee")
		p := paid(captured, fee, rapid.Int64Range(0, captured-fee).Draw(t, "pending"))
		pending := p.Pending
		var open []Refund
		for p.Left().Minor > 0 || len(open) > 0 {
			if len(open) > 0 && (p.Left().Minor == 0 || rapid.Bool().Draw(t, "settle")) {
				i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
				r := open[i]
				open = append(open[:i], open[i+1:]...)
				out := payment.Outcome{Verdict: payment.Succeeded, AmountMinor: r.Amount.Minor, Currency: "CNY"}
				if rapid.IntRange(0, 4).Draw(t, "fails") == 0 {
					out = payment.Outcome{Verdict: payment.Closed}
				}
				ruling, err := Settle(Settling{Refund: r, Payment: p, Ordinal: 1, Outcome: out, Now: noon})
				require.NoError(t, err)
				require.True(t, ruling.After.Status.Terminal())
				require.Equal(t, r.Sequence+1, ruling.After.Sequence)
				p = ruling.Payment
				continue
			}
			o, err := Open(Opening{Refund: asked(cny(rapid.Int64Range(1, p.Left().Minor).Draw(t, "amount"))), Payment: p,
				Available: rapid.Int64Range(0, captured).Draw(t, "available"), DebtRoom: captured})
			require.NoError(t, err)
			sum, err := o.Refund.Taken.Sum()
			require.NoError(t, err)
			require.Equal(t, o.Refund.Amount, sum) // I-08
			p, open = o.Payment, append(open, o.Refund)
			require.GreaterOrEqual(t, p.Left().Minor, int64(0)) // I-12
			require.LessOrEqual(t, p.FeeReturned.Minor, fee)
			require.GreaterOrEqual(t, p.Pending.Minor, int64(0))
			require.LessOrEqual(t, p.Pending.Minor, pending.Minor)
		}
		require.Equal(t, captured, p.Refunded.Minor)
		require.Zero(t, p.Refunding.Minor)
		require.Equal(t, fee, p.FeeReturned.Minor, "a payment that is refunded whole gives its whole fee back")
	})
}

func TestAFailedRefundIsAsIfItHadNeverBeen(t *testing.T) {
	t.Parallel()
	before := paid(10000, 300, 50)
	o, err := Open(Opening{Refund: asked(cny(100)), Payment: before, Available: 20, DebtRoom: 100})
	require.NoError(t, err)
	ruling, err := Settle(Settling{Refund: o.Refund, Payment: o.Payment, Ordinal: 1, Now: noon,
		Outcome: payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: "account_closed"}}})
	require.NoError(t, err)
	before.Sequence, before.UpdatedAt = ruling.Payment.Sequence, ruling.Payment.UpdatedAt
	require.Equal(t, before, ruling.Payment)
	require.Equal(t, "account_closed", ruling.After.FailureCode)
	require.Equal(t, "rfd_1:rc1", ruling.Journals[0].Reverses())
	require.Equal(t, "rfd_1:rf1", ruling.Journals[0].Cause())
	sums := map[string]int64{}
	for _, j := range []ledger.Journal{o.Journal, ruling.Journals[0]} {
		for _, e := range j.Entries() {
			sums[e.Account.Code] += e.Amount
		}
	}
	for code, sum := range sums {
		require.Zero(t, sum, code) // I-07
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	done := payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 100, Currency: "CNY", ChannelID: "re_1", EffectiveAt: noon}
	other := done
	other.AmountMinor = 99
	for name, c := range map[string]struct {
		outcome payment.Outcome
		step    string
		event   string
		check   func(Refund) bool
	}{
		"done": {done, "rf1", "refund.succeeded", func(r Refund) bool {
			return r.Status == Succeeded && r.ChannelID == "re_1" && r.EffectiveAt.Equal(noon)
		}},
		"dead":           {payment.Outcome{Verdict: payment.Declined, Dead: true}, "rf1", "refund.failed", func(r Refund) bool { return r.Status == Failed && r.FailureCode == "refused_by_channel" }},
		"closed":         {payment.Outcome{Verdict: payment.Closed}, "rf1", "refund.failed", func(r Refund) bool { return r.Status == Failed }},
		"abnormal":       {payment.Outcome{Verdict: payment.Declined, Decline: &payment.Decline{Code: "account_frozen"}}, "pk1", "refund.parked", func(r Refund) bool { return r.Parked == "refund_abnormal: account_frozen" && r.Status == Processing }},
		"another amount": {other, "pk1", "refund.parked", func(r Refund) bool { return r.Parked != "" && r.Status == Processing }},
		"unknown":        {payment.Outcome{Verdict: payment.Unknown}, "ud1", "refund.in_doubt", func(r Refund) bool { return r.InDoubt && r.Status == Processing }},
		"absent":         {payment.Outcome{Verdict: payment.Absent}, "ud1", "refund.in_doubt", func(r Refund) bool { return r.InDoubt }},
	} {
		o, err := Open(Opening{Refund: asked(cny(100)), Payment: paid(10000, 300, 0), Available: 1000})
		require.NoError(t, err)
		s := Settling{Refund: o.Refund, Payment: o.Payment, Ordinal: 1, Outcome: c.outcome, Now: noon}
		r, err := Settle(s)
		require.NoError(t, err, name)
		require.Equal(t, c.step, Move{Refund: o.Refund, Ordinal: 1, Outcome: c.outcome}.Step().String(), name)
		require.Equal(t, c.event, r.Event, name)
		require.True(t, c.check(r.After), "%s: %+v", name, r.After)
		s.Refund, s.Payment = r.After, r.Payment
		again, err := Settle(s)
		require.NoError(t, err, name)
		require.True(t, again.Quiet, "%s: said twice it changes nothing (I-21)", name)
	}
}

func TestWhatContradictsAnEndedRefundIsACase(t *testing.T) {
	t.Parallel()
	r := asked(cny(100))
	for status, outcomes := range map[Status][]payment.Outcome{
		Succeeded: {{Verdict: payment.Closed}, {Verdict: payment.Declined, Dead: true}, {Verdict: payment.Succeeded, AmountMinor: 99, Currency: "CNY"}},
		Failed:    {{Verdict: payment.Succeeded, AmountMinor: 100, Currency: "CNY"}},
	} {
		for _, o := range outcomes {
			r.Status = status
			_, err := Settle(Settling{Refund: r, Payment: paid(10000, 0, 0), Ordinal: 1, Outcome: o, Now: noon})
			require.True(t, fault.Is(err, fault.KindConflict, "contradicts_state"), "%s then %s: %v", status, o.Verdict, err)
		}
	}
}

// A top-up goes back out of its user's wallet, all of it, and no order hears of it.
func TestOpenTakesATopUpOutOfItsWallet(t *testing.T) {
	t.Parallel()
	p := paid(1000, 0, 0)
	p.ID, p.CustomerID = id.New(id.TopUp, 1, [10]byte{}), "usr_1"
	r := asked(cny(400))
	r.ID = id.New(id.Refund, 1, [10]byte{})
	o := Opening{Refund: r, Payment: p, Available: 1 << 40, DebtRoom: 1 << 40, Wallet: 399}
	_, err := Open(o)
	require.True(t, fault.Is(err, fault.KindConflict, "insufficient_balance"), "%v", err)
	o.Wallet = 400
	made, err := Open(o)
	require.NoError(t, err)
	require.Equal(t, Taken{cny(0), cny(0), cny(0), cny(0), cny(400)}, made.Refund.Taken)
	require.Equal(t, "user/usr_1/wallet", made.Journal.Entries()[0].Account.Code)
	done, err := Settle(Settling{Refund: made.Refund, Payment: made.Payment, Ordinal: 1,
		Outcome: payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 400, Currency: "CNY"}})
	require.NoError(t, err)
	require.Zero(t, done.Order)
	require.Equal(t, int64(400), done.Payment.Refunded.Minor)
	back, err := Contradict(Settling{Refund: done.After, Payment: done.Payment, Ordinal: 1,
		Outcome: payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: "x"}}})
	require.NoError(t, err)
	require.True(t, back.Case.Booked)
	require.Equal(t, "user/usr_1/wallet", back.Journals[0].Entries()[1].Account.Code)
}
