// Package risk judges a payment before any channel hears of it. It is pure.
package risk

import (
	"time"

	"paysaga/domain/rule"
)

// Verdict is what a judgement says.
type Verdict struct {
	Decision string `json:"decision"` // "allow", "review" or "refuse"
	Rule     string `json:"rule"`     // which rule decided, with its version: "name@version"
	Reason   string `json:"reason"`
	// Recheck means that it was judged blind and is to be judged again.
	Recheck bool `json:"recheck,omitempty"`
}

// The decisions.
const (
	Allow  = "allow"
	Review = "review" // a person decides before any channel hears of it
	Refuse = "refuse"
)

// Record is what is kept with a payment of how it was judged.
type Record struct {
	Verdict
	Notes []Note `json:"notes,omitempty"` // rules that failed
	// Review is what a person said, of a payment that was held for one.
	Review *Judgement `json:"review,omitempty"`
	// Again is the verdict after the fact, of a payment that was judged blind.
	Again *Rejudged `json:"again,omitempty"`
}

// Rejudged is a verdict after the fact.
type Rejudged struct {
	Verdict
	At time.Time `json:"at"`
}

// Judgement is a person's word on a payment that was held.
type Judgement struct {
	Decision string    `json:"decision"` // "approve", "refuse", or "deadline": nobody spoke in time
	Actor    string    `json:"actor,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	At       time.Time `json:"at"`
}

// The judgements.
const (
	Approve  = "approve"
	Deadline = "deadline"
)

// Briefing is what a payment is opened with, beside its dossier.
type Briefing struct {
	Facts Facts
	// Routing and Risk are the rule sets that hold for the merchant.
	Routing, Risk rule.InForce
	// Listed: there are lists to be looked at.
	Listed bool
	// Record is how it was judged already; nil: it wasn't.
	Record *Record
}
