package payment

import (
	"time"

	"paysaga/domain/exception"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// Terms are the merchant's conditions that decide what a capture books.
type Terms struct {
	MerchantID     string
	FeeBasisPoints int64
	FeeFixed       map[money.Currency]int64 // minor units; absent: none
	FeeOnRefund    string                   // "return" or "keep"
	RefundParts    string                   // how a refund of two parts is divided: "channel_first" (or empty) or "pro_rata"
	SettlementDays int                      // 0: available at once
	DebtLimit      int64
	Zone           *time.Location
	DayCut         time.Duration // the wall clock's time at which a business day begins; below 24 h
	// Policies say what becomes of the merchant's cases without a person.
	Policies exception.Policies
}

// Fee is our fee on gross: basis points, rounded half up, plus the fixed part,
// never below zero and never more than gross.
func (t Terms) Fee(gross money.Amount) (money.Amount, error) {
	fee, err := money.Bps(gross, t.FeeBasisPoints, money.HalfUp)
	if err != nil {
		return money.Amount{}, err
	}
	fixed := max(0, t.FeeFixed[gross.Currency])
	if fee.Minor = max(0, fee.Minor); fixed >= gross.Minor || fee.Minor > gross.Minor-fixed { // compared so that nothing overflows
		return gross, nil
	}
	fee.Minor += fixed
	return fee, nil
}

// BusinessDate is the day at's money belongs to, in the merchant's zone. The
// day begins when the wall clock there first shows DayCut, and never goes back:
// an hour that a change of the clocks repeats belongs to the day that had begun.
func (t Terms) BusinessDate(at time.Time) string {
	zone := t.Zone
	if zone == nil {
		zone = time.UTC
	}
	y, m, d := at.In(zone).Date()
	for day := d + 1; ; day-- {
		if begins := firstShowing(y, m, day, t.DayCut, zone); !begins.After(at) {
			return time.Date(y, m, day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		}
	}
}

// openDate is date, or the first open one if it is closed: what a merchant was
// told of a day stays so.
func openDate(c ledger.Calendar, date string) string {
	if opens := c.Opens(); !opens.IsZero() {
		return max(date, opens.Format(time.DateOnly))
	}
	return date
}

// MaturesAt is when money of at's business day becomes available: as the day
// begins that is SettlementDays later, in the merchant's zone.
func (t Terms) MaturesAt(at time.Time) time.Time {
	zone := t.Zone
	if zone == nil {
		zone = time.UTC
	}
	day, err := time.Parse(time.DateOnly, t.BusinessDate(at))
	if err != nil { // BusinessDate has just written it
		panic("payment: " + err.Error())
	}
	y, m, d := day.Date()
	return firstShowing(y, m, d+t.SettlementDays, t.DayCut, zone)
}

// firstShowing is the first instant of a day at which the clocks of zone show
// clock or later: an hour that is repeated is taken the first time, one that is
// left out when it would have been.
func firstShowing(y int, m time.Month, day int, clock time.Duration, zone *time.Location) time.Time {
	wall := time.Date(y, m, day, 0, 0, 0, 0, time.UTC).Add(clock)
	hour, minute, second := wall.Clock()
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), hour, minute, second, wall.Nanosecond(), zone)
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	switch shown := t.Add(time.Duration(offset) * time.Second).UTC(); {
	case shown.After(wall): // left out; t is on the far side of the change
		return start
	case shown.Before(wall): // left out; t is on the near side
		return end
	case start.IsZero():
		return t
	}
	_, before := start.Add(-1).Zone()
	if earlier := t.Add(-time.Duration(before-offset) * time.Second); before > offset && earlier.Before(start) {
		return earlier
	}
	return t
}
