package accrual

import "time"

// Public is a rebate as the API and its events show it: schema Rebate of
// openapi.yaml.
type Public struct {
	ID           string     `json:"id"`
	Object       string     `json:"object"`
	Livemode     bool       `json:"livemode"`
	MerchantID   string     `json:"merchant_id"`
	CampaignID   string     `json:"campaign_id"`
	Version      int        `json:"version"`
	Rule         string     `json:"rule"`
	OrderID      string     `json:"order_id"`
	Line         int        `json:"line"`
	UserID       string     `json:"user_id"`
	Level        int        `json:"level"`
	Status       Status     `json:"status"`
	Currency     string     `json:"currency"`
	Accrued      string     `json:"accrued"`
	Open         string     `json:"open"`
	Settled      string     `json:"settled"`
	ClawedBack   string     `json:"clawed_back"`
	Debt         string     `json:"debt"`
	Released     string     `json:"released"`
	Why          string     `json:"why,omitempty"`
	VestsOn      string     `json:"vests_on"`
	SettlementID string     `json:"settlement_id,omitempty"`
	SettledAt    *time.Time `json:"settled_at,omitempty"`
	Sequence     int64      `json:"sequence"`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
}

// Public renders a.
func (a Accrual) Public() Public {
	text := func(minor int64) string { return a.Amount(minor).Decimal() }
	v := Public{ID: a.ID, Object: "rebate", Livemode: a.Book.Livemode(), MerchantID: a.MerchantID, CampaignID: a.CampaignID, Version: a.Version,
		Rule: a.Rule, OrderID: a.OrderID, Line: a.Line, UserID: a.Beneficiary, Level: a.Level, Status: a.Status, Currency: string(a.Currency),
		Accrued: text(a.Accrued), Open: text(a.Open()), Settled: text(a.Settled), ClawedBack: text(a.ClawedBack()), Debt: text(a.Debt),
		Released: text(a.Released), Why: a.Why, VestsOn: a.VestsOn.Format(DateFormat), SettlementID: a.RunID, Sequence: a.Sequence,
		CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC()}
	if !a.SettledAt.IsZero() {
		at := a.SettledAt.UTC()
		v.SettledAt = &at
	}
	return v
}
