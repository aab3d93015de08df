package rebate

import (
	"slices"
	"time"
)

// Past is what a campaign had counted of an order's buyer when the order was first rated: what they had spent within it, and
// whether they were known. A later rating of the order begins there, since the counters have gone on.
type Past struct {
	Spent int64 `json:"spent"`
	Known int64 `json:"known"`
}

// Counts says whether the version counts anything of a Past.
func (r *Rules) Counts() bool { return r.any(Stepped) || r.any(NewUser) }

// Shared says whether what an order is given hangs on the orders before it, the campaign's budget apart: on what their buyers had spent, or
// on a cap over several orders. Then a correction has to go through them in their order.
func (r *Rules) Shared() bool {
	return r.Counts() || r.def.Caps.shared() || slices.ContainsFunc(r.rules, func(c compiled) bool { return c.Caps.shared() })
}

func (c Caps) shared() bool { return c.UserDayMinor > 0 || c.UserPeriodMinor > 0 || c.TotalMinor > 0 }

// PastOf is what each of the versions that count it finds counted of the order's buyer, by campaign.
func PastOf(versions []*Rules, o Order, counters map[string]int64) map[string]Past {
	var list map[string]Past
	for _, r := range versions {
		if !r.Counts() || o.Buyer.UserID == "" {
			continue
		}
		if list == nil {
			list = map[string]Past{}
		}
		list[r.Campaign.ID] = Past{counters[totalKey(r.Campaign.ID, o.Buyer.UserID)], counters[firstKey(r.Campaign.ID, o.Buyer.UserID)]}
	}
	return list
}

// Put replaces what counters say of the order's buyer by what they said then.
func (p Past) Put(campaign, user string, counters map[string]int64) {
	counters[totalKey(campaign, user)], counters[firstKey(campaign, user)] = p.Spent, p.Known
}

// Counted is what of a rating's takes Past stands for: it is counted once, when the order is first rated. What the version doesn't
// count isn't in it, since nobody has claimed that counter.
func (Past) Counted(campaign, user string, takes map[string]int64) map[string]int64 {
	list := map[string]int64{}
	for _, key := range []string{totalKey(campaign, user), firstKey(campaign, user)} {
		if minor := takes[key]; minor != 0 {
			list[key] = minor
		}
	}
	return list
}

// Took adds to takes what a promise of a rule of this version takes of its caps, minor units to somebody on the order's day. A rule
// that the version doesn't have takes nothing.
func (r *Rules) Took(takes map[string]int64, rule, to string, o Order, minor int64) {
	day := o.Day().Format(time.DateOnly)
	for i := range r.rules {
		if r.rules[i].Name != rule {
			continue
		}
		for _, k := range r.counters(&r.rules[i], to, day) {
			takes[k.key] += minor
		}
	}
}
