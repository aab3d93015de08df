package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/rebate"
)

// newCampaign makes a draft that lasts from an hour ago for a year.
func (h *shop) newCampaign() rebate.Campaign {
	h.t.Helper()
	c := rebate.Campaign{ID: h.s.Mint(id.Campaign), MerchantID: h.MerchantID, Name: "Spring", Currency: "CNY",
		Terms: rebate.Terms{StartsAt: time.Now().Add(-time.Hour), EndsAt: time.Now().AddDate(1, 0, 0)}}
	h.commit(h.step(c.ID, id.Receive, 1, rebate.Create{Campaign: c,
		Idempotency: access.Idempotency{MerchantID: h.MerchantID, Operation: "POST /v1/campaigns", Key: c.ID, RequestHash: hashOf(c.ID)}}))
	return h.campaign(c.ID)
}

func (h *shop) campaign(campaignID string) rebate.Campaign {
	h.t.Helper()
	c, err := h.s.Campaign(context.Background(), h.Book, h.MerchantID, campaignID)
	require.NoError(h.t, err)
	return c
}

func (h *shop) saveVersion(campaignID string, number int, bps int64) error {
	_, err := h.s.Commit(context.Background(), h.step(h.s.Mint(id.Request), id.Act, 1, rebate.SaveVersion{MerchantID: h.MerchantID,
		Version: rebate.Version{CampaignID: campaignID, Number: number, Note: "n", Definition: rebate.Definition{
			Rules: []rebate.Rule{{Name: "all", Strategy: rebate.Strategy{Type: rebate.Percentage, RateBps: bps}}}}}}))
	return err
}

func (h *shop) revise(campaignID string, r rebate.Revision) error {
	_, err := h.s.Commit(context.Background(), h.step(h.s.Mint(id.Request), id.Act, 1, rebate.Revise{CampaignID: campaignID, MerchantID: h.MerchantID, Revision: r}))
	return err
}

// credit puts money into the merchant's available balance, as a case would.
func (h *shop) credit(minor int64) {
	h.t.Helper()
	chart := ledger.Chart{Book: h.Book, Currency: "CNY"}
	cause := h.s.Mint(id.Request)
	j, err := ledger.Post(ledger.Posting{Cause: id.Key(cause, id.Step{Code: id.Explain, Ordinal: 1}), Kind: "explained", Late: ledger.ToNextOpen},
		ledger.Dr(chart.Fees(), cny(minor)), ledger.Cr(chart.Available(h.MerchantID), cny(minor)))
	require.NoError(h.t, err)
	step := h.step(cause, id.Explain, 1)
	step.Journals = []ledger.Journal{j}
	h.commit(step)
}

func (h *shop) fund(campaignID string, minor int64) error {
	trf := h.s.Mint(id.Transfer)
	_, err := h.s.Commit(context.Background(), h.step(trf, id.Move, 1, rebate.Fund{ID: trf, CampaignID: campaignID, MerchantID: h.MerchantID, Amount: cny(minor),
		Idempotency: access.Idempotency{MerchantID: h.MerchantID, Operation: "POST fund", Key: trf, RequestHash: hashOf(trf)}}))
	return err
}

func to[T any](v T) *T { return &v }

func TestOrdersGoByTheTermsOfTheirPayment(t *testing.T) {
	t.Parallel()
	h, ctx := newShop(t), context.Background()
	c := h.newCampaign()
	require.Equal(t, rebate.Draft, c.Status)
	rules := func(at time.Time) (versions []int) {
		list, err := h.s.RebateRules(ctx, h.Book, h.MerchantID, "CNY", at)
		require.NoError(t, err)
		for _, r := range list {
			versions = append(versions, r.Version)
		}
		return versions
	}
	moment := func() time.Time {
		var at time.Time
		require.NoError(t, h.db.Owner.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&at))
		return at
	}
	draft := moment()
	require.NoError(t, h.saveVersion(c.ID, 1, 100))
	require.NoError(t, h.saveVersion(c.ID, 2, 200))
	require.True(t, fault.Is(h.saveVersion(c.ID, 2, 300), fault.KindConflict, "stale_state"))
	require.True(t, fault.Is(h.revise(c.ID, rebate.Revision{Status: to(rebate.Paused)}), fault.KindConflict, "campaign_draft"))
	require.NoError(t, h.revise(c.ID, rebate.Revision{Version: to(1)}))
	first := moment()
	require.Equal(t, []int{1}, rules(first))
	require.NoError(t, h.revise(c.ID, rebate.Revision{Version: to(2)}))
	second := moment()
	require.NoError(t, h.revise(c.ID, rebate.Revision{Status: to(rebate.Paused)}))
	paused := moment()
	require.NoError(t, h.revise(c.ID, rebate.Revision{Status: to(rebate.Active), Priority: to(3)}))
	resumed := moment()
	require.True(t, fault.Is(h.revise(c.ID, rebate.Revision{Version: to(3)}), fault.KindNotFound, "not_found"))
	require.NoError(t, h.revise(c.ID, rebate.Revision{Status: to(rebate.Ended)}))
	ended := moment()
	for range 2 { // read, and remembered
		require.Empty(t, rules(draft))
		require.Equal(t, []int{1}, rules(first))
		require.Equal(t, []int{2}, rules(second))
		require.Empty(t, rules(paused))
		require.Equal(t, []int{2}, rules(resumed))
		require.Empty(t, rules(ended))
		require.Empty(t, rules(ended.AddDate(2, 0, 0)))
	}
	require.True(t, fault.Is(h.revise(c.ID, rebate.Revision{Name: to("again")}), fault.KindConflict, "campaign_ended"))
	page, more, err := h.s.CampaignVersions(ctx, h.Book, c.ID, 0, 1)
	require.NoError(t, err)
	require.True(t, more)
	require.Equal(t, 2, page[0].Number)
	_, err = h.s.Campaign(ctx, h.Book, h.s.Mint(id.Merchant), c.ID)
	require.True(t, fault.Is(err, fault.KindNotFound, "not_found")) // I-25
	_, err = h.db.Owner.Exec(ctx, `UPDATE campaign_versions SET note = 'changed'`)
	require.ErrorContains(t, err, "insert-only")
}

