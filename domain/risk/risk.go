// Package risk judges a payment before any channel hears of it. It is pure.
package risk

import "paysaga/domain/payment"

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

// Rules is the rule set in force.
type Rules struct {
	// MaxMinor refuses payments above it, per currency, in minor units; a
	// currency that isn't named has no limit.
	MaxMinor map[string]int64
	Version  string
}

// Judge applies the rules in order; the first that speaks decides.
func (r Rules) Judge(p payment.Payment) Verdict {
	if limit, ok := r.MaxMinor[string(p.Amount.Currency)]; ok && p.Amount.Minor > limit {
		return Verdict{Decision: Refuse, Rule: "max_amount@" + r.Version, Reason: "the amount is above the limit of its currency"}
	}
	return Verdict{Decision: Allow, Rule: "default@" + r.Version, Reason: "no rule objects"}
}
