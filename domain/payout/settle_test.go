package payout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/remit"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const (
	wallet  = "user/usr_1/wallet"
	transit = "payout/cha_1/in_transit"
	clear1  = "channel/cha_1/clearing"
	after1  = "suspense/cha_1/payout_paid_after_all"
)

func cny(minor int64) money.Amount { return money.New(minor, "CNY") }

func asked(minor int64) Payout {
	return Payout{Book: "test", ID: "pyt_01kahxr3v0c9m6r5w2z8t4y7qe", MerchantID: "mer_1", UserID: "usr_1", Channel: "sandbox", ChannelAccount: "cha_1",
		Amount: cny(minor), CreatedAt: noon}
}

func legs(list []ledger.Journal) map[string]int64 {
	sum := map[string]int64{}
	for _, j := range list {
		for _, e := range j.Entries() {
			sum[e.Account.Code] += e.Amount
		}
	}
	return sum
}

func open(t require.TestingT, minor int64) Payout {
	p, _, err := Open(asked(minor), minor)
	require.NoError(t, err)
	return p
}

func TestOpen(t *testing.T) {
	t.Parallel()
	p, j, err := Open(asked(100), 100)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{wallet: 100, transit: -100}, legs([]ledger.Journal{j}))
	require.Equal(t, Processing, p.Status)
	ofMerchant := asked(100)
	ofMerchant.UserID = ""
	_, j, err = Open(ofMerchant, 1000)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"merchant/mer_1/available": 100, transit: -100}, legs([]ledger.Journal{j}))
	_, _, err = Open(asked(101), 100)
	require.True(t, fault.Is(err, fault.KindConflict, "insufficient_balance"), "%v", err)
	require.Equal(t, "1.00", fault.As(err).Details["available"])
	for _, nothing := range []int64{0, -1} {
		_, _, err = Open(asked(nothing), 100)
		require.True(t, fault.Is(err, fault.KindInvalid, "amount_invalid"), "%v", err)
	}
}

func out(v payment.Verdict, minor int64, dead bool) payment.Outcome {
	o := payment.Outcome{Verdict: v, Dead: dead, AmountMinor: minor, ChannelID: "po_1", EffectiveAt: noon}
	if minor > 0 {
		o.Currency = "CNY"
	}
	if v == payment.Declined {
		o.Decline = &payment.Decline{Code: "account_closed"}
	}
	return o
}

func TestSettle(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		out    payment.Outcome
		status Status
		event  string
		doubt  bool
		parked bool
		legs   map[string]int64
	}{
		"paid":               {out(payment.Succeeded, 100, false), Succeeded, "payout.succeeded", false, false, map[string]int64{transit: 100, clear1: -100}},
		"refused for good":   {out(payment.Declined, 0, true), Failed, "payout.failed", false, false, map[string]int64{transit: 100, wallet: -100}},
		"refused, maybe not": {out(payment.Declined, 0, false), Processing, "payout.parked", false, true, map[string]int64{}},
		"another amount":     {out(payment.Succeeded, 101, false), Processing, "payout.parked", false, true, map[string]int64{}},
		"nobody knows":       {out(payment.Unknown, 0, false), Processing, "payout.in_doubt", true, false, map[string]int64{}},
		"never arrived":      {out(payment.Absent, 0, false), Processing, "payout.in_doubt", true, false, map[string]int64{}},
	} {
		r, err := Settle(Settling{Payout: open(t, 100), Ordinal: 1, Outcome: c.out, Now: noon})
		require.NoError(t, err, name)
		require.Equal(t, c.status, r.After.Status, name)
		require.Equal(t, c.event, r.Event, name)
		require.Equal(t, c.doubt, r.After.InDoubt, name)
		require.Equal(t, c.parked, r.After.Parked != "", name)
		require.Equal(t, c.legs, legs(r.Journals), name)
		require.Equal(t, int64(2), r.After.Sequence, name)
	}
	r, err := Settle(Settling{Payout: open(t, 100), Ordinal: 1, Outcome: out(payment.Pending, 0, false), Now: noon})
	require.NoError(t, err)
	require.True(t, r.Quiet, "that it is under way moves nothing")
}

