package trade

import "time"

// Public is an order as the API and its events show it: schema Order of
// openapi.yaml, without the list of its payments, which are objects of their own.
type Public struct {
	ID               string             `json:"id"`
	Object           string             `json:"object"`
	Livemode         bool               `json:"livemode"`
	MerchantID       string             `json:"merchant_id"`
	Reference        string             `json:"reference"`
	Type             string             `json:"type"`
	Status           Status             `json:"status"`
	Currency         string             `json:"currency"`
	Lines            []PublicLine       `json:"lines"`
	Adjustments      []PublicAdjustment `json:"adjustments"`
	AmountTotal      string             `json:"amount_total"`
	AmountAuthorized string             `json:"amount_authorized"`
	AmountPaid       string             `json:"amount_paid"`
	AmountRefunded   string             `json:"amount_refunded"`
	AmountDisputed   string             `json:"amount_disputed"`
	AmountNet        string             `json:"amount_net"`
	AmountUnpaid     string             `json:"amount_unpaid"`
	Sequence         int64              `json:"sequence"`
	CreatedAt        time.Time          `json:"created_at"`
	ReceivedAt       *time.Time         `json:"received_at,omitempty"`
}

// PublicLine is a line with its amounts as decimals.
type PublicLine struct {
	SKU         string `json:"sku"`
	Category    string `json:"category,omitempty"`
	Description string `json:"description,omitempty"`
	Quantity    int64  `json:"quantity"`
	UnitPrice   string `json:"unit_price"`
	Discount    string `json:"discount"`
	Tax         string `json:"tax"`
}

// PublicAdjustment is an adjustment with its amount as a decimal.
type PublicAdjustment struct {
	Type   string `json:"type"`
	Amount string `json:"amount"`
}

// Public renders o.
func (o Order) Public() Public {
	v := Public{
		ID: o.ID, Object: "order", Livemode: o.Book.Livemode(), MerchantID: o.MerchantID,
		Reference: o.Reference, Type: o.Type, Status: o.Status, Currency: string(o.Currency),
		Lines: make([]PublicLine, len(o.Lines)), Adjustments: make([]PublicAdjustment, len(o.Adjustments)),
		AmountTotal: o.Total.Decimal(), AmountAuthorized: o.Authorized.Decimal(), AmountPaid: o.Paid.Decimal(),
		AmountRefunded: o.Refunded.Decimal(), AmountDisputed: o.Disputed.Decimal(), AmountNet: o.Net().Decimal(),
		AmountUnpaid: o.Unpaid().Decimal(),
		Sequence:     o.Sequence, CreatedAt: o.CreatedAt.UTC(),
	}
	if !o.ReceivedAt.IsZero() {
		at := o.ReceivedAt.UTC()
		v.ReceivedAt = &at
	}
	for i, l := range o.Lines {
		v.Lines[i] = PublicLine{SKU: l.SKU, Category: l.Category, Description: l.Description, Quantity: l.Quantity,
			UnitPrice: l.UnitPrice.Decimal(), Discount: l.Discount.Decimal(), Tax: l.Tax.Decimal()}
	}
	for i, a := range o.Adjustments {
		v.Adjustments[i] = PublicAdjustment{a.Type, a.Amount.Decimal()}
	}
	return v
}
