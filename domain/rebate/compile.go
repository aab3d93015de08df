package rebate

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/rule"
)

// The bounds of a definition.
const (
	MaxRules = 50
	MaxTiers = 20
	MaxRates = 100
	MaxDays  = 730
	maxMinor = 1 << 53 // of any amount in a definition: JSON's own integers hold it exactly
)

// Rules is a version of a campaign, compiled. It never changes and is safe for concurrent use.
type Rules struct {
	Campaign Campaign
	Version  int
	def      Definition
	rules    []compiled
}

// Definition is what was compiled, with its defaults filled in.
func (r *Rules) Definition() Definition { return r.def }

// Of is the same version under other terms of its campaign.
func (r *Rules) Of(c Campaign) *Rules {
	if r.Campaign == c {
		return r
	}
	other := *r
	other.Campaign = c
	return &other
}

type compiled struct {
	Rule
	when    rule.Condition
	perLine bool // the condition reads facts of the line, so it is asked for each
	levels  int  // how many beneficiaries it may have
}

// Compile checks and compiles a version. What is wrong is Invalid and named by its path: rules[3].when, with CEL's line and column
// in the message; rules[0].strategy.rate_bps.
func Compile(c Campaign, v Version) (*Rules, error) {
	env, err := rule.NewEnvOf(Facts()...)
	if err != nil {
		return nil, err
	}
	r := &Rules{Campaign: c, Version: v.Number, def: v.Definition}
	if err := r.def.head(); err != nil {
		return nil, err
	}
	r.def.Rules = slices.Clone(r.def.Rules)
	taken := map[string]bool{}
	for i := range r.def.Rules {
		d, path := &r.def.Rules[i], "rules["+strconv.Itoa(i)+"]"
		if err := d.check(taken); err != nil {
			return nil, fault.Under(path, err)
		}
		d.Vest = cmp.Or(d.Vest, r.def.Vest)
		when, err := env.Compile(path+".when", d.When)
		if err != nil {
			return nil, err
		}
		isLine := func(name string) bool { return strings.HasPrefix(name, "line_") }
		r.rules = append(r.rules, compiled{Rule: *d, when: when, perLine: slices.ContainsFunc(when.Names(), isLine),
			levels: max(1, len(d.Strategy.Levels))})
	}
	if r.def.Stacking == StackPriority {
		slices.SortStableFunc(r.rules, func(a, b compiled) int { return cmp.Compare(b.Priority, a.Priority) })
	}
	return r, nil
}

func (d *Definition) head() error {
	d.Stacking = cmp.Or(d.Stacking, StackBest)
	if d.Stacking != StackBest && d.Stacking != StackAll && d.Stacking != StackPriority {
		return fault.Invalid("stacking_unknown", "stacking", "stacking is best, all or priority")
	}
	d.Rounding = cmp.Or(d.Rounding, money.Down)
	if _, err := money.ParseRounding(string(d.Rounding)); err != nil {
		return fault.Under("rounding", err)
	}
	if len(d.Rules) == 0 || len(d.Rules) > MaxRules {
		return fault.Invalid("rules_invalid", "rules", "a version has 1 to "+strconv.Itoa(MaxRules)+" rules")
	}
	if d.Vest == nil {
		d.Vest = &Vest{}
	}
	vest, err := d.Vest.check()
	if err != nil {
		return fault.Under("vest", err)
	}
	d.Vest = &vest
	return fault.Under("caps", d.Caps.check())
}

func (d *Rule) check(taken map[string]bool) error {
	if err := rule.CheckName(d.Name); err != nil {
		return err
	}
	if taken[d.Name] {
		return fault.Invalid("name_taken", "name", "two rules have the same name")
	}
	taken[d.Name] = true
	if d.Priority < -maxPriority || d.Priority > maxPriority {
		return fault.Invalid("out_of_range", "priority", "a priority is from -1000 to 1000")
	}
	if err := d.Caps.check(); err != nil {
		return fault.Under("caps", err)
	}
	if d.Vest != nil {
		vest, err := d.Vest.check()
		if err != nil {
			return fault.Under("vest", err)
		}
		d.Vest = &vest
	}
	return fault.Under("strategy", d.Strategy.check())
}

func (c Caps) check() error {
	for _, f := range []struct {
		name  string
		minor int64
	}{{"line_minor", c.LineMinor}, {"order_minor", c.OrderMinor}, {"user_day_minor", c.UserDayMinor}, {"user_period_minor", c.UserPeriodMinor},
		{"total_minor", c.TotalMinor}} {
		if f.minor < 0 || f.minor > maxMinor {
			return fault.Invalid("cap_invalid", f.name, "a cap is an amount of minor units above 0")
		}
	}
	return nil
}

func (v Vest) check() (Vest, error) {
	v.After = cmp.Or(v.After, FromPayment)
	switch {
	case v.After != FromPayment && v.After != FromReceipt:
		return v, fault.Invalid("vest_invalid", "after", "a promise vests after payment or after receipt")
	case v.Days < 0 || v.Days > MaxDays:
		return v, fault.Invalid("vest_invalid", "days", "a promise vests within 730 days")
	case v.After == FromPayment && v.AtLatestDays != 0:
		return v, fault.Invalid("vest_invalid", "at_latest_days", "only what vests after receipt has a latest day")
	case v.After == FromReceipt && (v.AtLatestDays < max(v.Days, 1) || v.AtLatestDays > MaxDays):
		return v, fault.Invalid("vest_invalid", "at_latest_days", "goods whose receipt nobody confirms need a latest day, at least days, within 730")
	}
	return v, nil
}
