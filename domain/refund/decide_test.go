package refund

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// parked is a refund of 1.00 that waits for a person.
func parked(t *testing.T) Settling {
	t.Helper()
	r := asked(cny(100))
	r.ID = id.New(id.Refund, 1_790_000_000_000, [10]byte{1})
	o, err := Open(Opening{Refund: r, Payment: paid(10000, 300, 0), Available: 1000})
	require.NoError(t, err)
	o.Refund.Parked = "refund_abnormal: account_frozen"
	return Settling{Refund: o.Refund, Payment: o.Payment, Matured: true, Ordinal: 1, Now: noon}
}

func legs(list []ledger.Journal) map[string]int64 {
	sums := map[string]int64{}
	for _, j := range list {
		for _, e := range j.Entries() {
			sums[e.Account.Code] += e.Amount
		}
	}
	return sums
}

func TestDecide(t *testing.T) {
	t.Parallel()
	for d, c := range map[Decision]struct {
		status Status
		legs   map[string]int64
	}{
		Retry:         {Processing, map[string]int64{}},
		PayElsewhere:  {Succeeded, map[string]int64{"merchant/mer_1/refunding": 100, "suspense/cha_1/paid_elsewhere": -100}},
		MarkSucceeded: {Succeeded, map[string]int64{"merchant/mer_1/refunding": 100, "channel/cha_1/clearing": -100}},
		WriteOff:      {Failed, map[string]int64{"merchant/mer_1/refunding": 100, "merchant/mer_1/available": -97, "income/fees": -3}},
	} {
		r, err := Decide(parked(t), d, 2)
		require.NoError(t, err, d)
		require.Equal(t, c.status, r.After.Status, d)
		require.Empty(t, r.After.Parked, d)
		require.Equal(t, c.legs, legs(r.Journals), d)
		for _, j := range r.Journals {
			require.Equal(t, r.After.ID+":ac2", j.Cause(), d)
		}
	}
	moving := parked(t)
	moving.Refund.Parked = ""
	_, err := Decide(moving, WriteOff, 1)
	require.True(t, fault.Is(err, fault.KindConflict, "decision_refused"), "what is on its way isn't decided: %v", err)
	_, err = Decide(parked(t), "guess", 1)
	require.True(t, fault.Is(err, fault.KindInvalid, "decision_unknown"), "%v", err)
}

// What the channel gave back, and what a person makes of it, are both booked: the clearing shows what the channel did (I-10).
func TestDecideWhatDiffers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		told int64
		d    Decision
		kind exception.Kind
		legs map[string]int64
	}{
		"less, taken as done":   {60, MarkSucceeded, ReturnedCase, map[string]int64{"merchant/mer_1/refunding": 100, "channel/cha_1/clearing": -60, "suspense/cha_1/refund_returned": -40}},
		"more, taken as done":   {130, MarkSucceeded, PaidAfterAll, map[string]int64{"merchant/mer_1/refunding": 100, "channel/cha_1/clearing": -130, "suspense/cha_1/refund_paid_after_all": 30}},
		"as meant after all":    {100, MarkSucceeded, "", map[string]int64{"merchant/mer_1/refunding": 100, "channel/cha_1/clearing": -100}},
		"less, and written off": {60, WriteOff, PaidAfterAll, map[string]int64{"merchant/mer_1/refunding": 100, "merchant/mer_1/available": -97, "income/fees": -3, "suspense/cha_1/refund_paid_after_all": 60, "channel/cha_1/clearing": -60}},
		"less, and paid elsewhere": {60, PayElsewhere, PaidAfterAll, map[string]int64{"merchant/mer_1/refunding": 100, "suspense/cha_1/paid_elsewhere": -100,
			"suspense/cha_1/refund_paid_after_all": 60, "channel/cha_1/clearing": -60}},
	} {
		s := parked(t)
		s.Told = cny(c.told)
		r, err := Decide(s, c.d, 2)
		require.NoError(t, err, name)
		require.Equal(t, c.legs, legs(r.Journals), name)
		if c.kind == "" {
			require.Nil(t, r.Case, name)
			continue
		}
		require.Equal(t, c.kind, r.Case.Kind, name)
		require.Equal(t, r.After.ID+":cs2", r.Journals[len(r.Journals)-1].Cause(), name)
	}
	s := parked(t)
	s.Told = money.New(100, "USD")
	_, err := Decide(s, MarkSucceeded, 2)
	require.True(t, fault.Is(err, fault.KindConflict, "decision_refused"), "another currency was not as meant: %v", err)
	r, err := Decide(s, WriteOff, 2)
	require.NoError(t, err)
	require.Equal(t, money.New(100, "USD"), r.Case.Amount)
}

