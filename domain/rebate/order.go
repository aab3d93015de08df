package rebate

import (
	"time"

	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/trade"
)

// Order is what rules know of an order that was paid: its facts, given by the caller. A fact that isn't known is its zero.
type Order struct {
	Book       id.Book
	ID         string
	MerchantID string
	Reference  string
	Type       string
	Currency   money.Currency
	PaidAt     time.Time      // when it was fully paid: decides version, day and vesting
	Zone       *time.Location // the merchant's; nil is UTC
	Country    string         // of the buyer
	Metadata   map[string]string
	Lines      []Line
	Buyer      Buyer
}

// Line is one line as rebates are computed on it.
type Line struct {
	Number   int // from 1, as in the order
	SKU      string
	Category string
	Quantity int64
	// Base is what was paid for it: its total, less its share of the order's discounts. Shipping, fees and tips earn nothing.
	Base int64
}

// Buyer is who bought, and their history with the merchant before this order.
type Buyer struct {
	UserID      string // empty: nobody is named, and nothing is earned
	Since       time.Time
	OrdersPaid  int64 // orders paid before this one
	SpentMinor  int64 // what they paid for those in the order's currency, less refunds and what disputes took back
	Referrer    string
	ReferrerTwo string // the referrer's referrer
}

// Bought is a purchase whose buyer's history is asked for.
type Bought struct {
	UserID   string
	OrderID  string // the order itself isn't history; empty: a made-up one
	Currency money.Currency
	At       time.Time
}

// Lines computes the lines of an order: an order without lines is one line of its total (number 1). The order's discounts are split
// over the lines by their totals, and lose nothing (I-08).
func Lines(o trade.Order) ([]Line, error) {
	if len(o.Lines) == 0 {
		return []Line{{Number: 1, Quantity: 1, Base: o.Total.Minor}}, nil
	}
	lines, weights := make([]Line, len(o.Lines)), make([]int64, len(o.Lines))
	var sum int64
	for i, l := range o.Lines {
		// The order was accepted, so none of this overflows, and no total is negative.
		total := l.UnitPrice.Minor*l.Quantity - l.Discount.Minor + l.Tax.Minor
		lines[i] = Line{Number: i + 1, SKU: l.SKU, Category: l.Category, Quantity: l.Quantity, Base: total}
		weights[i] = total
		sum += total
	}
	off := int64(0)
	for _, a := range o.Adjustments {
		if a.Type == trade.Discount {
			off += a.Amount.Minor
		}
	}
	if off = min(off, sum); off <= 0 {
		return lines, nil
	}
	shares, err := money.Split(money.New(off, o.Currency), weights)
	if err != nil {
		return nil, err
	}
	for i := range lines {
		lines[i].Base -= shares[i].Minor
	}
	return lines, nil
}

// Day is the date of the payment on the merchant's clock, at midnight UTC.
func (o Order) Day() time.Time {
	at := o.PaidAt.UTC()
	if o.Zone != nil {
		at = o.PaidAt.In(o.Zone)
	}
	y, m, d := at.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// Total is the amount of all lines.
func (o Order) Total() (sum int64) {
	for _, l := range o.Lines {
		sum += l.Base
	}
	return sum
}
