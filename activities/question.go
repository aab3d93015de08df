package activities

import (
	"context"
	"time"

	"paysaga/channels"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// Question names a charge, refund or payout that a channel is asked about outside of its saga: by whoever places a
// callback that proves nothing by itself.
type Question struct {
	Book       id.Book
	BusinessID string // of the payment, refund or payout
	Key        string // of the try
}

// askable is a question made ready: the operation, the call under the try's committed key, and how it is asked.
type askable struct {
	op      channels.Operation
	channel string
	call    channels.Call // without the time
	ask     func(context.Context, channels.Channel, channels.Call) (payment.Outcome, error)
}

// AskAbout asks the channel once what became of a try, under its own committed key and over its own account. What the
// channel answers is what there is; nothing of who made us ask goes into it. It moves nothing, and its errors are faults.
func (s *Steps) AskAbout(ctx context.Context, q Question) (payment.Outcome, error) {
	a, err := s.askable(ctx, q)
	if err != nil {
		return payment.Outcome{}, err
	}
	line := channels.CallLine{Book: q.Book, BusinessID: q.BusinessID, Key: q.Key, Channel: a.channel, ChannelAccount: a.call.Account.ID, Operation: a.op}
	return s.reach(ctx, line, a.call.Account.Limits, s.c.CallTimeout, func(ctx context.Context, c channels.Channel, now time.Time) (payment.Outcome, error) {
		a.call.Now = now
		return a.ask(ctx, c, a.call)
	})
}

func (s *Steps) askable(ctx context.Context, q Question) (askable, error) {
	switch {
	case id.Is(id.Refund, q.BusinessID):
		i, err := s.c.Refunds.RefundIntent(ctx, q.Book, q.Key)
		return askable{channels.OpAskRefund, i.Attempt.Channel, channels.Call{Account: i.Account, Key: i.Key, ChannelID: i.Attempt.ChannelID},
			func(ctx context.Context, c channels.Channel, call channels.Call) (payment.Outcome, error) {
				return c.AskRefund(ctx, call, i.Request)
			}}, err
	case id.Is(id.Payout, q.BusinessID):
		i, err := s.c.Payouts.PayoutIntent(ctx, q.Book, q.Key)
		return askable{channels.OpAskPayout, i.Attempt.Channel, channels.Call{Account: i.Account, Key: i.Key, ChannelID: i.Attempt.ChannelID},
			func(ctx context.Context, c channels.Channel, call channels.Call) (payment.Outcome, error) {
				return c.AskPayout(ctx, call, i.Request)
			}}, err
	}
	i, err := s.c.Files.Intent(ctx, q.Book, q.Key)
	return askable{channels.OpAsk, i.Attempt.Channel, channels.Call{Account: i.Account, Key: i.Key, ChannelID: i.Attempt.ChannelID},
		func(ctx context.Context, c channels.Channel, call channels.Call) (payment.Outcome, error) {
			return c.Ask(ctx, call, i.Request)
		}}, err
}
