package rebate

import (
	"cmp"
	"slices"
	"strconv"

	"paysaga/domain/fault"
	"paysaga/domain/money"
)

// uses says which fields a strategy's type knows.
var uses = map[Kind][]string{
	Percentage: {"rate_bps"},
	Fixed:      {"amount_minor", "per"},
	Tiered:     {"tiers"},
	Stepped:    {"tiers"},
	PerGroup:   {"rates_bps", "rate_bps"},
	NewUser:    {"rate_bps", "amount_minor", "within_days"},
	Referral:   {"levels_bps"},
}

// check fills in what is left out, and refuses what can't be meant.
func (s *Strategy) check() error {
	known, ok := uses[s.Type]
	if !ok {
		return fault.Invalid("strategy_unknown", "type", "a strategy is percentage, fixed, tiered, stepped, category, new_user or referral")
	}
	for _, f := range []struct {
		name  string
		given bool
	}{{"rate_bps", s.RateBps != 0}, {"amount_minor", s.AmountMinor != 0}, {"per", s.Per != ""}, {"tiers", len(s.Tiers) > 0},
		{"rates_bps", len(s.Rates) > 0}, {"within_days", s.WithinDays != 0}, {"levels_bps", len(s.Levels) > 0}} {
		if f.given && !slices.Contains(known, f.name) {
			return fault.Invalid("strategy_invalid", f.name, "a "+string(s.Type)+" strategy has no such field")
		}
	}
	switch s.Type {
	case Percentage:
		return rate("rate_bps", s.RateBps, 1)
	case Fixed:
		s.Per = cmp.Or(s.Per, PerOrder)
		if s.Per != PerOrder && s.Per != PerLine && s.Per != PerUnit {
			return fault.Invalid("strategy_invalid", "per", "an amount is given per order, line or unit")
		}
		return amount("amount_minor", s.AmountMinor)
	case PerGroup:
		return s.checkRates()
	case NewUser:
		if s.WithinDays < 0 || s.WithinDays > MaxDays {
			return fault.Invalid("strategy_invalid", "within_days", "somebody is new for up to 730 days")
		}
		return either("", s.RateBps, s.AmountMinor)
	case Referral:
		return s.checkLevels()
	}
	return s.checkTiers()
}

func (s *Strategy) checkRates() error {
	if len(s.Rates) == 0 || len(s.Rates) > MaxRates {
		return fault.Invalid("strategy_invalid", "rates_bps", "there is a rate for each of 1 to 100 categories")
	}
	for name, bps := range s.Rates {
		if name == "" || len(name) > 64 {
			return fault.Invalid("strategy_invalid", "rates_bps", "a category has 1 to 64 bytes")
		}
		if err := rate("rates_bps", bps, 0); err != nil {
			return err
		}
	}
	return rate("rate_bps", s.RateBps, 0) // of the other categories
}

func (s *Strategy) checkLevels() error {
	if len(s.Levels) < 2 || len(s.Levels) > 3 {
		return fault.Invalid("strategy_invalid", "levels_bps", "there are rates for the buyer, the referrer, and perhaps the referrer's referrer")
	}
	sum := int64(0)
	for i, bps := range s.Levels {
		if err := rate("levels_bps["+strconv.Itoa(i)+"]", bps, 0); err != nil {
			return err
		}
		sum += bps
	}
	if sum > money.BpsPerWhole || sum == 0 {
		return fault.Invalid("rate_invalid", "levels_bps", "all levels together give more than 0 and at most 100 %")
	}
	return nil
}

func (s *Strategy) checkTiers() error {
	if len(s.Tiers) == 0 || len(s.Tiers) > MaxTiers {
		return fault.Invalid("strategy_invalid", "tiers", "there are 1 to 20 tiers")
	}
	for i, t := range s.Tiers {
		path := "tiers[" + strconv.Itoa(i) + "]"
		if t.FromMinor < 0 || t.FromMinor > maxMinor || i > 0 && t.FromMinor <= s.Tiers[i-1].FromMinor {
			return fault.Invalid("strategy_invalid", path+".from_minor", "each tier begins above the one before, the first at 0 or more")
		}
		if s.Type == Stepped && t.AmountMinor != 0 {
			return fault.Invalid("strategy_invalid", path+".amount_minor", "a step has a rate")
		}
		if t.RateBps == 0 && t.AmountMinor == 0 {
			continue // up to the next tier nothing is given
		}
		if err := either(path, t.RateBps, t.AmountMinor); err != nil {
			return err
		}
	}
	return nil
}

func either(path string, bps, minor int64) error {
	var err error
	switch {
	case bps != 0 && minor != 0 || bps == 0 && minor == 0:
		err = fault.Invalid("strategy_invalid", "rate_bps", "give either a rate or an amount")
	case minor != 0:
		err = amount("amount_minor", minor)
	default:
		err = rate("rate_bps", bps, 1)
	}
	if path == "" {
		return err
	}
	return fault.Under(path, err)
}

func rate(param string, bps, least int64) error {
	if bps < least || bps > money.BpsPerWhole {
		return fault.Invalid("rate_invalid", param, "a rate is above 0 and at most 10000 basis points, which is 100 %")
	}
	return nil
}

func amount(param string, minor int64) error {
	if minor < 1 || minor > maxMinor {
		return fault.Invalid("amount_invalid", param, "an amount is minor units above 0")
	}
	return nil
}
