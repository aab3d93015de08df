// Package risk judges a payment before any channel hears of it. It is pure.
package risk

import "paysaga/domain/payment"

// Verdict is what a judgement says.
type Verdict struct {
	Decision string `json:"decision"` // "allow" or "refuse"
	Rule     string `json:"rule"`     // which rule decided, with its version
	Reason   string `json:"reason"`
}

// The decisions.
const (
	Allow  = "allow"
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
		return Verdict{Refuse, "max_amount@" + r.Version, "the amount is above the limit of its currency"}
	}
	return Verdict{Allow, "default@" + r.Version, "no rule objects"}
}
