package channels_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/dispute"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

var (
	born = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	all  = []channels.Operation{channels.OpCharge, channels.OpCapture, channels.OpCancel, channels.OpAsk, channels.OpRefund, channels.OpAskRefund,
		channels.OpPayout, channels.OpAskPayout, channels.OpCallback, channels.OpStatement}
	sends = []channels.Operation{channels.OpCharge, channels.OpCapture, channels.OpRefund, channels.OpPayout}
)

// told is a channel that answers what it was told to, and counts.
type told struct {
	channels.Unsupported
	describe channels.Description
	out      payment.Outcome
	callback channels.Callback
	err      error
	calls    int
}

func (c *told) Describe() channels.Description { return c.describe }

func (c *told) answer() (payment.Outcome, error) { c.calls++; return c.out, c.err }

func (c *told) Charge(context.Context, channels.Call, channels.ChargeRequest) (payment.Outcome, error) {
	return c.answer()
}
func (c *told) Capture(context.Context, channels.Call, channels.CaptureRequest) (payment.Outcome, error) {
	return c.answer()
}
func (c *told) Cancel(context.Context, channels.Call, channels.ChargeRequest) (payment.Outcome, error) {
	return c.answer()
}
func (c *told) Ask(context.Context, channels.Call, channels.ChargeRequest) (payment.Outcome, error) {
	return c.answer()
}
func (c *told) Refund(context.Context, channels.Call, channels.RefundRequest) (payment.Outcome, error) {
	return c.answer()
}
func (c *told) AskRefund(context.Context, channels.Call, channels.RefundRequest) (payment.Outcome, error) {
	return c.answer()
}
func (c *told) Payout(context.Context, channels.Call, channels.PayoutRequest) (payment.Outcome, error) {
	return c.answer()
}
func (c *told) AskPayout(context.Context, channels.Call, channels.PayoutRequest) (payment.Outcome, error) {
	return c.answer()
}
func (c *told) ParseCallback(channels.Account, channels.RawCallback) (channels.Callback, error) {
	c.calls++
	return c.callback, c.err
}
func (c *told) Statement(context.Context, channels.Account, channels.StatementRequest) (io.ReadCloser, error) {
	c.calls++
	return io.NopCloser(strings.NewReader("")), c.err
}

func offering(ops ...channels.Operation) *told {
	return &told{describe: channels.Description{Name: "told", Operations: ops}, out: payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 1, Currency: "CNY"}}
}

// do runs one operation by name.
func do(c channels.Channel, op channels.Operation, call channels.Call) (payment.Outcome, error) {
	ctx := context.Background()
	switch op {
	case channels.OpCharge:
		return c.Charge(ctx, call, channels.ChargeRequest{})
	case channels.OpCapture:
		return c.Capture(ctx, call, channels.CaptureRequest{})
	case channels.OpCancel:
		return c.Cancel(ctx, call, channels.ChargeRequest{})
	case channels.OpAsk:
		return c.Ask(ctx, call, channels.ChargeRequest{})
	case channels.OpRefund:
		return c.Refund(ctx, call, channels.RefundRequest{})
	case channels.OpAskRefund:
		return c.AskRefund(ctx, call, channels.RefundRequest{})
	case channels.OpPayout:
		return c.Payout(ctx, call, channels.PayoutRequest{})
	case channels.OpAskPayout:
		return c.AskPayout(ctx, call, channels.PayoutRequest{})
	case channels.OpCallback:
		cb, err := c.ParseCallback(channels.Account{}, channels.RawCallback{})
		return cb.Outcome, err
	case channels.OpStatement:
		_, err := c.Statement(ctx, channels.Account{}, channels.StatementRequest{})
		return payment.Outcome{}, err
	}
	return payment.Outcome{}, errors.New("no such operation")
}

func at(age time.Duration) channels.Call {
	return channels.Call{Key: channels.Key{BornAt: born}, Now: born.Add(age)}
}

