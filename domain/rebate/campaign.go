// Package rebate is what a merchant's campaigns promise to those who buy: conditions over an order's lines, strategies, caps, and
// when a promise is paid. It is pure: an order, its facts and the counters as they stand go in, what is earned comes out.
package rebate

import (
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// Status says whether a campaign gives anything. What was promised before stays promised.
type Status string

// The statuses. A campaign gives only while it is Active, within its period, by the version that is active then.
const (
	Draft  Status = "draft"  // no version was ever activated
	Active Status = "active" // within its period it gives
	Paused Status = "paused" // it gives nothing until it is resumed
	Ended  Status = "ended"  // for good
)

// Terms are what may change of a campaign, and what an order that was paid at an instant goes by: each change is kept with its time.
type Terms struct {
	Status   Status
	Version  int       // the active one; 0: none yet
	StartsAt time.Time // the period: from StartsAt until before EndsAt
	EndsAt   time.Time
	// Priority orders the campaigns of a merchant, higher first, then the older one.
	Priority int
	// Exclusive: on a line on which it gives the buyer something, no campaign after it gives anything; and it gives nothing on a line
	// on which one before it did.
	Exclusive bool
}

// In reports whether an order that is paid at that time is in the campaign.
func (t Terms) In(at time.Time) bool {
	return t.Status == Active && t.Version > 0 && !at.Before(t.StartsAt) && at.Before(t.EndsAt)
}

// Campaign is one undertaking of a merchant, with a budget in one currency (ledger.Chart.Budget). Accruals never go past the budget.
type Campaign struct {
	ID         string // cmp_…
	Book       id.Book
	MerchantID string
	Name       string
	Currency   money.Currency
	Terms
	Latest    int // the newest version; 0: none was saved
	By        ledger.Principal
	Sequence  int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Filter narrows a list of campaigns; what is empty narrows nothing.
type Filter struct {
	Book       id.Book
	MerchantID string
	Status     Status
	After      string // only those before this id
	Limit      int
}

// Chart makes the accounts of the campaign.
func (c Campaign) Chart() ledger.Chart { return ledger.Chart{Book: c.Book, Currency: c.Currency} }

// The bounds of a campaign.
const (
	maxName     = 200
	MaxPeriod   = 10 * 366 * 24 * time.Hour
	maxPriority = 1000
)

// Check refuses a campaign that could never be. Params name the fields of the API.
func (c Campaign) Check() error {
	if c.Name == "" || len(c.Name) > maxName {
		return fault.Invalid("name_invalid", "name", "a campaign's name has 1 to 200 bytes")
	}
	for _, r := range c.Name {
		if r < ' ' || r == 0x7f {
			return fault.Invalid("name_invalid", "name", "a campaign's name has no control characters")
		}
	}
	if _, err := money.ParseCurrency(string(c.Currency)); err != nil {
		return fault.Under("currency", err)
	}
	return c.Terms.Check()
}

// Check refuses terms that could never hold.
func (t Terms) Check() error {
	switch {
	case t.StartsAt.Year() < 2000 || t.StartsAt.Year() > 2200:
		return fault.Invalid("period_invalid", "starts_at", "no campaign starts then")
	case !t.EndsAt.After(t.StartsAt):
		return fault.Invalid("period_invalid", "ends_at", "a campaign ends after it starts")
	case t.EndsAt.Sub(t.StartsAt) > MaxPeriod:
		return fault.Invalid("period_invalid", "ends_at", "a campaign lasts up to ten years")
	case t.Priority < -maxPriority || t.Priority > maxPriority:
		return fault.Invalid("out_of_range", "priority", "a priority is from -1000 to 1000")
	}
	return nil
}

// Version is one version of a campaign's rules, as it is kept. It never changes.
type Version struct {
	CampaignID string
	Number     int // from 1; the store gives it
	Definition Definition
	Note       string
	By         ledger.Principal
	CreatedAt  time.Time
}
