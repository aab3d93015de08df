package store_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/activities"
	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/rebate"
	"paysaga/domain/trade"
)

// promises is a campaign of a shop, and what it promises.
type promises struct {
	*shop
	campaign, order string
}

// newPromises funds a campaign, and has an order paid that rebates are of.
func newPromises(t testing.TB, budget int64) *promises {
	p := &promises{shop: newShop(t)}
	p.campaign = p.newCampaign().ID
	p.credit(budget)
	require.NoError(t, p.fund(p.campaign, budget))
	p.order = p.dossier(p.pay("R-1", cny(10_000))).Payment.OrderID
	return p
}

func (p *promises) chart() ledger.Chart { return ledger.Chart{Book: p.Book, Currency: "CNY"} }

func (p *promises) user() string {
	user := p.s.Mint(id.User)
	_, err := p.db.Owner.Exec(p.t.Context(), `INSERT INTO users (book, id, merchant_id, reference, created_at) VALUES ($1, $2, $3, $2, now())`,
		p.Book, user, p.MerchantID)
	require.NoError(p.t, err)
	return user
}

func (p *promises) status(user, status string) {
	_, err := p.db.Owner.Exec(p.t.Context(), `UPDATE users SET status = $3 WHERE book = $1 AND id = $2`, p.Book, user, status)
	require.NoError(p.t, err)
}

var vested = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

func (p *promises) accrue(user string, line int, minor int64) (accrual.Accrual, error) {
	a := accrual.Accrual{Book: p.Book, MerchantID: p.MerchantID, CampaignID: p.campaign, Version: 1, Rule: "r" + strconv.Itoa(line), OrderID: p.order,
		Line: line, Beneficiary: user, Currency: "CNY", VestsOn: vested, Accrued: minor}
	a.ID = accrual.IDOf(a, time.Now())
	promise := accrual.Promise{Rebates: []accrual.Accrual{a}}
	_, err := p.s.Commit(p.t.Context(), ledger.Step{Book: p.Book, Cause: promise.Cause(), Business: p.order, By: ledger.Service("test"),
		Changes: []ledger.Change{promise}})
	return a, err
}

func (p *promises) promised(user string, line int, minor int64) accrual.Accrual {
	p.t.Helper()
	a, err := p.accrue(user, line, minor)
	require.NoError(p.t, err)
	return p.rebate(a.ID)
}

func (p *promises) rebate(rebateID string) accrual.Accrual {
	p.t.Helper()
	a, err := p.s.Rebate(p.t.Context(), p.Book, p.MerchantID, rebateID)
	require.NoError(p.t, err)
	return a
}

// payOut commits a settlement's Step of the campaign's first vested user.
func (p *promises) payOut(run string) (accrual.Pay, error) {
	p.t.Helper()
	page, err := p.s.VestedPage(p.t.Context(), accrual.PageOf{Book: p.Book, CampaignID: p.campaign, Date: vested, Limit: 100})
	require.NoError(p.t, err)
	require.NotEmpty(p.t, page.Rebates)
	user := page.Rebates[0].Beneficiary
	pay := accrual.Pay{RunID: run, MerchantID: p.MerchantID, CampaignID: p.campaign, User: user, Chart: p.chart(), Debts: page.Debts[user]}
	for _, a := range page.Rebates {
		if a.Beneficiary == user {
			pay.Rebates = append(pay.Rebates, a.Ref())
		}
	}
	_, err = p.s.Commit(p.t.Context(), ledger.Step{Book: p.Book, Cause: pay.Cause(), Business: run, By: ledger.Service("test"),
		Changes: []ledger.Change{pay}})
	return pay, err
}

func (p *promises) adjust(a accrual.Accrual, refunded int64) error {
	p.t.Helper()
	share := accrual.Share{Refunded: refunded, Total: 10_000}
	step, err := a.Step(share)
	require.NoError(p.t, err)
	require.NotEmpty(p.t, step.Code)
	_, err = p.s.Commit(p.t.Context(), ledger.Step{Book: p.Book, Cause: a.Cause(step.Code, step.Ordinal), Business: p.order,
		By: ledger.Service("test"), Changes: []ledger.Change{accrual.Adjust{Share: share, Rebate: a}}})
	return err
}

