package bank

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/giro"
	"paysaga/domain/payment"
)

// payin is whose a creditor reference is.
type payin struct {
	Reference   string    `json:"reference"`
	Key         string    `json:"key"`
	BodyHash    string    `json:"body_hash"`
	AmountMinor int64     `json:"amount_minor"`
	Currency    string    `json:"currency"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
}

// credit is money that came in for one of our references.
type credit struct {
	ID          string    `json:"id"` // of the bank, see movement.id
	RF          string    `json:"rf"`
	AmountMinor int64     `json:"amount_minor"`
	Currency    string    `json:"currency"`
	At          time.Time `json:"at"`
	IBAN        string    `json:"iban,omitempty"` // of who paid
	Name        string    `json:"name,omitempty"`
	File        string    `json:"file"`
	Row         int       `json:"row"`
}

// lots is how many creditor references of a key are tried, should they be
// another's already.
const lots = 4

// Charge hands out a creditor reference, and says where the customer has to send
// the money.
func (ch *Channel) Charge(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	d, err := ch.desk(c.Account)
	if err != nil {
		return payment.Outcome{}, err
	}
	if !r.Capture {
		return no("authorization_unsupported"), nil // a transfer can't be reserved
	}
	p := payin{Reference: c.Key.Reference, Key: c.Key.ID, BodyHash: c.Key.BodyHash, AmountMinor: r.AmountMinor, Currency: r.Currency}
	if r.ExpiresAt != nil {
		p.ExpiresAt = r.ExpiresAt.UTC()
	}
	for n := range lots {
		rf := giro.ReferenceFor(c.Key.Reference, n)
		err := keep(ctx, d, payins+"/"+rf, p)
		if fault.Is(err, fault.KindConflict, "record_differs") {
			var other payin
			if _, err = record(ctx, d, payins+"/"+rf, &other); err != nil {
				return payment.Outcome{}, err
			}
			if other.Reference == p.Reference {
				return payment.Outcome{}, another()
			}
			continue
		}
		if err != nil {
			return payment.Outcome{}, err
		}
		return d.paid(ctx, c, p, rf)
	}
	return payment.Outcome{}, fault.Internal("no creditor reference is free", nil)
}

// Ask reads whether the money has come.
func (ch *Channel) Ask(ctx context.Context, c channels.Call, _ channels.ChargeRequest) (payment.Outcome, error) {
	d, err := ch.desk(c.Account)
	if err != nil {
		return payment.Outcome{}, err
	}
	for n := range lots {
		var p payin
		rf := giro.ReferenceFor(c.Key.Reference, n)
		found, err := record(ctx, d, payins+"/"+rf, &p)
		switch {
		case err != nil:
			return payment.Outcome{}, err
		case found && p.Reference == c.Key.Reference:
			return d.paid(ctx, c, p, rf)
		}
		if !found {
			break
		}
	}
	return d.paid(ctx, c, payin{}, "")
}

// Cancel takes the reference back: what comes for it from now on is late. Nobody
// can keep a customer from sending it all the same; then it is a case.
func (ch *Channel) Cancel(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	d, err := ch.desk(c.Account)
	if err != nil {
		return payment.Outcome{}, err
	}
	if err := put(ctx, d, own(closed, c.Key.Reference), []byte(c.Key.ID+"\n"), maxRecord); err != nil {
		return payment.Outcome{}, err
	}
	return ch.Ask(ctx, c, r)
}

// paid is what is known of a charge. Each transfer that came for it is a charge
// of its own at the bank: the answer is about the one that the caller knows, or
// else about the first; each other has its own callback.
func (d desk) paid(ctx context.Context, c channels.Call, p payin, rf string) (payment.Outcome, error) {
	came, err := d.credit(ctx, c.Key.Reference, c.ChannelID)
	if err != nil {
		return payment.Outcome{}, err
	}
	if came != nil {
		return came.outcome(), nil
	}
	over, err := exists(ctx, d, own(closed, c.Key.Reference))
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case over:
		return payment.Outcome{Verdict: payment.Closed, Dead: true}, nil
	case rf == "":
		return payment.Outcome{Verdict: payment.Absent}, nil
	}
	return payment.Outcome{Verdict: payment.Pending, ExpiresAt: p.ExpiresAt, Action: &payment.Action{Type: payment.ActionBankTransfer,
		Parameters: map[string]string{"iban": d.iban, "bic": d.bic, "name": d.name, "reference": rf}}}, nil
}

func (c credit) outcome() payment.Outcome {
	return payment.Outcome{Verdict: payment.Succeeded, AmountMinor: c.AmountMinor, Currency: c.Currency, ChannelID: c.ID, EffectiveAt: c.At}
}

// reversed marks a credit that the bank took back.
const reversed = ".reversed"

// credit is the transfer of an id for a reference, or the first that the bank
// hasn't taken back; nil when there is none.
func (d desk) credit(ctx context.Context, reference, bankID string) (*credit, error) {
	list, err := d.credits(ctx, reference)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	for i := range list {
		if list[i].ID == bankID {
			return &list[i], nil
		}
	}
	return &list[0], nil
}

// credits are those that the bank hasn't taken back, in the order of their days.
func (d desk) credits(ctx context.Context, reference string) (list []credit, err error) {
	all, err := d.allCredits(ctx, reference)
	for _, c := range all {
		if c.back == nil {
			list = append(list, c.credit)
		}
	}
	return list, err
}

// cameBack is a credit, and what the bank said when it took it back.
type cameBack struct {
	credit
	back *word
}

func (d desk) allCredits(ctx context.Context, reference string) (list []cameBack, err error) {
	dir := own(credits, reference)
	files, err := d.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	gone := map[string]*word{}
	for _, f := range files {
		if name, back := strings.CutSuffix(f.Name, reversed); back {
			w := new(word)
			if _, err := record(ctx, d, dir+"/"+f.Name, w); err != nil {
				return nil, err
			}
			gone[name] = w
		}
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name, reversed) {
			continue
		}
		c := cameBack{back: gone[f.Name]}
		found, err := record(ctx, d, dir+"/"+f.Name, &c.credit)
		if err != nil {
			return nil, err
		}
		if found {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b cameBack) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.File, b.File), a.Row-b.Row)
	})
	return list, nil
}
