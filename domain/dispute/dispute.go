// Package dispute is money that a channel takes back because the customer asked
// their bank for it, as rules: what each word of the channel about it means for
// the payment, for who bears it, and for the books.
package dispute

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"time"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// Status says whose the money is at the moment.
type Status string

// The statuses of a dispute. They follow the channel's last word, by the
// channel's time, and by nothing else: words may come in any order (I-21).
const (
	Open Status = "open" // the channel has taken the money back, and the bank hasn't decided
	Lost Status = "lost" // it stays with the customer
	Won  Status = "won"  // the channel has given it to us again
)

// statuses are in the order in which words of one instant follow each other.
var statuses = []Status{Open, Lost, Won}

// Valid says whether s is a status.
func (s Status) Valid() bool { return slices.Contains(statuses, s) }

// Dispute is one dispute of a payment's charge, or of a top-up's.
type Dispute struct {
	Book           id.Book
	ID             string // dsp_…, made of the channel's own id: see ID
	PaymentID      string // or a top-up's
	OrderID        string // empty: it is a top-up
	MerchantID     string
	UserID         string // whose top-up it is; empty: it is a payment
	Charge         int    // the ordinal of the attempt whose charge is disputed
	Channel        string
	ChannelAccount string
	ChannelID      string // the channel's own id of the dispute

	Amount    money.Amount // what is disputed
	Fee       int64        // what the channel takes for it, minor units
	Reason    string       // the channel's word
	Status    Status
	Taken     Taken
	Sequence  int64
	OpenedAt  time.Time // when we first heard of it
	SaidAt    time.Time // the channel's time of the last word
	UpdatedAt time.Time
}

// Taken is who bears what the channel has at the moment, in minor units: the
// amount of a dispute that isn't won, and nothing of one that is. Fee is beside
// it, and ours.
type Taken struct {
	Merchant int64 // of what it has, or of its debt
	Wallet   int64 // of the user's whose top-up it is
	Suspense int64 // nobody's yet: more than was left of the payment
	Fee      int64
}

// Counted is what of a payment is gone: no refund can give it back (I-12).
func (t Taken) Counted() int64 { return t.Merchant + t.Wallet }

func (t Taken) sum() int64 { return t.Counted() + t.Suspense }

// ID is the id of the dispute of a payment that a channel account calls
// channelID: the same for each of its words, so that whichever comes first makes
// it.
func ID(paymentID, channelAccount, channelID string) (string, error) {
	at, err := id.Time(paymentID)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(channelAccount + "\x00" + channelID))
	return id.New(id.Dispute, uint64(at.UnixMilli()), [10]byte(sum[:])), nil
}

// Word is what a channel says of a dispute.
type Word struct {
	ID          string    `json:"id"` // the channel's own
	Status      Status    `json:"status"`
	AmountMinor int64     `json:"amount_minor"`
	Currency    string    `json:"currency"`
	FeeMinor    int64     `json:"fee_minor,omitempty"` // what it takes for the dispute, as it stands now
	Reason      string    `json:"reason,omitempty"`    // its code
	At          time.Time `json:"at"`                  // its time: the latest word holds
}

// Check refuses what is no word of a dispute, as fault.Invalid
// "dispute_invalid": an adapter has to understand all of it.
func (w Word) Check() error {
	amount := money.New(w.AmountMinor, money.Currency(w.Currency))
	if w.ID == "" || len(w.ID) > 255 || !w.Status.Valid() || !exception.Credible(amount) || w.FeeMinor < 0 || w.FeeMinor > w.AmountMinor+1_000_000 ||
		len(w.Reason) > 255 || w.At.IsZero() {
		return fault.Invalid("dispute_invalid", "", "a dispute has an id, a status, an amount and a time")
	}
	return nil
}

// Hear is the change of a Step: a channel's word about a dispute. Dispute is as
// it was read; of one that is new, only what names it. One that has moved since
// is fault.Conflict "stale_state".
type Hear struct {
	Dispute Dispute
	Word    Word
	// OwnFunds: the charge came over its merchant's own account, so what is taken back never was ours. The store says so.
	OwnFunds bool
}

// Content implements ledger.Change.
func (h Hear) Content() any {
	w := h.Word
	return []any{"hear_dispute", h.Dispute.ID, w.Status, w.AmountMinor, w.Currency, w.FeeMinor, w.Reason, w.At.UnixMicro()}
}

// Step is the place of the move in the dispute: it follows what was read.
func (h Hear) Step() id.Step {
	return id.Step{Code: id.Chargeback, Ordinal: int(min(h.Dispute.Sequence+1, id.MaxOrdinal))}
}

// Cause is that of the journal.
func (h Hear) Cause() string { return id.Key(h.Dispute.ID, h.Step()) }

// Chart makes the accounts of the dispute's book and currency.
func (h Hear) Chart() ledger.Chart {
	c := ledger.Chart{Book: h.Dispute.Book, Currency: money.Currency(h.Word.Currency)}
	if h.OwnFunds {
		c.Own = ledger.Own{ChannelAccount: h.Dispute.ChannelAccount, Merchant: h.Dispute.MerchantID}
	}
	return c
}

// later says whether w counts against what was heard before. Of one instant the
// further status does, then the larger figures: whatever comes in which order,
// the same word is the last.
func (w Word) later(d Dispute) bool {
	return cmp.Or(w.At.Compare(d.SaidAt), cmp.Compare(slices.Index(statuses, w.Status), slices.Index(statuses, d.Status)),
		cmp.Compare(w.AmountMinor, d.Amount.Minor), cmp.Compare(w.FeeMinor, d.Fee)) > 0
}

