package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"paysaga/channels"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
	"paysaga/domain/remit"
	"paysaga/domain/routing"
)

// PayoutFiles reads what the steps of a payout need.
type PayoutFiles interface {
	PayoutDossier(ctx context.Context, book id.Book, payoutID string) (payout.Dossier, error)
	PayoutIntent(ctx context.Context, book id.Book, key string) (channels.PayoutIntent, error)
}

func sentPayout(p payout.Payout) Sent {
	return Sent{Status: p.Status, InDoubt: p.InDoubt, Parked: p.Parked}
}

// OpenPayout commits the intent of a try: the frozen request under its key
// (I-13). Repeated, it answers with what stands.
func (s *Steps) OpenPayout(ctx context.Context, in OpenOutInput) (OpenedOut, error) {
	d, err := s.c.Payouts.PayoutDossier(ctx, in.Book, in.PayoutID)
	if err != nil {
		return OpenedOut{}, failure(ctx, err)
	}
	o, err := s.openPayout(ctx, d, in)
	return o, failure(ctx, err)
}

func (s *Steps) openPayout(ctx context.Context, d payout.Dossier, in OpenOutInput) (OpenedOut, error) {
	p := d.Payout
	o := OpenedOut{Sent: sentPayout(p), Channel: p.Channel, Lane: p.Lane}
	if p.Status.Terminal() {
		return o, nil
	}
	if n := len(d.Attempts); in.Ordinal <= n {
		o.Key, o.Ordinal, o.Existing = d.Attempts[n-1].Key, n, true
		return o, nil
	}
	if p.Parked != "" {
		return o, nil
	}
	a, request, err := s.intentOut(payout.Attempt{Book: p.Book, Of: p.ID, Ordinal: in.Ordinal, Channel: p.Channel, ChannelAccount: p.ChannelAccount},
		id.PayoutOut, channels.PayoutRequest{AmountMinor: p.Amount.Minor, Currency: string(p.Amount.Currency), Destination: payout.Reference(p.ID),
			Note: p.Note, CallbackURL: s.callbackURL(routing.Route{Channel: p.Channel, ChannelAccount: p.ChannelAccount})})
	if err != nil {
		return o, err
	}
	_, err = s.c.Committer.Commit(ctx, ledger.Step{
		Book: in.Book, Cause: id.Key(p.ID, id.Step{Code: id.Open, Ordinal: in.Ordinal}), Business: p.ID, By: ledger.Service("payout-saga"),
		Changes: []ledger.Change{payout.Intend{Attempt: a, Request: request}},
	})
	o.Key, o.Ordinal = a.Key, a.Ordinal
	return o, err
}

// Payout sends the intent under its key. What stands already is returned
// without a call.
func (s *Steps) Payout(ctx context.Context, in OutCallInput) (Answer, error) {
	return s.callPayout(ctx, in, channels.OpPayout, func(ctx context.Context, c channels.Channel, call channels.Call, i channels.PayoutIntent) (payment.Outcome, error) {
		if in.stands(i.Attempt) {
			return i.Attempt.Outcome(), nil
		}
		return c.Payout(ctx, call, i.Request)
	})
}

// AskPayout asks the channel once, as Ask does of a charge. What the payee has to do ends the question too, as long as
// nothing of the try is booked: it is to be shown.
func (s *Steps) AskPayout(ctx context.Context, in AskOutInput) (Answer, error) {
	known := ""
	a, err := s.callPayout(ctx, in.OutCallInput, channels.OpAskPayout, func(ctx context.Context, c channels.Channel, call channels.Call, i channels.PayoutIntent) (payment.Outcome, error) {
		known = i.Attempt.ChannelID
		return c.AskPayout(ctx, call, i.Request)
	})
	news := len(a.Sealed) > 0 && a.ChannelID != "" && known == ""
	return answered(a, err, in.Final && !news)
}

func (s *Steps) callPayout(ctx context.Context, in OutCallInput, op channels.Operation,
	do func(context.Context, channels.Channel, channels.Call, channels.PayoutIntent) (payment.Outcome, error)) (Answer, error) {
	i, err := s.c.Payouts.PayoutIntent(ctx, in.Book, in.Key)
	if err != nil {
		return Answer{}, unsent(ctx, err)
	}
	return s.callOut(ctx, in, op, outgoing{i.Account, i.Key, i.Attempt}, func(ctx context.Context, c channels.Channel, call channels.Call) (payment.Outcome, error) {
		return do(ctx, c, call, i)
	})
}