func (p *promises) balances(user string) (pending, wallet, debt, budget, recoverable int64) {
	p.t.Helper()
	c := p.chart()
	read := func(a ledger.Account) (minor int64) {
		require.NoError(p.t, p.db.Owner.QueryRow(p.t.Context(), `SELECT coalesce(sum(CASE normal WHEN 'debit' THEN balance ELSE -balance END), 0)
			FROM accounts WHERE book = $1 AND code = $2 AND currency = $3`, p.Book, a.Code, a.Currency).Scan(&minor))
		return minor
	}
	return read(c.RebatePending(user)), read(c.Wallet(user)), read(c.RebateDebt(user)), read(c.Budget(p.campaign)), read(c.Recoverable(p.campaign))
}

func (p *promises) stand(user string, pending, wallet, debt, budget, recoverable int64) {
	p.t.Helper()
	a, b, c, d, e := p.balances(user)
	require.Equal(p.t, [5]int64{pending, wallet, debt, budget, recoverable}, [5]int64{a, b, c, d, e},
		"pending, wallet, debt, budget, recoverable")
}

func TestARebateIsPromisedWithinTheBudgetAndPaidOnce(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 1000)
	u := p.user()
	p.promised(u, 1, 600)
	p.promised(u, 2, 300)
	_, err := p.accrue(u, 3, 101)
	require.True(t, fault.Is(err, fault.KindConflict, "budget_short"), "%v", err)
	p.stand(u, 900, 0, 0, 100, 0)

	first, err := p.payOut("stl_1")
	require.NoError(t, err)
	p.stand(u, 0, 900, 0, 100, 0)
	r, err := p.s.Commit(t.Context(), ledger.Step{Book: p.Book, Cause: first.Cause(), Business: "stl_1", By: ledger.Service("test"),
		Changes: []ledger.Change{first}})
	require.NoError(t, err)
	require.True(t, r.Replayed)
	other := first
	other.RunID = "stl_2"
	other.Rebates = first.Rebates[1:]
	_, err = p.s.Commit(t.Context(), ledger.Step{Book: p.Book, Cause: other.Cause(), Business: "stl_2", By: ledger.Service("test"),
		Changes: []ledger.Change{other}})
	require.Equal(t, fault.KindConflict, fault.Of(err), "%v", err)
	p.stand(u, 0, 900, 0, 100, 0)
}

func TestAWalletThatRefusesGivesItsRebatesBackToTheBudget(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"frozen", "closed"} {
		p := newPromises(t, 1000)
		u := p.user()
		a := p.promised(u, 1, 600)
		p.status(u, status)
		_, err := p.payOut("stl_1")
		require.NoError(t, err)
		p.stand(u, 0, 0, 0, 1000, 0)
		require.Equal(t, accrual.Released, p.rebate(a.ID).Status)
		k, err := p.s.Case(t.Context(), p.Book, p.MerchantID, "case/"+a.ID+"/rebate_refused/rs1")
		require.NoError(t, err)
		require.Equal(t, money.New(600, "CNY"), k.Amount)
	}
}

func TestWhatComesBackTakesItsRebateBack(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 1000)
	u := p.user()
	a := p.promised(u, 1, 101)
	require.NoError(t, p.adjust(a, 5000))
	p.stand(u, 51, 0, 0, 949, 0) // half of 101, a cent in doubt stays the user's
	a = p.rebate(a.ID)
	require.Equal(t, int64(50), a.ClawedBack())
	require.NoError(t, p.adjust(a, 10_000))
	p.stand(u, 0, 0, 0, 1000, 0)
	require.NoError(t, p.adjust(p.rebate(a.ID), 0), "the refund failed after all")
	p.stand(u, 101, 0, 0, 899, 0)

	_, err := p.payOut("stl_1")
	require.NoError(t, err)
	require.NoError(t, p.adjust(p.rebate(a.ID), 2500))
	p.stand(u, 0, 76, 0, 924, 0)
	require.True(t, fault.Is(p.adjust(a, 9000), fault.KindConflict, "cause_conflict"), "by what was read long ago")
}

