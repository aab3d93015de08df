package routing

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/rule"
)

// Health is what was lately seen of a channel account.
type Health struct {
	State State // of its breaker, at the time of planning
	// ProbeFree says of a half-open circuit that a probe may go through.
	ProbeFree bool
	Stats     Stats
}

// Plan plans a payment: the first rule whose condition holds says where, the
// default says the rest. health is by channel account; who isn't in it is well.
// A rule that fails sends the payment to the default and leaves a Note. Nothing
// that fits is fault.Invalid and names the field, as Make says.
func (s *RuleSet) Plan(f Facts, open []Candidate, health map[string]Health) (Plan, error) {
	decided, notes := s.decide(f)
	return s.build(f, open, health, decided, notes)
}

// decide returns the index of the rule that decides, -1 for the default.
func (s *RuleSet) decide(f Facts) (int, []Note) {
	if len(s.conditions) == 0 {
		return -1, nil
	}
	view := rule.NewView(f, nil)
	for i, c := range s.conditions {
		holds, failed := c.Holds(view)
		if failed != "" {
			return -1, []Note{{Rule: s.def.Rules[i].Name, Version: s.def.Version, Failure: failed}}
		}
		if holds {
			return i, nil
		}
	}
	return -1, nil
}

func (s *RuleSet) build(f Facts, open []Candidate, health map[string]Health, decided int, notes []Note) (Plan, error) {
	plan := Plan{Version: s.def.Version, Notes: notes}
	fit, err := plan.fitting(f, open)
	if err != nil {
		return Plan{Version: plan.Version, Notes: notes}, err
	}
	s.sort(fit, f.AmountMinor, health)
	plan.Reason = s.reason(f, notes)
	ranked := make([]step, 0, len(fit))
	if decided >= 0 {
		r := s.def.Rules[decided]
		plan.Rule = r.Name
		ranked = plan.chosen(r, f.PaymentID, fit)
	}
	if len(ranked) == 0 { // a rule that names nobody who is open doesn't stop a payment
		if plan.Rule != "" {
			plan.Reason = "no target of rule " + plan.Rule + " is open to this payment: " + plan.Reason
			plan.Skipped = nil
		}
		ranked = s.rest(ranked, fit, "")
	} else if plan.Reason = "rule " + plan.Rule; !s.def.Rules[decided].Only {
		ranked = s.rest(ranked, fit, "failover behind rule "+plan.Rule)
	}
	plan.place(s.demote(ranked, health), health)
	return plan, nil
}

// step is a candidate on its way into the plan.
type step struct {
	Candidate
	why string
}

// fitting keeps who may take the payment at all. Whoever is listed twice counts
// by the better priority.
func (p *Plan) fitting(f Facts, open []Candidate) ([]Candidate, error) {
	keep := func(in []Candidate, why string, fits func(Candidate) bool) (out []Candidate) {
		for _, c := range in {
			if fits(c) {
				out = append(out, c)
			} else {
				p.Skipped = append(p.Skipped, Skipped{c.ChannelAccount, why})
			}
		}
		return out
	}
	if len(open) == 0 {
		return nil, fault.Invalid("no_channel", "channel", "no channel is open to this merchant: none is set up, or each is disabled")
	}
	named := keep(open, "the request names another channel", func(c Candidate) bool { return f.Channel == "" || c.Channel == f.Channel })
	if len(named) == 0 {
		return nil, fault.Invalid("channel_unknown", "channel", "no such channel is open to this merchant")
	}
	able := keep(named, "it doesn't take "+string(f.Method), func(c Candidate) bool { return slices.Contains(c.Methods, f.Method) })
	if len(able) == 0 {
		return nil, fault.Invalid("method_unsupported", "method.type", "no open channel takes this method")
	}
	fit := keep(able, "it doesn't take "+string(f.Currency), func(c Candidate) bool {
		return c.Currencies == nil || slices.Contains(c.Currencies, string(f.Currency))
	})
	if len(fit) == 0 {
		return nil, fault.Invalid("currency_unsupported", "currency", "no open channel takes this currency by this method")
	}
	for _, c := range fit {
		if c.Halted != "" {
			p.Skipped = append(p.Skipped, Skipped{c.ChannelAccount, c.Halted})
		}
	}
	fit = slices.DeleteFunc(fit, func(c Candidate) bool { return c.Halted != "" })
	if len(fit) == 0 {
		return nil, AllPaused()
	}
	slices.SortFunc(fit, byPriority)
	seen := map[string]bool{}
	fit = slices.DeleteFunc(fit, func(c Candidate) bool {
		twice := seen[c.ChannelAccount]
		seen[c.ChannelAccount] = true
		return twice
	})
	slices.SortFunc(p.Skipped, func(a, b Skipped) int {
		return cmp.Or(strings.Compare(a.ChannelAccount, b.ChannelAccount), strings.Compare(a.Reason, b.Reason))
	})
	p.Skipped = slices.Compact(p.Skipped)
	return fit, nil
}

