package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/activities"
	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/rebate"
)

// saveVersion keeps rules as the campaign's next version, and returns its number. It isn't activated.
func (p *promises) saveVersion(def rebate.Definition) int {
	p.t.Helper()
	c, err := p.s.Campaign(context.Background(), p.Book, p.MerchantID, p.campaign)
	require.NoError(p.t, err)
	require.NoError(p.t, p.act(rebate.SaveVersion{MerchantID: p.MerchantID, Version: rebate.Version{CampaignID: p.campaign, Number: c.Latest + 1, Note: "corrected",
		Definition: def}}))
	return c.Latest + 1
}

func (p *promises) act(change ledger.Change) error {
	_, err := p.s.Commit(context.Background(), p.step(p.s.Mint(id.Request), id.Act, 1, change))
	return err
}

func (p *promises) steps() *activities.Steps {
	return activities.New(activities.Config{Committer: p.s, Rebates: p.s, Reratings: p.s, Settlements: p.s})
}

// rerate runs a whole re-rating by a version.
func (p *promises) rerate(version int) accrual.Rerating {
	p.t.Helper()
	run := p.beginRerating(version)
	require.NoError(p.t, p.steps().Rerate(context.Background(), run))
	run, err := p.s.Rerating(context.Background(), p.Book, p.MerchantID, run.ID)
	require.NoError(p.t, err)
	require.Equal(p.t, accrual.Completed, run.Status)
	return run
}

func (p *promises) beginRerating(version int) accrual.Rerating {
	p.t.Helper()
	runID := p.s.Mint(id.Rerating)
	run, err := p.steps().BeginRerating(context.Background(), accrual.BeginRerating{Idempotency: p.key("rerate", runID, "{}"), Run: accrual.Rerating{Book: p.Book,
		ID: runID, MerchantID: p.MerchantID, CampaignID: p.campaign, Version: version}}, ledger.Service("test"))
	require.NoError(p.t, err)
	return run
}

// earned has an order paid and rated, and reads its rebates.
func (p *promises) earned(reference string) []accrual.Accrual {
	p.t.Helper()
	order := p.bought(reference)
	require.NoError(p.t, p.steps().Rebate(context.Background(), accrual.Due{Book: p.Book, OrderID: order}))
	return p.rebatesOf(order)
}

func (p *promises) rebatesOf(order string) []accrual.Accrual {
	f, err := p.s.OrderFile(context.Background(), p.Book, order)
	require.NoError(p.t, err)
	return f.Rebates
}

func percent(name string, bps int64, caps rebate.Caps) rebate.Definition {
	return rebate.Definition{Rules: []rebate.Rule{{Name: name, Strategy: rebate.Strategy{Type: rebate.Percentage, RateBps: bps}, Caps: caps}}}
}

// More, less, another rule, and back: each under the promise's own next step, and the budget to the cent. bought orders cost 100.00.
func TestACorrectedVersionMovesWhatIsOpen(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 10_000)
	p.version(percent("all", 100, rebate.Caps{}))
	a := p.earned("R-open")[0]
	total := a.Accrued
	require.Positive(t, total)
	budget := p.balance("campaign/" + p.campaign + "/budget")

	twice := p.saveVersion(percent("all", 200, rebate.Caps{}))
	preview, _, over, err := p.steps().PreviewRerating(t.Context(), accrual.Rerating{Book: p.Book, MerchantID: p.MerchantID, CampaignID: p.campaign, Currency: "CNY",
		Version: twice}, 100)
	require.NoError(t, err)
	require.True(t, over)
	require.Len(t, preview, 1)
	require.Equal(t, accrual.Differences{Orders: 1, Changed: 1, More: total}, preview[0].Differences())
	require.Equal(t, total, p.rebatesOf(a.OrderID)[0].Accrued, "a preview changes nothing")

	run := p.rerate(twice)
	require.Equal(t, accrual.Differences{Orders: 1, Changed: 1, More: total}, run.Done)
	a = p.rebatesOf(a.OrderID)[0]
	require.Equal(t, []any{2 * total, twice, 2}, []any{a.Accrued, a.Version, a.Ordinals.Rated})
	require.Equal(t, budget+total, p.balance("campaign/"+p.campaign+"/budget"))
	require.Equal(t, accrual.Differences{}, p.rerate(twice).Done, "rated again by the same version it stays")

	other := p.rerate(p.saveVersion(percent("other", 50, rebate.Caps{})))
	require.Equal(t, accrual.Differences{Orders: 1, Changed: 1, Made: 1, More: total / 2, Less: 2 * total}, other.Done)
	for _, r := range p.rebatesOf(a.OrderID) {
		require.Equal(t, map[string]int64{"all": 0, "other": total / 2}[r.Rule], r.Accrued)
	}
	p.rerate(twice)
	require.Equal(t, budget+total, p.balance("campaign/"+p.campaign+"/budget"))
	p.stand(a.Beneficiary, 2*total, 0, 0, 10_000-2*total, 0)
}

