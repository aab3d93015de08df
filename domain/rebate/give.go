package rebate

import (
	"time"

	"paysaga/domain/money"
)

// ask collects what a rule would give, line by line.
func (t *rater) ask(c *compiled, index int) error {
	if t.order.Buyer.UserID == "" {
		return nil
	}
	holds := true
	if !c.perLine {
		if holds = t.holds(c, nil); !holds {
			t.noOffer(c, -1)
			return nil
		}
	}
	var lines []int
	for i := range t.order.Lines {
		switch l := &t.order.Lines[i]; {
		case t.shut[i] || t.rules.Campaign.Exclusive && t.given[i] > 0:
			t.closed(c, i)
		case l.Base <= 0:
		case c.perLine && !t.holds(c, l):
			t.noOffer(c, i)
		default:
			lines = append(lines, i)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return t.offer(c, index, lines)
}

// holds asks a rule's condition. One that fails gives nothing, and says so once.
func (t *rater) holds(c *compiled, l *Line) bool {
	t.shown.line = l
	ok, failed := c.when.HoldsIn(&t.shown)
	if failed != "" {
		f := Failure{t.rules.Campaign.ID, t.rules.Version, c.Name, failed}
		if n := len(t.out.Failed); n == 0 || t.out.Failed[n-1] != f {
			t.out.Failed = append(t.out.Failed, f)
		}
	}
	return ok
}

// offer computes a strategy on the lines where its rule holds.
func (t *rater) offer(c *compiled, index int, lines []int) error {
	s, o := &c.Strategy, t.order
	add := func(line, level int, to string, minor int64) {
		if minor > 0 && to != "" {
			t.offers = append(t.offers, offer{rule: c, index: index, line: line, level: level, to: to, minor: minor})
		}
	}
	bps, flat := s.RateBps, int64(0)
	switch s.Type {
	case Fixed:
		if s.Per != PerOrder {
			return t.perPiece(c, index, lines)
		}
		flat = s.AmountMinor
	case Tiered:
		tier := s.tier(o.Total())
		bps, flat = tier.RateBps, tier.AmountMinor
	case NewUser:
		if !t.isNew(s) {
			return nil
		}
		flat = s.AmountMinor
	case Stepped:
		return t.steps(c, index, lines)
	}
	if flat > 0 {
		return t.split(c, index, lines, flat)
	}
	for _, i := range lines {
		base := o.Lines[i].Base
		if s.Type == Referral {
			chain := o.Buyer.beneficiaries()
			for level, bps := range s.Levels {
				minor, err := t.bps(base, bps)
				if err != nil {
					return err
				}
				add(i, level, chain[level], minor)
			}
			continue
		}
		rate := bps
		if own, ok := s.Rates[o.Lines[i].Category]; ok {
			rate = own
		}
		minor, err := t.bps(base, rate)
		if err != nil {
			return err
		}
		add(i, 0, o.Buyer.UserID, minor)
	}
	return nil
}

// beneficiaries are those of a referral: nobody is there twice, however the chain was made.
func (b Buyer) beneficiaries() [3]string {
	list := [3]string{b.UserID, b.Referrer, b.ReferrerTwo}
	if list[1] == "" || list[1] == list[0] {
		list[1], list[2] = "", ""
	}
	if list[2] == list[0] || list[2] == list[1] {
		list[2] = ""
	}
	return list
}

// isNew: the buyer's first paid order with the merchant. Two orders at once are told apart by a counter.
func (t *rater) isNew(s *Strategy) bool {
	b := t.order.Buyer
	if b.OrdersPaid > 0 || t.used.Counters[t.firstKey()] > 0 {
		return false
	}
	return s.WithinDays == 0 || b.Since.IsZero() || t.order.PaidAt.Sub(b.Since) <= time.Duration(s.WithinDays)*24*time.Hour
}

func (s *Strategy) tier(total int64) (t Tier) {
	for _, next := range s.Tiers {
		if total < next.FromMinor {
			break
		}
		t = next
	}
	return t
}

// perPiece gives an amount for each line, or each unit.
func (t *rater) perPiece(c *compiled, index int, lines []int) error {
	for _, i := range lines {
		minor := c.Strategy.AmountMinor
		if c.Strategy.Per == PerUnit {
			whole, err := money.New(minor, t.order.Currency).Mul(t.order.Lines[i].Quantity)
			if err != nil {
				whole.Minor = t.order.Lines[i].Base // more than the line cost in any case
			}
			minor = whole.Minor
		}
		t.offers = append(t.offers, offer{rule: c, index: index, line: i, to: t.order.Buyer.UserID, minor: minor})
	}
	return nil
}

// split gives one amount for the order, shared by its lines so that nothing is lost (I-08): what comes back of a line can then take
// its own share back.
func (t *rater) split(c *compiled, index int, lines []int, minor int64) error {
	weights := make([]int64, len(lines))
	for n, i := range lines {
		weights[n] = t.order.Lines[i].Base
	}
	shares, err := money.Split(money.New(minor, t.order.Currency), weights)
	if err != nil {
		return err
	}
	for n, i := range lines {
		if shares[n].Minor > 0 {
			t.offers = append(t.offers, offer{rule: c, index: index, line: i, to: t.order.Buyer.UserID, minor: shares[n].Minor})
		}
	}
	return nil
}

// steps gives each part of a line the rate of the step that the buyer's total has reached with it.
func (t *rater) steps(c *compiled, index int, lines []int) error {
	s := &c.Strategy
	total := t.used.Counters[t.totalKey()]
	for i := range t.order.Lines { // lines on which the rule doesn't hold count, too
		base := t.order.Lines[i].Base
		if len(lines) > 0 && lines[0] == i {
			lines = lines[1:]
			minor := int64(0)
			for n, step := range s.Tiers {
				from, to := max(step.FromMinor, total), total+base
				if n+1 < len(s.Tiers) {
					to = min(to, s.Tiers[n+1].FromMinor)
				}
				if to <= from || step.RateBps == 0 {
					continue
				}
				part, err := t.bps(to-from, step.RateBps)
				if err != nil {
					return err
				}
				minor += part
			}
			if minor > 0 {
				t.offers = append(t.offers, offer{rule: c, index: index, line: i, to: t.order.Buyer.UserID, minor: minor})
			}
		}
		total += base
	}
	return nil
}

func (t *rater) bps(base, bps int64) (int64, error) {
	if bps == 0 {
		return 0, nil
	}
	a, err := money.Bps(money.New(base, t.order.Currency), bps, t.rules.def.Rounding)
	return a.Minor, err
}
