package rebate

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/rule"
)

// Earning is what one rule gives one beneficiary on one line: what an accrual is made of.
type Earning struct {
	CampaignID  string
	Version     int
	Rule        string
	Line        int
	Level       int // 0 the buyer, 1 their referrer, 2 that one's
	Beneficiary string
	Base        int64
	Minor       int64 // above 0
	// VestsOn is the date, on the merchant's clock, from which it may be paid. FromReceipt: a confirmed receipt of the goods makes it
	// Days after that, if that is earlier.
	VestsOn     time.Time
	FromReceipt bool
	Days        int
}

// Used is what stands before the order. What is missing is 0.
type Used struct {
	Counters map[string]int64 // by Counters' keys
	Budget   map[string]int64 // what is left of each campaign's budget, by campaign
	// Given is what campaigns that aren't asked have given on a line, by its number, and Shut are the lines on which one of them leaves no
	// room for another: what is rated again is rated alone.
	Given map[int]int64
	Shut  map[int]bool
}

// Result is what an order earns. Takes is what each counter moves by; Why explains, if it was asked for.
type Result struct {
	Earnings []Earning
	Takes    map[string]int64
	Failed   []Failure // conditions without an answer: their rules gave nothing
	Why      []Reason
}

// Failure is a condition that failed at an order.
type Failure struct {
	CampaignID string
	Version    int
	Rule       string
	Failure    rule.Failure
}

// Rate says what an order earns by these versions: those that were in force when it was paid, one of each campaign, all of the order's
// merchant, book and currency. It is a function of its arguments; what is earned never exceeds a budget, a cap, or what was paid for the
// line. Versions come in any order: campaigns are asked by priority.
func Rate(versions []*Rules, o Order, used Used) (Result, error) {
	return rateOrder(versions, o, used, false)
}

// Explain is Rate with its reasons.
func Explain(versions []*Rules, o Order, used Used) (Result, error) {
	return rateOrder(versions, o, used, true)
}

func rateOrder(versions []*Rules, o Order, used Used, why bool) (Result, error) {
	t := &rater{order: &o, used: used, why: why, taken: map[string]int64{}, given: make([]int64, len(o.Lines)), shut: make([]bool, len(o.Lines)),
		gave: make([]bool, len(o.Lines)), shown: shown{order: &o, known: make(map[string]any, 8)}, today: o.Day()}
	t.day = t.today.Format(time.DateOnly)
	for i := range o.Lines {
		t.given[i], t.shut[i] = used.Given[o.Lines[i].Number], used.Shut[o.Lines[i].Number]
	}
	most := 0
	for _, v := range versions {
		most = max(most, len(v.rules)*len(o.Lines))
	}
	t.offers, t.firm = make([]offer, 0, most), make([]sum, 0, most)
	t.out.Earnings = make([]Earning, 0, len(o.Lines)*len(versions))
	for _, r := range ByPriority(versions) {
		if c := r.Campaign; c.Book != o.Book || c.MerchantID != o.MerchantID || c.Currency != o.Currency {
			return Result{}, fault.Internal("an order is rated by campaigns of its own merchant, book and currency", nil) // I-25
		}
		if err := t.campaign(r); err != nil {
			return Result{}, err
		}
	}
	t.out.Takes = t.taken
	return t.out, nil
}

// ByPriority returns versions in the order in which their campaigns are asked.
func ByPriority(versions []*Rules) []*Rules {
	before := func(a, b *Rules) int {
		return cmp.Or(cmp.Compare(b.Campaign.Priority, a.Campaign.Priority), strings.Compare(a.Campaign.ID, b.Campaign.ID))
	}
	if slices.IsSortedFunc(versions, before) {
		return versions
	}
	versions = slices.Clone(versions)
	slices.SortStableFunc(versions, before)
	return versions
}

// rater is one rating under way.
type rater struct {
	order *Order
	used  Used
	why   bool
	shown shown
	today time.Time
	day   string // today, in counters' keys
	taken map[string]int64
	given []int64 // by line, to all beneficiaries
	shut  []bool  // by line: an exclusive campaign has given there
	out   Result

	// Of the campaign at hand.
	rules  *Rules
	offers []offer
	spent  int64 // of its budget
	firm   []sum // what its caps of line and order have seen
	bounds []bounds
	gave   []bool // by line, to the buyer
}

// offer is what a rule would give, before what bounds it.
type offer struct {
	rule  *compiled
	index int // of its rule
	line  int // index
	level int
	to    string
	minor int64
	lost  bool // to another rule
}

// sum is how much a rule (nil: all) has given a beneficiary on a line (-1: on the order).
type sum struct {
	rule  *compiled
	line  int
	minor int64
}

func (t *rater) campaign(r *Rules) error {
	t.rules, t.offers, t.spent, t.firm, t.bounds = r, t.offers[:0], 0, t.firm[:0], t.bounds[:0]
	clear(t.gave)
	for i := range r.rules {
		if err := t.ask(&r.rules[i], i); err != nil {
			return err
		}
	}
	t.stack()
	for i := range t.offers {
		o := &t.offers[i]
		if o.lost {
			t.explain(o, 0, LostTo)
			continue
		}
		minor, cut := t.bound(o)
		t.explain(o, minor, cut)
		if minor > 0 {
			t.give(o, minor)
			t.gave[o.line] = t.gave[o.line] || o.level == 0
		}
	}
	t.total(r)
	if r.Campaign.Exclusive {
		for i, g := range t.gave {
			t.shut[i] = t.shut[i] || g
		}
	}
	return nil
}

// stack settles which of several rules' offers to one beneficiary on one line stand.
func (t *rater) stack() {
	if t.rules.def.Stacking == StackAll || len(t.rules.rules) == 1 {
		return
	}
	// Offers come by rule, so the first of equals is the first by rule, which is by priority where that decides.
	for i := range t.offers {
		a := &t.offers[i]
		for j := range i {
			b := &t.offers[j]
			if b.lost || b.line != a.line || b.to != a.to {
				continue
			}
			if t.rules.def.Stacking == StackBest && a.minor > b.minor {
				b.lost = true
				continue
			}
			a.lost = true
			break
		}
	}
}

func (t *rater) give(o *offer, minor int64) {
	r, vest := t.rules, o.rule.Vest
	line := &t.order.Lines[o.line]
	days := vest.Days
	if vest.After == FromReceipt {
		days = vest.AtLatestDays
	}
	t.out.Earnings = append(t.out.Earnings, Earning{CampaignID: r.Campaign.ID, Version: r.Version, Rule: o.rule.Name, Line: line.Number,
		Level: o.level, Beneficiary: o.to, Base: line.Base, Minor: minor, VestsOn: t.today.AddDate(0, 0, days),
		FromReceipt: vest.After == FromReceipt, Days: vest.Days})
	t.given[o.line] += minor
	t.spent += minor
	for _, k := range t.keys(o) {
		t.taken[k.key] += minor
	}
	t.firm = append(t.firm, sum{o.rule, o.line, minor})
}
