package api

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/rebate"
)

// SimulateRebates says what an order would earn of all of its merchant's campaigns together, line by line, and why: as it would be rated
// itself, were it paid then. Nothing is kept or counted.
func (s *server) SimulateRebates(c echo.Context, _ SimulateRebatesParams) error {
	var r SimulateRebatesRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	who := callerOf(c)
	k := rebate.Campaign{Book: who.Book, MerchantID: who.merchant}
	switch {
	case (r.OrderID == nil) == (r.Order == nil):
		return fault.Invalid("simulation_ambiguous", "order_id", "give exactly one of order_id and order")
	case r.OrderID != nil && r.Currency != nil:
		return fault.Invalid("field_forbidden", "currency", "an order that is there has its own")
	case r.Order != nil && r.Currency == nil:
		return required("currency", "a made-up order needs its currency")
	case r.Order != nil:
		if k.Currency, err = money.ParseCurrency(*r.Currency); err != nil {
			return fault.Under("currency", err)
		}
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	order, err := s.simulated(ctx, c, k, SimulateCampaignRequest{OrderID: r.OrderID, Order: r.Order})
	if err != nil {
		return err
	}
	if err := s.conforms("simulateRebates", body); err != nil {
		return err
	}
	versions, err := s.Shoppers.RebateRules(ctx, k.Book, k.MerchantID, order.Currency, order.PaidAt)
	if err != nil {
		return err
	}
	used, err := s.usedBy(ctx, versions, order)
	if err != nil {
		return err
	}
	out, err := rebate.Explain(versions, order, used)
	if err != nil {
		return err
	}
	v := simulation(order, out)
	return reply(c, http.StatusOK, mediaJSON, RebateSimulation{Object: "rebate_simulation", Currency: v.Currency, Earns: v.Earns, Lines: v.Lines, Rules: v.Rules,
		Failures: v.Failures, Campaigns: simulatedCampaigns(versions, order, out, used)})
}

// usedBy is what has been counted and spent of what the versions ask for.
func (s *server) usedBy(ctx context.Context, versions []*rebate.Rules, o rebate.Order) (rebate.Used, error) {
	used := rebate.Used{Budget: map[string]int64{}}
	var err error
	if used.Counters, err = s.Shoppers.RebateCounters(ctx, o.Book, rebate.Counters(versions, o)); err != nil {
		return used, err
	}
	for _, v := range versions {
		spend, err := s.Campaigns.CampaignSpend(ctx, o.Book, v.Campaign.ID)
		if err != nil {
			return used, err
		}
		used.Budget[v.Campaign.ID] = spend.Left.Minor
	}
	return used, nil
}

// simulatedCampaigns are the campaigns that were asked, in their order.
func simulatedCampaigns(versions []*rebate.Rules, o rebate.Order, out rebate.Result, used rebate.Used) []SimulatedCampaign {
	earned := map[string]int64{}
	for _, e := range out.Earnings {
		earned[e.CampaignID] += e.Minor
	}
	shown := func(minor int64) string { return money.New(minor, o.Currency).Decimal() }
	list := []SimulatedCampaign{}
	for _, v := range rebate.ByPriority(versions) {
		c := v.Campaign
		list = append(list, SimulatedCampaign{CampaignID: c.ID, Name: c.Name, Version: v.Version, Priority: c.Priority, Exclusive: c.Exclusive,
			Earns: shown(earned[c.ID]), BudgetLeft: shown(max(0, used.Budget[c.ID]))})
	}
	return list
}
