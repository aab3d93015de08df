package payment

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// desk is a world whose payment holds an authorization, and its captures.
type desk struct {
	*world
	captures []Capture
}

func newDesk(t require.TestingT) *desk {
	d := &desk{world: newWorld(t)}
	d.payment.Capture = CaptureManual
	d.open()
	d.settle(1, authorized)
	require.Equal(t, Reserved, d.payment.Status)
	return d
}

func (d *desk) hold() Hold {
	p := d.payment
	return Hold{Status: p.Status, Amount: p.Amount, Captured: p.Captured.Minor, Capturing: p.Capturing.Minor, Captures: len(d.captures),
		FinalOpen: p.FinalCapture, CancelRequested: !p.CancelRequested.IsZero(), Can: true, Several: true, Now: d.now}
}

// receive is what the store does under the payment's lock.
func (d *desk) receive(w CaptureWish) error {
	amount, final, err := d.hold().Take(w)
	if err != nil {
		return err
	}
	n := len(d.captures) + 1
	c := Capture{Book: id.Test, ID: fmt.Sprintf("cap_%026d", n), PaymentID: payID, MerchantID: "mer_1", Attempt: 1, Ordinal: n, Amount: amount,
		Final: final, ChannelAccount: "cha_1", Status: CaptureProcessing, Fee: cny(0), Sequence: 1}
	d.captures = append(d.captures, c)
	d.payment.Capturing = cny(d.payment.Capturing.Minor + amount.Minor)
	d.payment.FinalCapture = d.payment.FinalCapture || final
	return nil
}

// outcome settles a capture, and commits what that rules.
func (d *desk) outcome(n int, o Outcome) CaptureRuling {
	k := CaptureCase{Case: d.about(1, o), Capture: d.captures[n-1], Others: d.captures}
	for _, c := range d.captures {
		k.Strayed += c.Strayed
	}
	r, err := SettleCapture(k)
	require.NoError(d.t, err)
	if r.Quiet {
		return r
	}
	cause := id.Key(k.Capture.ID, r.Step)
	require.NotContains(d.t, d.hashes, cause, "one cause, one Step (I-05)")
	d.hashes[cause] = "a capture's"
	for _, change := range r.Changes(k) {
		switch c := change.(type) {
		case CaptureUpdate:
			require.Equal(d.t, d.captures[n-1], c.Before)
			require.Equal(d.t, c.Before.Sequence+1, c.After.Sequence)
			d.captures[n-1] = c.After
		case Update:
			if c.Event != "" {
				d.apply(c)
				continue
			}
			require.Equal(d.t, d.payment, c.Before)
			require.Equal(d.t, c.Before.Sequence, c.After.Sequence)
			d.payment = c.After
		default:
			d.apply(c)
		}
	}
	for _, j := range r.Journals {
		delete(d.hashes, j.Cause())
		d.post(j, "")
	}
	d.sound()
	return r
}

// captured is a channel's success of a capture.
func (d *desk) captured(n int) Outcome {
	o := succeeded
	o.AmountMinor, o.ChannelID = d.captures[n-1].Amount.Minor, fmt.Sprintf("sbx_c%d", n)
	return o
}

// sound holds what stands against the tables' constraints (I-09, I-10, I-16).
func (d *desk) sound() {
	t, p := d.t, d.payment
	var done, open, fees, doubts int64
	for _, c := range d.captures {
		switch c.Status {
		case CaptureSucceeded:
			done, fees = done+c.Amount.Minor, fees+c.Fee.Minor
		case CaptureProcessing:
			open += c.Amount.Minor
		}
		if c.InDoubt {
			doubts += c.Amount.Minor
		}
	}
	_, journals := d.kinds("captured")
	require.Equal(t, done, p.Captured.Minor)
	require.Equal(t, done, journals, "captures and their journals (I-10)")
	require.Equal(t, open, p.Capturing.Minor)
	require.LessOrEqual(t, done+open, meant, "beyond what was authorized (I-09)")
	require.Equal(t, fees, p.Fee.Minor)
	all, err := d.terms.Fee(p.Captured)
	require.NoError(t, err)
	if done > 0 {
		require.Equal(t, all, p.Fee, "the fee on all is the sum of the fees (I-08)")
	}
	require.Equal(t, done > 0, p.BusinessDate != "")
	require.Equal(t, doubts, d.balances()["memo/in_doubt/cha_1 CNY"])
	part := p.Parts[0]
	require.Equal(t, p.Captured, part.Captured)
	require.Equal(t, done, d.order.Paid.Minor)
	require.Equal(t, part.Authorized.Minor-part.Captured.Minor, d.order.Authorized.Minor)
	require.Equal(t, p.Sequence-1, int64(len(d.events)))
	if p.Status.Terminal() {
		require.Zero(t, open, "ended with a capture under way (I-15)")
		require.Equal(t, part.Authorized, part.Captured)
		require.Equal(t, p.Status == Paid, done > 0)
	}
}

