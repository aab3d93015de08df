package risk

import "paysaga/domain/rule"

// Tried is what one rule said in a simulation.
type Tried struct {
	Rule    string       `json:"rule"`
	Holds   bool         `json:"holds"`
	Failure rule.Failure `json:"failure,omitempty"`
	Then    string       `json:"then"`
	Why     string       `json:"why"`
}

// Counted is a velocity or a daily limit in a simulation, with the payment in
// it.
type Counted struct {
	Rule        string `json:"rule"`
	Count       int64  `json:"count"`
	MaxCount    int64  `json:"max_count,omitempty"`
	SumMinor    int64  `json:"sum_minor"`
	MaxSumMinor int64  `json:"max_sum_minor,omitempty"`
	Exceeded    bool   `json:"exceeded"`
	Then        string `json:"then,omitempty"` // what it says if it is exceeded
}

// Simulation is what would be said of a payment, and why.
type Simulation struct {
	Verdict Verdict
	Rules   []Tried // all of them, also those behind the one that decides
	Bounds  []Counted
}

// Simulate answers what Screen and Decide would, with every rule's result.
func (s *RuleSet) Simulate(f Facts, hits []Entry, now map[string]Value) Simulation {
	screening := s.Screen(f, hits)
	out := Simulation{Rules: s.tried(f), Bounds: []Counted{}}
	out.Verdict, _ = screening.Decide(now)
	by := map[string]Counter{}
	for _, c := range screening.Counters {
		by[c.Key] = c
	}
	for _, b := range screening.bounds {
		after := by[b.key].After(now[b.key])
		out.Bounds = append(out.Bounds, Counted{Rule: b.rule, Count: after.Count, MaxCount: b.count, SumMinor: after.SumMinor,
			MaxSumMinor: b.sum, Exceeded: b.speak(after), Then: b.then})
	}
	return out
}

func (s *RuleSet) tried(f Facts) []Tried {
	list, over := []Tried{}, ""
	view := f.view()
	for i, c := range s.conditions {
		r := s.def.Rules[i]
		t := Tried{Rule: r.Name, Then: r.Then}
		t.Holds, t.Failure = c.Holds(view)
		switch {
		case t.Failure != "":
			t.Why = "its condition failed: " + string(t.Failure) + "; it says " + s.def.OnError
		case !t.Holds:
			t.Why = "its condition is false"
		case over == "":
			t.Why, over = "its condition holds, it speaks for the rules", r.Name
		default:
			t.Why = "its condition holds, but rule " + over + " stands before it"
		}
		list = append(list, t)
	}
	return list
}