// The ordinals of claw-backs don't end where those of channels' references do.
func TestARebateIsTakenBackAHundredTimes(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 1000)
	a := p.promised(p.user(), 1, 100)
	_, err := p.db.Owner.Exec(t.Context(), `UPDATE rebates SET clawed = 98, restored = 98 WHERE id = $1`, a.ID)
	require.NoError(t, err)
	for n, refunded := range []int64{1000, 0, 2000, 0, 3000, 0} {
		require.NoError(t, p.adjust(p.rebate(a.ID), refunded))
		require.Equal(t, refunded/100, p.rebate(a.ID).ClawedBack(), n)
	}
	for _, cause := range []string{":rb99", ":rb100", ":rb101", ":rr99", ":rr100", ":rr101"} {
		var journals int
		require.NoError(t, p.db.Owner.QueryRow(t.Context(), `SELECT count(*) FROM journals WHERE cause = $1`, a.ID+cause).Scan(&journals))
		require.Equal(t, 1, journals, cause)
	}
}

func TestWhatTheWalletDoesNotHoldIsOwedAndRecovered(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 1000)
	u, friend := p.user(), p.user()
	a := p.promised(u, 1, 400)
	_, err := p.payOut("stl_1")
	require.NoError(t, err)
	j, err := ledger.Post(ledger.Posting{Cause: id.Key(p.s.Mint(id.Transfer), id.Step{Code: id.Act, Ordinal: 1}), Kind: "spent"},
		ledger.Dr(p.chart().Wallet(u), cny(300)), ledger.Cr(p.chart().Wallet(friend), cny(300)))
	require.NoError(t, err)
	p.commit(ledger.Step{Book: p.Book, Cause: j.Cause(), By: ledger.Service("test"), Journals: []ledger.Journal{j}})
	require.NoError(t, p.adjust(p.rebate(a.ID), 10_000))
	p.stand(u, 0, 0, 300, 700, 300)

	p.promised(u, 2, 200)
	_, err = p.payOut("stl_2")
	require.NoError(t, err)
	p.stand(u, 0, 0, 100, 700, 100) // all of it went to the debt, and the budget has that again
	p.promised(u, 3, 250)
	_, err = p.payOut("stl_3")
	require.NoError(t, err)
	p.stand(u, 0, 150, 0, 550, 0)
	require.NoError(t, p.adjust(p.rebate(a.ID), 0))
	p.stand(u, 0, 550, 0, 150, 0)
}

func TestARestorationWaitsForTheBudget(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 500)
	u := p.user()
	a := p.promised(u, 1, 400)
	require.NoError(t, p.adjust(a, 10_000))
	other := p.promised(u, 2, 450)
	require.NoError(t, p.adjust(p.rebate(a.ID), 0))
	p.stand(u, 500, 0, 0, 0, 0) // 50 of 400 were there
	require.True(t, fault.Is(p.adjust(p.rebate(a.ID), 0), fault.KindConflict, "rebate_waits"))
	require.NoError(t, p.adjust(p.rebate(other.ID), 10_000))
	require.NoError(t, p.adjust(p.rebate(a.ID), 0), "the same step goes on once the budget holds it")
	p.stand(u, 400, 0, 0, 100, 0)
}

func TestOneSettlementOfACampaignAtATime(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 1000)
	p.promised(p.user(), 1, 100)
	begin := func() (ledger.Receipt, error) {
		due, err := p.s.SettlementsDue(t.Context(), p.Book, p.campaign, vested.Add(time.Hour))
		require.NoError(t, err)
		run := accrual.Run{CampaignID: p.campaign, MerchantID: p.MerchantID, Currency: "CNY", BusinessDate: vested, ID: p.s.Mint(id.Settlement)}
		if len(due) > 0 {
			require.Equal(t, accrual.Tally{Rebates: 1, Paid: 100}, due[0].Total)
		}
		return p.s.Commit(t.Context(), p.step(run.ID, id.Receive, 1, accrual.Begin{Run: run}))
	}
	errs := make([]error, 8)
	together(len(errs), func(i int) { _, errs[i] = begin() })
	began := 0
	for _, err := range errs {
		if err == nil {
			began++
		} else {
			require.True(t, fault.Is(err, fault.KindConflict, "settlement_open"), "%v", err)
		}
	}
	require.Equal(t, 1, began)
	list, _, err := p.s.Settlements(t.Context(), accrual.RunFilter{Book: p.Book, MerchantID: p.MerchantID, Limit: 10})
	require.NoError(t, err)
	require.Len(t, list, 1)
	steer := func(to accrual.RunStatus, n int) error {
		_, err := p.s.Commit(t.Context(), p.step(list[0].ID, id.Act, n, accrual.Steer{RunID: list[0].ID, To: to}))
		return err
	}
	require.NoError(t, steer(accrual.Paused, 1))
	require.NoError(t, steer(accrual.Canceled, 2))
	require.True(t, fault.Is(steer(accrual.Running, 3), fault.KindConflict, "settlement_ended"))
	_, err = begin()
	require.NoError(t, err)
	list, _, err = p.s.Settlements(t.Context(), accrual.RunFilter{Book: p.Book, Limit: 10})
	require.NoError(t, err)
	require.Equal(t, []int{2, 1}, []int{list[0].N, list[1].N})
}