func final(yes bool) *bool { return &yes }

func TestCapturesInParts(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	require.NoError(t, d.receive(CaptureWish{Amount: cny(300)}))
	require.NoError(t, d.receive(CaptureWish{Amount: cny(400)}))
	require.Equal(t, "payment.captured", d.outcome(1, d.captured(1)).Event)
	require.Equal(t, Reserved, d.payment.Status)
	require.Equal(t, "5.34", d.payment.Public().AmountCapturable)
	require.True(t, d.outcome(1, d.captured(1)).Quiet, "once")

	require.Equal(t, "capture.in_doubt", d.outcome(2, Outcome{Verdict: Unknown}).CaptureEvent)
	require.True(t, d.outcome(2, Outcome{Verdict: Unknown}).Quiet)
	_, err := Settle(func() Case { c := d.about(1, closed); c.End = Canceled; return c }())
	require.True(t, fault.Is(err, fault.KindConflict, "capture_open"), "nothing ends while a capture is under way: %v", err)
	d.outcome(2, d.captured(2))

	require.NoError(t, d.receive(CaptureWish{}))
	require.Equal(t, cny(534), d.captures[2].Amount)
	require.True(t, d.captures[2].Final)
	require.True(t, fault.Is(d.receive(CaptureWish{}), fault.KindConflict, "capture_final_open"))
	r := d.outcome(3, d.captured(3))
	require.Equal(t, "payment.succeeded", r.Event)
	require.Equal(t, Paid, d.payment.Status)
	require.Equal(t, Succeeded, d.attempts[0].Verdict)
	require.Equal(t, meant, d.attempts[0].AmountMinor)
	whole := succeeded
	require.True(t, d.settle(1, whole).Quiet, "what the charge says now is known")
}

// What isn't captured is given back, and the payment succeeds with what was.
func TestTheRestIsReleased(t *testing.T) {
	t.Parallel()
	partly := succeeded
	partly.AmountMinor = 300
	for _, o := range []Outcome{closed, partly} {
		d := newDesk(t)
		require.NoError(t, d.receive(CaptureWish{Amount: cny(300)}))
		d.outcome(1, d.captured(1))
		c := d.about(1, o)
		c.End = Canceled
		r, err := Settle(c)
		require.NoError(t, err)
		for _, change := range r.Changes(d.payment, c.Attempt) {
			d.apply(change)
		}
		require.Equal(t, Paid, d.payment.Status, o.Verdict)
		require.Empty(t, r.Journals)
		require.Equal(t, int64(300), d.attempts[0].AmountMinor)
		d.sound()
	}
}

// A capture of another amount stands on suspense, and what its charge says in
// the end isn't booked a second time.
func TestACaptureOfAnotherAmount(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	require.NoError(t, d.receive(CaptureWish{Amount: cny(300)}))
	require.NoError(t, d.receive(CaptureWish{Amount: cny(100)}))
	o := d.captured(1)
	o.AmountMinor = 299
	d.outcome(1, o)
	require.Equal(t, CaptureFailed, d.captures[0].Status)
	require.Equal(t, "amount_mismatch", d.captures[0].FailureCode)
	require.Len(t, d.cases, 1)
	require.Equal(t, int64(-299), d.balances()["suspense/cha_1/amount_mismatch CNY"])
	d.outcome(2, d.captured(2))

	charge := succeeded
	charge.AmountMinor = 399 // 299 astray, and 100
	c := d.about(1, charge)
	c.Strayed = d.captures[0].Strayed
	r, err := Settle(c)
	require.NoError(t, err)
	require.Nil(t, r.Case)
	require.Empty(t, r.Journals)
	require.Equal(t, Paid, r.After.Status)

	alone := newDesk(t)
	require.NoError(t, alone.receive(CaptureWish{Amount: cny(300)}))
	alone.outcome(1, o)
	k := alone.about(1, o) // the charge says what its only capture took
	k.Strayed = 299
	r, err = Settle(k)
	require.NoError(t, err)
	require.Empty(t, r.Journals)
	require.Equal(t, Canceled, r.After.Status, "nothing was captured for the merchant")

	c.Outcome.AmountMinor = 450 // and 51 more than anybody asked for
	r, err = Settle(c)
	require.NoError(t, err)
	require.Equal(t, cny(51), r.Case.Amount)
	require.Len(t, r.Journals, 1)
	require.Equal(t, Paid, r.After.Status)
}

