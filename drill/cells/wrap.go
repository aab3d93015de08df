package cells

import (
	"context"
	"time"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
)

// committer lets faults in between a commit and whoever waits for it.
type committer struct{ activities.Committer }

func (c *committer) Commit(ctx context.Context, step ledger.Step) (ledger.Receipt, error) {
	v := visitOf(ctx)
	if v != nil && v.run.dead() {
		return ledger.Receipt{}, errDead
	}
	receipt, err := c.Committer.Commit(ctx, step)
	if err == nil && v.at(Effect) {
		if err := v.run.strike(ctx); err != nil {
			return ledger.Receipt{}, err
		}
	}
	return receipt, err
}

// spoilt lets faults in between a channel and whoever calls it.
type spoilt struct{ channels.Channel }

// operations are what the sandbox's scripts call what is called here.
const (
	opCharge    = "charge"
	opCapture   = "capture"
	opCancel    = "cancel"
	opAsk       = "ask"
	opRefund    = "refund"
	opAskRefund = "ask_refund"
	opPayout    = "payout"
	opAskPayout = "ask_payout"
)

type call func(context.Context, channels.Call) (payment.Outcome, error)

// through makes a call with whatever strikes it.
func through(ctx context.Context, c channels.Call, op string, do call) (payment.Outcome, error) {
	v := visitOf(ctx)
	if v == nil {
		return do(ctx, c)
	}
	if v.run.dead() {
		return payment.Outcome{}, errDead
	}
	if m, now := v.sometime(atCall...); now {
		return v.run.spoil(ctx, c, op, m, do)
	}
	out, err := do(ctx, c)
	if v.at(Effect) {
		if err := v.run.strike(ctx); err != nil {
			return payment.Outcome{}, err
		}
	}
	return out, err
}

// spoil makes a call under a fault of the channel or of the way to it.
func (r *Run) spoil(ctx context.Context, c channels.Call, op string, m Moment, do call) (out payment.Outcome, err error) {
	p := r.proxyOf(c.Account.ID)
	make := func() { out, err = do(ctx, c) }
	script := func(fault string) error {
		return r.script(c.Account.ID, map[string]any{"operation": op, "fault": fault, "first": true})
	}
	var broken error
	switch r.Cell.Fault {
	case Refused:
		broken = p.without(make)
	case CutBefore:
		broken = p.poison("limit_data", "upstream", `"bytes":0`, make)
	case CutAfter:
		broken = p.poison("limit_data", "downstream", `"bytes":0`, make)
	case ClockSkew:
		c.Now = c.Now.Add(13 * time.Hour)
		make()
	case Hang:
		name := "timeout_before"
		if m == Effect {
			name = "timeout_after"
		}
		broken = script(name)
		make()
	case Status500:
		name := "500"
		if m == Effect {
			name = "500_after"
		}
		broken = script(name)
		make()
	default: // 429, garbage and wrong_amount are called so by the sandbox too
		broken = script(string(r.Cell.Fault))
		make()
	}
	if broken != nil {
		r.complain("drill: the fault couldn't be made: %v", broken)
	}
	return out, err
}

func (s *spoilt) Charge(ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error) {
	return through(ctx, c, opCharge, func(ctx context.Context, c channels.Call) (payment.Outcome, error) {
		return s.Channel.Charge(ctx, c, q)
	})
}

func (s *spoilt) Capture(ctx context.Context, c channels.Call, q channels.CaptureRequest) (payment.Outcome, error) {
	return through(ctx, c, opCapture, func(ctx context.Context, c channels.Call) (payment.Outcome, error) {
		return s.Channel.Capture(ctx, c, q)
	})
}

func (s *spoilt) Cancel(ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error) {
	if v := visitOf(ctx); v != nil && v.run.Scenario.Forgetful {
		return payment.Outcome{Verdict: payment.Absent}, nil
	}
	return through(ctx, c, opCancel, func(ctx context.Context, c channels.Call) (payment.Outcome, error) {
		return s.Channel.Cancel(ctx, c, q)
	})
}

func (s *spoilt) Ask(ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error) {
	return through(ctx, c, opAsk, func(ctx context.Context, c channels.Call) (payment.Outcome, error) { return s.Channel.Ask(ctx, c, q) })
}

func (s *spoilt) Refund(ctx context.Context, c channels.Call, q channels.RefundRequest) (payment.Outcome, error) {
	return through(ctx, c, opRefund, func(ctx context.Context, c channels.Call) (payment.Outcome, error) {
		return s.Channel.Refund(ctx, c, q)
	})
}

func (s *spoilt) AskRefund(ctx context.Context, c channels.Call, q channels.RefundRequest) (payment.Outcome, error) {
	return through(ctx, c, opAskRefund, func(ctx context.Context, c channels.Call) (payment.Outcome, error) {
		return s.Channel.AskRefund(ctx, c, q)
	})
}

func (s *spoilt) Payout(ctx context.Context, c channels.Call, q channels.PayoutRequest) (payment.Outcome, error) {
	return through(ctx, c, opPayout, func(ctx context.Context, c channels.Call) (payment.Outcome, error) {
		return s.Channel.Payout(ctx, c, q)
	})
}

func (s *spoilt) AskPayout(ctx context.Context, c channels.Call, q channels.PayoutRequest) (payment.Outcome, error) {
	return through(ctx, c, opAskPayout, func(ctx context.Context, c channels.Call) (payment.Outcome, error) {
		return s.Channel.AskPayout(ctx, c, q)
	})
}
