package bank

import (
	"context"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/giro"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// Refund sends money back to the account that it came from, as the bank named
// it: a transfer like a payout.
func (ch *Channel) Refund(ctx context.Context, c channels.Call, r channels.RefundRequest) (payment.Outcome, error) {
	d, err := ch.desk(c.Account)
	if err != nil {
		return payment.Outcome{}, err
	}
	of, err := id.Reference(r.ChargeKey)
	if err != nil {
		return payment.Outcome{}, err
	}
	came, err := d.credit(ctx, of, r.ChannelID)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case came == nil:
		return payment.Outcome{}, fault.NotFound("charge at the channel")
	case came.Currency != r.Currency || r.AmountMinor > came.AmountMinor:
		return payment.Outcome{}, fault.Invalid("refund_too_large", "amount", "more is to go back than came, or in another currency")
	case !giro.IsIBAN(came.IBAN) || !legible(latinText(came.Name, maxName)):
		return no("payer_account_unknown"), nil
	}
	// The customer's bank shows it: which payment it was, in the customer's own reference.
	return d.instruct(ctx, c, transfer{Reference: c.Key.Reference, Key: c.Key.ID, BodyHash: c.Key.BodyHash, AmountMinor: r.AmountMinor,
		Currency: r.Currency, IBAN: came.IBAN, Name: came.Name, Note: "Refund " + came.RF, AcceptedAt: c.Now.UTC()})
}

// AskRefund reads what the bank has said.
func (ch *Channel) AskRefund(ctx context.Context, c channels.Call, r channels.RefundRequest) (payment.Outcome, error) {
	d, err := ch.desk(c.Account)
	if err != nil {
		return payment.Outcome{}, err
	}
	out, err := d.standing(ctx, c.Key.Reference, c.Now, money.New(r.AmountMinor, money.Currency(r.Currency)))
	if out.Decline != nil && out.Decline.Code == "payout_returned" {
		out.Decline.Code = "refund_returned"
	}
	return out, err
}