// BookPayout commits what an outcome means for the payout: state, journals and
// events in one Step. Repeated, it answers with what stands.
func (s *Steps) BookPayout(ctx context.Context, in BookOutInput) (Sent, error) {
	out, err := s.unseal(in.Answer)
	if err != nil {
		return Sent{}, failure(ctx, err)
	}
	p, err := s.SettlePayout(ctx, OutSettlement{Out: in.Out, Ordinal: in.Ordinal, Outcome: out})
	return sentPayout(p), failure(ctx, err)
}

// SettlePayout commits what an outcome means, and returns the payout as it
// stands then. One that contradicts a payout that has ended opens a case. Its
// errors are faults.
func (s *Steps) SettlePayout(ctx context.Context, in OutSettlement) (payout.Payout, error) {
	if in.By.Kind == "" {
		in.By = ledger.Service("payout-saga")
	}
	return settleOut(s, func() (payout.Payout, ruled[payout.Payout], error) {
		d, err := s.c.Payouts.PayoutDossier(ctx, in.Book, in.PayoutID)
		if err != nil {
			return d.Payout, ruled[payout.Payout]{}, err
		}
		m := payout.Move{Payout: d.Payout, Ordinal: in.Ordinal, Outcome: in.Outcome, Now: s.c.Now()}
		told, err := payout.Settle(payout.Settling{Payout: d.Payout, Ordinal: in.Ordinal, Outcome: in.Outcome, Now: m.Now,
			Followed: in.Ordinal > 0 && in.Ordinal < len(d.Attempts)})
		return d.Payout, ruled[payout.Payout]{told.Quiet, func(contradicts bool) (payout.Payout, error) {
			m.Contradicts = contradicts
			return s.movePayout(ctx, m, in.By)
		}}, err
	})
}

// movePayout commits one move, and reads what it came to.
func (s *Steps) movePayout(ctx context.Context, m payout.Move, by ledger.Principal, more ...ledger.Change) (payout.Payout, error) {
	_, err := s.c.Committer.Commit(ctx, ledger.Step{Book: m.Payout.Book, Cause: id.Key(m.Payout.ID, m.Step()), Business: m.Payout.ID, By: by,
		Changes: append([]ledger.Change{m}, more...)})
	if err != nil {
		return m.Payout, err
	}
	d, err := s.c.Payouts.PayoutDossier(ctx, m.Payout.Book, m.Payout.ID)
	return d.Payout, err
}

// ParkPayout marks the payout as one that needs a person. Whatever was going on
// goes on (I-18).
func (s *Steps) ParkPayout(ctx context.Context, in ParkOutInput) (Sent, error) {
	d, err := s.c.Payouts.PayoutDossier(ctx, in.Book, in.PayoutID)
	if err != nil {
		return Sent{}, failure(ctx, err)
	}
	if d.Payout.Status.Terminal() || d.Payout.Parked != "" {
		return sentPayout(d.Payout), nil
	}
	p, err := s.movePayout(ctx, payout.Move{Payout: d.Payout, Park: in.Reason, Now: s.c.Now()}, ledger.Service("payout-saga"))
	return sentPayout(p), failure(ctx, err)
}

// HeedPayout reads a stored, verified callback of this payout. A callback of
// another one is fault.NotFound.
func (s *Steps) HeedPayout(ctx context.Context, in HeedOutInput) (Heard, error) {
	return s.heed(ctx, in.Book, in.PayoutID, in.CallbackID)
}

// ResolvePayout verifies who decided, records it, and settles the payout by it,
// as Resolve does for payments. Repeated, it answers with what stands.
func (s *Steps) ResolvePayout(ctx context.Context, in ResolveOutInput) (Sent, error) {
	verified, actor, err := s.verify(ctx, in.verdict())
	if err != nil {
		return Sent{}, failure(ctx, err)
	}
	d, err := s.c.Payouts.PayoutDossier(ctx, in.Book, in.PayoutID)
	if err != nil || d.Payout.Status.Terminal() { // whoever decides by what a run before a reset has seen learns how it ended
		return sentPayout(d.Payout), failure(ctx, err)
	}
	// A retry leaves no status that tells of it: where a try of this very step came before, and nothing is parked any more, it led.
	if in.Decision == payout.Retry && d.Payout.Parked == "" && activity.GetInfo(ctx).Attempt > 1 {
		return sentPayout(d.Payout), nil
	}
	m := payout.Move{Payout: d.Payout, Ordinal: len(d.Attempts), Decision: in.Decision, Told: remit.Told(remit.Judged(d.Attempts)), Now: s.c.Now()}
	p, err := s.movePayout(ctx, m, ledger.Principal{Kind: ledger.ByOperator, ID: actor, Reason: in.Reason}, payment.Act{
		PaymentID: d.Payout.ID, Act: "resolve_payout", Decision: string(in.Decision), Actor: actor, Verified: verified, Reason: in.Reason})
	return sentPayout(p), failure(ctx, err)
}