// A budget is the merchant's own money, and only what isn't promised comes out again (I-06).
func TestBudgetsAreFundedByWhatIsThere(t *testing.T) {
	t.Parallel()
	h, ctx := newShop(t), context.Background()
	c := h.newCampaign()
	require.True(t, fault.Is(h.fund(c.ID, 1), fault.KindConflict, "balance_insufficient"))
	h.credit(1000)
	done := make(chan error, 12) // at once: ten of 100 fit
	for range cap(done) {
		go func() { done <- h.fund(c.ID, 100) }()
	}
	refused := 0
	for range cap(done) {
		if err := <-done; err != nil {
			require.True(t, fault.Is(err, fault.KindConflict, "balance_insufficient"), "%v", err)
			refused++
		}
	}
	require.Equal(t, 2, refused)
	require.True(t, fault.Is(h.fund(c.ID, -1001), fault.KindConflict, "balance_insufficient"))
	require.NoError(t, h.fund(c.ID, -300))
	spend, err := h.s.CampaignSpend(ctx, h.Book, c.ID)
	require.NoError(t, err)
	require.Equal(t, rebate.Spend{Funded: cny(700), Left: cny(700), Recoverable: cny(0)}, spend)
	list, more, err := h.s.Fundings(ctx, h.Book, c.ID, "", "", 5)
	require.NoError(t, err)
	require.True(t, more)
	require.Len(t, list, 5)
	other := rebate.Fund{ID: h.s.Mint(id.Transfer), CampaignID: c.ID, MerchantID: h.MerchantID, Amount: money.New(5, "EUR")}
	_, err = h.s.Commit(ctx, h.step(other.ID, id.Move, 1, other))
	require.True(t, fault.Is(err, fault.KindInvalid, "currency_mismatch"), "%v", err)
	require.NoError(t, h.revise(c.ID, rebate.Revision{Status: to(rebate.Ended)}))
	require.True(t, fault.Is(h.fund(c.ID, 1), fault.KindConflict, "campaign_ended"))
	require.NoError(t, h.fund(c.ID, -700))
}

// What a simulation is told of an order and its buyer: what was paid, and what was there before.
func TestRulesAreToldOfAnOrderAndItsBuyer(t *testing.T) {
	t.Parallel()
	h, ctx := newShop(t), context.Background()
	first := h.paid("first", cny(500))
	d := h.dossier(h.paid("second", cny(700)))
	o, err := h.s.RebateOrder(ctx, h.Book, h.MerchantID, d.Payment.OrderID, time.Time{})
	require.NoError(t, err)
	require.Equal(t, []rebate.Line{{Number: 1, Quantity: 1, Base: 700}}, o.Lines)
	require.Equal(t, "42", o.Metadata["basket"])
	require.Equal(t, d.Payment.CustomerID, o.Buyer.UserID)
	require.EqualValues(t, 1, o.Buyer.OrdersPaid)
	require.EqualValues(t, 500, o.Buyer.SpentMinor)
	disputed := func(minor int) {
		_, err := h.db.Owner.Exec(ctx, `UPDATE payments SET disputed = $1 WHERE id = $2`, minor, first)
		require.NoError(t, err)
	}
	disputed(200)
	o, err = h.s.RebateOrder(ctx, h.Book, h.MerchantID, d.Payment.OrderID, time.Time{})
	require.NoError(t, err)
	require.EqualValues(t, 300, o.Buyer.SpentMinor, "what a dispute took back was not spent")
	disputed(0)
	_, err = h.s.RebateOrder(ctx, h.Book, h.s.Mint(id.Merchant), d.Payment.OrderID, time.Time{})
	require.True(t, fault.Is(err, fault.KindNotFound, "not_found")) // I-25
	_, err = h.s.RebateBuyer(ctx, h.Book, h.s.Mint(id.Merchant), rebate.Bought{UserID: o.Buyer.UserID, Currency: "CNY", At: time.Now()})
	require.True(t, fault.Is(err, fault.KindNotFound, "not_found"))
}
