package routing

import (
	"paysaga/domain/fault"
	"paysaga/domain/rule"
)

// Tried is what one rule said in a simulation.
type Tried struct {
	Rule    string       `json:"rule"`
	Holds   bool         `json:"holds"`
	Failure rule.Failure `json:"failure,omitempty"`
	Why     string       `json:"why"`
}

// Simulation is what would happen to a payment, and why.
type Simulation struct {
	Plan  Plan    `json:"plan"`
	Rules []Tried `json:"rules"` // all of them, also those behind the one that decides
	// Refused is why there is no plan; nil: there is one.
	Refused *fault.Error `json:"-"`
}

// Simulate answers what Plan would, with every rule's result.
func (s *RuleSet) Simulate(f Facts, open []Candidate, health map[string]Health) Simulation {
	var out Simulation
	over := ""
	view := rule.NewView(f, nil)
	for i, c := range s.conditions {
		t := Tried{Rule: s.def.Rules[i].Name}
		t.Holds, t.Failure = c.Holds(view)
		switch {
		case t.Failure != "":
			t.Why = "its condition failed: " + string(t.Failure)
			if over == "" {
				t.Why += "; the default decides"
			}
		case !t.Holds:
			t.Why = "its condition is false"
		case over == "":
			t.Why = "its condition holds, it decides"
		default:
			t.Why = "its condition holds, but " + over
		}
		if over == "" && t.Failure != "" {
			over = "rule " + t.Rule + " failed before"
		} else if over == "" && t.Holds {
			over = "rule " + t.Rule + " stands before it"
		}
		out.Rules = append(out.Rules, t)
	}
	plan, err := s.Plan(f, open, health)
	out.Plan = plan
	if err != nil {
		out.Refused = fault.As(err)
	}
	return out
}
