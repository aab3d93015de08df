package workers

import (
	"context"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/domain/dispute"
	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/remit"
)

// place brings one callback to where it belongs (I-21). What is booked already
// is only marked; an open run hears it; what contradicts a finished payment
// opens a case; a reference nobody knows is tried for an hour, and then is an
// orphan's case.
func (r *Relays) place(ctx context.Context, cb channels.Received) error {
	reference, err := r.referenceOf(ctx, cb)
	if err != nil {
		return err
	}
	business, step, err := id.ParseReference(reference)
	if err == nil && (id.Is(id.Refund, business) || id.Is(id.Payout, business)) {
		return r.placeOut(ctx, cb, business, step)
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
	case cb.Subject != channels.SubjectCharge && cb.Subject != channels.SubjectDispute:
		return r.see(ctx, cb, "ignored")
	case d.Attempt(step.Ordinal) == nil || d.Attempt(step.Ordinal).ChannelAccount != cb.ChannelAccount:
		return r.orphan(ctx, cb)
	case cb.Subject == channels.SubjectDispute:
		return r.hear(ctx, cb, d, step.Ordinal)
	}
	cb, answered, err := r.learn(ctx, cb, business, d.Attempt(step.Ordinal).Key)
	switch {
	case err != nil || !answered:
		return err
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

// referenceOf is our reference in a callback, looked up where a dispute names its charge as the channel does; empty: nobody knows it.
func (r *Relays) referenceOf(ctx context.Context, cb channels.Received) (string, error) {
	if cb.Subject != channels.SubjectDispute || cb.Reference != "" {
		return cb.Reference, nil
	}
	reference, err := r.c.Payments.ChargeReference(ctx, cb.Book, cb.ChannelAccount, cb.Outcome.ChannelID)
	if fault.Of(err) == fault.KindNotFound {
		err = nil
	}
	return reference, err
}

// learn asks the channel about a callback that says nothing certain of itself, and goes on with what the channel answers: a
// body that nobody signed decides nothing (I-21). It is asked again for as long as an unknown reference is tried; after
// that the saga's own questions are all there is.
func (r *Relays) learn(ctx context.Context, cb channels.Received, businessID, key string) (_ channels.Received, answered bool, err error) {
	if cb.Outcome.Verdict != payment.Unknown {
		return cb, true, nil
	}
	said, err := r.c.Settler.AskAbout(ctx, activities.Question{Book: cb.Book, BusinessID: businessID, Key: key})
	switch kind := fault.Of(err); {
	case err == nil && said.Verdict != payment.Unknown:
	case r.c.Now().Sub(cb.ReceivedAt) >= r.c.OrphanAfter:
		return cb, true, nil
	case err == nil, kind == fault.KindUnavailable, kind == fault.KindUnknown:
		return cb, false, nil // the row comes again
	default:
		return cb, false, err
	}
	cb.Outcome = said
	return cb, true, r.c.Payments.AnswerCallback(ctx, cb.Book, cb.ID, said)
}

// hear settles a channel's word about a dispute, and marks it as seen in the same Step. While the payment is under way its sums aren't
// known: the row comes again.
func (r *Relays) hear(ctx context.Context, cb channels.Received, d payment.Dossier, charge int) error {
	p := d.Payment
	switch {
	case cb.Dispute == nil:
		return fault.Internal("a callback about a dispute without its word", nil)
	case !p.Status.Terminal():
		return nil
	}
	disputeID, err := dispute.ID(p.ID, cb.ChannelAccount, cb.Dispute.ID)
	if err != nil {
		return err
	}
	read, err := r.c.Payments.Dispute(ctx, cb.Book, "", disputeID)
	if fault.Of(err) == fault.KindNotFound {
		read, err = dispute.Dispute{Book: cb.Book, ID: disputeID, PaymentID: p.ID, OrderID: p.OrderID, MerchantID: p.MerchantID, Charge: charge,
			Channel: cb.Channel, ChannelAccount: cb.ChannelAccount, ChannelID: cb.Dispute.ID}, nil
		if p.TopUp() {
			read.UserID = p.CustomerID
		}
	}
	if err != nil {
		return err
	}
	err = r.step(ctx, cb, disputeID, dispute.Hear{Dispute: read, Word: *cb.Dispute}, payment.SeeCallback{ID: cb.ID, Disposition: "settled"})
	switch {
	case fault.Is(err, fault.KindConflict, "contradicts_state"), fault.Is(err, fault.KindConflict, "steps_exhausted"):
		return r.see(ctx, cb, "contradicts", payment.OpenCase{ID: "case/" + p.ID + "/contradiction/" + cb.ID, Book: cb.Book, MerchantID: p.MerchantID,
			PaymentID: p.ID, ChannelAccount: cb.ChannelAccount, Kind: exception.Contradiction, Attempt: charge, Booked: true,
			Amount: money.New(cb.Dispute.AmountMinor, money.Currency(cb.Dispute.Currency)), Reason: "dispute " + disputeID + ": " + fault.As(err).Message})
	case fault.Of(err) == fault.KindConflict:
		return nil // it has moved since it was read: the row comes again
	}
	return err
}

// out is what a callback about money that leaves is placed by.
type out struct {
	subject  channels.Subject
	terminal bool
	attempt  *remit.Attempt // that the callback speaks of; nil: there is none
	settle   func(activities.OutSettlement) error
}

// placeOut brings a callback to its refund or payout, by the same rules.
func (r *Relays) placeOut(ctx context.Context, cb channels.Received, businessID string, step id.Step) error {
	o, err := r.readOut(ctx, cb.Book, businessID, step.Ordinal)
	switch kind := fault.Of(err); {
	case kind == fault.KindNotFound:
		return r.orphan(ctx, cb)
	case err != nil:
		return err
	case cb.Subject != o.subject:
		return r.see(ctx, cb, "ignored")
	case o.attempt == nil || o.attempt.ChannelAccount != cb.ChannelAccount:
		return r.orphan(ctx, cb)
	}
	cb, answered, err := r.learn(ctx, cb, businessID, o.attempt.Key)
	switch {
	case err != nil || !answered:
		return err
	case !o.terminal:
		err := r.c.Sagas.Deliver(ctx, businessID, cb.ID)
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
	if err := o.settle(activities.OutSettlement{Ordinal: step.Ordinal, Outcome: cb.Outcome, By: ledger.Service("callback-relay")}); err != nil {
		return err
	}
	return r.see(ctx, cb, "settled")
}

func (r *Relays) readOut(ctx context.Context, book id.Book, businessID string, ordinal int) (out, error) {
	if id.Is(id.Payout, businessID) {
		d, err := r.c.Payments.PayoutDossier(ctx, book, businessID)
		return out{channels.SubjectPayout, d.Payout.Status.Terminal(), d.Attempt(ordinal), func(s activities.OutSettlement) error {
			s.Out = activities.Out{Book: book, PayoutID: businessID}
			_, err := r.c.Settler.SettlePayout(ctx, s)
			return err
		}}, err
	}
	d, err := r.c.Payments.RefundDossier(ctx, book, businessID)
	return out{channels.SubjectRefund, d.Refund.Status.Terminal(), d.Attempt(ordinal), func(s activities.OutSettlement) error {
		s.Out = activities.Out{Book: book, RefundID: businessID}
		_, err := r.c.Settler.SettleRefund(ctx, s)
		return err
	}}, err
}

func (r *Relays) see(ctx context.Context, cb channels.Received, disposition string, more ...ledger.Change) error {
	return r.step(ctx, cb, cb.ID, append(more, payment.SeeCallback{ID: cb.ID, Disposition: disposition})...)
}

// step commits what a callback comes to, once.
func (r *Relays) step(ctx context.Context, cb channels.Received, business string, changes ...ledger.Change) error {
	_, err := r.c.Steps.Commit(ctx, ledger.Step{Book: cb.Book, Cause: id.Key(cb.ID, id.Step{Code: id.Act, Ordinal: 1}), Business: business,
		By: ledger.Service("callback-relay"), Changes: changes})
	return err
}

// orphan opens a case for a callback that no payment explains, after an hour.
func (r *Relays) orphan(ctx context.Context, cb channels.Received) error {
	if r.c.Now().Sub(cb.ReceivedAt) < r.c.OrphanAfter {
		return nil
	}
	return r.see(ctx, cb, "orphan", payment.OpenCase{
		ID: "case/" + cb.ID + "/orphan/1", Book: cb.Book, ChannelAccount: cb.ChannelAccount, Kind: "orphan",
		Amount: amountOf(cb), Reason: "a callback with a reference that nobody knows",
	})
}

func amountOf(cb channels.Received) money.Amount {
	o := cb.Outcome
	if cb.Dispute != nil {
		o.Currency, o.AmountMinor = cb.Dispute.Currency, cb.Dispute.AmountMinor
	}
	cur, err := money.ParseCurrency(o.Currency)
	if err != nil {
		return money.Amount{}
	}
	return money.New(o.AmountMinor, cur)
}