// version activates a version of the campaign's rules.
func (p *promises) version(def rebate.Definition) {
	p.t.Helper()
	c := p.shop.campaign(p.campaign)
	_, err := p.s.Commit(p.t.Context(), p.step(p.s.Mint(id.Request), id.Act, 1, rebate.SaveVersion{MerchantID: p.MerchantID,
		Version: rebate.Version{CampaignID: c.ID, Number: c.Latest + 1, Note: "n", Definition: def}}))
	require.NoError(p.t, err)
	require.NoError(p.t, p.revise(c.ID, rebate.Revision{Version: to(c.Latest + 1)}))
}

// bought receives and pays an order of 100.00, and returns its id.
func (p *promises) bought(reference string) string {
	p.t.Helper()
	return p.dossier(p.paid(reference, cny(10_000))).Payment.OrderID
}

func (p *promises) earn(order string) (ledger.Receipt, error) {
	e, err := p.s.Earning(p.t.Context(), p.Book, order)
	require.NoError(p.t, err)
	return p.s.Commit(p.t.Context(), ledger.Step{Book: p.Book, Cause: e.Cause(), Business: order, By: ledger.Service("test"),
		Changes: []ledger.Change{e}})
}

func TestAPaidOrderEarnsOnceWithinItsCaps(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 1000)
	p.version(rebate.Definition{Caps: rebate.Caps{UserDayMinor: 250}, Vest: &rebate.Vest{Days: 7},
		Rules: []rebate.Rule{{Name: "all", Strategy: rebate.Strategy{Type: rebate.Percentage, RateBps: 100}}}})
	orders := make([]string, 4)
	for i := range orders {
		orders[i] = p.bought("E-" + strconv.Itoa(i))
	}
	due, err := p.s.RebateOrdersDue(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, due, "a moment passes first")
	errs := make([]error, 12)
	together(len(errs), func(i int) {
		for fault.Is(errs[i], fault.KindConflict, "stale_state") || errs[i] == nil {
			var r ledger.Receipt
			if r, errs[i] = p.earn(orders[i%len(orders)]); errs[i] == nil && r.Replayed {
				return
			}
		}
	})
	for _, err := range errs {
		require.NoError(t, err)
	}
	var list []accrual.Accrual
	for _, o := range orders {
		f, err := p.s.OrderFile(t.Context(), p.Book, o)
		require.NoError(t, err)
		require.True(t, f.Rated)
		list = append(list, f.Rebates...)
	}
	require.Len(t, list, 3, "100 + 100 + 50 of what a user may have a day")
	sum := int64(0)
	for _, a := range list {
		sum += a.Accrued
		require.Equal(t, accrual.Day(time.Now().UTC()).AddDate(0, 0, 7), a.VestsOn.UTC())
	}
	require.Equal(t, int64(250), sum)
	p.stand(list[0].Beneficiary, 250, 0, 0, 750, 0)
}

func TestAnOrderNeverEarnsMoreThanTheBudgetHolds(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 150)
	p.version(rebate.Definition{Rules: []rebate.Rule{{Name: "all", Strategy: rebate.Strategy{Type: rebate.Percentage, RateBps: 100}}}})
	var user string
	for i := range 3 {
		order := p.bought("B-" + strconv.Itoa(i))
		_, err := p.earn(order)
		require.NoError(t, err)
		f, err := p.s.OrderFile(t.Context(), p.Book, order)
		require.NoError(t, err)
		for _, a := range f.Rebates {
			user = a.Beneficiary
		}
	}
	p.stand(user, 150, 0, 0, 0, 0)
}