// What a cap has counted is given back and taken again by the difference, and a cap that the old version hadn't counts from now on.
func TestCorrectionsMoveTheCounters(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 10_000)
	p.version(percent("all", 100, rebate.Caps{UserPeriodMinor: 150}))
	first := p.earned("R-1")[0] // one buyer
	second := p.earned("R-2")[0]
	require.Equal(t, []int64{100, 50}, []int64{first.Accrued, second.Accrued})
	counter := func() (minor int64) {
		require.NoError(t, p.db.Owner.QueryRow(t.Context(), "SELECT minor FROM rebate_counters WHERE key LIKE $1", p.campaign+"/all/period/%").Scan(&minor))
		return minor
	}
	require.EqualValues(t, 150, counter())
	p.rerate(p.saveVersion(percent("all", 30, rebate.Caps{UserPeriodMinor: 150})))
	require.EqualValues(t, 60, counter())
	p.rerate(p.saveVersion(percent("all", 100, rebate.Caps{})))
	require.EqualValues(t, 0, counter(), "a version without the cap counts nothing of it")
	p.rerate(p.saveVersion(percent("all", 100, rebate.Caps{UserPeriodMinor: 120})))
	require.EqualValues(t, 120, counter())
	got := p.rebatesOf(first.OrderID)[0].Accrued + p.rebatesOf(second.OrderID)[0].Accrued
	require.EqualValues(t, 120, got)
}

// A budget that is spent gives no more, and what is paid out stays.
func TestCorrectionsKeepToTheBudgetAndToWhatIsOpen(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 230)
	p.version(percent("all", 100, rebate.Caps{}))
	paid, open := p.earned("R-paid")[0], p.earned("R-open")[0]
	p.settleOne(paid)
	run := p.rerate(p.saveVersion(percent("all", 1000, rebate.Caps{})))
	require.Equal(t, map[string]int64{accrual.LeftSettled: 1}, run.Left)
	require.EqualValues(t, 2, run.Looked)
	require.EqualValues(t, 100, p.rebate(paid.ID).Accrued)
	require.EqualValues(t, 130, p.rebate(open.ID).Accrued, "30 were left")
	require.Zero(t, p.balance("campaign/"+p.campaign+"/budget"))
}

// settleOne pays a rebate into its wallet.
func (p *promises) settleOne(a accrual.Accrual) {
	p.t.Helper()
	run := accrual.Run{Book: p.Book, CampaignID: p.campaign, MerchantID: p.MerchantID, Currency: "CNY", BusinessDate: accrual.Day(time.Now())}
	run, err := p.steps().Begin(context.Background(), accrual.Begin{Run: run}, ledger.Service("test"))
	require.NoError(p.t, err)
	pay := accrual.Pay{RunID: run.ID, MerchantID: p.MerchantID, CampaignID: p.campaign, User: a.Beneficiary, Chart: a.Chart(), Rebates: []accrual.Ref{a.Ref()}, Expected: a.Open()}
	p.commit(ledger.Step{Book: p.Book, Cause: pay.Cause(), Business: run.ID, By: ledger.Service("test"), Changes: []ledger.Change{pay}})
}

// A settlement between the reading and the Step of a correction is seen: nothing is changed under a rebate that was paid.
func TestASettlementAtTheSameMomentIsSeen(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 10_000)
	p.version(percent("all", 100, rebate.Caps{}))
	a := p.earned("R-1")[0]
	run := p.beginRerating(p.saveVersion(percent("all", 200, rebate.Caps{})))
	c, in, left, err := p.s.Correction(t.Context(), run, a.OrderID)
	require.NoError(t, err)
	require.True(t, in && left == "")
	p.settleOne(a)
	_, err = p.s.Commit(t.Context(), ledger.Step{Book: p.Book, Cause: c.Cause(), Business: a.OrderID, By: ledger.Service("test"), Changes: []ledger.Change{c}})
	require.True(t, fault.Is(err, fault.KindConflict, "stale_state"), "%v", err)
	require.EqualValues(t, 100, p.rebate(a.ID).Accrued)
}

