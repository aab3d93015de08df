package rebate

import (
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"paysaga/domain/rule"
)

// Facts returns what conditions may ask for, in the order of the documentation. What begins with line_ is asked of each line.
func Facts() []rule.Fact {
	return []rule.Fact{
		rule.Integers("line_amount", "integer, minor units: what was paid for the line, its share of the order's discounts off"),
		rule.Texts("line_sku", "text: the line's SKU"),
		rule.Texts("line_category", "text: the line's category, \"\" without one"),
		rule.Integers("line_quantity", "integer: how many"),
		rule.Integers("order_amount", "integer, minor units: all lines together"),
		rule.Integers("order_lines", "integer: how many lines"),
		rule.Texts("order_type", "text: the type of the order"),
		rule.Texts("order_reference", "text: your reference of the order"),
		rule.Texts("currency", "text, ISO 4217 in capitals"),
		rule.Texts("country", "text: the buyer's country, \"\" if unknown"),
		rule.Maps("metadata", "map of text to text: the payment's metadata"),
		rule.Times("paid_at", "timestamp: when the order was fully paid"),
		rule.Integers("hour", "integer 0–23 of the payment in your time zone"),
		rule.Integers("weekday", "integer 1 (Monday) – 7 (Sunday) in your time zone"),
		rule.Integers("day", "integer 1–31, the day of the month in your time zone"),
		rule.Texts("customer_id", "text: usr_… of the buyer"),
		rule.Durations("customer_age", "duration since you first named the buyer; 0s if that is not known"),
		rule.Integers("orders_before", "integer: orders of the buyer paid before this one"),
		rule.Integers("spent_before", "integer, minor units: what the buyer paid for those in the order's currency, less refunds and what disputes took back"),
		rule.Texts("referrer", "text: usr_… who referred the buyer, \"\" without one"),
	}
}

// shown is an order, and one of its lines, as conditions see it. What was read once of the order is kept.
type shown struct {
	order *Order
	line  *Line
	known map[string]any
}

// ResolveName implements cel.Activation.
func (s *shown) ResolveName(name string) (any, bool) {
	switch name {
	case "line_amount":
		return types.Int(s.line.Base), true
	case "line_sku":
		return types.String(s.line.SKU), true
	case "line_category":
		return types.String(s.line.Category), true
	case "line_quantity":
		return types.Int(s.line.Quantity), true
	}
	if v, ok := s.known[name]; ok {
		return v, true
	}
	v := s.ofOrder(name)
	s.known[name] = v
	return v, v != nil
}

func (s *shown) ofOrder(name string) any {
	o := s.order
	switch name {
	case "order_amount":
		return types.Int(o.Total())
	case "order_lines":
		return types.Int(len(o.Lines))
	case "order_type":
		return types.String(o.Type)
	case "order_reference":
		return types.String(o.Reference)
	case "currency":
		return types.String(o.Currency)
	case "country":
		return types.String(o.Country)
	case "metadata":
		if o.Metadata == nil {
			return types.DefaultTypeAdapter.NativeToValue(map[string]string{})
		}
		return types.DefaultTypeAdapter.NativeToValue(o.Metadata)
	case "paid_at":
		return types.Timestamp{Time: o.PaidAt.UTC()}
	case "hour":
		return types.Int(o.local().Hour())
	case "weekday":
		return types.Int((o.local().Weekday()+6)%7 + 1)
	case "day":
		return types.Int(o.local().Day())
	}
	return o.Buyer.fact(name, o.PaidAt)
}

func (b Buyer) fact(name string, at time.Time) any {
	switch name {
	case "customer_id":
		return types.String(b.UserID)
	case "customer_age":
		if b.Since.IsZero() {
			return types.Duration{}
		}
		return types.Duration{Duration: max(0, at.Sub(b.Since))}
	case "orders_before":
		return types.Int(b.OrdersPaid)
	case "spent_before":
		return types.Int(b.SpentMinor)
	case "referrer":
		return types.String(b.Referrer)
	}
	return nil
}

func (o *Order) local() time.Time {
	if o.Zone == nil {
		return o.PaidAt.UTC()
	}
	return o.PaidAt.In(o.Zone)
}

// Parent implements cel.Activation: there is none.
func (*shown) Parent() cel.Activation { return nil }
