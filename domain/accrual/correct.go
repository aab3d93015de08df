package accrual

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/rebate"
)

// Correct rates an order again by a corrected version of one campaign, and moves
// what isn't paid of its promises to what that gives: more, less, nothing, or new
// ones. It is judged under the locks of the order's rebates, its counters and the
// budget, so a settlement or a claw-back at the same moment is either seen or
// goes first (I-22); nothing is promised beyond the budget (I-06). What the
// order's other campaigns have given stays, and bounds what this one gives.
type Correct struct {
	RunID   string
	Order   rebate.Order
	Rules   *rebate.Rules   // the corrected version, under the terms by which the order went
	Pinned  []*rebate.Rules // the versions by which the promises stand now
	Mine    []Accrual       // of the campaign, as they were read
	Others  []Accrual       // of others
	Closed  map[string]bool // campaigns among Others that are exclusive
	Share   Share
	Past    *rebate.Past // nil: nothing was counted of the buyer yet
	Ordinal int          // of the order's ratings
	Likely  []Accrual    // what it would make anew, as it was read
}

// Content implements ledger.Change.
func (c Correct) Content() any {
	return []any{"correct_rebates", c.RunID, c.Order.ID, c.Rules.Campaign.ID, c.Rules.Version, c.Ordinal}
}

// Cause is the cause of the Step: the order's next rating. It is the same for all
// campaigns, so an order is rated by one at a time.
func (c Correct) Cause() string {
	return id.Key(c.Order.ID, id.Step{Code: id.Accrue, Ordinal: c.Ordinal})
}