// AllPaused is what a payment meets that only halted accounts could take: it may
// come again.
func AllPaused() error {
	return fault.Unavailable("channel_paused", "every account that could take this is paused by an operator", nil).WithRetryAfter(pausedFor)
}

// pausedFor is when to come again: nobody knows how long a person will take.
const pausedFor = 30 * time.Second

func byPriority(a, b Candidate) int {
	return cmp.Or(cmp.Compare(a.Priority, b.Priority), strings.Compare(a.ChannelAccount, b.ChannelAccount))
}

// sort puts the fitting in the default's order; they come by priority.
func (s *RuleSet) sort(fit []Candidate, amount int64, health map[string]Health) {
	var by func(a, b Candidate) int
	switch s.def.Default.Order {
	case ByCost:
		by = func(a, b Candidate) int { return a.Cost.compare(b.Cost, amount) }
	case BySuccessRate:
		by = func(a, b Candidate) int {
			return cmp.Compare(s.success(health[b.ChannelAccount]), s.success(health[a.ChannelAccount]))
		}
	case ByLatency:
		by = func(a, b Candidate) int {
			return cmp.Compare(health[a.ChannelAccount].Stats.P95, health[b.ChannelAccount].Stats.P95)
		}
	default:
		return
	}
	slices.SortStableFunc(fit, by)
}

// success is the rate in per mille; who was seen too little counts as perfect,
// or nobody new would ever be tried.
func (s *RuleSet) success(h Health) int {
	if h.Stats.Calls < s.minCalls() {
		return 1000
	}
	return h.Stats.SuccessPerMille
}

func (s *RuleSet) minCalls() int { return cmp.Or(s.def.Default.MinCalls, 20) }

// compare compares prices of one amount exactly: amount × basis points + fixed ×
// 10,000, in 128 bits.
func (c Cost) compare(d Cost, amount int64) int {
	price := func(c Cost) (hi, lo uint64) {
		hi, lo = bits.Mul64(uint64(max(0, amount)), uint64(max(0, c.BasisPoints)))
		fhi, flo := bits.Mul64(uint64(max(0, c.FixedMinor)), 10_000)
		lo, carry := bits.Add64(lo, flo, 0)
		hi, _ = bits.Add64(hi, fhi, carry) // both are below 2^126
		return hi, lo
	}
	ahi, alo := price(c)
	bhi, blo := price(d)
	return cmp.Or(cmp.Compare(ahi, bhi), cmp.Compare(alo, blo))
}

func (s *RuleSet) reason(f Facts, notes []Note) string {
	order := cmp.Or(s.def.Default.Order, ByPriority)
	text := "by " + strings.ReplaceAll(string(order), "_", " ") + " among the accounts that take " + string(f.Method) + " in " + string(f.Currency)
	if f.Channel != "" {
		text = "the request names channel " + f.Channel
	}
	if len(notes) > 0 {
		text = "rule " + notes[0].Rule + " failed (" + string(notes[0].Failure) + "): " + text
	}
	return text
}

