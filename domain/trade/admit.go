package trade

import (
	"paysaga/domain/fault"
	"paysaga/domain/money"
)

// Unpaid returns what may still be paid: total − paid − authorized, at least zero. Refunds don't open it again.
//
// A payment in flight (processing, requires_action) reserves nothing: a payer who leaves one QR code and tries another way
// must get through, and most payments in flight never succeed. The price is that two of them may both succeed; then
// paid exceeds the total, and the second is a duplicate payment, an exception saga of its own. What is authorized is
// held for certain, so it reserves.
func (o Order) Unpaid() money.Amount {
	// Each sum is within 0…MaxInt64, so neither step can wrap below MinInt64.
	left := o.Total.Minor - o.Paid.Minor
	if left > 0 {
		left -= o.Authorized.Minor
	}
	return money.New(max(0, left), o.Currency)
}

// Admit says whether a payment of this amount may begin: at most what is unpaid, and less only with allowPartial. It returns
// Conflict "order_closed" or "order_paid", or Invalid "amount_invalid", "currency_mismatch", "amount_exceeds_order" or
// "partial_not_allowed"; the last two carry the detail "remaining". It must be asked under the order's lock.
func (o Order) Admit(amount money.Amount, allowPartial bool) error {
	switch {
	case o.Status == Closed:
		return fault.Conflict("order_closed", "the order is closed")
	case o.Paid.Minor >= o.Total.Minor:
		return fault.Conflict("order_paid", "the order is paid")
	case amount.Currency != o.Currency:
		return fault.Invalid("currency_mismatch", "currency", "order and payment have one currency")
	case amount.Sign() <= 0:
		return fault.Invalid("amount_invalid", "amount", "the amount must be more than zero")
	}
	unpaid := o.Unpaid()
	switch {
	case amount.Minor > unpaid.Minor:
		return fault.Invalid("amount_exceeds_order", "amount", "the amount is more than what is unpaid of the order").
			WithDetail("remaining", unpaid.Decimal())
	case amount.Minor < unpaid.Minor && !allowPartial:
		return fault.Invalid("partial_not_allowed", "amount", "the amount is less than what is unpaid of the order; set allow_partial to pay a part").
			WithDetail("remaining", unpaid.Decimal())
	}
	return nil
}

// Change is what one Step does to an order's sums, in minor units of its currency. A capture of an authorization is
// {Authorized: -n, Paid: +n}, a void {Authorized: -n}, a refund that failed after it succeeded {Refunded: -n}, a dispute that
// was won {Disputed: -n}.
type Change struct {
	Authorized, Paid, Refunded, Disputed int64
}

// Apply returns the order after the change, with its status and its next sequence. It never refuses money that came: paid
// beyond the total, or on a closed order, is booked and becomes a case elsewhere. It refuses what can't be: a sum below
// zero, or more refunded and taken back than was paid (I-12), as Conflict "order_sums_impossible".
func (o Order) Apply(c Change) (Order, error) {
	for _, sum := range []struct {
		of *money.Amount
		by int64
	}{{&o.Authorized, c.Authorized}, {&o.Paid, c.Paid}, {&o.Refunded, c.Refunded}, {&o.Disputed, c.Disputed}} {
		next, err := sum.of.Add(money.New(sum.by, o.Currency))
		if err != nil {
			return Order{}, err
		}
		if next.Sign() < 0 {
			return Order{}, impossible()
		}
		*sum.of = next
	}
	if o.Net().Sign() < 0 {
		return Order{}, impossible()
	}
	return o.moved(StatusOf(o.Sums))
}

// Close returns the order closed: it takes no payment any more. Only an order that is open or partially paid can be
// closed, and not while money is authorized for it: Conflict "order_not_closable".
func (o Order) Close() (Order, error) {
	if !CanMove(o.Status, Closed) || o.Status == Closed || !o.Authorized.IsZero() {
		return Order{}, fault.Conflict("order_not_closable", "only an order that waits for payment, with nothing authorized, can be closed")
	}
	return o.moved(Closed)
}

// moved keeps closed closed, and holds every move against the edge table (I-15).
func (o Order) moved(to Status) (Order, error) {
	if o.Status == Closed {
		to = Closed
	}
	if !CanMove(o.Status, to) {
		return Order{}, fault.Conflict("order_state", "the order can't go from "+string(o.Status)+" to "+string(to))
	}
	o.Status = to
	o.Sequence++
	return o, nil
}

func impossible() error {
	return fault.Conflict("order_sums_impossible", "the order's sums can't become this")
}