// Hearing is all that the rule looks at, read under lock. Balances are in minor
// units.
type Hearing struct {
	Hear
	Payment                    payment.Payment
	Available, Debt, DebtLimit int64
	Wallet                     int64 // of the user's; nothing where it may not move
	Now                        time.Time
}

// Ruling is what a word does. Without an Event nothing changed but, perhaps,
// After.SaidAt.
type Ruling struct {
	After    Dispute
	Event    string
	Payment  payment.Payment
	Counts   bool // the payment's sums have changed
	Journals []ledger.Journal
	Case     *payment.OpenCase
}

// Rule says what a word means. What the channel has taken is gone whether we
// like it or not, so it is never refused: who can't bear it owes it, and what
// exceeds the payment stands on suspense, with a case for a person each. A word
// in another currency than the one before is fault.Conflict "contradicts_state".
func (h Hearing) Rule() (Ruling, error) {
	d, w := h.Dispute, h.Word
	w.At = w.At.UTC().Truncate(time.Microsecond) // as it is kept
	r := Ruling{After: d, Payment: h.Payment}
	switch known := d.Sequence > 0; {
	case known && !w.later(d):
		return r, nil
	case known && string(d.Amount.Currency) != w.Currency:
		return r, fault.Conflict("contradicts_state", "the dispute is in "+string(d.Amount.Currency))
	case d.Sequence >= id.MaxOrdinal:
		return r, fault.Conflict("steps_exhausted", "no ordinal is left for one more word")
	}
	after := d
	after.SaidAt, after.Status, after.Fee = w.At, w.Status, w.FeeMinor
	after.Amount = money.New(w.AmountMinor, money.Currency(w.Currency))
	if after.Reason = w.Reason; after.Reason == "" {
		after.Reason = d.Reason
	}
	r.After = after
	if d.Sequence > 0 && after.Status == d.Status && after.Amount == d.Amount && after.Fee == d.Fee {
		return r, nil
	}
	after.Taken = h.take(after)
	return h.moved(r, after)
}

// room is what of the payment the channel can take back: what is left of it
// there, and what this dispute has already.
func (h Hearing) room() int64 {
	p := h.Payment
	if string(p.Amount.Currency) != h.Word.Currency {
		return 0
	}
	left := p.Left().Minor
	if part := p.WalletPart(); part != nil {
		left -= part.Left()
	}
	return max(0, left) + h.Dispute.Taken.Counted()
}

// take finds who bears it. What is borne already stays where it is.
func (h Hearing) take(after Dispute) Taken {
	want, t := after.Amount.Minor, h.Dispute.Taken
	if after.Status == Won {
		want = 0
	}
	t.Fee = after.Fee
	if want == t.sum() {
		return t
	}
	counted := min(want, h.room())
	t.Suspense = want - counted
	if h.Payment.TopUp() {
		t.Wallet = min(counted, t.Wallet+max(0, h.Wallet))
	}
	t.Merchant = counted - t.Wallet
	return t
}

// moved is the ruling about what has changed.
func (h Hearing) moved(r Ruling, after Dispute) (Ruling, error) {
	before := h.Dispute.Taken
	after.Sequence++
	after.UpdatedAt = h.Now
	if after.OpenedAt.IsZero() {
		after.OpenedAt = h.Now
	}
	r.After, r.Event = after, "dispute."+string(after.Status)
	if h.Dispute.Sequence > 0 && after.Status == h.Dispute.Status {
		r.Event = "dispute.updated"
	} else if after.Status == Open {
		r.Event = "dispute.opened"
	}
	if by := after.Taken.Counted() - before.Counted(); by != 0 {
		r.Counts = true
		r.Payment.Disputed = money.New(r.Payment.Disputed.Minor+by, r.Payment.Amount.Currency)
		r.Payment.Sequence++
		r.Payment.UpdatedAt = h.Now
	}
	merchant := after.Taken.Merchant - before.Merchant
	owed := max(0, merchant-max(0, h.Available))
	if h.OwnFunds { // the channel takes it from the merchant itself
		owed = 0
	}
	c := ledger.Chargeback{Chart: h.Chart(), ChannelAccount: after.ChannelAccount, Merchant: after.MerchantID, User: after.UserID,
		Available: merchant - owed, Debt: owed, Wallet: after.Taken.Wallet - before.Wallet, Suspense: after.Taken.Suspense - before.Suspense,
		Fee: after.Taken.Fee - before.Fee, At: after.SaidAt}
	if c.Moves() {
		j, err := ledger.ChargedBack(h.Cause(), c)
		if err != nil {
			return r, err
		}
		r.Journals = []ledger.Journal{j}
	}
	switch {
	case c.Suspense > 0:
		r.Case = h.open(after, "the channel took back more than was left of the payment; what is too much stands on suspense")
	case owed > 0 && h.Debt+owed > h.DebtLimit:
		r.Case = h.open(after, "the merchant's balance and its debt limit don't cover it: it owes more than it may")
	}
	return r, nil
}

func (h Hearing) open(d Dispute, why string) *payment.OpenCase {
	return &payment.OpenCase{ID: exception.ID(d.PaymentID, exception.Chargeback, d.ID+"_"+h.Step().String()), Book: d.Book, MerchantID: d.MerchantID,
		PaymentID: d.PaymentID, ChannelAccount: d.ChannelAccount, Kind: exception.Chargeback, Amount: d.Amount, Attempt: d.Charge,
		EffectiveAt: d.SaidAt, Booked: true, Reason: "dispute " + d.ID + ": " + why}
}