// Counters are the counters that it may read or move, in lock order.
func (c Correct) Counters() []string {
	keys := rebate.Counters([]*rebate.Rules{c.Rules}, c.Order)
	for k := range c.taken() {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// taken is what the promises that stand have taken of caps.
func (c Correct) taken() map[string]int64 {
	takes := map[string]int64{}
	for _, a := range c.Mine {
		c.took(takes, a, a.Accrued)
	}
	return takes
}

func (c Correct) took(takes map[string]int64, a Accrual, minor int64) {
	rules := c.Pinned
	if a.Version == c.Rules.Version {
		rules = []*rebate.Rules{c.Rules}
	}
	for _, r := range rules {
		if r.Version == a.Version {
			r.Took(takes, a.Rule, a.Beneficiary, c.Order, minor)
			return
		}
	}
}

// Why an order is left alone.
const (
	LeftSettled   = "settled"         // something of it was paid out, or given back since its wallet refused
	LeftRefunded  = "refunded"        // all of it has gone back
	LeftWaits     = "waits"           // a claw-back or its restoring isn't done yet
	LeftHistory   = "history_unknown" // it was rated before what its buyer had spent by then was kept
	LeftFailed    = "failed"          // it moved again and again, or can't be read
	LeftExhausted = "steps_exhausted" // it, or one of its rebates, was rated 99 times
)

// Left says why the order is left alone; empty: it can be rated again.
func (c Correct) Left(pastUnknown bool) string {
	switch {
	case c.Share.Total > 0 && c.Share.Refunded >= c.Share.Total:
		return LeftRefunded
	case pastUnknown && c.Rules.Counts():
		return LeftHistory
	case c.Ordinal > id.MaxOrdinal:
		return LeftExhausted
	}
	for _, a := range c.Mine {
		due, err := a.Due(c.Share)
		switch {
		case a.Status != Pending:
			return LeftSettled
		case err != nil || due != a.FromPending:
			return LeftWaits
		case a.Ordinals.Rated >= id.MaxOrdinal:
			return LeftExhausted
		}
	}
	return ""
}

// Moved is one promise before and after.
type Moved struct{ Before, After Accrual }

// More is what is promised more than before, in minor units; negative: less.
func (m Moved) More() int64 { return m.After.Accrued - m.Before.Accrued }

// Corrected is what a correction comes to. Changed are all promises that stand,
// where anything of the order differs, the counters among it. Takes is what each counter moves by.
// Cut says that the budget kept it from more.
type Corrected struct {
	Changed []Moved
	Made    []Accrual
	Takes   map[string]int64
	Past    *rebate.Past // to be kept: it was counted now
	Cut     bool
}

// Nothing says that the version makes no difference to the order.
func (r Corrected) Nothing() bool { return len(r.Changed)+len(r.Made) == 0 && r.Past == nil }

// Costs is what the correction takes of the budget, in minor units; negative: it
// gives back.
func (r Corrected) Costs() (minor int64) {
	for _, m := range r.Changed {
		minor += m.After.Open() - m.Before.Open()
	}
	for _, a := range r.Made {
		minor += a.Accrued
	}
	return minor
}

// Rate is what the correction comes to, as the counters and the budget stand:
// used.Counters as they are, left what the campaign may still promise.
func (c Correct) Rate(counters map[string]int64, left int64) (Corrected, error) {
	campaign, buyer := c.Rules.Campaign, c.Order.Buyer.UserID
	taken := c.taken()
	used := rebate.Used{Counters: maps.Clone(counters), Budget: map[string]int64{campaign.ID: left}, Given: map[int]int64{}, Shut: map[int]bool{}}
	if used.Counters == nil {
		used.Counters = map[string]int64{}
	}
	for k, minor := range taken {
		used.Counters[k] -= minor
	}
	if c.Past != nil {
		c.Past.Put(campaign.ID, buyer, used.Counters)
	}
	for _, a := range c.Mine { // what was taken back of a promise stays taken back of what it becomes
		used.Budget[campaign.ID] += a.Accrued
	}
	for _, a := range c.Others {
		if a.Accrued > 0 {
			used.Given[a.Line] += a.Accrued
			used.Shut[a.Line] = used.Shut[a.Line] || campaign.Exclusive || c.Closed[a.CampaignID]
		}
	}
	rated, err := rebate.Rate([]*rebate.Rules{c.Rules}, c.Order, used)
	if err != nil {
		return Corrected{}, err
	}
	out, err := c.compare(rated, left)
	if err != nil {
		return out, err
	}
	for _, g := range rated.Earnings {
		used.Budget[campaign.ID] -= g.Minor
	}
	out.Cut = out.Cut || used.Budget[campaign.ID] <= 0 // with another balance it might have been more
	c.count(&out, taken)
	if out.Differences().Orders == 0 && len(out.Takes) == 0 {
		out.Changed = nil
	}
	if c.Past == nil && c.Rules.Counts() && buyer != "" {
		before := rebate.PastOf([]*rebate.Rules{c.Rules}, c.Order, used.Counters)[campaign.ID]
		out.Past = &before
		for k, minor := range before.Counted(campaign.ID, buyer, rated.Takes) { // what caps count was counted after the budget had cut
			out.Takes[k] += minor
		}
	}
	return out, nil
}

// count says what the caps' counters move by. They move by another version's caps
// even where it promises the same.
func (c Correct) count(out *Corrected, taken map[string]int64) {
	out.Takes = map[string]int64{}
	for k, minor := range taken {
		out.Takes[k] -= minor
	}
	now := Correct{Order: c.Order, Rules: c.Rules}
	for _, m := range out.Changed {
		now.took(out.Takes, m.After, m.After.Accrued)
	}
	for _, a := range out.Made {
		now.took(out.Takes, a, a.Accrued)
	}
	maps.DeleteFunc(out.Takes, func(_ string, minor int64) bool { return minor == 0 })
}

// compare finds what the promises become. What becomes less goes first, so that
// it is in the budget for what becomes more.
func (c Correct) compare(rated rebate.Result, left int64) (Corrected, error) {
	var out Corrected
	gives := map[string]Accrual{}
	var order []string
	for _, g := range rated.Earnings {
		a := Earn{Order: c.Order}.of(g)
		if before, ok := gives[a.ID]; ok {
			a.Accrued += before.Accrued
		} else {
			order = append(order, a.ID)
		}
		gives[a.ID] = a
	}
	var more []Moved
	for _, a := range c.Mine {
		after := a
		after.Accrued, after.Version, after.Why = 0, c.Rules.Version, "nothing by version "+strconv.Itoa(c.Rules.Version)
		if g, ok := gives[a.ID]; ok {
			after.Accrued, after.Why = g.Accrued, g.Why
			delete(gives, a.ID)
		}
		if err := after.retake(c.Share); err != nil {
			return out, err
		}
		if m := (Moved{a, after}); after.Open() > a.Open() {
			more = append(more, m)
		} else {
			left += a.Open() - after.Open()
			out.Changed = append(out.Changed, m)
		}
	}
	for _, m := range more {
		wanted := m.After.Accrued
		if err := m.fit(c.Share, left); err != nil {
			return out, err
		}
		out.Cut = out.Cut || m.After.Accrued < wanted
		left -= m.After.Open() - m.Before.Open()
		out.Changed = append(out.Changed, m)
	}
	for _, key := range order {
		a, ok := gives[key]
		if !ok {
			continue
		}
		if left < a.Accrued {
			a.Accrued, out.Cut = max(0, left), true
		}
		if a.Accrued > 0 {
			left -= a.Accrued
			out.Made = append(out.Made, a)
		}
	}
	return out, nil
}

// retake gives what was taken back of a promise its share of what it is now.
func (a *Accrual) retake(s Share) error {
	due, err := a.Due(s)
	a.Retaken += due - a.FromPending
	a.FromPending = due
	return err
}

// fit makes what becomes more fit into what is left of the budget: the share that
// goes back is rounded down, so it may lack a cent.
func (m *Moved) fit(s Share, left int64) error {
	for m.After.Open()-m.Before.Open() > left {
		m.After.Accrued = max(m.Before.Accrued, m.After.Accrued-(m.After.Open()-m.Before.Open()-left))
		if err := m.After.retake(s); err != nil || m.After.Accrued == m.Before.Accrued {
			return err
		}
	}
	return nil
}

// Post is the promise as it is kept, and its journal; false: nothing moves in the
// books.
func (m Moved) Post(at time.Time) (Accrual, ledger.Journal, bool, error) {
	a := m.After
	a.Ordinals.Rated++
	a = a.moved(at)
	by := a.Open() - m.Before.Open()
	if by == 0 {
		return a, ledger.Journal{}, false, nil
	}
	if a.Ordinals.Rated > id.MaxOrdinal {
		return a, ledger.Journal{}, false, fault.Conflict("steps_exhausted", "no ordinal is left for this step")
	}
	j, err := ledger.RebateCorrected(a.Cause(id.Accrue, a.Ordinals.Rated), a.Chart(), a.CampaignID, a.Beneficiary, a.Amount(by))
	return a, j, true, err
}
