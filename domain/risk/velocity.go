package risk

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/money"
)

// Velocity bounds how much one subject pays in one window. It counts payments
// that were let through (allowed or to be reviewed), whether they succeed or not.
type Velocity struct {
	Name   string `json:"name"`
	By     string `json:"by"`     // customer, card or merchant; a payment without one isn't bounded
	Window string `json:"window"` // hour (of UTC) or day (in the merchant's zone)
	// Currency narrows it; a sum needs one, since currencies don't add up.
	Currency    string `json:"currency,omitempty"`
	MaxCount    int64  `json:"max_count,omitempty"`     // 0: no bound
	MaxSumMinor int64  `json:"max_sum_minor,omitempty"` // 0: no bound
	Then        string `json:"then,omitempty"`          // refuse (the default) or review
}

// The subjects and windows.
const (
	ByCustomer = "customer"
	ByCard     = "card"
	ByMerchant = "merchant"
	PerHour    = "hour"
	PerDay     = "day"
)

func (v *Velocity) check(taken map[string]bool) error {
	if err := named(v.Name, taken); err != nil {
		return err
	}
	if v.By != ByCustomer && v.By != ByCard && v.By != ByMerchant {
		return fault.Invalid("velocity_invalid", "by", "a velocity is by customer, card or merchant")
	}
	if v.Window != PerHour && v.Window != PerDay {
		return fault.Invalid("velocity_invalid", "window", "the window is hour or day")
	}
	if v.MaxCount < 0 || v.MaxSumMinor < 0 || v.MaxCount == 0 && v.MaxSumMinor == 0 {
		return fault.Invalid("velocity_invalid", "max_count", "a velocity bounds a count, a sum or both, above 0")
	}
	if v.MaxSumMinor > 0 && v.Currency == "" {
		return fault.Invalid("velocity_invalid", "currency", "a sum needs a currency")
	}
	if _, ok := money.Currency(v.Currency).Exponent(); v.Currency != "" && !ok {
		return fault.Invalid("currency_unsupported", "currency", "this is not a currency that we know")
	}
	return objection(&v.Then)
}

// Counter is the name of one counter and how far one payment moves it. The key
// is all of the name: merchant, subject, window, currency and start. Versions of
// a rule set share counters, so that a new version doesn't forget the day.
type Counter struct {
	Key      string    `json:"key"`
	Start    time.Time `json:"start"` // of the window; the counter means nothing after End
	End      time.Time `json:"end"`
	AddCount int64     `json:"add_count"` // always 1
	AddMinor int64     `json:"add_minor"` // 0 where the counter has no currency
}

// Value is what a counter stands at, before the payment. A counter that has no
// row is the zero.
type Value struct {
	Count    int64 `json:"count"`
	SumMinor int64 `json:"sum_minor"`
}

// After is the value with the payment in it; it stops at the largest number.
func (c Counter) After(v Value) Value {
	return Value{Count: add(v.Count, c.AddCount), SumMinor: add(v.SumMinor, c.AddMinor)}
}

func add(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// bound is a velocity or a daily limit over one counter.
type bound struct {
	rule     string
	key      string
	count    int64
	sum      int64
	then     string
	exceeded string
}

// counters lists the counters that the payment touches, in the order of their
// keys (the lock order), and the bounds over them.
func (s *RuleSet) counters(f Facts) ([]Counter, []bound) {
	by := map[string]Counter{}
	var bounds []bound
	touch := func(of, window, currency string, b bound) {
		subject := f.subject(of)
		if subject == "" || currency != "" && currency != string(f.Currency) {
			return
		}
		c := f.counter(of, subject, window, currency)
		by[c.Key] = c
		b.key = c.Key
		bounds = append(bounds, b)
	}
	for _, v := range s.def.Velocities {
		touch(v.By, v.Window, v.Currency, bound{rule: v.Name, count: v.MaxCount, sum: v.MaxSumMinor, then: v.Then,
			exceeded: "too much by this " + v.By + " in one " + v.Window})
	}
	for _, l := range s.def.Limits {
		if l.MaxDailyMinor > 0 {
			touch(ByMerchant, PerDay, l.Currency, bound{rule: "max_daily", sum: l.MaxDailyMinor, then: l.Then,
				exceeded: "the merchant's sum of the day is above its limit"})
		}
	}
	list := make([]Counter, 0, len(by))
	for _, c := range by {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Counter) int { return strings.Compare(a.Key, b.Key) })
	return list, bounds
}

func (f Facts) subject(of string) string {
	switch of {
	case ByCustomer:
		return f.CustomerID
	case ByCard:
		return f.Card
	}
	return cmp.Or(f.MerchantID, "-")
}

func (f Facts) counter(of, subject, window, currency string) Counter {
	start, end := f.CreatedAt.UTC().Truncate(time.Hour), time.Time{}
	if window == PerDay {
		y, m, d := f.Local().Date()
		zone := f.Local().Location()
		start, end = time.Date(y, m, d, 0, 0, 0, 0, zone).UTC(), time.Date(y, m, d+1, 0, 0, 0, 0, zone).UTC()
	} else {
		end = start.Add(time.Hour)
	}
	c := Counter{Start: start, End: end, AddCount: 1,
		Key: strings.Join([]string{f.MerchantID, of, subject, window, currency, start.Format(time.RFC3339)}, "/")}
	if currency != "" {
		c.AddMinor = max(0, f.AmountMinor)
	}
	return c
}

// speak says whether the bound objects at this value, the payment included.
func (b bound) speak(after Value) bool {
	return b.count > 0 && after.Count > b.count || b.sum > 0 && after.SumMinor > b.sum
}
