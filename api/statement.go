package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/money"
)

// GetRebateStatement shows what a user was promised, has, and lost again, and why.
func (s *server) GetRebateStatement(c echo.Context, userID UserID, p GetRebateStatementParams) error {
	ref, err := userRef(c, userID)
	if err != nil {
		return err
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	totals, err := s.Rebates.RebateTotals(ctx, ref)
	if err != nil {
		return err
	}
	list, more, err := s.Rebates.Rebates(ctx, accrual.Filter{Book: ref.Book, MerchantID: ref.MerchantID, User: ref.ID, Status: value(p.Status),
		CampaignID: value(p.CampaignID), After: value(p.StartingAfter), Limit: pageSize(p.Limit)})
	if err != nil {
		return err
	}
	v := RebateStatement{Object: "rebate_statement", Livemode: ref.Book.Livemode(), UserID: ref.ID, Totals: []RebateTotal{}, Data: []Rebate{}, HasMore: more}
	for _, t := range totals {
		of := func(minor int64) string { return money.New(minor, t.Currency).Decimal() }
		v.Totals = append(v.Totals, RebateTotal{Currency: string(t.Currency), Accrued: of(t.Accrued), Open: of(t.Open), Settled: of(t.Settled),
			ClawedBack: of(t.ClawedBack), Debt: of(t.Debt), Released: of(t.Released)})
	}
	for _, a := range list {
		v.Data = append(v.Data, a.Public())
	}
	return reply(c, http.StatusOK, mediaJSON, v)
}

// ExportRebateStatement writes a user's rebates as CSV, newest first.
func (s *server) ExportRebateStatement(c echo.Context, userID UserID, p ExportRebateStatementParams) error {
	ref, err := userRef(c, userID)
	if err != nil {
		return err
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	if _, err := s.Users.User(ctx, ref); err != nil {
		return err
	}
	filter := accrual.Filter{Book: ref.Book, MerchantID: ref.MerchantID, User: ref.ID, Status: value(p.Status), CampaignID: value(p.CampaignID), Limit: maxPage}
	t := newTable("id", "created_at", "campaign_id", "version", "rule", "order_id", "line", "level", "status", "currency", "accrued", "open", "settled",
		"clawed_back", "debt", "released", "vests_on", "settled_at", "why")
	for more := true; more; {
		var list []accrual.Accrual
		if list, more, err = s.Rebates.Rebates(ctx, filter); err != nil {
			return err
		}
		for _, a := range list {
			v, settled := a.Public(), ""
			if v.SettledAt != nil {
				settled = v.SettledAt.Format(time.RFC3339)
			}
			filter.After = v.ID
			t.add(v.ID, v.CreatedAt.Format(time.RFC3339), v.CampaignID, strconv.Itoa(v.Version), v.Rule, v.OrderID, strconv.Itoa(v.Line), strconv.Itoa(v.Level),
				string(v.Status), v.Currency, v.Accrued, v.Open, v.Settled, v.ClawedBack, v.Debt, v.Released, v.VestsOn, settled, v.Why)
		}
		if t.lines > maxExported {
			return fault.Invalid("range_too_large", "campaign_id", "this is more than 50,000 rebates; name a campaign")
		}
	}
	return t.reply(c, "rebates-"+userID+".csv")
}
