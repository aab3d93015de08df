package activities

import (
	"context"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
	"paysaga/domain/remit"
)

// outgoing is a committed intent as far as a call doesn't care whether it is of
// a refund or a payout.
type outgoing struct {
	account channels.Account
	key     channels.Key
	try     remit.Attempt
}

// callOut calls the channel about a try.
func (s *Steps) callOut(ctx context.Context, in OutCallInput, op channels.Operation, o outgoing,
	do func(context.Context, channels.Channel, channels.Call) (payment.Outcome, error)) (Answer, error) {
	line := channels.CallLine{Book: in.Book, BusinessID: in.ID(), Key: in.Key, Channel: o.try.Channel, ChannelAccount: o.try.ChannelAccount, Operation: op}
	return s.make(ctx, line, o.account.Limits, func(ctx context.Context, c channels.Channel, now time.Time) (payment.Outcome, error) {
		return do(ctx, c, channels.Call{Account: o.account, Key: o.key, ChannelID: o.try.ChannelID, Now: now})
	})
}

// ruled is what the rules make of an outcome.
type ruled[T any] struct {
	quiet bool // everything stands already
	// commit moves the object, and reads what it came to.
	commit func(contradicts bool) (T, error)
}

// settleOut commits what an outcome means for a refund or a payout; rule reads
// it, and asks its rules, whose "contradicts_state" opens a case. What moved since
// it was read is ruled anew.
func settleOut[T any](s *Steps, rule func() (stands T, r ruled[T], err error)) (T, error) {
	for try := 1; ; try++ {
		stands, r, err := rule()
		contradicts := r.commit != nil && fault.Is(err, fault.KindConflict, "contradicts_state")
		if !contradicts && (err != nil || r.quiet) {
			return stands, err
		}
		after, err := r.commit(contradicts)
		switch {
		case contradicts && (fault.Is(err, fault.KindConflict, "cause_conflict") || fault.Is(err, fault.KindConflict, "case_exists")):
			return stands, nil // the case stands; other words add nothing to it
		case contradicts && err == nil:
			s.c.CaseOpened()
		case fault.Of(err) == fault.KindConflict && try < staleTries:
			continue
		}
		return after, err
	}
}
