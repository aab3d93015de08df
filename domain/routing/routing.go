// Package routing decides which channel accounts a payment may be tried at, in
// which order, and why. It is pure: the same facts give the same plan.
package routing

import (
	"cmp"
	"slices"
	"strings"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// Facts are what a plan is made from.
type Facts struct {
	Channel  string // asked for by name; empty: any
	Method   payment.MethodType
	Currency money.Currency
}

// Candidate is a channel account that is open to the merchant and book.
type Candidate struct {
	ChannelAccount string
	Channel        string
	Lane           payment.Lane
	Priority       int // smaller first
	Methods        []payment.MethodType
	Currencies     []string // nil: all
}

// Route is one step of a plan.
type Route struct {
	ChannelAccount string       `json:"channel_account"`
	Channel        string       `json:"channel"`
	Lane           payment.Lane `json:"lane"`
}

// Plan is the order of tries and the reason, kept with the payment.
type Plan struct {
	Routes []Route `json:"routes"`
	Reason string  `json:"reason"`
}

// Make plans a payment. Nothing that fits is fault.Invalid, and names the
// field: channel_unknown, method_unsupported or currency_unsupported.
func Make(f Facts, open []Candidate) (Plan, error) {
	named := filter(open, func(c Candidate) bool { return f.Channel == "" || c.Channel == f.Channel })
	if len(named) == 0 {
		return Plan{}, fault.Invalid("channel_unknown", "channel", "no such channel is open to this merchant")
	}
	able := filter(named, func(c Candidate) bool { return slices.Contains(c.Methods, f.Method) })
	if len(able) == 0 {
		return Plan{}, fault.Invalid("method_unsupported", "method.type", "no open channel takes this method")
	}
	fit := filter(able, func(c Candidate) bool {
		return c.Currencies == nil || slices.Contains(c.Currencies, string(f.Currency))
	})
	if len(fit) == 0 {
		return Plan{}, fault.Invalid("currency_unsupported", "currency", "no open channel takes this currency by this method")
	}
	slices.SortFunc(fit, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), strings.Compare(a.ChannelAccount, b.ChannelAccount))
	})
	plan := Plan{Reason: "by priority among the accounts that take " + string(f.Method) + " in " + string(f.Currency)}
	if f.Channel != "" {
		plan.Reason = "the request names channel " + f.Channel
	}
	seen := map[string]bool{}
	for _, c := range fit {
		if seen[c.ChannelAccount] || len(plan.Routes) == id.MaxOrdinal { // each route is an attempt with an ordinal
			continue
		}
		seen[c.ChannelAccount] = true
		plan.Routes = append(plan.Routes, Route{c.ChannelAccount, c.Channel, c.Lane})
	}
	return plan, nil
}

func filter(in []Candidate, keep func(Candidate) bool) []Candidate {
	var out []Candidate
	for _, c := range in {
		if keep(c) {
			out = append(out, c)
		}
	}
	return out
}