func TestAConfirmedReceiptVestsSooner(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 1000)
	p.version(rebate.Definition{Vest: &rebate.Vest{After: rebate.FromReceipt, Days: 3, AtLatestDays: 30},
		Rules: []rebate.Rule{{Name: "all", Strategy: rebate.Strategy{Type: rebate.Percentage, RateBps: 100}}}})
	order := p.bought("V-1")
	_, err := p.earn(order)
	require.NoError(t, err)
	f, err := p.s.OrderFile(t.Context(), p.Book, order)
	require.NoError(t, err)
	a := f.Rebates[0]
	day := accrual.Day(time.Now().UTC())
	require.Equal(t, day.AddDate(0, 0, 30), a.VestsOn.UTC())
	receive := accrual.Receipt{Rebate: a, Day: day}
	_, err = p.s.Commit(t.Context(), p.step(a.ID, id.Act, 1, receive))
	require.NoError(t, err)
	require.Equal(t, day.AddDate(0, 0, 3), p.rebate(a.ID).VestsOn.UTC())
	receive.Rebate = p.rebate(a.ID)
	_, err = p.s.Commit(t.Context(), p.step(a.ID, id.Act, 2, receive))
	require.True(t, fault.Is(err, fault.KindConflict, "stale_state"), "%v", err)
}

// A receipt is confirmed once, and counts for what is promised before and after it.
func TestReceiptOfAnOrder(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 1000)
	p.version(rebate.Definition{Vest: &rebate.Vest{After: rebate.FromReceipt, Days: 3, AtLatestDays: 30},
		Rules: []rebate.Rule{{Name: "all", Strategy: rebate.Strategy{Type: rebate.Percentage, RateBps: 100}}}})
	steps := activities.New(activities.Config{Committer: p.s, Rebates: p.s})
	relay := func(order string) accrual.Accrual {
		require.NoError(t, steps.Rebate(t.Context(), accrual.Due{Book: p.Book, OrderID: order}))
		f, err := p.s.OrderFile(t.Context(), p.Book, order)
		require.NoError(t, err)
		require.Len(t, f.Rebates, 1)
		return f.Rebates[0]
	}
	day := accrual.Day(time.Now().UTC())
	for name, first := range map[string]bool{"promised-before": true, "promised-after": false} {
		order := p.bought(name)
		if first {
			require.Equal(t, day.AddDate(0, 0, 30), relay(order).VestsOn.UTC(), name)
		}
		c := trade.Arrival{OrderID: order, MerchantID: p.MerchantID}
		step := p.step(order, id.Arrive, 1, c)
		_, err := p.s.Commit(t.Context(), step)
		require.NoError(t, err)
		c.At = time.Now().Add(-time.Hour)
		step.Changes[0] = c
		r, err := p.s.Commit(t.Context(), step)
		require.NoError(t, err, "said again, with another time")
		require.True(t, r.Replayed)
		for range 2 {
			require.Equal(t, day.AddDate(0, 0, 3), relay(order).VestsOn.UTC(), name)
		}
		var events int
		require.NoError(t, p.db.Owner.QueryRow(t.Context(), "SELECT count(*) FROM events WHERE object_id = $1 AND type = 'order.received'", order).Scan(&events))
		require.Equal(t, 1, events)
	}
	late := trade.Arrival{OrderID: p.bought("of-another"), MerchantID: p.s.Mint(id.Merchant)}
	_, err := p.s.Commit(t.Context(), p.step(late.OrderID, id.Arrive, 1, late))
	require.Equal(t, fault.KindNotFound, fault.Of(err), "another merchant's (I-25)")
	late.MerchantID, late.At = "", time.Now().Add(time.Hour)
	_, err = p.s.Commit(t.Context(), p.step(late.OrderID, id.Arrive, 1, late))
	require.True(t, fault.Is(err, fault.KindInvalid, "time_invalid"), "%v", err)
}
