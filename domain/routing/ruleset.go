package routing

import (
	"strconv"
	"strings"

	"paysaga/domain/fault"
	"paysaga/domain/rule"
)

// The bounds of a rule set.
const (
	MaxRules   = 100
	MaxTargets = 20
	MaxWeight  = 1_000_000
	maxName    = 64
)

// Order says how accounts stand that no rule has put in order.
type Order string

// The orders. Each falls back to the priority, then to the account's id.
const (
	ByPriority    Order = "priority" // smaller first; also the meaning of ""
	ByCost        Order = "cost"     // of this very payment, cheapest first
	BySuccessRate Order = "success_rate"
	ByLatency     Order = "latency" // the 95th percentile, fastest first
)

// Definition is a rule set as it is written and stored.
type Definition struct {
	Version string    `json:"version,omitempty"`
	Rules   []RuleDef `json:"rules,omitempty"`
	Default Default   `json:"default,omitzero"`
}

// RuleDef is one rule. The first whose condition holds decides.
type RuleDef struct {
	Name string   `json:"name"`
	When string   `json:"when"` // CEL over the facts; empty: always
	Use  []Target `json:"use"`
	// Only leaves out everything that Use doesn't name; otherwise the rest
	// follows for failover, in the default's order.
	Only bool `json:"only,omitempty"`
}

// Target is a channel (all of its accounts) or one channel account.
type Target struct {
	Channel string `json:"channel,omitempty"`
	Account string `json:"account,omitempty"`
	// Weight is the share of payments that begin here, relative to the other
	// targets of the rule. With all weights 0 the targets stand as written; beside
	// weights above 0, a target of weight 0 is for failover only.
	Weight int `json:"weight,omitempty"`
}

// Default is what holds where no rule decides.
type Default struct {
	Order Order `json:"order,omitempty"`
	// MinSuccessPerMille and MaxLatencyMS put accounts that do worse behind the
	// others, once MinCalls calls were seen in the window. 0: never.
	MinSuccessPerMille int `json:"min_success_per_mille,omitempty"`
	MaxLatencyMS       int `json:"max_latency_ms,omitempty"`
	MinCalls           int `json:"min_calls,omitempty"` // 0 is 20
}

// RuleSet is a compiled Definition. It never changes and is safe for concurrent
// use: its user swaps whole sets behind one atomic pointer. The zero value
// routes by priority.
type RuleSet struct {
	def        Definition
	conditions []rule.Condition
}

// Version is the definition's.
func (s *RuleSet) Version() string { return s.def.Version }

// Compile checks and compiles a definition. What is wrong is Invalid and named
// by its path: rules[3].when, with CEL's line and column in the message.
func Compile(def Definition) (*RuleSet, error) {
	if len(def.Rules) > MaxRules {
		return nil, fault.Invalid("too_many_rules", "rules", "a rule set holds up to "+strconv.Itoa(MaxRules)+" rules")
	}
	if err := def.Default.check(); err != nil {
		return nil, fault.Under("default", err)
	}
	env, err := rule.NewEnv()
	if err != nil {
		return nil, err
	}
	s := &RuleSet{def: def, conditions: make([]rule.Condition, len(def.Rules))}
	s.def.Rules = make([]RuleDef, len(def.Rules)) // the set owns what it judges by
	names := map[string]bool{}
	for i, r := range def.Rules {
		path := "rules[" + strconv.Itoa(i) + "]"
		if err := r.check(names); err != nil {
			return nil, fault.Under(path, err)
		}
		names[r.Name] = true
		if s.conditions[i], err = env.Compile(path+".when", r.When); err != nil {
			return nil, err
		}
		r.Use = append([]Target(nil), r.Use...)
		s.def.Rules[i] = r
	}
	return s, nil
}

func (d Default) check() error {
	switch d.Order {
	case "", ByPriority, ByCost, BySuccessRate, ByLatency:
	default:
		return fault.Invalid("order_unknown", "order", "the order is priority, cost, success_rate or latency")
	}
	if d.MinSuccessPerMille < 0 || d.MinSuccessPerMille > 1000 {
		return fault.Invalid("out_of_range", "min_success_per_mille", "a rate is 0 to 1000 per mille")
	}
	if d.MaxLatencyMS < 0 || d.MinCalls < 0 {
		return fault.Invalid("out_of_range", "", "a bound is not negative")
	}
	return nil
}

func (r RuleDef) check(taken map[string]bool) error {
	if err := rule.CheckName(r.Name); err != nil {
		return err
	}
	if taken[r.Name] {
		return fault.Invalid("name_taken", "name", "two rules have the same name")
	}
	if len(r.Use) == 0 || len(r.Use) > MaxTargets {
		return fault.Invalid("targets_invalid", "use", "a rule uses 1 to "+strconv.Itoa(MaxTargets)+" targets")
	}
	for i, t := range r.Use {
		path := "use[" + strconv.Itoa(i) + "]"
		if (t.Channel == "") == (t.Account == "") {
			return fault.Invalid("target_invalid", path, "a target names a channel or an account")
		}
		if len(t.Channel) > maxName || len(t.Account) > maxName || strings.TrimSpace(t.name()) != t.name() {
			return fault.Invalid("target_invalid", path, "this is no name of a channel or an account")
		}
		if t.Weight < 0 || t.Weight > MaxWeight {
			return fault.Invalid("weight_invalid", path+".weight", "a weight is 0 to "+strconv.Itoa(MaxWeight))
		}
	}
	return nil
}

func (t Target) name() string { return t.Channel + t.Account }

func (t Target) covers(c Candidate) bool {
	if t.Account != "" {
		return t.Account == c.ChannelAccount
	}
	return t.Channel == c.Channel
}
