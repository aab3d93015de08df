package channels

import (
	"context"

	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// Guard wraps a channel with what every adapter must keep and none should
// write again: an operation that isn't offered is refused, a key that the
// channel may have forgotten sends nothing (I-14), and an error of kind
// Unknown becomes the outcome Unknown.
func Guard(c Channel) Channel { return guarded{c} }

type guarded struct{ Channel }

// worn reports whether the key is older than half of what the channel
// remembers: from then on a repeat could be taken for a new operation.
func (g guarded) worn(c Call) bool {
	life := g.Describe().KeyLife
	return life > 0 && c.Now.Sub(c.Key.BornAt) > life/2
}

func (g guarded) send(op Operation, c Call, f func() (payment.Outcome, error)) (payment.Outcome, error) {
	if !g.Describe().Can(op) {
		return payment.Outcome{}, unsupported(op)
	}
	if g.worn(c) {
		return payment.Outcome{Verdict: payment.Unknown, Reason: "the key is too old to be sent again"}, nil
	}
	return g.ask(op, f)
}

func (g guarded) ask(op Operation, f func() (payment.Outcome, error)) (payment.Outcome, error) {
	if !g.Describe().Can(op) {
		return payment.Outcome{}, unsupported(op)
	}
	out, err := f()
	if fault.Of(err) == fault.KindUnknown {
		return payment.Outcome{Verdict: payment.Unknown, Reason: fault.As(err).Message}, nil
	}
	return out, err
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
