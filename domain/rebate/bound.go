package rebate

import (
	"slices"
	"time"
)

// The names of what bounds an offer, as reasons show them.
const (
	LostTo    = "stacking"  // another rule of the campaign stands for this line
	ByLine    = "line_paid" // no more than was paid for the line is given on it
	ByBudget  = "budget"
	NotHeld   = "condition"
	Exclusive = "exclusive" // another campaign has this line
)

// bounded is a counter, and where its cap ends.
type bounded struct {
	key  string
	most int64
	name string
}

// bounds are the counters that a rule's gifts to somebody move.
type bounds struct {
	rule *compiled
	to   string
	keys []bounded
}

// keys are the counters that an offer moves, of its rule and of all rules. They are the same for each line.
func (t *rater) keys(o *offer) []bounded {
	for i := range t.bounds {
		if b := &t.bounds[i]; b.rule == o.rule && b.to == o.to {
			return b.keys
		}
	}
	b := bounds{o.rule, o.to, t.rules.counters(o.rule, o.to, t.day)}
	t.bounds = append(t.bounds, b)
	return b.keys
}

func (r *Rules) counters(of *compiled, to, day string) []bounded {
	return counters(counters(nil, r, of.Name, of.Caps, to, day), r, "*", r.def.Caps, to, day)
}

func counters(list []bounded, r *Rules, of string, c Caps, to, day string) []bounded {
	if !c.shared() {
		return list
	}
	name := ""
	if of != "*" {
		name = "rule_"
	}
	key := r.Campaign.ID + "/" + of + "/"
	if c.UserDayMinor > 0 {
		list = append(list, bounded{key + "day/" + to + "/" + day, c.UserDayMinor, name + "user_day"})
	}
	if c.UserPeriodMinor > 0 {
		list = append(list, bounded{key + "period/" + to, c.UserPeriodMinor, name + "user_period"})
	}
	if c.TotalMinor > 0 {
		list = append(list, bounded{key + "total", c.TotalMinor, name + "total"})
	}
	return list
}

// totalKey counts what the buyer spends within the campaign; firstKey that they were new once.
func (t *rater) totalKey() string { return totalKey(t.rules.Campaign.ID, t.order.Buyer.UserID) }
func (t *rater) firstKey() string { return firstKey(t.rules.Campaign.ID, t.order.Buyer.UserID) }

func totalKey(campaign, user string) string { return campaign + "/spent/" + user }
func firstKey(campaign, user string) string { return campaign + "/new/" + user }

// bound says how much of an offer may be given, and what cut it.
func (t *rater) bound(o *offer) (minor int64, cut string) {
	minor = o.minor
	limit := func(left int64, name string) {
		if left = max(0, left); minor > left {
			minor, cut = left, name
		}
	}
	for _, of := range []*compiled{o.rule, nil} {
		caps, name := t.rules.def.Caps, ""
		if of != nil {
			caps, name = of.Caps, "rule_"
		}
		if caps.LineMinor > 0 {
			limit(caps.LineMinor-t.seen(of, o.line), name+"line")
		}
		if caps.OrderMinor > 0 {
			limit(caps.OrderMinor-t.seen(of, -1), name+"order")
		}
	}
	for _, b := range t.keys(o) {
		limit(b.most-t.used.Counters[b.key]-t.taken[b.key], b.name)
	}
	limit(t.order.Lines[o.line].Base-t.given[o.line], ByLine)
	limit(t.used.Budget[t.rules.Campaign.ID]-t.spent, ByBudget)
	return minor, cut
}

// seen is what a rule (nil: the campaign) has given on a line (-1: on the order) so far.
func (t *rater) seen(of *compiled, line int) (minor int64) {
	for _, s := range t.firm {
		if (of == nil || s.rule == of) && (line < 0 || s.line == line) {
			minor += s.minor
		}
	}
	return minor
}

// total moves what the campaign counts of each order, earned or not.
func (t *rater) total(r *Rules) {
	if t.order.Buyer.UserID == "" {
		return
	}
	if r.any(Stepped) {
		t.taken[t.totalKey()] = t.order.Total()
	}
	if r.any(NewUser) && t.order.Buyer.OrdersPaid == 0 {
		t.taken[t.firstKey()] = 1
	}
}

func (r *Rules) any(k Kind) bool {
	return slices.ContainsFunc(r.rules, func(c compiled) bool { return c.Strategy.Type == k })
}

// Counters lists the keys of all counters that rating the order by these versions may read or move, each once, in lock order.
func Counters(versions []*Rules, o Order) (keys []string) {
	b := o.Buyer
	if b.UserID == "" {
		return nil
	}
	day, chain := o.Day().Format(time.DateOnly), b.beneficiaries()
	for _, r := range versions {
		for i := range r.rules {
			c := &r.rules[i]
			for _, to := range chain[:c.levels] {
				if to == "" {
					continue
				}
				for _, k := range r.counters(c, to, day) {
					keys = append(keys, k.key)
				}
			}
		}
		if r.any(Stepped) {
			keys = append(keys, totalKey(r.Campaign.ID, b.UserID))
		}
		if r.any(NewUser) {
			keys = append(keys, firstKey(r.Campaign.ID, b.UserID))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
