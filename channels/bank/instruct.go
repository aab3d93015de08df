package bank

import (
	"context"
	"slices"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/giro"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// instruction is what is remembered for ever of money that was to leave: enough
// to tell a repeat from another, and nothing of whom it was for.
type instruction struct {
	Key         string `json:"key"`
	BodyHash    string `json:"body_hash"`
	AmountMinor int64  `json:"amount_minor"`
	Currency    string `json:"currency"`
}

func (t transfer) instruction() instruction {
	return instruction{t.Key, t.BodyHash, t.AmountMinor, t.Currency}
}

// Payout takes the payout in for the next file. Only an IBAN with its holder's
// name can be paid; another destination is a "no" for good, and nothing was done.
func (ch *Channel) Payout(ctx context.Context, c channels.Call, r channels.PayoutRequest) (payment.Outcome, error) {
	d, err := ch.desk(c.Account)
	if err != nil {
		return payment.Outcome{}, err
	}
	t := transfer{Reference: c.Key.Reference, Key: c.Key.ID, BodyHash: c.Key.BodyHash, AmountMinor: r.AmountMinor, Currency: r.Currency,
		Name: r.Name, Note: r.Note, AcceptedAt: c.Now.UTC()}
	kind, account, _ := strings.Cut(r.Destination, ":")
	t.IBAN = account
	switch {
	case kind != "iban" || !giro.IsIBAN(account):
		return no("destination_unsupported"), nil
	case !legible(latinText(r.Name, maxName)):
		return no("holder_name_missing"), nil
	}
	return d.instruct(ctx, c, t)
}

// AskPayout reads what the bank has said.
func (ch *Channel) AskPayout(ctx context.Context, c channels.Call, r channels.PayoutRequest) (payment.Outcome, error) {
	d, err := ch.desk(c.Account)
	if err != nil {
		return payment.Outcome{}, err
	}
	return d.standing(ctx, c.Key.Reference, c.Now, money.New(r.AmountMinor, money.Currency(r.Currency)))
}

// no is a refusal of our own, before the bank has heard anything.
func no(code string) payment.Outcome {
	return payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: code, Channel: code, Hard: true}}
}

// instruct takes a transfer in, once per key. What it needs for the file is
// written before the record that makes it count, so that none is ever lost
// between the two; a repeat finds the record, or writes the same again.
func (d desk) instruct(ctx context.Context, c channels.Call, t transfer) (payment.Outcome, error) {
	if _, err := money.ParsePositive(t.amount().Decimal(), money.Currency(t.Currency)); err != nil {
		return payment.Outcome{}, err
	}
	name, want := own(instructions, t.Reference)+".json", t.instruction()
	var stands instruction
	found, err := record(ctx, d, name, &stands)
	if err == nil && !found {
		if err = d.await(ctx, t); err == nil {
			if err = keep(ctx, d, name, want); err == nil {
				stands = want
			}
		}
	}
	switch {
	case fault.Is(err, fault.KindConflict, "record_differs"):
		return payment.Outcome{}, another()
	case err != nil:
		return payment.Outcome{}, err
	case stands != want:
		return payment.Outcome{}, another()
	}
	return d.standing(ctx, t.Reference, c.Now, t.amount())
}

// await writes down what goes with the next file. The first time it was taken in
// is what counts for the cut-off.
func (d desk) await(ctx context.Context, t transfer) error {
	name := pending + "/" + t.Reference + ".json"
	var first transfer
	found, err := record(ctx, d, name, &first)
	if err != nil {
		return err
	}
	if !found {
		err = keep(ctx, d, name, t)
		if !fault.Is(err, fault.KindConflict, "record_differs") {
			return err
		}
		if found, err = record(ctx, d, name, &first); err != nil || !found { // another was faster, by a moment
			return err
		}
	}
	first.AcceptedAt = t.AcceptedAt
	if first != t {
		return another()
	}
	return nil
}

func another() error {
	return fault.Conflict("idempotency_conflict", "the key was used for something else")
}

// statement of the bank about one instruction: one line of a pain.002 or camt.054.
type word struct {
	Status      string    `json:"status"` // of pain.002; booked or returned, from a camt.054
	Reason      string    `json:"reason,omitempty"`
	AmountMinor int64     `json:"amount_minor,omitempty"` // zero: the bank names none
	Currency    string    `json:"currency,omitempty"`
	At          time.Time `json:"at"` // when the bank said so
	File        string    `json:"file"`
	Row         int       `json:"row"`
}

// What a camt.054 says of money that left.
const (
	wordBooked   = "booked"
	wordReturned = "returned"
)

