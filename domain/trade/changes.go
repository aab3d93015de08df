package trade

import (
	"paysaga/domain/access"
	"paysaga/domain/money"
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

// Pay moves an order's sums by what one payment's move means for them, and
// leaves the event order.paid, order.partially_paid or order.updated.
type Pay struct {
	OrderID string
	// Amount is what was captured.
	Amount money.Amount
	// Authorized is what came to be held at channels, in minor units; negative
	// when a hold was captured or given back.
	Authorized int64
}

// Content implements ledger.Change.
func (p Pay) Content() any {
	return []any{"pay_order", p.OrderID, p.Amount.Minor, p.Amount.Currency, p.Authorized}
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
