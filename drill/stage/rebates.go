package stage

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"paysaga/domain/access"
	"paysaga/domain/accrual"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/rebate"
	"paysaga/workflows"
)

// Promises is a funded campaign of a merchant's, and what it has promised.
type Promises struct {
	*Merchant
	Campaign string
	Day      time.Time // a day on which everything promised here has vested
	lines    int
}

// Promises makes a campaign and funds it.
func (m *Merchant) Promises(t testing.TB, budget int64) *Promises {
	t.Helper()
	s := m.Stage.Store
	p := &Promises{Merchant: m, Campaign: s.Mint(id.Campaign), Day: accrual.Day(time.Now().UTC())}
	key := func(operation string) access.Idempotency {
		return access.Idempotency{MerchantID: m.ID, Operation: operation, Key: p.Campaign, RequestHash: strings.Repeat("00", 32)}
	}
	p.commit(t, ledger.Step{Cause: id.Key(p.Campaign, id.Step{Code: id.Receive, Ordinal: 1}), Changes: []ledger.Change{rebate.Create{
		Idempotency: key("campaign"), Campaign: rebate.Campaign{ID: p.Campaign, MerchantID: m.ID, Name: "Autumn", Currency: "CNY",
			Terms: rebate.Terms{StartsAt: time.Now().Add(-time.Hour), EndsAt: time.Now().AddDate(1, 0, 0)}}}}})
	j, err := ledger.Post(ledger.Posting{Cause: id.Key(s.Mint(id.Request), id.Step{Code: id.Explain, Ordinal: 1}), Kind: "explained"},
		ledger.Dr(p.chart().Fees(), money.New(budget, "CNY")), ledger.Cr(p.chart().Available(m.ID), money.New(budget, "CNY")))
	must(t, err)
	p.commit(t, ledger.Step{Cause: j.Cause(), Journals: []ledger.Journal{j}})
	funding := s.Mint(id.Transfer)
	p.commit(t, ledger.Step{Cause: id.Key(funding, id.Step{Code: id.Move, Ordinal: 1}), Changes: []ledger.Change{rebate.Fund{ID: funding,
		CampaignID: p.Campaign, MerchantID: m.ID, Amount: money.New(budget, "CNY"), Idempotency: key("fund")}}})
	return p
}

// Rules activates a version of the campaign's rules.
func (p *Promises) Rules(t testing.TB, def rebate.Definition) {
	t.Helper()
	s := p.Stage.Store
	c, err := s.Campaign(context.Background(), id.Test, p.ID, p.Campaign)
	must(t, err)
	n := c.Latest + 1
	act := func(change ledger.Change) {
		p.commit(t, ledger.Step{Cause: id.Key(s.Mint(id.Request), id.Step{Code: id.Act, Ordinal: 1}), Changes: []ledger.Change{change}})
	}
	act(rebate.SaveVersion{MerchantID: p.ID, Version: rebate.Version{CampaignID: c.ID, Number: n, Note: "test", Definition: def}})
	act(rebate.Revise{CampaignID: c.ID, MerchantID: p.ID, Revision: rebate.Revision{Version: &n}})
}

func (p *Promises) chart() ledger.Chart { return ledger.Chart{Book: id.Test, Currency: "CNY"} }

func (p *Promises) commit(t testing.TB, step ledger.Step) {
	t.Helper()
	step.Book, step.By = id.Test, ledger.Service("test")
	_, err := p.Stage.Store.Commit(context.Background(), step)
	must(t, err)
}

// NewUser makes a user of the merchant.
func (p *Promises) NewUser(t testing.TB) string {
	t.Helper()
	user := p.Stage.Store.Mint(id.User)
	p.Stage.Exec(t, `INSERT INTO users (book, id, merchant_id, reference, created_at) VALUES ('test', $1, $2, $1, now())`, user, p.ID)
	return user
}

// Promise promises a user a rebate of an order, vested already.
func (p *Promises) Promise(t testing.TB, orderID, user string, minor int64) accrual.Accrual {
	t.Helper()
	p.lines++
	a := accrual.Accrual{Book: id.Test, MerchantID: p.ID, CampaignID: p.Campaign, Version: 1, Rule: "rule_" + strconv.Itoa(p.lines), OrderID: orderID, Line: 1,
		Beneficiary: user, Currency: "CNY", VestsOn: p.Day.AddDate(0, 0, -1), Accrued: minor}
	a.ID = accrual.IDOf(a, time.Now())
	promise := accrual.Promise{Rebates: []accrual.Accrual{a}}
	p.commit(t, ledger.Step{Cause: promise.Cause(), Business: orderID, Changes: []ledger.Change{promise}})
	p.Stage.Exec(t, `INSERT INTO rebate_orders (book, order_id, paid_at, rated_at) VALUES ('test', $1, now(), now()) ON CONFLICT DO NOTHING`, orderID)
	return a
}

// Rebate reads a rebate.
func (p *Promises) Rebate(t testing.TB, rebateID string) accrual.Accrual {
	t.Helper()
	a, err := p.Stage.Store.Rebate(context.Background(), id.Test, p.ID, rebateID)
	must(t, err)
	return a
}

// UntilRebate reads a rebate until it is as wanted.
func (p *Promises) UntilRebate(t testing.TB, rebateID, what string, wanted func(accrual.Accrual) bool) (a accrual.Accrual) {
	t.Helper()
	Eventually(t, rebateID+" is "+what, func() bool { a = p.Rebate(t, rebateID); return wanted(a) })
	return a
}

// Settle begins a settlement of what has vested; the relay starts its saga.
func (p *Promises) Settle(t testing.TB) accrual.Run { return p.begin(t) }

// SettlePaused begins one that is paused before its saga has it.
func (p *Promises) SettlePaused(t testing.TB) accrual.Run { return p.begin(t, accrual.Paused) }

func (p *Promises) begin(t testing.TB, to ...accrual.RunStatus) accrual.Run {
	t.Helper()
	due, err := p.Stage.Store.SettlementsDue(context.Background(), id.Test, p.Campaign, time.Now())
	must(t, err)
	if len(due) != 1 {
		t.Fatalf("%d settlements are due", len(due))
	}
	r := due[0]
	r.ID = p.Stage.Store.Mint(id.Settlement)
	step := ledger.Step{Cause: id.Key(r.ID, id.Step{Code: id.Receive, Ordinal: 1}), Business: r.ID, Changes: []ledger.Change{accrual.Begin{Run: r}}}
	for _, s := range to {
		step.Changes = append(step.Changes, accrual.Steer{RunID: r.ID, To: s})
	}
	p.commit(t, step)
	return p.Settlement(t, r.ID)
}

// Settlement reads a settlement.
func (p *Promises) Settlement(t testing.TB, runID string) accrual.Run {
	t.Helper()
	r, err := p.Stage.Store.Settlement(context.Background(), id.Test, p.ID, runID)
	must(t, err)
	return r
}

// UntilSettled waits until a settlement's saga has ended, and reads it.
func (p *Promises) UntilSettled(t testing.TB, r accrual.Run) accrual.Run {
	t.Helper()
	Eventually(t, r.ID+" has ended", func() bool { return p.Settlement(t, r.ID).Status.Terminal() })
	must(t, p.Stage.Client.GetWorkflow(context.Background(), workflows.SettlementID(r), "").Get(context.Background(), nil))
	return p.Settlement(t, r.ID)
}

// Wallet is what a user's wallet holds.
func (p *Promises) Wallet(t testing.TB, user string) int64 {
	t.Helper()
	return -p.Stage.Balance(t, p.chart().Wallet(user).Code)
}