func TestWhatACaptureMayTake(t *testing.T) {
	t.Parallel()
	ok := Hold{Status: Reserved, Amount: cny(meant), Can: true, Several: true, Now: at(noon)}
	with := func(change func(*Hold)) Hold { h := ok; change(&h); return h }
	for name, c := range map[string]struct {
		hold  Hold
		wish  CaptureWish
		code  string
		minor int64
		final bool
	}{
		"all":                    {ok, CaptureWish{}, "", meant, true},
		"a part":                 {ok, CaptureWish{Amount: cny(300)}, "", 300, false},
		"a part and no more":     {ok, CaptureWish{Amount: cny(300), Final: final(true)}, "", 300, true},
		"all, and still open":    {ok, CaptureWish{Final: final(false)}, "", meant, false},
		"what is left":           {with(func(h *Hold) { h.Captured, h.Capturing = 200, 34 }), CaptureWish{}, "", 1000, true},
		"beyond":                 {ok, CaptureWish{Amount: cny(meant + 1)}, "amount_not_capturable", 0, false},
		"beyond what is left":    {with(func(h *Hold) { h.Capturing = 1000 }), CaptureWish{Amount: cny(235)}, "amount_not_capturable", 0, false},
		"nothing is left":        {with(func(h *Hold) { h.Captured = meant }), CaptureWish{}, "amount_not_capturable", 0, false},
		"less than nothing":      {ok, CaptureWish{Amount: cny(-1)}, "amount_invalid", 0, false},
		"paid":                   {with(func(h *Hold) { h.Status = Paid }), CaptureWish{}, "payment_not_capturable", 0, false},
		"not authorized yet":     {with(func(h *Hold) { h.Status = Processing }), CaptureWish{}, "payment_not_capturable", 0, false},
		"being cancelled":        {with(func(h *Hold) { h.CancelRequested = true }), CaptureWish{}, "payment_not_capturable", 0, false},
		"lapsed":                 {with(func(h *Hold) { h.LapsesAt = at(noon) }), CaptureWish{}, "authorization_lapsed", 0, false},
		"the last is under way":  {with(func(h *Hold) { h.Capturing, h.FinalOpen = 1, true }), CaptureWish{Amount: cny(1)}, "capture_final_open", 0, false},
		"a channel that can't":   {with(func(h *Hold) { h.Can = false }), CaptureWish{}, "capture_unsupported", 0, false},
		"once is final":          {with(func(h *Hold) { h.Several = false }), CaptureWish{Amount: cny(1)}, "", 1, true},
		"once, and not final":    {with(func(h *Hold) { h.Several = false }), CaptureWish{Amount: cny(1), Final: final(false)}, "capture_must_be_final", 0, false},
		"once more than once":    {with(func(h *Hold) { h.Several, h.Captured = false, 1 }), CaptureWish{}, "captured_once", 0, false},
		"the hundredth":          {with(func(h *Hold) { h.Captures = MaxCaptures }), CaptureWish{}, "captures_exhausted", 0, false},
		"before it lapses":       {with(func(h *Hold) { h.LapsesAt = at(noon).Add(time.Second) }), CaptureWish{}, "", meant, true},
		"in another currency":    {ok, CaptureWish{Amount: money.New(1, "EUR")}, "currency_mismatch", 0, false},
		"a failed one left room": {with(func(h *Hold) { h.Captures = 3 }), CaptureWish{}, "", meant, true},
	} {
		amount, last, err := c.hold.Take(c.wish)
		if c.code != "" {
			require.Equal(t, c.code, fault.As(err).Code, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, cny(c.minor), amount, name)
		require.Equal(t, c.final, last, name)
	}
}

func TestWhatAChargeSaysOfItsCapture(t *testing.T) {
	t.Parallel()
	p := Payment{Captured: cny(300)}
	c := Capture{Amount: cny(500)}
	charge := func(v Verdict, minor int64) Outcome {
		return Outcome{Verdict: v, AmountMinor: minor, Currency: "CNY", ChannelID: "sbx_1"}
	}
	for name, x := range map[string]struct {
		charge  Outcome
		verdict Verdict
		minor   int64
	}{
		"captured":         {charge(Succeeded, 800), Succeeded, 500},
		"released instead": {charge(Succeeded, 300), Closed, 0},
		"another amount":   {charge(Succeeded, 700), Succeeded, 400},
		"still held":       {charge(Authorized, meant), Unknown, 0},
		"closed":           {charge(Closed, 0), Closed, 0},
		"asked in vain":    {charge(Unknown, 0), Unknown, 0},
		"another try":      {charge(Declined, 0), Unknown, 0},
	} {
		o := c.OfCharge(p, 0, x.charge)
		require.Equal(t, x.verdict, o.Verdict, name)
		require.Equal(t, x.minor, o.AmountMinor, name)
		require.NotEqual(t, "sbx_1", o.ChannelID, name)
	}
}

// Whatever is received, and whatever becomes of it, in whatever order.
func TestAnySequenceOfCapturesKeepsTheInvariants(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		d := newDesk(rt)
		d.terms.FeeBasisPoints = rapid.Int64Range(0, 10_000).Draw(rt, "bps")
		d.terms.FeeFixed["CNY"] = rapid.Int64Range(0, 400).Draw(rt, "fixed")
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			if d.payment.Status.Terminal() {
				break
			}
			if rapid.Bool().Draw(rt, "receive") || len(d.captures) == 0 {
				_ = d.receive(CaptureWish{Amount: cny(rapid.Int64Range(0, meant).Draw(rt, "amount"))})
				continue
			}
			for i, c := range d.captures { // one after the other
				if c.Status == CaptureProcessing {
					d.outcome(i+1, rapid.SampledFrom([]Outcome{d.captured(i + 1), {Verdict: Unknown}, closed, {Verdict: Declined, Dead: true},
						d.captured(i + 1)}).Draw(rt, "outcome"))
					break
				}
			}
			d.sound()
		}
	})
}