func TestContradict(t *testing.T) {
	t.Parallel()
	done, failed, elsewhere := open(t, 100), open(t, 100), open(t, 100)
	done.Status, done.ChannelID = Succeeded, "po_1"
	failed.Status = Failed
	elsewhere.Status, elsewhere.Elsewhere = Succeeded, true
	for name, c := range map[string]struct {
		p    Payout
		out  payment.Outcome
		kind exception.Kind
		legs map[string]int64
	}{
		"it came back":         {done, out(payment.Declined, 0, true), exception.PayoutReturned, map[string]int64{clear1: 100, wallet: -100}},
		"paid after its end":   {failed, out(payment.Succeeded, 100, false), exception.PayoutPaidAfterAll, map[string]int64{after1: 100, clear1: -100}},
		"paid twice":           {elsewhere, out(payment.Succeeded, 100, false), exception.PayoutPaidAfterAll, map[string]int64{after1: 100, clear1: -100}},
		"another amount again": {done, out(payment.Succeeded, 101, false), exception.PayoutPaidAfterAll, map[string]int64{}},
	} {
		s := Settling{Payout: c.p, Ordinal: 1, Outcome: c.out, Now: noon}
		_, err := Settle(s)
		require.True(t, fault.Is(err, fault.KindConflict, "contradicts_state"), "%s: %v", name, err)
		r, err := Contradict(s)
		require.NoError(t, err, name)
		require.Equal(t, c.kind, r.Case.Kind, name)
		require.Equal(t, c.legs, legs(r.Journals), name)
		require.Equal(t, c.p.Status, r.After.Status, "%s: it has one end (I-15)", name)
		require.Equal(t, c.kind == exception.PayoutReturned, r.Event == "payout.returned", "%s: its owner hears of money that is there again", name)
	}
	for name, s := range map[string]Settling{
		"said again":          {Payout: done, Outcome: out(payment.Succeeded, 100, false)},
		"no, said again":      {Payout: failed, Outcome: out(payment.Declined, 0, true)},
		"no, of one elsewere": {Payout: elsewhere, Outcome: out(payment.Declined, 0, true)},
		"nothing certain":     {Payout: done, Outcome: out(payment.Unknown, 0, false)},
		"an older try's no":   {Payout: done, Outcome: out(payment.Declined, 0, true), Followed: true},
	} {
		r, err := Settle(s)
		require.NoError(t, err, name)
		require.True(t, r.Quiet, name)
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	parked := open(t, 100)
	parked.Parked, parked.Sequence = "payout_abnormal: x", 2
	for name, c := range map[string]struct {
		told   int64
		d      remit.Decision
		status Status
		kind   exception.Kind
		legs   map[string]int64
	}{
		"retry":                 {0, Retry, Processing, "", map[string]int64{}},
		"paid elsewhere":        {0, PayElsewhere, Succeeded, "", map[string]int64{transit: 100, "suspense/cha_1/paid_elsewhere": -100}},
		"done":                  {0, MarkSucceeded, Succeeded, "", map[string]int64{transit: 100, clear1: -100}},
		"given back":            {0, GiveBack, Failed, "", map[string]int64{transit: 100, wallet: -100}},
		"done, of more":         {130, MarkSucceeded, Succeeded, exception.PayoutPaidAfterAll, map[string]int64{transit: 100, clear1: -130, after1: 30}},
		"done, of less":         {60, MarkSucceeded, Succeeded, exception.PayoutReturned, map[string]int64{transit: 100, clear1: -60, "suspense/cha_1/payout_returned": -40}},
		"given back, but there": {60, GiveBack, Failed, exception.PayoutPaidAfterAll, map[string]int64{transit: 100, wallet: -100, clear1: -60, after1: 60}},
	} {
		s := Settling{Payout: parked, Ordinal: 1, Now: noon}
		if c.told > 0 {
			s.Told = cny(c.told)
		}
		r, err := Decide(s, c.d, 2)
		require.NoError(t, err, name)
		require.Equal(t, c.status, r.After.Status, name)
		require.Equal(t, c.legs, legs(r.Journals), name)
		require.Equal(t, c.kind != "", r.Case != nil, name)
		if r.Case != nil {
			require.Equal(t, c.kind, r.Case.Kind, name)
		}
	}
	_, err := Decide(Settling{Payout: open(t, 100), Now: noon}, GiveBack, 1)
	require.True(t, fault.Is(err, fault.KindConflict, "decision_refused"), "%v", err)
	_, err = Decide(Settling{Payout: parked, Now: noon}, "accept", 1)
	require.True(t, fault.Is(err, fault.KindInvalid, "decision_unknown"), "%v", err)
	_, err = Decide(Settling{Payout: parked, Told: money.New(100, "USD"), Now: noon}, MarkSucceeded, 1)
	require.True(t, fault.Is(err, fault.KindConflict, "decision_refused"), "%v", err)
}

// Whatever is said in whatever order, nothing stays in transit once it has ended, money comes from nowhere, and our clearing is the
// channel's word about what it paid.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := open(t, 100)
		_, first, err := Open(asked(100), 100)
		require.NoError(t, err)
		sum := legs([]ledger.Journal{first})
		for range rapid.IntRange(1, 6).Draw(t, "words") {
			s := Settling{Payout: p, Ordinal: 1, Now: noon, Outcome: rapid.SampledFrom([]payment.Outcome{out(payment.Succeeded, 100, false),
				out(payment.Declined, 0, true), out(payment.Declined, 0, false), out(payment.Unknown, 0, false), out(payment.Pending, 0, false)}).Draw(t, "word")}
			var r Ruling
			if p.Parked != "" && rapid.Bool().Draw(t, "decided") {
				r, err = Decide(s, rapid.SampledFrom(Decisions()).Draw(t, "decision"), int(p.Sequence))
			} else if r, err = Settle(s); fault.Is(err, fault.KindConflict, "contradicts_state") {
				break
			}
			require.NoError(t, err)
			require.True(t, p.Status.CanBecome(r.After.Status))
			require.False(t, p.Status.Terminal() && !r.Quiet)
			for code, minor := range legs(r.Journals) {
				sum[code] += minor
			}
			if !r.Quiet {
				p = r.After
			}
		}
		if p.Status.Terminal() {
			require.Zero(t, sum[transit])
			require.Equal(t, p.Status == Failed, sum[wallet] == 0)
		} else {
			require.Equal(t, int64(-100), sum[transit])
		}
	})
}

