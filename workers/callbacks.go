package workers

import (
	"context"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// place brings one callback to where it belongs (I-21). What is booked already
// is only marked; an open run hears it; what contradicts a finished payment
// opens a case; a reference nobody knows is tried for an hour, and then is an
// orphan's case.
func (r *Relays) place(ctx context.Context, cb channels.Received) error {
	business, step, err := id.ParseReference(cb.Reference)
	if err == nil && id.Is(id.Refund, business) {
		return r.placeRefund(ctx, cb, business, step)
	}
	var d payment.Dossier
	if err == nil {
		d, err = r.c.Payments.Dossier(ctx, cb.Book, business)
	}
	switch kind := fault.Of(err); {
	case kind == fault.KindNotFound || kind == fault.KindInvalid:
		return r.orphan(ctx, cb)
	case err != nil:
		return err
	case cb.Subject != channels.SubjectCharge:
		return r.see(ctx, cb, "ignored")
	case d.Attempt(step.Ordinal) == nil || d.Attempt(step.Ordinal).ChannelAccount != cb.ChannelAccount:
		return r.orphan(ctx, cb)
	case !d.Payment.Status.Terminal():
		err := r.c.Sagas.Deliver(ctx, business, cb.ID)
		if err == nil {
			return r.see(ctx, cb, "applied")
		}
		if fault.Of(err) == fault.KindNotFound || fault.Of(err) == fault.KindUnknown {
			return nil // not started, just ended, or busy: the row comes again
		}
		return err
	case !cb.Outcome.Verdict.Known():
		return r.see(ctx, cb, "already_booked")
	}
	_, err = r.c.Settler.Settle(ctx, activities.Settlement{Ref: activities.Ref{Book: cb.Book, PaymentID: business},
		Ordinal: step.Ordinal, Outcome: cb.Outcome, Last: true, By: ledger.Service("callback-relay")})
	if err != nil {
		return err
	}
	return r.see(ctx, cb, "settled")
}

// placeRefund brings a callback to its refund, by the same rules.
func (r *Relays) placeRefund(ctx context.Context, cb channels.Received, refundID string, step id.Step) error {
	d, err := r.c.Payments.RefundDossier(ctx, cb.Book, refundID)
	switch kind := fault.Of(err); {
	case kind == fault.KindNotFound:
		return r.orphan(ctx, cb)
	case err != nil:
		return err
	case cb.Subject != channels.SubjectRefund:
		return r.see(ctx, cb, "ignored")
	case d.Attempt(step.Ordinal) == nil || d.Attempt(step.Ordinal).ChannelAccount != cb.ChannelAccount:
		return r.orphan(ctx, cb)
	case !d.Refund.Status.Terminal():
		err := r.c.Sagas.Deliver(ctx, refundID, cb.ID)
		if err == nil {
			return r.see(ctx, cb, "applied")
		}
		if fault.Of(err) == fault.KindNotFound || fault.Of(err) == fault.KindUnknown {
			return nil // not started, just ended, or busy: the row comes again
		}
		return err
	case !cb.Outcome.Verdict.Known():
		return r.see(ctx, cb, "already_booked")
	}
	if _, err = r.c.Settler.SettleRefund(ctx, activities.OutSettlement{Out: activities.Out{Book: cb.Book, RefundID: refundID},
		Ordinal: step.Ordinal, Outcome: cb.Outcome, By: ledger.Service("callback-relay")}); err != nil {
		return err
	}
	return r.see(ctx, cb, "settled")
}

func (r *Relays) see(ctx context.Context, cb channels.Received, disposition string, more ...ledger.Change) error {
	_, err := r.c.Steps.Commit(ctx, ledger.Step{
		Book: cb.Book, Cause: id.Key(cb.ID, id.Step{Code: id.Act, Ordinal: 1}), Business: cb.ID, By: ledger.Service("callback-relay"),
		Changes: append(more, payment.SeeCallback{ID: cb.ID, Disposition: disposition}),
	})
	return err
}

// orphan opens a case for a callback that no payment explains, after an hour.
func (r *Relays) orphan(ctx context.Context, cb channels.Received) error {
	if r.c.Now().Sub(cb.ReceivedAt) < r.c.OrphanAfter {
		return nil
	}
	return r.see(ctx, cb, "orphan", payment.OpenCase{
		ID: "case/" + cb.ID + "/orphan/1", Book: cb.Book, ChannelAccount: cb.ChannelAccount, Kind: "orphan",
		Amount: amountOf(cb.Outcome), Reason: "a callback with a reference that nobody knows",
	})
}

func amountOf(o payment.Outcome) money.Amount {
	cur, err := money.ParseCurrency(o.Currency)
	if err != nil {
		return money.Amount{}
	}
	return money.New(o.AmountMinor, cur)
}