// A worker that is gone after some orders is followed by another: no order is corrected twice, and none is forgotten.
func TestARerunGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 100_000)
	p.version(percent("all", 100, rebate.Caps{}))
	const n = 6
	for i := range n {
		p.earned(fmt.Sprint("R-", i, "-x"))
	}
	run := p.beginRerating(p.saveVersion(percent("all", 300, rebate.Caps{})))
	due, err := p.s.ReratingsDue(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, due, 1)
	broken, err := fails(p.s, 3), error(nil)
	steps := activities.New(activities.Config{Committer: broken, Rebates: p.s, Reratings: p.s})
	require.Error(t, steps.Rerate(t.Context(), due[0]), "the database is away after three orders")
	half, err := p.s.Rerating(t.Context(), p.Book, p.MerchantID, run.ID)
	require.NoError(t, err)
	require.Equal(t, accrual.Running, half.Status)
	require.EqualValues(t, 3, half.Done.Orders)
	list, err := p.s.ReratingsDue(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, list, "its lease is still good")
	require.NoError(t, p.steps().Rerate(t.Context(), due[0]))
	run, err = p.s.Rerating(t.Context(), p.Book, p.MerchantID, run.ID)
	require.NoError(t, err)
	require.Equal(t, accrual.Completed, run.Status)
	require.Equal(t, accrual.Differences{Orders: n, Changed: n, More: n * 200}, run.Done)
	_, err = p.steps().CancelRerating(t.Context(), p.Book, p.MerchantID, run.ID, ledger.Service("test"))
	require.True(t, fault.Is(err, fault.KindConflict, "rerating_ended"), "%v", err)
	_, err = p.s.Rerating(t.Context(), p.Book, p.s.Mint(id.Merchant), run.ID)
	require.Equal(t, fault.KindNotFound, fault.Of(err), "another merchant's (I-25)")
}

// failing is a committer that is away after some Steps.
type failing struct {
	activities.Committer
	left chan struct{}
}

func fails(c activities.Committer, after int) failing {
	f := failing{c, make(chan struct{}, after)}
	for range after {
		f.left <- struct{}{}
	}
	return f
}

func (f failing) Commit(ctx context.Context, step ledger.Step) (ledger.Receipt, error) {
	select {
	case <-f.left:
		return f.Committer.Commit(ctx, step)
	default:
		return ledger.Receipt{}, fault.Unavailable("store_unavailable", "away", nil)
	}
}

// What a buyer had spent when an order was rated first is where a later rating begins.
func TestStepsOfABuyersTotalAreCountedOnce(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 100_000)
	stepped := func(bps int64) rebate.Definition {
		return rebate.Definition{Rules: []rebate.Rule{{Name: "steps", Strategy: rebate.Strategy{Type: rebate.Stepped,
			Tiers: []rebate.Tier{{FromMinor: 0, RateBps: 100}, {FromMinor: 15_000, RateBps: bps}}}}}}
	}
	p.version(stepped(200))
	first, second := p.earned("R-1")[0], p.earned("R-2")[0]
	require.Equal(t, []int64{100, 150}, []int64{first.Accrued, second.Accrued})
	for _, bps := range []int64{1000, 200, 200} {
		p.rerate(p.saveVersion(stepped(bps)))
	}
	require.Equal(t, []int64{100, 150}, []int64{p.rebate(first.ID).Accrued, p.rebate(second.ID).Accrued})
	p.rerate(p.saveVersion(stepped(1000)))
	require.Equal(t, []int64{100, 550}, []int64{p.rebate(first.ID).Accrued, p.rebate(second.ID).Accrued})
	var spent int64
	require.NoError(t, p.db.Owner.QueryRow(t.Context(), "SELECT minor FROM rebate_counters WHERE key LIKE $1", p.campaign+"/spent/%").Scan(&spent))
	require.EqualValues(t, 20_000, spent)

	_, err := p.db.Owner.Exec(t.Context(), "UPDATE rebate_orders SET past = NULL")
	require.NoError(t, err)
	require.Equal(t, map[string]int64{accrual.LeftHistory: 2}, p.rerate(p.saveVersion(stepped(300))).Left)
}