// What the payee has to do is told once, kept while the payout is under way, and gone with its end.
func TestWhatThePayeeHasToDo(t *testing.T) {
	t.Parallel()
	p := open(t, 100)
	waits := payment.Outcome{Verdict: payment.Pending, ChannelID: "b1", Action: &payment.Action{Type: payment.ActionSDK, Parameters: map[string]string{"package": "x"}}}
	say := func(p Payout, o payment.Outcome) Ruling {
		r, err := Settle(Settling{Payout: p, Ordinal: 1, Outcome: o, Now: noon})
		require.NoError(t, err)
		return r
	}
	r := say(p, waits)
	require.Equal(t, "payout.updated", r.Event)
	require.Equal(t, int64(2), r.After.Sequence)
	require.Equal(t, &PublicAction{Type: payment.ActionSDK, Parameters: map[string]string{"package": "x"}}, r.After.Public().NextAction)
	shown := r.After
	require.True(t, say(shown, waits).Quiet)
	require.True(t, say(shown, payment.Outcome{Verdict: payment.Pending, ChannelID: "b1"}).Quiet, "some channels say it once")
	require.NotNil(t, say(shown, payment.Outcome{Verdict: payment.Unknown}).After.NextAction)
	require.NotNil(t, Show(Settling{Payout: shown, Now: noon}, "long").After.NextAction)
	other := waits
	other.Action = &payment.Action{Type: payment.ActionSDK, Parameters: map[string]string{"package": "y"}}
	require.Equal(t, "y", say(shown, other).After.NextAction.Parameters["package"])
	for _, end := range []payment.Outcome{out(payment.Succeeded, 100, false), out(payment.Declined, 0, true), out(payment.Closed, 0, true)} {
		r := say(shown, end)
		require.True(t, r.After.Status.Terminal())
		require.Nil(t, r.After.NextAction)
		require.True(t, say(r.After, waits).Quiet)
	}
	require.Nil(t, say(shown, out(payment.Declined, 0, false)).After.NextAction, "what was refused isn't to be confirmed")
	plain := Move{Payout: p, Outcome: payment.Outcome{Verdict: payment.Pending}}
	require.Equal(t, []any{"move_payout", p.ID, 0, payment.Pending, false, int64(0), remit.Decision(""), false, false}, plain.Content(),
		"the hash of what was said before there were actions")
	require.NotEqual(t, plain.Content(), Move{Payout: p, Outcome: waits}.Content())
}
