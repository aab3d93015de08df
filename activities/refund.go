package activities

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"go.temporal.io/sdk/activity"

	"paysaga/channels"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
)

func bookedRefund(r refund.Refund) Sent {
	return Sent{Status: r.Status, InDoubt: r.InDoubt, Parked: r.Parked, Suspense: r.Source == refund.FromSuspense || r.Combined}
}

// OpenRefund commits the intent of a try: the frozen request under its key
// (I-13). Repeated, it answers with what stands.
func (s *Steps) OpenRefund(ctx context.Context, in OpenOutInput) (OpenedOut, error) {
	d, err := s.c.Refunds.RefundDossier(ctx, in.Book, in.RefundID)
	if err != nil {
		return OpenedOut{}, failure(ctx, err)
	}
	o, err := s.openRefund(ctx, d, in)
	return o, failure(ctx, err)
}

func (s *Steps) openRefund(ctx context.Context, d refund.Dossier, in OpenOutInput) (OpenedOut, error) {
	r := d.Refund
	o := OpenedOut{Sent: bookedRefund(r), Channel: r.Channel, Lane: d.Charge.Lane}
	if r.Status.Terminal() {
		return o, nil
	}
	if n := len(d.Attempts); in.Ordinal <= n {
		o.Key, o.Ordinal, o.Existing = d.Attempts[n-1].Key, n, true
		return o, nil
	}
	if r.Parked != "" {
		return o, nil
	}
	if r.OverChannel() == 0 {
		return s.refundToWallet(ctx, r)
	}
	c, err := s.c.Channels.Get(r.Channel)
	if err != nil {
		return o, err
	}
	rules := c.Describe()
	if o.Limit = limitOf(rules, d, s.c.Now()); o.Limit != "" {
		return o, nil
	}
	if rules.MinRefundInterval > 0 {
		at, err := s.c.Refunds.ClaimRefundSlot(ctx, in.Book, in.RefundID, rules.MinRefundInterval)
		if err != nil {
			return o, err
		}
		if at.After(s.c.Now()) {
			o.NotBefore = at
			return o, nil
		}
	}
	a, request, err := s.refundIntent(d, in.Ordinal)
	if err != nil {
		return o, err
	}
	_, err = s.c.Committer.Commit(ctx, ledger.Step{
		Book: in.Book, Cause: id.Key(r.ID, id.Step{Code: id.Open, Ordinal: in.Ordinal}), Business: r.ID, By: ledger.Service("refund-saga"),
		Changes: []ledger.Change{refund.Intend{Attempt: a, Request: request}},
	})
	o.Key, o.Ordinal = a.Key, a.Ordinal
	return o, err
}

// refundToWallet ends a refund that goes to a wallet alone: no channel is asked.
func (s *Steps) refundToWallet(ctx context.Context, r refund.Refund) (OpenedOut, error) {
	now := s.c.Now()
	done, err := s.moveRefund(ctx, refund.Move{Refund: r, Now: now, Outcome: payment.Outcome{Verdict: payment.Succeeded,
		Currency: string(r.Amount.Currency), EffectiveAt: now}}, ledger.Service("refund-saga"))
	return OpenedOut{Sent: bookedRefund(done), Channel: r.Channel}, err
}

// limitOf names the limit of the channel that the refund is beyond; empty: none.
func limitOf(rules channels.Description, d refund.Dossier, now time.Time) string {
	switch {
	case rules.MaxRefunds > 0 && d.Sent >= rules.MaxRefunds:
		return "refund_limit: the channel takes at most " + strconv.Itoa(rules.MaxRefunds) + " refunds of a charge"
	case rules.MaxRefundAge > 0 && !d.Charge.EffectiveAt.IsZero() && now.Sub(d.Charge.EffectiveAt) > rules.MaxRefundAge:
		return "refund_limit: the channel gives nothing back of a charge that is older than " + rules.MaxRefundAge.String()
	}
	return ""
}

// refundIntent freezes what will be sent.
func (s *Steps) refundIntent(d refund.Dossier, ordinal int) (refund.Attempt, json.RawMessage, error) {
	r := d.Refund
	chargeID := r.ChargeID
	if chargeID == "" {
		chargeID = d.Charge.ChannelID
	}
	return s.intentOut(refund.Attempt{Book: r.Book, Of: r.ID, Ordinal: ordinal, Channel: r.Channel, ChannelAccount: r.ChannelAccount}, id.RefundOut,
		channels.RefundRequest{ChargeKey: d.Charge.Key, ChannelID: chargeID, AmountMinor: r.OverChannel(), TotalMinor: d.Charge.AmountMinor,
			Currency: string(r.Amount.Currency), Reason: r.Reason})
}

// Refund sends the intent under its key. What stands already is returned
// without a call.
func (s *Steps) Refund(ctx context.Context, in OutCallInput) (Answer, error) {
	return s.callRefund(ctx, in, channels.OpRefund, func(ctx context.Context, c channels.Channel, call channels.Call, i channels.RefundIntent) (payment.Outcome, error) {
		if in.stands(i.Attempt) {
			return i.Attempt.Outcome(), nil
		}
		return c.Refund(ctx, call, i.Request)
	})
}

// AskRefund asks the channel once, as Ask does of a charge.
func (s *Steps) AskRefund(ctx context.Context, in AskOutInput) (Answer, error) {
	a, err := s.callRefund(ctx, in.OutCallInput, channels.OpAskRefund, func(ctx context.Context, c channels.Channel, call channels.Call, i channels.RefundIntent) (payment.Outcome, error) {
		return c.AskRefund(ctx, call, i.Request)
	})
	return answered(a, err, in.Final)
}