// chosen lists the accounts that a rule uses, in the order of its split; a
// channel's accounts stand in the default's order.
func (p *Plan) chosen(r RuleDef, paymentID string, fit []Candidate) []step {
	var out []step
	taken := map[string]bool{}
	targets, drawn := split(paymentID, r.Name, r.Use)
	for _, t := range targets {
		for _, c := range fit {
			if t.covers(c) && !taken[c.ChannelAccount] {
				taken[c.ChannelAccount] = true
				out = append(out, step{c, "rule " + r.Name + " uses " + t.name() + drawn})
			}
		}
		drawn = ""
	}
	if r.Only {
		for _, c := range fit {
			if !taken[c.ChannelAccount] {
				p.Skipped = append(p.Skipped, Skipped{c.ChannelAccount, "rule " + r.Name + " uses only others"})
			}
		}
	}
	return out
}

func (s *RuleSet) rest(ranked []step, fit []Candidate, why string) []step {
	if why == "" {
		why = "by " + strings.ReplaceAll(string(cmp.Or(s.def.Default.Order, ByPriority)), "_", " ")
	}
	for _, c := range fit {
		if !slices.ContainsFunc(ranked, func(r step) bool { return r.ChannelAccount == c.ChannelAccount }) {
			ranked = append(ranked, step{c, why})
		}
	}
	return ranked
}

// demote puts those that do badly behind the others.
func (s *RuleSet) demote(ranked []step, health map[string]Health) []step {
	d := s.def.Default
	var well, badly []step
	for _, r := range ranked {
		h := health[r.ChannelAccount]
		switch {
		case h.Stats.Calls < s.minCalls():
			well = append(well, r)
		case h.Stats.SuccessPerMille < d.MinSuccessPerMille:
			badly = append(badly, step{r.Candidate, r.why + "; behind, its success rate is low"})
		case d.MaxLatencyMS > 0 && h.Stats.P95 > time.Duration(d.MaxLatencyMS)*time.Millisecond:
			badly = append(badly, step{r.Candidate, r.why + "; behind, it is slow"})
		default:
			well = append(well, r)
		}
	}
	return append(well, badly...)
}

// place makes the routes. An open circuit is left out, unless all are: then the
// order stays, since a refusal for certain helps nobody.
func (p *Plan) place(ranked []step, health map[string]Health) {
	shut := func(r step) bool {
		h := health[r.ChannelAccount]
		return h.State == Open || h.State == HalfOpen && !h.ProbeFree
	}
	none := !slices.ContainsFunc(ranked, func(r step) bool { return !shut(r) })
	for _, r := range ranked {
		route := Route{ChannelAccount: r.ChannelAccount, Channel: r.Channel, Lane: r.Lane, Reason: r.why}
		switch {
		case len(p.Routes) == id.MaxOrdinal: // each route is an attempt with an ordinal
			p.Skipped = append(p.Skipped, Skipped{r.ChannelAccount, "the plan is full"})
			continue
		case none:
			route.Reason += "; its circuit is open, and so are all others"
		case shut(r):
			p.Skipped = append(p.Skipped, Skipped{r.ChannelAccount, "its circuit is open"})
			continue
		case health[r.ChannelAccount].State == HalfOpen:
			route.Probe = true
			route.Reason += "; a probe, its circuit is half open"
		}
		p.Routes = append(p.Routes, route)
	}
}

// Admit looks at a plan as its attempt from (counted from 1) is about to begin,
// and takes the routes out of its way whose circuits let no attempt through now:
// they may have opened since the plan was made, or another payment may probe
// them. If none that is left is admitted, the order stays. It says whether the
// plan has changed. admits is asked until it says yes.
func (p *Plan) Admit(from int, admits func(channelAccount string) bool) (changed bool) {
	first := slices.IndexFunc(p.Routes[min(from-1, len(p.Routes)):], func(r Route) bool { return admits(r.ChannelAccount) })
	if first <= 0 {
		return false
	}
	for _, r := range p.Routes[from-1 : from-1+first] {
		p.Skipped = append(p.Skipped, Skipped{r.ChannelAccount, "its circuit is open, or another payment probes it"})
	}
	p.Routes = slices.Delete(p.Routes, from-1, from-1+first)
	return true
}
