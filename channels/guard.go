package channels

import (
	"context"
	"io"
	"slices"
	"strings"
	"unicode"

	"paysaga/domain/fault"
	"paysaga/domain/payment"
	"paysaga/domain/reconcile"
)

// Guard wraps a channel with what every adapter must keep and none should
// write again: an operation that isn't offered is refused, a key that the
// channel may have forgotten sends nothing (I-14), an error of kind Unknown
// becomes the outcome Unknown, and so does an answer outside of the contract.
// No text that can't be stored or shown gets through (see payment.Vetted).
func Guard(c Channel) Channel { return guarded{c} }

type guarded struct{ Channel }

// worn reports whether the key is older than half of what the channel
// remembers: from then on a repeat could be taken for a new operation. Without
// the caller's clock nobody can tell, so it counts as worn.
func (g guarded) worn(c Call) bool {
	life := g.Describe().KeyLife
	return life > 0 && (c.Now.IsZero() || c.Now.Sub(c.Key.BornAt) > life/2)
}

func (g guarded) send(op Operation, c Call, f func() (payment.Outcome, error)) (payment.Outcome, error) {
	if !g.Describe().Can(op) {
		return payment.Outcome{}, unsupported(op)
	}
	if g.worn(c) {
		return unknown("the key is too old to be sent again"), nil
	}
	out, err := g.ask(op, f)
	if out.Verdict == payment.Absent { // only a question can find nothing
		return unknown("the channel knows nothing of what was just sent"), err
	}
	return out, err
}

func (g guarded) ask(op Operation, f func() (payment.Outcome, error)) (payment.Outcome, error) {
	if !g.Describe().Can(op) {
		return payment.Outcome{}, unsupported(op)
	}
	out, err := f()
	switch {
	case fault.Of(err) == fault.KindUnknown:
		return unknown(fault.As(err).Message).Vetted(), nil
	case err != nil:
		return payment.Outcome{}, err
	}
	return out.Vetted(), nil
}

func unknown(why string) payment.Outcome {
	return payment.Outcome{Verdict: payment.Unknown, Reason: why}
}

func (g guarded) Charge(ctx context.Context, c Call, r ChargeRequest) (payment.Outcome, error) {
	return g.send(OpCharge, c, func() (payment.Outcome, error) { return g.Channel.Charge(ctx, c, r) })
}

func (g guarded) Capture(ctx context.Context, c Call, r CaptureRequest) (payment.Outcome, error) {
	return g.send(OpCapture, c, func() (payment.Outcome, error) { return g.Channel.Capture(ctx, c, r) })
}

// Cancel closes whatever stands under the key; it creates no money movement,
// so an old key doesn't stop it.
func (g guarded) Cancel(ctx context.Context, c Call, r ChargeRequest) (payment.Outcome, error) {
	return g.ask(OpCancel, func() (payment.Outcome, error) { return g.Channel.Cancel(ctx, c, r) })
}

// Confirm is kept from happening twice by the channel's own state of the charge, so an old key doesn't stop it.
func (g guarded) Confirm(ctx context.Context, c Call, r ChargeRequest) (payment.Outcome, error) {
	return g.ask(OpConfirm, func() (payment.Outcome, error) { return g.Channel.Confirm(ctx, c, r) })
}

func (g guarded) Ask(ctx context.Context, c Call, r ChargeRequest) (payment.Outcome, error) {
	return g.ask(OpAsk, func() (payment.Outcome, error) { return g.Channel.Ask(ctx, c, r) })
}

func (g guarded) Refund(ctx context.Context, c Call, r RefundRequest) (payment.Outcome, error) {
	return g.send(OpRefund, c, func() (payment.Outcome, error) { return g.Channel.Refund(ctx, c, r) })
}

func (g guarded) AskRefund(ctx context.Context, c Call, r RefundRequest) (payment.Outcome, error) {
	return g.ask(OpAskRefund, func() (payment.Outcome, error) { return g.Channel.AskRefund(ctx, c, r) })
}

func (g guarded) Payout(ctx context.Context, c Call, r PayoutRequest) (payment.Outcome, error) {
	return g.send(OpPayout, c, func() (payment.Outcome, error) { return g.Channel.Payout(ctx, c, r) })
}

func (g guarded) AskPayout(ctx context.Context, c Call, r PayoutRequest) (payment.Outcome, error) {
	return g.ask(OpAskPayout, func() (payment.Outcome, error) { return g.Channel.AskPayout(ctx, c, r) })
}

// maxText bounds the channel's own names in a callback.
const maxText = 255

// ParseCallback lets no callback through that couldn't be stored.
func (g guarded) ParseCallback(a Account, raw RawCallback) (Callback, error) {
	if !g.Describe().Can(OpCallback) {
		return Callback{}, unsupported(OpCallback)
	}
	cb, err := g.Channel.ParseCallback(a, raw)
	if err != nil {
		return Callback{}, err
	}
	if !storable(cb.EventID) || !storable(cb.Reference) {
		return Callback{}, fault.Invalid("callback_unreadable", "", "the callback's id or reference can't be read")
	}
	if cb.Subject != SubjectOther { // which says nothing
		cb.Outcome = cb.Outcome.Vetted()
	}
	if g.Describe().Hints {
		return cb.hint(), nil
	}
	return cb, nil
}

// hint leaves of a callback only what to ask about. A dispute can't be asked about, so it is left alone.
func (cb Callback) hint() Callback {
	cb.Outcome, cb.Dispute = payment.Outcome{}, nil
	switch cb.Subject {
	case SubjectDispute:
		cb.Subject = SubjectOther
	case SubjectCharge, SubjectRefund, SubjectPayout:
		cb.Outcome = unknown("a callback of this channel proves nothing: it is asked")
	}
	return cb
}

func storable(text string) bool {
	return len(text) <= maxText && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || r == unicode.ReplacementChar // ranging over bytes that aren't UTF-8 finds that one
	})
}

func (g guarded) Statement(ctx context.Context, a Account, r StatementRequest) (io.ReadCloser, error) {
	if !g.Describe().Can(OpStatement) {
		return nil, unsupported(OpStatement)
	}
	return g.Channel.Statement(ctx, a, r)
}

func (g guarded) ReadStatement(f reconcile.File, r io.Reader, each func(*reconcile.Line) error) (reconcile.Control, error) {
	if !slices.Contains(g.Describe().Statements, f.Kind) {
		return reconcile.Control{}, fault.Invalid("statement_unknown", "kind", "the channel has no such kind of statement")
	}
	return g.Channel.ReadStatement(f, r, each)
}

func (g guarded) Probe(ctx context.Context, a Account) error {
	if !g.Describe().Can(OpProbe) {
		return unsupported(OpProbe)
	}
	return g.Channel.Probe(ctx, a)
}