func (s *Steps) callRefund(ctx context.Context, in OutCallInput, op channels.Operation,
	do func(context.Context, channels.Channel, channels.Call, channels.RefundIntent) (payment.Outcome, error)) (Answer, error) {
	i, err := s.c.Refunds.RefundIntent(ctx, in.Book, in.Key)
	if err != nil {
		return Answer{}, unsent(ctx, err)
	}
	return s.callOut(ctx, in, op, outgoing{i.Account, i.Key, i.Attempt}, func(ctx context.Context, c channels.Channel, call channels.Call) (payment.Outcome, error) {
		return do(ctx, c, call, i)
	})
}

// BookRefund commits what an outcome means for the refund: state, journals,
// sums and events in one Step. Repeated, it answers with what stands.
func (s *Steps) BookRefund(ctx context.Context, in BookOutInput) (Sent, error) {
	r, err := s.SettleRefund(ctx, OutSettlement{Out: in.Out, Ordinal: in.Ordinal, Outcome: in.Answer.Outcome})
	return bookedRefund(r), failure(ctx, err)
}

// SettleRefund commits what an outcome means, and returns the refund as it
// stands then. One that contradicts a refund that has ended opens a case. Its
// errors are faults.
func (s *Steps) SettleRefund(ctx context.Context, in OutSettlement) (refund.Refund, error) {
	if in.By.Kind == "" {
		in.By = ledger.Service("refund-saga")
	}
	return settleOut(s, func() (refund.Refund, ruled[refund.Refund], error) {
		d, err := s.c.Refunds.RefundDossier(ctx, in.Book, in.RefundID)
		if err != nil {
			return d.Refund, ruled[refund.Refund]{}, err
		}
		m := refund.Move{Refund: d.Refund, Ordinal: in.Ordinal, Outcome: in.Outcome, Now: s.c.Now()}
		told, err := refund.Settle(refund.Settling{Refund: d.Refund, Ordinal: in.Ordinal, Outcome: in.Outcome, Now: m.Now,
			Followed: in.Ordinal > 0 && in.Ordinal < len(d.Attempts)})
		return d.Refund, ruled[refund.Refund]{told.Quiet, func(contradicts bool) (refund.Refund, error) {
			m.Contradicts = contradicts
			return s.moveRefund(ctx, m, in.By)
		}}, err
	})
}

// moveRefund commits one move, and reads what it came to.
func (s *Steps) moveRefund(ctx context.Context, m refund.Move, by ledger.Principal, more ...ledger.Change) (refund.Refund, error) {
	_, err := s.c.Committer.Commit(ctx, ledger.Step{Book: m.Refund.Book, Cause: id.Key(m.Refund.ID, m.Step()), Business: m.Refund.ID, By: by,
		Changes: append([]ledger.Change{m}, more...)})
	if err != nil {
		return m.Refund, err
	}
	d, err := s.c.Refunds.RefundDossier(ctx, m.Refund.Book, m.Refund.ID)
	return d.Refund, err
}

// ParkRefund marks the refund as one that needs a person. Whatever was going on
// goes on (I-18).
func (s *Steps) ParkRefund(ctx context.Context, in ParkOutInput) (Sent, error) {
	d, err := s.c.Refunds.RefundDossier(ctx, in.Book, in.RefundID)
	if err != nil {
		return Sent{}, failure(ctx, err)
	}
	if d.Refund.Status.Terminal() || d.Refund.Parked != "" {
		return bookedRefund(d.Refund), nil
	}
	r, err := s.moveRefund(ctx, refund.Move{Refund: d.Refund, Park: in.Reason, Now: s.c.Now()}, ledger.Service("refund-saga"))
	return bookedRefund(r), failure(ctx, err)
}

// HeedRefund reads a stored, verified callback of this refund. A callback of
// another one is fault.NotFound.
func (s *Steps) HeedRefund(ctx context.Context, in HeedOutInput) (Heard, error) {
	return s.heed(ctx, in.Book, in.RefundID, in.CallbackID)
}

// ResolveRefund verifies who decided, records it, and settles the refund by
// it, as Resolve does for payments. Repeated, it answers with what stands.
func (s *Steps) ResolveRefund(ctx context.Context, in ResolveOutInput) (Sent, error) {
	verified, actor, err := s.verify(ctx, in.verdict())
	if err != nil {
		return Sent{}, failure(ctx, err)
	}
	d, err := s.c.Refunds.RefundDossier(ctx, in.Book, in.RefundID)
	if err != nil || d.Refund.Status.Terminal() { // whoever decides by what a run before a reset has seen learns how it ended
		return bookedRefund(d.Refund), failure(ctx, err)
	}
	// A retry leaves no status that tells of it: where a try of this very step came before, and nothing is parked any more, it led.
	if in.Decision == refund.Retry && d.Refund.Parked == "" && activity.GetInfo(ctx).Attempt > 1 {
		return bookedRefund(d.Refund), nil
	}
	m := refund.Move{Refund: d.Refund, Ordinal: len(d.Attempts), Decision: in.Decision, Told: refund.Told(d.Attempts), Now: s.c.Now()}
	r, err := s.moveRefund(ctx, m, ledger.Principal{Kind: ledger.ByOperator, ID: actor, Reason: in.Reason}, payment.Act{
		PaymentID: d.Refund.PaymentID, Act: "resolve_refund", Decision: string(in.Decision), Actor: actor, Verified: verified, Reason: in.Reason})
	return bookedRefund(r), failure(ctx, err)
}
