package fake

import (
	"slices"
	"strconv"
	"time"
)

// object renders an intent as the API shows it.
func (i *intent) object(f form) map[string]any {
	o := map[string]any{
		"id": i.id, "object": "payment_intent", "amount": i.amount, "amount_capturable": int64(0),
		"amount_received": i.received, "capture_method": "automatic", "client_secret": i.secret,
		"confirmation_method": "automatic", "created": i.created.Unix(), "currency": i.currency, "livemode": i.live,
		"metadata": i.metadata, "payment_method_types": i.types, "status": i.status,
		"description": orNull(i.description), "payment_method": orNull(i.method), "latest_charge": nil,
		"canceled_at": nil, "cancellation_reason": orNull(i.cancellationReason),
		"last_payment_error": nil, "next_action": nil, "amount_details": map[string]any{"tip": map[string]any{}},
	}
	if i.manual {
		o["capture_method"] = "manual"
	}
	if i.status == "requires_capture" {
		o["amount_capturable"] = i.amount
	}
	if i.lastError != nil {
		o["last_payment_error"] = i.lastError
	}
	if i.nextAction != nil {
		o["next_action"] = i.nextAction
	}
	if !i.canceledAt.IsZero() {
		o["canceled_at"] = i.canceledAt.Unix()
	}
	switch {
	case i.charge == nil:
	case f.expands("latest_charge") || f.expands("latest_charge.balance_transaction"):
		o["latest_charge"] = i.charge.object(i, f)
	default:
		o["latest_charge"] = i.charge.id
	}
	return o
}

func (c *charge) object(i *intent, f form) map[string]any {
	o := map[string]any{
		"id": c.id, "object": "charge", "amount": c.amount, "amount_captured": c.captured, "amount_refunded": c.refunded,
		"captured": c.captured > 0, "created": c.created.Unix(), "currency": i.currency, "livemode": i.live, "paid": true,
		"payment_intent": i.id, "status": "succeeded", "balance_transaction": orNull(c.balance), "disputed": false,
		"refunded": c.captured > 0 && c.refunded == c.captured, "metadata": i.metadata, "billing_details": nobody(),
		"payment_method_details": map[string]any{"type": "card", "card": map[string]any{"brand": "visa", "last4": "4242",
			"exp_month": 12, "exp_year": 2040, "capture_before": c.created.Add(7 * 24 * time.Hour).Unix()}},
	}
	if c.balance != "" && f.expands("latest_charge.balance_transaction") {
		o["balance_transaction"] = map[string]any{"id": c.balance, "object": "balance_transaction", "amount": c.captured,
			"created": c.capturedAt.Unix(), "available_on": c.capturedAt.Unix(), "balance_type": "payments",
			"currency": i.currency, "type": "charge", "reporting_category": "charge", "status": "pending",
			"fee": 0, "fee_details": []any{}, "net": c.captured}
	}
	return o
}

func nobody() map[string]any {
	return map[string]any{"address": nil, "email": nil, "name": nil, "phone": nil, "tax_id": nil}
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// item is one row of a list.
type item struct {
	id      string
	created time.Time
	render  func() any
}

// page renders one page of items, which are oldest first, as Stripe does: newest first, after a cursor.
func page(url string, items []item, f form) answer {
	limit := 10
	if text, ok := f["limit"]; ok {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 100 {
			return invalid("parameter_invalid_integer", "limit", "Invalid limit.")
		}
		limit = n
	}
	items = slices.DeleteFunc(slices.Clone(items), func(it item) bool { return !within(it.created.Unix(), f) })
	slices.Reverse(items)
	if after := f["starting_after"]; after != "" {
		at := slices.IndexFunc(items, func(it item) bool { return it.id == after })
		if at < 0 {
			return missing("object", "starting_after", after)
		}
		items = items[at+1:]
	}
	more := len(items) > limit
	if more {
		items = items[:limit]
	}
	data := make([]any, len(items))
	for n, it := range items {
		data[n] = it.render()
	}
	return reply(map[string]any{"object": "list", "url": url, "has_more": more, "data": data})
}

func within(created int64, f form) bool {
	for op, holds := range map[string]func(bound int64) bool{
		"created[gte]": func(b int64) bool { return created >= b },
		"created[gt]":  func(b int64) bool { return created > b },
		"created[lte]": func(b int64) bool { return created <= b },
		"created[lt]":  func(b int64) bool { return created < b },
	} {
		if bound, given, _, ok := f.integer(op); given && ok && !holds(bound) {
			return false
		}
	}
	return true
}
