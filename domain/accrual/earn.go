package accrual

import (
	"strconv"
	"time"

	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/rebate"
)

// Earn accrues what a paid order earns, once. It is rated under the locks of
// its counters and budgets by the versions that were active when it was paid,
// so caps and budgets hold under any concurrency (I-06, I-22). Likely is what it
// came to when it was read: a rating that gives anything else to anybody is
// fault.Conflict "stale_state", and the order is read again.
type Earn struct {
	Order    rebate.Order
	Versions []*rebate.Rules
	Likely   []Accrual
}

// Content implements ledger.Change.
func (e Earn) Content() any { return []any{"earn_rebates", e.Order.ID} }

// Cause is the cause of the Step: an order earns once.
func (e Earn) Cause() string { return id.Key(e.Order.ID, id.Step{Code: id.Accrue, Ordinal: 1}) }

// Counters are the counters that rating the order asks for.
func (e Earn) Counters() []string { return rebate.Counters(e.Versions, e.Order) }

// Rate is what the order earns, and what that takes of its counters.
func (e Earn) Rate(used rebate.Used) ([]Accrual, map[string]int64, error) {
	r, err := rebate.Rate(e.Versions, e.Order, used)
	if err != nil {
		return nil, nil, err
	}
	list := make([]Accrual, len(r.Earnings))
	for i, g := range r.Earnings {
		list[i] = e.of(g)
	}
	return list, r.Takes, nil
}

func (e Earn) of(g rebate.Earning) Accrual {
	o := e.Order
	a := Accrual{Book: o.Book, MerchantID: o.MerchantID, CampaignID: g.CampaignID, Version: g.Version, Rule: g.Rule, OrderID: o.ID, Line: g.Line,
		Beneficiary: g.Beneficiary, Level: g.Level, Currency: o.Currency, VestsOn: g.VestsOn, Accrued: g.Minor,
		Why: g.Rule + " on " + money.New(g.Base, o.Currency).Text() + " by version " + strconv.Itoa(g.Version)}
	if g.FromReceipt {
		a.ReceiptDays, a.FromReceipt = g.Days, true
	}
	a.ID = IDOf(a, o.PaidAt)
	return a
}

// Receipt says that an order's goods were received on a day: what vests after
// receipt vests then, unless it does sooner.
type Receipt struct {
	Rebate Accrual // as it was read
	Day    time.Time
}

// Content implements ledger.Change.
func (r Receipt) Content() any {
	return []any{"receive_goods", r.Rebate.Ref(), r.Day.Format(DateFormat)}
}

// Cause is the cause of the Step: goods are received once.
func (r Receipt) Cause() string { return r.Rebate.Cause(id.Arrive, 1) }

// Received is the accrual once its goods were received on a day. It says false
// if that changes nothing.
func (a Accrual) Received(day, at time.Time) (Accrual, bool) {
	vests := Day(day).AddDate(0, 0, a.ReceiptDays)
	if !a.FromReceipt || a.Status != Pending || !vests.Before(a.VestsOn) {
		return a, false
	}
	a.VestsOn = vests
	return a.moved(at), true
}
