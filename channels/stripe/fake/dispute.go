package fake

import (
	"slices"
	"time"
)

// DisputeFee is what the server takes for a dispute, in Stripe's units of the charge's currency, and keeps unless the dispute is won.
const DisputeFee = 15

// dispute is what a customer's bank does about a charge.
type dispute struct {
	id, status string
	of         *intent
	created    time.Time
	moves      []any // balance transactions
}

// Dispute lets the customer's bank act about a paid intent: "warn" asks without taking anything, "open" takes all of it back, "lose" and "win"
// decide the last dispute. It reports whether that can be.
func (s *Server) Dispute(intentID, act string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := slices.IndexFunc(s.intents, func(i *intent) bool { return i.id == intentID && i.charge != nil && i.charge.captured > 0 })
	if n < 0 {
		return false
	}
	i := s.intents[n]
	r := request{now: s.now(), live: i.live}
	if act == "warn" || act == "open" {
		d := &dispute{id: s.id("du"), status: "warning_needs_response", of: i, created: r.now}
		s.disputes = append(s.disputes, d)
		if act == "open" {
			d.status = "needs_response"
			d.moves = append(d.moves, s.disputeMove(d, -i.charge.captured, DisputeFee, r.now))
		}
		s.tell("charge.dispute.created", d.object(), r)
		if act == "open" {
			s.tell("charge.dispute.funds_withdrawn", d.object(), r)
		}
		return true
	}
	at := len(s.disputes) - 1
	for at >= 0 && s.disputes[at].of != i {
		at--
	}
	status := map[string]string{"lose": "lost", "win": "won"}[act]
	if at < 0 || status == "" {
		return false
	}
	d := s.disputes[at]
	d.status = status
	s.tell("charge.dispute.closed", d.object(), r)
	if act == "win" {
		d.moves = append(d.moves, s.disputeMove(d, i.charge.captured, -DisputeFee, r.now))
		s.tell("charge.dispute.funds_reinstated", d.object(), r)
	}
	return true
}

// disputeMove is the balance transaction of what was taken, or given back.
func (s *Server) disputeMove(d *dispute, amount, fee int64, at time.Time) map[string]any {
	kind := "dispute"
	if amount > 0 {
		kind = "dispute_reversal"
	}
	return map[string]any{"id": s.id("txn"), "object": "balance_transaction", "amount": amount, "available_on": at.Unix(), "balance_type": "payments",
		"created": at.Unix(), "currency": d.of.currency, "fee": fee, "fee_details": []any{}, "net": amount - fee, "reporting_category": kind,
		"status": "available", "type": "adjustment", "source": d.id}
}

func (d *dispute) object() map[string]any {
	return map[string]any{
		"id": d.id, "object": "dispute", "amount": d.of.charge.captured, "balance_transactions": append([]any{}, d.moves...), "charge": d.of.charge.id,
		"created": d.created.Unix(), "currency": d.of.currency, "enhanced_eligibility_types": []any{},
		"evidence": map[string]any{"enhanced_evidence": map[string]any{}},
		"evidence_details": map[string]any{"due_by": d.created.Add(7 * 24 * time.Hour).Unix(), "enhanced_eligibility": map[string]any{},
			"has_evidence": false, "past_due": false, "submission_count": 0},
		"is_charge_refundable": d.status == "warning_needs_response", "livemode": d.of.live, "metadata": map[string]any{},
		"payment_intent": d.of.id, "reason": "fraudulent", "status": d.status,
	}
}
