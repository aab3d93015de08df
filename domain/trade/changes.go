package trade

import (
	"time"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// The changes a Step can make to orders. Each is plain data: the store keeps
// one writer per type, and judges it under the row's lock.

// Receive brings an order into being without a payment: POST /v1/orders. A
// reference that stands already with the same content answers with that order;
// with other content it is fault.Conflict "order_reference_exists".
type Receive struct {
	Idempotency access.Idempotency
	Order       Order // as New returns it
}

// Content implements ledger.Change.
func (r Receive) Content() any { return []any{"receive_order", r.Order.ID, r.Idempotency} }

// Move moves an order's sums by what one payment's move means for them, and
// leaves the event order.paid, order.partially_paid or order.updated.
type Move struct {
	OrderID string
	Change  Change
}

// Content implements ledger.Change.
func (m Move) Content() any {
	return []any{"move_order", m.OrderID, m.Change.Authorized, m.Change.Paid, m.Change.Refunded}
}

// Excess is how much of what a change paid is more than the order's total, in
// minor units: what was refunded isn't paid any more.
func (o Order) Excess(c Change) int64 {
	return max(0, min(c.Paid, o.Paid.Minor-o.Refunded.Minor-o.Total.Minor))
}

// Wants says whether the order would still take an amount: it isn't closed, and
// wouldn't be paid more than its total.
func (o Order) Wants(minor int64) bool {
	return o.Status != Closed && o.Paid.Minor-o.Refunded.Minor+o.Authorized.Minor <= o.Total.Minor-minor
}

// EventOf names the event of an order's move to o.
func EventOf(before, after Order) string {
	switch {
	case after.Status != before.Status && after.Status == Paid:
		return "order.paid"
	case after.Status != before.Status && after.Status == PartiallyPaid:
		return "order.partially_paid"
	}
	return "order.updated"
}

// Arrival says that an order's goods were received. It happens once: the first
// time that is named stands. Nobody's goods are on their way before the order is
// paid: fault.Conflict "order_unpaid".
type Arrival struct {
	OrderID    string
	MerchantID string // whose order it is; empty: an operator's word
	At         time.Time
}

// Content implements ledger.Change. The time is no part of it: who says so again
// is answered with the order as it stands.
func (a Arrival) Content() any { return []any{"goods_received", a.OrderID} }

// Cause is the cause of the Step.
func (a Arrival) Cause() string { return id.Key(a.OrderID, id.Step{Code: id.Arrive, Ordinal: 1}) }

// Arrived is the order once its goods were received. What was received before
// the order was made, or will be, is fault.Invalid; false: that stands already.
func (o Order) Arrived(at, now time.Time) (Order, bool, error) {
	switch {
	case !o.ReceivedAt.IsZero():
		return o, false, nil
	case o.Paid.Minor == 0 || o.Paid.Minor < o.Total.Minor:
		return o, false, fault.Conflict("order_unpaid", "the order isn't paid in full")
	case at.After(now) || at.Before(o.CreatedAt.Add(-time.Second)):
		return o, false, fault.Invalid("time_invalid", "received_at", "goods are received after the order was made, and not after now")
	}
	o.ReceivedAt = at
	o.Sequence++
	return o, true, nil
}
