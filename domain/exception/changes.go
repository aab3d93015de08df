package exception

import (
	"time"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Take notes that a case's saga has taken it over: no relay need start it.
// Repeated, it changes nothing.
type Take struct{ ID string }

// Content implements ledger.Change.
func (t Take) Content() any { return []any{"take_case", t.ID} }

// Move moves a case from Before to After by compare-and-swap on
// Before.Sequence; After.Sequence is one more, and the move leaves the event
// case.updated, case.decided or case.closed under it (I-23).
type Move struct {
	Idempotency   access.Idempotency
	Before, After Case
}

// Content implements ledger.Change.
func (m Move) Content() any {
	return []any{"move_case", m.After.ID, m.After.Sequence, m.After.Decision, m.After.Actor, m.After.Parked, m.After.State(), m.Idempotency}
}

// Event names the event of the move.
func (m Move) Event() string {
	switch before, after := m.Before.State(), m.After.State(); {
	case after == Closed:
		return "case.closed"
	case after == Decided && before == Open:
		return "case.decided"
	}
	return "case.updated"
}

// By is who decides, and why.
type By struct {
	Actor    string
	Verified bool
	Reason   string
}

// ByPolicy is who decides where a policy does.
func ByPolicy(k Kind) By {
	return By{Actor: "policy", Verified: true, Reason: "the merchant's policy for " + string(k)}
}

// Decide is the case after a decision that fits it (Check). A return stays
// decided until its refund, under refundID, has succeeded; a wait stays open;
// everything else closes it.
func (c Case) Decide(d Decision, by By, refundID string, now time.Time) (Move, error) {
	if err := c.Check(d); err != nil {
		return Move{}, err
	}
	if d == Return && refundID == "" {
		return Move{}, fault.Internal("a case goes back without a refund", nil)
	}
	after := c
	after.Parked = ""
	after.Sequence++
	if d == Wait {
		after.Policy = c.Policy.Waiting()
		after.Deadline = now.Add(after.Policy.After)
		return Move{Before: c, After: after}, nil
	}
	after.Decision, after.Actor, after.Verified, after.DecisionReason, after.DecidedAt = d, by.Actor, by.Verified, by.Reason, now
	if d == Return {
		after.RefundID = refundID
	} else {
		after.ClosedAt = now
	}
	return Move{Before: c, After: after}, nil
}

// Returned closes a case whose refund has succeeded.
func (c Case) Returned(now time.Time) Move {
	after := c
	after.ClosedAt, after.Parked = now, ""
	after.Sequence++
	return Move{Before: c, After: after}
}

// Stuck notes why a case doesn't go on by itself.
func (c Case) Stuck(why string) Move {
	after := c
	after.Parked = why
	after.Sequence++
	return Move{Before: c, After: after}
}

// Reopened takes a return back whose refund has failed, the money being where
// it was: a person decides anew.
func (c Case) Reopened(why string) Move {
	after := c
	after.Decision, after.Actor, after.Verified, after.DecisionReason, after.DecidedAt = "", "", false, "", time.Time{}
	after.Policy, after.Deadline, after.Parked = Policy{Do: Ask}, time.Time{}, why
	after.Sequence++
	return Move{Before: c, After: after}
}

// Step is the step of the case's next move, and the cause of it with its id.
func (c Case) Step() id.Step { return id.Step{Code: id.Decide, Ordinal: int(c.Sequence)} }

// Resolution is a person's decision of a case, as an authenticated request
// brings it.
type Resolution struct {
	Book        id.Book
	MerchantID  string // whose cases the caller may see; empty: all of the book
	CaseID      string
	Decision    Decision
	By          ledger.Principal // its Reason is why
	Idempotency access.Idempotency
}
