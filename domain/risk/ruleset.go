package risk

import (
	"cmp"
	"maps"
	"strconv"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/rule"
)

// The bounds of a rule set.
const (
	MaxRules      = 100
	MaxVelocities = 20
	maxReason     = 200
)

// Definition is a rule set as it is written and stored.
type Definition struct {
	Version    string       `json:"version,omitempty"`
	Rules      []RuleDef    `json:"rules,omitempty"`
	Velocities []Velocity   `json:"velocities,omitempty"`
	Limits     []Limit      `json:"limits,omitempty"`
	OnError    string       `json:"on_error,omitempty"` // of a rule that fails: "review" (the default), "refuse" or "allow" (it doesn't speak)
	Unreadable Unreadable   `json:"unreadable,omitzero"`
	ReviewFor  ReviewPeriod `json:"review_for_minutes,omitempty"`
}

// ReviewPeriod is how long a review may take, in minutes; 0 is a day. A payment
// that nobody has judged by then is refused.
type ReviewPeriod int

// RuleDef is one rule. The first whose condition holds is the rules' verdict;
// lists, limits and velocities speak besides, and the strictest word holds.
type RuleDef struct {
	Name   string `json:"name"`
	When   string `json:"when"` // CEL over the facts; empty: always
	Then   string `json:"then"` // allow, review or refuse
	Reason string `json:"reason"`
}

// Limit bounds a merchant's payments in one currency; 0 is no bound, and a
// single payment is bounded at 0 by Closed.
type Limit struct {
	Currency      string `json:"currency"`
	MaxMinor      int64  `json:"max_minor,omitempty"`       // one payment
	MaxDailyMinor int64  `json:"max_daily_minor,omitempty"` // all of a day in the merchant's zone
	Closed        bool   `json:"closed,omitempty"`          // nothing in this currency
	Then          string `json:"then,omitempty"`            // refuse (the default) or review
}

// Unreadable says what happens while the lists or counters can't be read.
type Unreadable struct {
	// RefuseAboveMinor is by currency: above it a payment is refused, up to it it
	// is allowed and judged again later. A currency that isn't named is refused.
	RefuseAboveMinor map[string]int64 `json:"refuse_above_minor,omitempty"`
}

// RuleSet is a compiled Definition. It never changes and is safe for concurrent
// use: its user swaps whole sets behind one atomic pointer. The zero value
// allows everything.
type RuleSet struct {
	def        Definition
	conditions []rule.Condition
}

// Version is the definition's.
func (s *RuleSet) Version() string { return s.def.Version }

// ReviewFor is how long a review may take.
func (s *RuleSet) ReviewFor() time.Duration {
	return time.Duration(cmp.Or(s.def.ReviewFor, 24*60)) * time.Minute
}

// Unreadable is what holds while the lists or counters can't be read.
func (s *RuleSet) Unreadable() Unreadable { return s.def.Unreadable }

// Compile checks and compiles a definition. What is wrong is Invalid and named
// by its path: rules[3].when, with CEL's line and column in the message.
func Compile(def Definition) (*RuleSet, error) {
	if len(def.Rules) > MaxRules || len(def.Velocities) > MaxVelocities {
		return nil, fault.Invalid("too_many_rules", "rules",
			"a rule set holds up to "+strconv.Itoa(MaxRules)+" rules and "+strconv.Itoa(MaxVelocities)+" velocities")
	}
	switch def.OnError {
	case "":
		def.OnError = Review
	case Allow, Review, Refuse:
	default:
		return nil, decisionUnknown("on_error")
	}
	if def.ReviewFor < 0 || def.ReviewFor > 30*24*60 {
		return nil, fault.Invalid("out_of_range", "review_for_minutes", "a review takes up to 30 days")
	}
	env, err := rule.NewEnv(extra()...)
	if err != nil {
		return nil, err
	}
	s := &RuleSet{def: def, conditions: make([]rule.Condition, len(def.Rules))}
	s.def.Rules = append([]RuleDef(nil), def.Rules...) // the set owns what it judges by
	names := map[string]bool{}
	for i, r := range s.def.Rules {
		path := "rules[" + strconv.Itoa(i) + "]"
		if err := r.check(names); err != nil {
			return nil, fault.Under(path, err)
		}
		if s.conditions[i], err = env.Compile(path+".when", r.When); err != nil {
			return nil, err
		}
	}
	if err := s.amounts(def, names); err != nil {
		return nil, err
	}
	return s, nil
}

// amounts takes over the parts without conditions.
func (s *RuleSet) amounts(def Definition, names map[string]bool) error {
	s.def.Velocities = append([]Velocity(nil), def.Velocities...)
	for i := range s.def.Velocities {
		if err := s.def.Velocities[i].check(names); err != nil {
			return fault.Under("velocities["+strconv.Itoa(i)+"]", err)
		}
	}
	s.def.Limits = append([]Limit(nil), def.Limits...)
	for i := range s.def.Limits {
		if err := s.def.Limits[i].check(); err != nil {
			return fault.Under("limits["+strconv.Itoa(i)+"]", err)
		}
	}
	s.def.Unreadable.RefuseAboveMinor = maps.Clone(def.Unreadable.RefuseAboveMinor)
	for cur, minor := range def.Unreadable.RefuseAboveMinor {
		if _, ok := money.Currency(cur).Exponent(); !ok || minor < 0 {
			return fault.Invalid("limit_invalid", "unreadable.refuse_above_minor", "a bound has a currency that we know and isn't negative")
		}
	}
	return nil
}

// extra are the facts that only risk has.
func extra() []rule.Fact {
	return []rule.Fact{
		rule.Strings("card", "text: the fingerprint of the card, hashed; \"\" if it is not known"),
		rule.Strings("ip_country", "text: the country of the customer's address on the net, ISO 3166-1 alpha-2, \"\" if unknown"),
	}
}

func decisionUnknown(param string) error {
	return fault.Invalid("decision_unknown", param, "the decision is allow, review or refuse")
}

func (r RuleDef) check(taken map[string]bool) error {
	if err := named(r.Name, taken); err != nil {
		return err
	}
	if severity(r.Then) < 0 {
		return decisionUnknown("then")
	}
	if len(r.Reason) > maxReason {
		return fault.Invalid("reason_invalid", "reason", "a reason has up to "+strconv.Itoa(maxReason)+" bytes")
	}
	return nil
}

func named(name string, taken map[string]bool) error {
	if err := rule.CheckName(name); err != nil {
		return err
	}
	if taken[name] {
		return fault.Invalid("name_taken", "name", "two rules have the same name")
	}
	taken[name] = true
	return nil
}

func (l *Limit) check() error {
	if _, ok := money.Currency(l.Currency).Exponent(); !ok {
		return fault.Invalid("currency_unsupported", "currency", "this is not a currency that we know")
	}
	if l.MaxMinor < 0 || l.MaxDailyMinor < 0 {
		return fault.Invalid("limit_invalid", "", "a limit isn't negative")
	}
	if l.MaxMinor == 0 && l.MaxDailyMinor == 0 && !l.Closed {
		return fault.Invalid("limit_invalid", "", "a limit bounds one payment, a day, or closes the currency")
	}
	return objection(&l.Then)
}

// objection fills and checks the word of something that only ever objects.
func objection(then *string) error {
	*then = cmp.Or(*then, Refuse)
	if *then != Refuse && *then != Review {
		return fault.Invalid("decision_unknown", "then", "the decision is review or refuse")
	}
	return nil
}