func TestOnlyWhatIsOfferedIsCalled(t *testing.T) {
	t.Parallel()
	for _, offered := range all {
		c := offering(offered)
		for _, op := range all {
			c.calls = 0
			_, err := do(channels.Guard(c), op, at(0))
			if op == offered {
				require.NoError(t, err, op)
				require.Equal(t, 1, c.calls, op)
				continue
			}
			require.True(t, fault.Is(err, fault.KindInvalid, "operation_unsupported"), "%s: %v", op, err)
			require.Zero(t, c.calls, "%s was called", op)
		}
	}
	for _, op := range all { // what adapters embed says the same
		_, err := do(struct {
			channels.Unsupported
			describer
		}{}, op, at(0))
		require.True(t, fault.Is(err, fault.KindInvalid, "operation_unsupported"), op)
	}
}

type describer struct{}

func (describer) Describe() channels.Description { return channels.Description{} }

// A key that the channel may have forgotten sends nothing; questions and
// closes go on (I-14).
func TestAWornKeySendsNothing(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		life time.Duration
		call channels.Call
		worn bool
	}{
		"fresh":                       {day, at(0), false},
		"at half":                     {day, at(12 * time.Hour), false},
		"past half":                   {day, at(12*time.Hour + 1), true},
		"past its life":               {day, at(25 * time.Hour), true},
		"for ever":                    {0, at(1000 * day), false},
		"our clock is behind":         {day, at(-time.Hour), false},
		"no time of birth":            {day, channels.Call{Now: born}, true},
		"no clock: nobody can tell":   {day, channels.Call{Key: channels.Key{BornAt: born}}, true},
		"no clock, but it is forever": {0, channels.Call{}, false},
	} {
		for _, op := range all[:8] {
			told := offering(all...)
			told.describe.KeyLife = c.life
			out, err := do(channels.Guard(told), op, c.call)
			require.NoError(t, err)
			if c.worn && slices.Contains(sends, op) {
				require.Zero(t, told.calls, "%s: %s was sent", name, op)
				require.Equal(t, payment.Unknown, out.Verdict)
				require.NotEmpty(t, out.Reason)
				continue
			}
			require.Equal(t, 1, told.calls, "%s: %s", name, op)
			require.Equal(t, payment.Succeeded, out.Verdict)
		}
	}
}