func TestContradict(t *testing.T) {
	t.Parallel()
	gave := payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 100, Currency: "CNY", ChannelID: "re_2", EffectiveAt: noon}
	back := payment.Outcome{Verdict: payment.Declined, Dead: true}
	for name, c := range map[string]struct {
		change  func(*Refund)
		outcome payment.Outcome
		step    id.Code
		legs    map[string]int64
	}{
		"it came back": {func(r *Refund) { r.Status = Succeeded }, back, id.Return,
			map[string]int64{"channel/cha_1/clearing": 100, "merchant/mer_1/available": -100}},
		"paid after it had failed": {func(r *Refund) { r.Status = Failed }, gave, id.Return,
			map[string]int64{"suspense/cha_1/refund_paid_after_all": 100, "channel/cha_1/clearing": -100}},
		"paid here, too": {func(r *Refund) { r.Status, r.Elsewhere = Succeeded, true }, gave, id.Return,
			map[string]int64{"suspense/cha_1/refund_paid_after_all": 100, "channel/cha_1/clearing": -100}},
		"a second refund": {func(r *Refund) { r.Status, r.ChannelID = Succeeded, "re_1" }, gave, id.Return,
			map[string]int64{"suspense/cha_1/refund_paid_after_all": 100, "channel/cha_1/clearing": -100}},
		"another amount than told before": {func(r *Refund) { r.Status, r.ChannelID, r.Amount = Succeeded, "re_2", cny(101) }, gave, id.Contradict, map[string]int64{}},
	} {
		s := parked(t)
		s.Refund.Parked = ""
		c.change(&s.Refund)
		s.Outcome = c.outcome
		_, err := Settle(s)
		require.True(t, fault.Is(err, fault.KindConflict, "contradicts_state"), "%s: %v", name, err)
		require.Equal(t, c.step, Move{Refund: s.Refund, Ordinal: 1, Outcome: s.Outcome, Contradicts: true}.Step().Code, name)
		r, err := Contradict(s)
		require.NoError(t, err, name)
		require.Equal(t, s.Refund, r.After, "%s: the refund stays", name)
		require.NotNil(t, r.Case, name)
		require.Equal(t, c.legs, legs(r.Journals), name)
	}
}

// A try that another one followed says nothing more, unless it got through after all.
func TestWhatAnEarlierTrySays(t *testing.T) {
	t.Parallel()
	s := parked(t)
	s.Refund.Parked, s.Followed = "", true
	for _, v := range []payment.Verdict{payment.Declined, payment.Closed, payment.Unknown, payment.Pending} {
		s.Outcome = payment.Outcome{Verdict: v, Dead: true}
		r, err := Settle(s)
		require.NoError(t, err)
		require.True(t, r.Quiet, v)
	}
}

// What was pending when it was taken, and would have matured by now, is available again at once.
func TestAFailureAfterMaturity(t *testing.T) {
	t.Parallel()
	o, err := Open(Opening{Refund: asked(cny(100)), Payment: paid(10000, 300, 9700)})
	require.NoError(t, err)
	o.Payment.Pending = cny(0) // the rest has matured
	r, err := Settle(Settling{Refund: o.Refund, Payment: o.Payment, Matured: true, Ordinal: 1, Now: noon,
		Outcome: payment.Outcome{Verdict: payment.Declined, Dead: true}})
	require.NoError(t, err)
	require.Zero(t, r.Payment.Pending.Minor)
	require.Equal(t, map[string]int64{"merchant/mer_1/refunding": 100, "merchant/mer_1/pending": 0, "merchant/mer_1/available": -97, "income/fees": -3},
		legs(r.Journals))
}

// Refunds that have to be apart each get a place, keep it, and are never told to leave too soon after another.
func TestSlots(t *testing.T) {
	t.Parallel()
	const apart = time.Minute
	now := noon
	var charge Slots
	claim := func(mine time.Time) time.Time {
		s := charge
		s.Mine = mine
		s = s.Claim(now, apart)
		charge.Next, charge.Sent = s.Next, s.Sent
		return s.Mine
	}
	first := claim(time.Time{})
	require.Equal(t, noon, first, "the first one leaves at once")
	second, third := claim(time.Time{}), claim(time.Time{})
	require.Equal(t, noon.Add(apart), second)
	require.Equal(t, noon.Add(2*apart), third)
	require.Equal(t, second, claim(second), "asked again it keeps its place")

	now = noon.Add(10 * apart) // everything stood still meanwhile
	require.False(t, claim(third).After(now), "whoever comes first after it leaves")
	late := claim(second)
	require.Equal(t, now.Add(apart), late, "the other one was late, and takes a new place")
	now = late
	require.False(t, claim(late).After(now))
	require.Equal(t, now, charge.Sent)
}
