package kill

import (
	"fmt"
	"sync"

	"paysaga/domain/payment"
)

// Order is one payment as its client knows it: what was asked for under which
// key, and everything that any 2xx has said since. It is what the judge holds
// the others' books against.
type Order struct {
	Key, Scenario, Merchant, Reference string
	AmountMinor                        int64
	ID                                 string // of the first 2xx; empty: never acknowledged
	RepeatID                           string // of the same request after the end
	Status                             payment.Status
	Sequence                           int64    // the highest seen
	NeedsOperator                      bool     // as last seen
	Complaints                         []string // answers that break the contract
}

// order is an Order in use.
type order struct {
	mu sync.Mutex
	Order
	body   []byte
	secret string // the API key of the merchant

	ended bool // the client waits for nothing more
}

// complain notes an answer that breaks the contract.
func (o *order) complain(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if text := fmt.Sprintf(format, args...); len(o.Complaints) < 5 {
		o.Complaints = append(o.Complaints, text)
	}
}

// saw takes in what a 2xx says of the payment. An answer may be older than one
// that was read before, so only the newest counts.
func (o *order) saw(p payment.Public) {
	o.mu.Lock()
	defer o.mu.Unlock()
	object := func(format string, args ...any) { o.Complaints = append(o.Complaints, fmt.Sprintf(format, args...)) }
	switch {
	case o.ID == "":
		o.ID = p.ID
	case o.ID != p.ID:
		object("I-20: the key stood for %s, now for %s", o.ID, p.ID)
	}
	if p.OrderReference != o.Reference || p.Amount != decimal(o.AmountMinor) || p.MerchantID != o.Merchant {
		object("I-20: the key stands for another request: %s of %s", p.OrderReference, p.Amount)
	}
	if o.Status != "" && o.Status.Terminal() && p.Sequence > o.Sequence {
		object("I-15: it was %s, then %s", o.Status, p.Status)
	}
	if p.Sequence >= o.Sequence {
		o.Sequence, o.Status, o.NeedsOperator = p.Sequence, p.Status, p.NeedsOperator
	}
}

// seen is what is known, at one moment.
func (o *order) seen() Order {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Order
}

// end says that the client waits for nothing more.
func (o *order) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
}

func (o *order) over() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended
}

func decimal(minor int64) string { return fmt.Sprintf("%d.%02d", minor/100, minor%100) }