// An unknown end is an outcome; every other fault stays what it is, and brings
// no outcome along.
func TestFaultsAndOutcomes(t *testing.T) {
	t.Parallel()
	for _, op := range all[:8] {
		for _, kind := range fault.Kinds() {
			c := offering(all...)
			c.err = fault.New(kind, "code", "it went wrong")
			out, err := do(channels.Guard(c), op, at(0))
			if kind == fault.KindUnknown {
				require.NoError(t, err)
				require.Equal(t, payment.Outcome{Verdict: payment.Unknown, Reason: "it went wrong"}, out)
				continue
			}
			require.Equal(t, kind, fault.Of(err), op)
			require.Equal(t, payment.Outcome{}, out, "a fault and an outcome at once")
		}
		c := offering(all...)
		c.err = context.DeadlineExceeded // an adapter let something out: our bug, never "it didn't happen"
		_, err := do(channels.Guard(c), op, at(0))
		require.Equal(t, fault.KindInternal, fault.Of(err))
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
}

func TestAnswersOutsideOfTheContractAreUnknown(t *testing.T) {
	t.Parallel()
	for _, op := range all[:8] {
		for _, v := range []payment.Verdict{"", "paid", "SUCCEEDED"} {
			c := offering(all...)
			c.out = payment.Outcome{Verdict: v, AmountMinor: 1, Currency: "CNY", Dead: true}
			out, err := do(channels.Guard(c), op, at(0))
			require.NoError(t, err)
			require.Equal(t, payment.Unknown, out.Verdict, "%s %q", op, v)
			require.False(t, out.Dead)
		}
		c := offering(all...)
		c.out = payment.Outcome{Verdict: payment.Absent}
		out, err := do(channels.Guard(c), op, at(0))
		require.NoError(t, err)
		if slices.Contains(sends, op) { // what was just sent can't be absent for certain
			require.Equal(t, payment.Unknown, out.Verdict, op)
		} else {
			require.Equal(t, payment.Absent, out.Verdict, op)
		}
		c.out = payment.Outcome{Verdict: payment.Pending, ChannelID: "a\x00b", Currency: "C\xff", Action: &payment.Action{Type: "redirect", URL: "javascript:x"}}
		out, err = do(channels.Guard(c), op, at(0))
		require.NoError(t, err)
		require.Equal(t, payment.Outcome{Verdict: payment.Pending}, out, "no text gets through that can't be stored or shown")
	}
}

func TestCallbacksThatCantBeStoredAreRefused(t *testing.T) {
	t.Parallel()
	c := offering(all...)
	guarded := channels.Guard(c)
	for _, bad := range []string{"\x00", "a\nb", "\xff\xfe", strings.Repeat("x", 256)} {
		for _, cb := range []channels.Callback{{EventID: bad}, {Reference: bad}} {
			c.callback = cb
			_, err := guarded.ParseCallback(channels.Account{}, channels.RawCallback{})
			require.True(t, fault.Is(err, fault.KindInvalid, "callback_unreadable"), "%q", bad)
		}
	}
	c.callback = channels.Callback{EventID: "ev_1", Subject: channels.SubjectCharge, Reference: "p1", Outcome: payment.Outcome{Verdict: "odd", Currency: "\x00"}}
	cb, err := guarded.ParseCallback(channels.Account{}, channels.RawCallback{})
	require.NoError(t, err)
	require.Equal(t, payment.Unknown, cb.Outcome.Verdict)
	c.callback = channels.Callback{EventID: "ev_1", Subject: channels.SubjectOther}
	cb, err = guarded.ParseCallback(channels.Account{}, channels.RawCallback{})
	require.NoError(t, err)
	require.Equal(t, c.callback, cb)
	c.err = fault.Denied("signature_invalid", "forged")
	cb, err = guarded.ParseCallback(channels.Account{}, channels.RawCallback{})
	require.True(t, fault.Is(err, fault.KindDenied, "signature_invalid"))
	require.Equal(t, channels.Callback{}, cb, "a forged callback says nothing")
}

// A channel whose signatures prove no content is never believed: its callbacks name what to ask about, and nothing else.
func TestAHintSaysOnlyWhatToAskAbout(t *testing.T) {
	t.Parallel()
	for subject, want := range map[channels.Subject]channels.Subject{channels.SubjectCharge: channels.SubjectCharge, channels.SubjectRefund: channels.SubjectRefund,
		channels.SubjectPayout: channels.SubjectPayout, channels.SubjectDispute: channels.SubjectOther, channels.SubjectOther: channels.SubjectOther} {
		c := &told{describe: channels.Description{Operations: all, Hints: true}, callback: channels.Callback{EventID: "e", Subject: subject, Reference: "r",
			Outcome: payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 1, Currency: "CNY", ChannelID: "theirs", Approved: true}, Dispute: &dispute.Word{ID: "d"}}}
		cb, err := channels.Guard(c).ParseCallback(channels.Account{}, channels.RawCallback{})
		require.NoError(t, err)
		out := cb.Outcome
		out.Reason = ""
		if want == channels.SubjectOther {
			require.Equal(t, payment.Outcome{}, out)
		} else {
			require.Equal(t, payment.Outcome{Verdict: payment.Unknown}, out)
		}
		require.Equal(t, channels.Callback{EventID: "e", Subject: want, Reference: "r", Outcome: cb.Outcome}, cb)
	}
}