// Each capture's money becomes available in its own time, and with the last of
// them everything is.
func TestCapturesMatureOneByOne(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.terms.SettlementDays = 2
	var due []time.Time
	for n := range 3 {
		require.NoError(t, d.receive(CaptureWish{Amount: cny(400)}))
		o := d.captured(n + 1)
		o.EffectiveAt = d.now
		r := d.outcome(n+1, o)
		if n == 0 {
			require.Equal(t, d.captures[0].MaturesAt, r.MaturesAt)
		}
		due = append(due, d.captures[n].MaturesAt)
		d.now = d.now.Add(24 * time.Hour)
	}
	net := func(n int) int64 { return d.captures[n].Amount.Minor - d.captures[n].Fee.Minor }
	require.Equal(t, net(0)+net(1)+net(2), d.payment.Pending.Minor)
	dossier := Dossier{Payment: d.payment, Attempts: d.attempts, Captures: d.captures}
	_, err := MaturityOf(dossier, due[0].Add(-time.Second))
	require.True(t, fault.Is(err, fault.KindConflict, "nothing_to_mature"))
	for n, later := range []int64{net(1) + net(2), net(2), 0} {
		m, err := MaturityOf(dossier, due[n])
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(m.Cause, d.captures[n].ID))
		require.Equal(t, later, m.Later)
		if n < 2 {
			require.Equal(t, due[n+1], m.Next)
		}
	}
}

func TestCaptureContents(t *testing.T) {
	t.Parallel()
	for _, c := range []ledger.Change{ReceiveCapture{CaptureID: "cap_1", At: time.Now()}, CaptureUpdate{After: Capture{ID: "cap_1", UpdatedAt: time.Now()}}} {
		require.NotContains(t, fmt.Sprint(c.Content()), "2026", "no clock")
	}
}
