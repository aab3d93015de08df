package fake

import (
	"fmt"
	"time"
)

type refund struct {
	id       string
	created  time.Time
	amount   int64
	status   string
	reason   string
	failure  string
	metadata map[string]string
	of       *intent
}

func (s *Server) createRefund(r request) answer {
	if bad, ok := r.form.only("payment_intent", "amount", "reason", "metadata"); !ok {
		return bad
	}
	i := s.find(r.form["payment_intent"], r)
	if i == nil {
		return missing("payment_intent", "payment_intent", r.form["payment_intent"])
	}
	refusal := func(code, message string) answer {
		return refuse(400, map[string]any{"type": "invalid_request_error", "code": code, "message": message})
	}
	if i.status != "succeeded" {
		return refusal("", "This PaymentIntent does not have a successful charge to refund.")
	}
	left := i.charge.captured - i.charge.refunded
	amount, given, bad, ok := r.form.integer("amount")
	switch {
	case !ok:
		return bad
	case left == 0:
		return refusal("charge_already_refunded", fmt.Sprintf("Charge %s has already been refunded.", i.charge.id))
	case !given:
		amount = left
	case amount < 1:
		return invalid("parameter_invalid_integer", "amount", "Invalid positive integer")
	case amount > left:
		return refusal("", "Refund amount is greater than unrefunded amount on charge.")
	}
	f := &refund{id: s.id("re"), created: r.now, amount: amount, status: "succeeded", reason: r.form["reason"],
		metadata: r.form.hash("metadata"), of: i}
	if i.card.refund == "pending" {
		f.status = "pending"
	}
	i.charge.refunded += amount
	s.refunds = append(s.refunds, f)
	s.tell("refund.created", f.object(), r)
	return reply(f.object())
}

func (s *Server) retrieveRefund(r request, id string) answer {
	for _, f := range s.refunds {
		if f.id == id && f.of.live == r.live {
			return reply(f.object())
		}
	}
	return missing("refund", "id", id)
}

func (s *Server) listRefunds(r request) answer {
	if bad, ok := r.form.only("payment_intent", "limit", "starting_after", "created"); !ok {
		return bad
	}
	var items []item
	for _, f := range s.refunds {
		if pi := r.form["payment_intent"]; f.of.live == r.live && (pi == "" || pi == f.of.id) {
			items = append(items, item{f.id, f.created, func() any { return f.object() }})
		}
	}
	return page("/v1/refunds", items, r.form)
}

func (f *refund) object() map[string]any {
	o := map[string]any{
		"id": f.id, "object": "refund", "amount": f.amount, "charge": f.of.charge.id, "created": f.created.Unix(),
		"currency": f.of.currency, "metadata": f.metadata, "payment_intent": f.of.id, "reason": orNull(f.reason),
		"status": f.status, "balance_transaction": nil, "receipt_number": nil,
		"source_transfer_reversal": nil, "transfer_reversal": nil,
	}
	if f.failure != "" {
		o["failure_reason"] = f.failure
	}
	return o
}

// FinishRefund ends a refund as "succeeded", "failed" or "canceled", also one that had succeeded: Stripe allows that.
// It reports whether there is such a refund.
func (s *Server) FinishRefund(id, status, failure string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.refunds {
		if f.id != id {
			continue
		}
		f.status, f.failure = status, failure
		kind := "refund.updated"
		if status == "failed" {
			kind = "refund.failed"
		}
		if status != "succeeded" {
			f.of.charge.refunded -= f.amount
		}
		s.tell(kind, f.object(), request{now: s.now(), live: f.of.live})
		return true
	}
	return false
}
