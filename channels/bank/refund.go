package bank

import (
	"context"
	"strconv"
	"time"

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
	fits, err := d.claim(ctx, of, came, claim{Reference: c.Key.Reference, AmountMinor: r.AmountMinor}, c.Now)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case !fits:
		return no("refund_too_large"), nil
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

// claim is a part of a credit that goes back. A bank would send back more than
// came, so we count: claims are numbered, each is written where none stands yet,
// and whoever writes one has read all before it.
type claim struct {
	Reference   string `json:"reference"`
	AmountMinor int64  `json:"amount_minor"`
}

// maxClaims is how many refunds of one credit there may be.
const maxClaims = 1000

// claim takes a part of a credit, once per refund. false: not so much is left of
// it. What the bank has refused or brought back counts no more.
func (d desk) claim(ctx context.Context, of string, came *credit, mine claim, now time.Time) (fits bool, err error) {
	dir, left := own(claims, of)+"/"+came.ID+"/", came.AmountMinor
	for n := range maxClaims {
		name := dir + strconv.Itoa(n)
		var c claim
		found, err := record(ctx, d, name, &c)
		if err == nil && !found {
			if mine.AmountMinor > left {
				return false, nil
			}
			err = keep(ctx, d, name, mine)
			if err == nil {
				return true, nil
			}
			if fault.Is(err, fault.KindConflict, "record_differs") { // another took this place
				_, err = record(ctx, d, name, &c)
			}
		}
		switch {
		case err != nil:
			return false, err
		case c == mine:
			return true, nil
		}
		out, err := d.standing(ctx, c.Reference, now, money.New(c.AmountMinor, money.Currency(came.Currency)))
		if err != nil {
			return false, err
		}
		if !out.Dead {
			left -= c.AmountMinor
		}
	}
	return false, nil
}
