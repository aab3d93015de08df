package risk

import (
	"cmp"

	"paysaga/domain/money"
	"paysaga/domain/rule"
)

// Facts are what a payment is judged by. Card, Email, Phone and IP are digests
// (Digest), empty where they aren't known.
type Facts struct {
	rule.Facts
	Card      string
	Email     string
	Phone     string
	IP        string
	IPCountry string
}

// Note is a rule that failed at run time. The caller makes an event of it.
type Note struct {
	Rule    string       `json:"rule"`
	Version string       `json:"version"`
	Failure rule.Failure `json:"failure"`
}

// Screening is the judgement as far as it needs no counters. It is made before
// the Step; Decide, with the counters' values, belongs inside.
type Screening struct {
	// Counters are what the payment moves if it is let through, in lock order.
	Counters []Counter
	Notes    []Note

	version string
	without Verdict // the strictest of what needs no counters
	bounds  []bound
}

// severity orders decisions; -1 is no decision.
func severity(decision string) int {
	switch decision {
	case Allow:
		return 0
	case Review:
		return 1
	case Refuse:
		return 2
	}
	return -1
}

// stricter keeps the first of the strictest.
func stricter(a, b Verdict) Verdict {
	if severity(b.Decision) > severity(a.Decision) {
		return b
	}
	return a
}

// Screen judges what needs no counters: rules, lists (hits is what the store
// found for Lookup) and limits of one payment.
func (s *RuleSet) Screen(f Facts, hits []Entry) Screening {
	out := Screening{version: s.def.Version}
	block, silenced := s.lists(hits)
	out.without = s.verdict(Allow, "default", "no rule objects")
	if silenced {
		out.without = s.verdict(Allow, "allow_list", "on the list of allowed")
	} else {
		out.without, out.Notes = s.rules(f)
	}
	if block != nil {
		reason := block.Reason
		if reason == "" {
			reason = "on the list of blocked"
		}
		out.without = stricter(out.without, s.verdict(Refuse, "block_list_"+string(block.Kind), reason))
	}
	for _, l := range s.def.Limits {
		if l.Currency == string(f.Currency) && (l.Closed || l.MaxMinor > 0 && f.AmountMinor > l.MaxMinor) {
			out.without = stricter(out.without, s.verdict(l.Then, "max_amount", "the amount is above the limit of its currency"))
		}
	}
	out.Counters, out.bounds = s.counters(f)
	return out
}

func (s *RuleSet) verdict(decision, name, reason string) Verdict {
	return Verdict{Decision: decision, Rule: name + "@" + s.def.Version, Reason: reason}
}

// view is what conditions see.
func (f Facts) view() *rule.View {
	return rule.NewView(f.Facts, map[string]string{"card": f.Card, "ip_country": f.IPCountry})
}

// rules gives the word of the first rule that holds. A rule that fails speaks
// as OnError says, and those behind it are asked on: a broken rule hides none.
func (s *RuleSet) rules(f Facts) (Verdict, []Note) {
	verdict := s.verdict(Allow, "default", "no rule objects")
	if len(s.conditions) == 0 {
		return verdict, nil
	}
	var notes []Note
	view := f.view()
	for i, c := range s.conditions {
		r := s.def.Rules[i]
		holds, failed := c.Holds(view)
		if failed != "" {
			notes = append(notes, Note{Rule: r.Name, Version: s.def.Version, Failure: failed})
			verdict = stricter(verdict, s.verdict(s.def.OnError, r.Name, "the rule failed: "+string(failed)))
			continue
		}
		if holds {
			spoken := s.verdict(r.Then, r.Name, cmp.Or(r.Reason, "the rule holds"))
			if len(notes) == 0 {
				return spoken, nil
			}
			return stricter(verdict, spoken), notes
		}
	}
	return verdict, notes
}

// Decide is the verdict, given what the counters stand at before this payment
// (by Key; one that is missing is zero), and what they stand at after it: nil
// for a refusal, which moves none. The more a counter holds, the stricter.
func (s Screening) Decide(now map[string]Value) (Verdict, map[string]Value) {
	verdict := s.without
	after := make(map[string]Value, len(s.Counters))
	for _, c := range s.Counters {
		after[c.Key] = c.After(now[c.Key])
	}
	for _, b := range s.bounds {
		if b.speak(after[b.key]) {
			verdict = stricter(verdict, Verdict{Decision: b.then, Rule: b.rule + "@" + s.version, Reason: b.exceeded})
		}
	}
	if verdict.Decision == Refuse {
		return verdict, nil
	}
	return verdict, after
}

// Blind is the verdict when lists or counters can't be read: the strictest of
// what was screened without them and of the policy. What it allows is to be
// judged again once they can be read (Recheck).
func (s Screening) Blind(u Unreadable, a money.Amount) Verdict {
	return stricter(u.Judge(s.version, a), s.without)
}

// Judge applies the policy alone, for when not even the rule set can be read.
func (u Unreadable) Judge(version string, a money.Amount) Verdict {
	above, ok := u.RefuseAboveMinor[string(a.Currency)]
	v := Verdict{Decision: Refuse, Rule: "unreadable@" + version, Reason: "the risk data can't be read, and the amount is above what is allowed then"}
	if ok && a.Minor <= above {
		v.Decision, v.Recheck = Allow, true
		v.Reason = "the risk data can't be read; the amount is small enough, judged again later"
	}
	return v
}
