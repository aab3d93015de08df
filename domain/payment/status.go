package payment

import "slices"

// Status is where a payment stands, as the API shows it.
type Status string

// The statuses of a payment.
const (
	Processing     Status = "processing"      // received; the outcome isn't known yet
	RequiresAction Status = "requires_action" // the customer has to act, see NextAction
	Reserved       Status = "authorized"      // authorized: waits for a capture or a cancel
	Paid           Status = "succeeded"
	Failed         Status = "failed" // declined, see DeclineCode
	Canceled       Status = "canceled"
	Expired        Status = "expired"
)

// Statuses are all statuses, in the order things happen.
var Statuses = []Status{Processing, RequiresAction, Reserved, Paid, Failed, Canceled, Expired}

// edges is the whole state machine (I-15). A status without edges is terminal.
var edges = map[Status][]Status{
	Processing:     {RequiresAction, Reserved, Paid, Failed, Canceled, Expired},
	RequiresAction: {Processing, Reserved, Paid, Failed, Canceled, Expired},
	Reserved:       {Paid, Canceled},
	Paid:           {},
	Failed:         {},
	Canceled:       {},
	Expired:        {},
}

// byCase are the edges that only the decision of a case may take: money that
// came after the end is taken as the payment after all. They make no status
// less terminal: no saga of the payment waits for them, and no channel's word
// leads there by itself (I-15).
var byCase = map[Status]Status{Failed: Paid, Canceled: Paid, Expired: Paid}

// CanBecomeByCase says whether a case's decision may lead from s to t.
func (s Status) CanBecomeByCase(t Status) bool { return byCase[s] == t && t != "" }

// CanBecome says whether the state machine has an edge from s to t. A payment
// may always stay what it is.
func (s Status) CanBecome(t Status) bool { return s == t || slices.Contains(edges[s], t) }

// Terminal says that nothing follows s.
func (s Status) Terminal() bool { return len(edges[s]) == 0 }

// Stable says that a caller who waits for the payment can be answered: the
// next move isn't ours alone.
func (s Status) Stable() bool { return s != Processing }

// Valid says whether s is one of Statuses.
func (s Status) Valid() bool { return slices.Contains(Statuses, s) }