// standing is what is known of an instruction (I-14): what nobody has said
// anything about for too long is Unknown, and asked about on.
func (d desk) standing(ctx context.Context, reference string, now time.Time, meant money.Amount) (payment.Outcome, error) {
	var in instruction
	found, err := record(ctx, d, own(instructions, reference)+".json", &in)
	if err != nil {
		return payment.Outcome{}, err
	}
	if !found {
		return payment.Outcome{Verdict: payment.Absent}, nil
	}
	words, err := d.words(ctx, reference)
	if err != nil {
		return payment.Outcome{}, err
	}
	out := judge(words, meant)
	out.ChannelID = reference
	if out.Verdict != "" {
		return out, nil
	}
	out.Verdict = payment.Pending
	var at placement
	if found, err = record(ctx, d, own(placed, reference), &at); err != nil {
		return payment.Outcome{}, err
	}
	if found && !heard(words) && now.Sub(at.Closed) > d.within {
		out.Verdict, out.Reason = payment.Unknown, "the bank has said nothing of the file "+at.MsgID
	}
	return out, nil
}

// heard: the bank has said something of it, besides that it has it already.
func heard(words []word) bool {
	return slices.ContainsFunc(words, func(w word) bool { return w.Status != "RJCT" || !repeats[w.Reason] })
}

func (d desk) words(ctx context.Context, reference string) ([]word, error) {
	dir := own(said, reference)
	files, err := d.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	var list []word
	for _, f := range files {
		var w word
		found, err := record(ctx, d, dir+"/"+f.Name, &w)
		if err != nil {
			return nil, err
		}
		if found {
			list = append(list, w)
		}
	}
	return list, nil
}

// judge says what all of the bank's words come to, in whatever order they came
// (I-21); no verdict: it is under way. Money that came back is dead whatever else
// was said; a success and a refusal of one transfer are for a person.
func judge(words []word, meant money.Amount) payment.Outcome {
	var done, refused, back *word
	for i := range words {
		w := &words[i]
		switch stand(w.Status, w.Reason) {
		case payment.Succeeded:
			if done == nil || w.Status == wordBooked && done.Status != wordBooked || w.Status == done.Status && w.At.Before(done.At) {
				done = w
			}
		case payment.Declined:
			if w.Status == wordReturned {
				back = w
			} else if refused == nil || w.At.Before(refused.At) {
				refused = w
			}
		}
	}
	switch {
	case back != nil:
		return dead("payout_returned", *back)
	case done != nil && refused != nil:
		return payment.Outcome{Verdict: payment.Unknown, Reason: "the bank has both settled and refused it"}
	case refused != nil:
		return dead(declines[refused.Reason], *refused)
	case done != nil:
		out := payment.Outcome{Verdict: payment.Succeeded, AmountMinor: meant.Minor, Currency: string(meant.Currency), EffectiveAt: done.At}
		if done.AmountMinor > 0 {
			out.AmountMinor, out.Currency = done.AmountMinor, done.Currency
		}
		return out
	}
	return payment.Outcome{}
}

// dead is a transfer that never reaches its destination any more.
func dead(code string, w word) payment.Outcome {
	return payment.Outcome{Verdict: payment.Declined, Dead: true, EffectiveAt: w.At,
		Decline: &payment.Decline{Code: or(code, "declined"), Channel: or(w.Reason, w.Status), Hard: hard[code]}}
}

// declines are the reasons of ISO 20022's external code list in our words.
var declines = map[string]string{
	"AC01": "account_invalid", "AC03": "account_invalid", "AC04": "account_closed", "AC06": "account_blocked", "AC07": "account_closed",
	"AC14": "account_invalid", "AG01": "transaction_forbidden", "AG02": "transaction_forbidden", "AM01": "amount_invalid", "AM02": "amount_too_large",
	"AM03": "currency_unsupported", "AM04": "insufficient_funds", "AM09": "amount_invalid", "AM14": "amount_too_large", "BE01": "holder_name_wrong",
	"BE04": "creditor_address_missing", "CUST": "canceled_by_us", "DT01": "date_invalid", "FOCR": "recalled", "FF01": "file_invalid", "MD07": "holder_deceased",
	"MS02": "refused_by_payee", "MS03": "declined", "NARR": "declined", "RC01": "bank_unknown", "RR01": "regulation", "RR02": "regulation",
	"RR03": "regulation", "RR04": "regulation", "TM01": "too_late", "TECH": "bank_failure", "FRAD": "fraud", "DNOR": "regulation",
}

// hard are those of our words after which the same account is no use.
var hard = map[string]bool{"account_invalid": true, "account_closed": true, "account_blocked": true, "holder_deceased": true,
	"bank_unknown": true, "fraud": true, "regulation": true}

// repeats are the reasons by which a bank refuses what it has already. That says
// nothing against the first one, so it ends nothing.
var repeats = map[string]bool{"AM05": true, "DU01": true, "DU02": true, "DU03": true, "DU04": true, "DU05": true, "DUPL": true}

// stand is what one status means: Succeeded, Declined, or Pending for all that is
// under way. PART says something only of its transactions, which stand beside it.
func stand(status, reason string) payment.Verdict {
	switch status {
	case "ACSC", "ACCC", wordBooked:
		return payment.Succeeded
	case "RJCT", "CANC":
		if repeats[reason] {
			return payment.Pending
		}
		return payment.Declined
	case wordReturned:
		return payment.Declined
	}
	return payment.Pending
}
