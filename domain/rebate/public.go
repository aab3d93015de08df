package rebate

import (
	"time"

	"paysaga/domain/money"
)

// Public is a campaign as API and events show it: schema Campaign of openapi.yaml.
type Public struct {
	Object        string    `json:"object"`
	ID            string    `json:"id"`
	Livemode      bool      `json:"livemode"`
	MerchantID    string    `json:"merchant_id"`
	Name          string    `json:"name"`
	Currency      string    `json:"currency"`
	Status        Status    `json:"status"`
	Version       int       `json:"version,omitempty"`
	LatestVersion int       `json:"latest_version"`
	StartsAt      time.Time `json:"starts_at"`
	EndsAt        time.Time `json:"ends_at"`
	Priority      int       `json:"priority"`
	Exclusive     bool      `json:"exclusive"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
	Sequence      int64     `json:"sequence"`
	// Funding is what an event about the budget tells.
	Funding *PublicFunding `json:"funding,omitempty"`
}

// Public renders c.
func (c Campaign) Public() Public {
	return Public{Object: "campaign", ID: c.ID, Livemode: c.Book.Livemode(), MerchantID: c.MerchantID, Name: c.Name, Currency: string(c.Currency),
		Status: c.Status, Version: c.Version, LatestVersion: c.Latest, StartsAt: c.StartsAt.UTC(), EndsAt: c.EndsAt.UTC(), Priority: c.Priority,
		Exclusive: c.Exclusive, CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(), Sequence: c.Sequence}
}

// PublicFunding is a movement of a budget as API and events show it; what was taken out again has direction out.
type PublicFunding struct {
	Object    string    `json:"object"`
	ID        string    `json:"id"`
	Direction string    `json:"direction"` // in or out
	Amount    string    `json:"amount"`
	Currency  string    `json:"currency"`
	Reason    string    `json:"reason,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// Public renders f.
func (f Funding) Public() PublicFunding {
	v := PublicFunding{Object: "campaign_funding", ID: f.ID, Direction: "in", Currency: string(f.Amount.Currency), Reason: f.Reason, CreatedAt: f.CreatedAt.UTC()}
	size := f.Amount
	if size.Minor < 0 {
		v.Direction, size = "out", money.New(-size.Minor, size.Currency)
	}
	v.Amount = size.Decimal()
	return v
}

// PublicVersion is a version as the API shows it.
type PublicVersion struct {
	Object     string     `json:"object"`
	CampaignID string     `json:"campaign_id"`
	Version    int        `json:"version"`
	Active     bool       `json:"active"`
	Definition Definition `json:"definition"`
	Note       string     `json:"note,omitempty"`
	CreatedBy  string     `json:"created_by"`
	CreatedAt  time.Time  `json:"created_at"`
}

// Public renders v; active: it is the one in force.
func (v Version) Public(active bool) PublicVersion {
	return PublicVersion{Object: "campaign_version", CampaignID: v.CampaignID, Version: v.Number, Active: active, Definition: v.Definition,
		Note: v.Note, CreatedBy: v.By.ID, CreatedAt: v.CreatedAt.UTC()}
}
