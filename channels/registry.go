package channels

import (
	"slices"

	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/routing"
)

// Registry holds the channels of this process by name, each behind Guard.
type Registry map[string]Channel

// NewRegistry registers channels under the names they give themselves. Two of
// one name, or one without, are a mistake in the wiring: it panics.
func NewRegistry(list ...Channel) Registry {
	r := Registry{}
	for _, c := range list {
		name := c.Describe().Name
		if _, taken := r[name]; taken || name == "" {
			panic("channels: two channels, or none, are named \"" + name + "\"")
		}
		r[name] = Guard(c)
	}
	return r
}

// Get finds a channel; an unknown name is fault.NotFound.
func (r Registry) Get(name string) (Channel, error) {
	c, ok := r[name]
	if !ok {
		return nil, fault.NotFound("channel " + name)
	}
	return c, nil
}

// Names are the registered channels, sorted.
func (r Registry) Names() []string {
	names := make([]string, 0, len(r))
	for n := range r {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// OpenAccount is a channel account as routing sees it: no credentials.
type OpenAccount struct {
	ID         string // cha_…
	Channel    string
	Lane       payment.Lane
	Priority   int
	Currencies []string // narrows the channel's own list; nil: doesn't
	// CostBasisPoints and CostFixed (currency → minor units) are what the channel
	// takes of a payment.
	CostBasisPoints int64
	CostFixed       map[string]int64
	// Standing says whether new attempts go there, Reason why they don't.
	Standing Standing
	Reason   string
	// OwnFunds: what it takes is its merchant's own money, and never becomes ours.
	OwnFunds bool
}

// Candidates joins open accounts with what their channels can do; accounts of
// channels that this process doesn't know are left out. What they cost is in
// the currency of the payment.
func (r Registry) Candidates(open []OpenAccount, currency money.Currency) []routing.Candidate {
	var list []routing.Candidate
	for _, a := range open {
		c, ok := r[a.Channel]
		if !ok {
			continue
		}
		d := c.Describe()
		list = append(list, routing.Candidate{
			ChannelAccount: a.ID, Channel: a.Channel, Lane: a.Lane, Priority: a.Priority,
			Methods: d.Methods, Currencies: both(d.Currencies, a.Currencies),
			Cost:   routing.Cost{BasisPoints: a.CostBasisPoints, FixedMinor: a.CostFixed[string(currency)]},
			Halted: a.halted(),
		})
	}
	return list
}

// Payer is the account over which a payout in a currency leaves: the first of
// the open ones that can, of the named channel if one is named. None is
// fault.Invalid "payout_unavailable"; if those that could are all paused, it is
// fault.Unavailable "channel_paused". What a payout pays is with us, so an
// account of own funds can't.
func (r Registry) Payer(open []OpenAccount, currency money.Currency, channel string) (OpenAccount, error) {
	paused := false
	for _, a := range open {
		c, known := r[a.Channel]
		if !known || (channel != "" && a.Channel != channel) || a.OwnFunds {
			continue
		}
		d := c.Describe()
		can := both(d.Currencies, a.Currencies)
		if d.Can(OpPayout) && d.Can(OpAskPayout) && (can == nil || slices.Contains(can, string(currency))) {
			if a.halted() == "" {
				return a, nil
			}
			paused = true
		}
	}
	if paused {
		return OpenAccount{}, routing.AllPaused()
	}
	return OpenAccount{}, fault.Invalid("payout_unavailable", "channel", "no channel of the merchant's pays out in "+string(currency))
}

// both intersects two lists in which nil means everything.
func both(a, b []string) []string {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	out := []string{}
	for _, x := range a {
		if slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}
