// Package routing decides which channel accounts a payment may be tried at, in
// which order, and why. It is pure: the same facts give the same plan.
package routing

import (
	"paysaga/domain/payment"
	"paysaga/domain/rule"
)

// Facts are what a plan is made from. PaymentID decides the side of a split.
type Facts = rule.Facts

// Candidate is a channel account that is open to the merchant and book.
type Candidate struct {
	ChannelAccount string
	Channel        string
	Lane           payment.Lane
	Priority       int // smaller first
	Methods        []payment.MethodType
	Currencies     []string // nil: all
	// Cost is what the channel takes of a payment; the zero costs nothing.
	Cost Cost
	// Halted is why no new attempt goes there for now, by an operator's word; empty:
	// nothing is in its way.
	Halted string
}

// Cost is a channel's price: a share in hundredths of a percent, and a fixed
// part in minor units of the payment's currency.
type Cost struct {
	BasisPoints int64
	FixedMinor  int64
}

// Route is one step of a plan.
type Route struct {
	ChannelAccount string       `json:"channel_account"`
	Channel        string       `json:"channel"`
	Lane           payment.Lane `json:"lane"`
	// Reason says why it stands where it stands.
	Reason string `json:"reason,omitempty"`
	// Probe means that its circuit is half open: whoever begins the attempt
	// asks the Breaker first (Admit), and takes the next route at a no.
	Probe bool `json:"probe,omitempty"`
}

// Skipped is a candidate that fits no step of the plan, and why.
type Skipped struct {
	ChannelAccount string `json:"channel_account"`
	Reason         string `json:"reason"`
}

// Note is a rule that failed at run time. The caller makes an event of it.
type Note struct {
	Rule    string       `json:"rule"`
	Version string       `json:"version"`
	Failure rule.Failure `json:"failure"`
}

// Plan is the order of tries and the reason, kept with the payment.
type Plan struct {
	Routes  []Route   `json:"routes"`
	Reason  string    `json:"reason"`
	Rule    string    `json:"rule,omitempty"` // that decided; empty: the default
	Version string    `json:"version,omitempty"`
	Skipped []Skipped `json:"skipped,omitempty"`
	Notes   []Note    `json:"notes,omitempty"`
}

// Make plans a payment by priority alone, as the empty rule set does. Nothing
// that fits is fault.Invalid, and names the field: no_channel,
// channel_unknown, method_unsupported or currency_unsupported.
func Make(f Facts, open []Candidate) (Plan, error) {
	return (&RuleSet{}).Plan(f, open, nil)
}
