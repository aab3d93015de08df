package api

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	openapi_types "github.com/oapi-codegen/runtime/types"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/rebate"
	"paysaga/domain/trade"
)

// SimulateCampaign says what an order would earn by a campaign's rules, line by line, and why. Nothing is kept or counted.
func (s *server) SimulateCampaign(c echo.Context, campaignID CampaignID, _ SimulateCampaignParams) error {
	var r SimulateCampaignRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	switch {
	case (r.OrderID == nil) == (r.Order == nil):
		return fault.Invalid("simulation_ambiguous", "order_id", "give exactly one of order_id and order")
	case r.Version != nil && r.Definition != nil:
		return fault.Invalid("simulation_ambiguous", "version", "give version or definition, not both")
	case r.Version != nil && !numbered(*r.Version):
		return fault.Invalid("version_invalid", "version", "a version is a number from 1")
	}
	k, err := s.campaign(c, campaignID)
	if err != nil {
		return err
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	order, err := s.simulated(ctx, c, k, r)
	if err != nil {
		return err
	}
	rules, label, err := s.rulesOf(ctx, k, r)
	if err != nil {
		return err
	}
	if err := s.conforms("simulateCampaign", body); err != nil {
		return err
	}
	list := []*rebate.Rules{rules}
	used := rebate.Used{Budget: map[string]int64{}}
	if used.Counters, err = s.Shoppers.RebateCounters(ctx, k.Book, rebate.Counters(list, order)); err != nil {
		return err
	}
	spend, err := s.Campaigns.CampaignSpend(ctx, k.Book, k.ID)
	if err != nil {
		return err
	}
	used.Budget[k.ID] = spend.Left.Minor
	out, err := rebate.Explain(list, order, used)
	if err != nil {
		return err
	}
	v := simulation(order, out)
	v.Version, v.BudgetLeft = label, spend.Left.Decimal()
	return reply(c, http.StatusOK, mediaJSON, v)
}

// rulesOf are those of the version that the caller names, of an unsaved definition, or of the active version.
func (s *server) rulesOf(ctx context.Context, k rebate.Campaign, r SimulateCampaignRequest) (*rebate.Rules, string, error) {
	if r.Definition != nil {
		rules, err := rebate.Compile(k, rebate.Version{CampaignID: k.ID, Definition: *r.Definition})
		return rules, "unsaved", fault.Under("definition", err)
	}
	version := k.Version
	if r.Version != nil {
		version = *r.Version
	}
	if version == 0 {
		return nil, "", fault.Conflict("campaign_draft", "the campaign has no active version yet: name one, or give a definition")
	}
	v, err := s.Campaigns.CampaignVersion(ctx, k.Book, k.ID, version)
	if err != nil {
		return nil, "", err
	}
	rules, err := rebate.Compile(k, v)
	return rules, strconv.Itoa(version), err
}

// simulated is an order of the campaign's merchant, or the made-up one.
func (s *server) simulated(ctx context.Context, c echo.Context, k rebate.Campaign, r SimulateCampaignRequest) (rebate.Order, error) {
	if r.OrderID != nil {
		if !id.Is(id.Order, *r.OrderID) {
			return rebate.Order{}, fault.NotFound("order")
		}
		o, err := s.Shoppers.RebateOrder(ctx, k.Book, k.MerchantID, *r.OrderID, time.Time{})
		if err == nil && k.Currency != "" && o.Currency != k.Currency {
			err = fault.Invalid("currency_mismatch", "order_id", "the campaign gives on orders in "+string(k.Currency))
		}
		return o, err
	}
	o, err := s.inventOrder(ctx, callerOf(c), k, *r.Order)
	return o, fault.Under("order", err)
}

func (s *server) inventOrder(ctx context.Context, who caller, k rebate.Campaign, r SimulatedOrderRequest) (rebate.Order, error) {
	in := s.intake(who)
	kind := OrderType(trade.Purchase)
	if r.Type != nil {
		kind = *r.Type
	}
	if len(r.Lines) == 0 {
		return rebate.Order{}, required("lines", "a made-up order needs lines")
	}
	made, err := in.order(draft{cmp.Or(value(r.Reference), "simulated"), kind, k.Currency, r.Lines, value(r.Adjustments)}, money.Amount{})
	if err != nil {
		return rebate.Order{}, err
	}
	o := rebate.Order{Book: k.Book, ID: made.ID, MerchantID: k.MerchantID, Reference: value(r.Reference), Type: made.Type, Currency: k.Currency,
		PaidAt: s.Now(), Country: value(r.Country), Metadata: value(r.Metadata)}
	switch {
	case r.PaidAt != nil && (r.PaidAt.Year() < 2000 || r.PaidAt.Year() >= 2200):
		return o, fault.Invalid("fact_invalid", "paid_at", "no order is paid then")
	case r.PaidAt != nil:
		o.PaidAt = *r.PaidAt
	}
	if r.Country != nil && !countryCode.MatchString(*r.Country) {
		return o, fault.Invalid("fact_invalid", "country", "a country has two capital letters")
	}
	if err := checkMetadata(o.Metadata); err != nil {
		return o, err
	}
	if o.Lines, err = rebate.Lines(made); err != nil {
		return o, err
	}
	if o.Zone, err = s.Shoppers.MerchantZone(ctx, k.Book, k.MerchantID); err != nil {
		return o, err
	}
	o.Buyer, err = s.buyer(ctx, k, o, r)
	return o, err
}

// buyer is a user of the campaign's merchant (I-25), or a made-up one.
func (s *server) buyer(ctx context.Context, k rebate.Campaign, o rebate.Order, r SimulatedOrderRequest) (rebate.Buyer, error) {
	made := rebate.Buyer{UserID: s.Book.Mint(id.User)}
	switch {
	case r.CustomerID != nil && r.Buyer != nil:
		return made, fault.Invalid("simulation_ambiguous", "customer_id", "give customer_id or buyer, not both")
	case r.CustomerID != nil:
		unknown := fault.Invalid("customer_unknown", "customer_id", "there is no such customer")
		if !id.Is(id.User, *r.CustomerID) {
			return made, unknown
		}
		b, err := s.Shoppers.RebateBuyer(ctx, k.Book, k.MerchantID, rebate.Bought{UserID: *r.CustomerID, Currency: k.Currency, At: o.PaidAt})
		if fault.Of(err) == fault.KindNotFound {
			return made, unknown
		}
		return b, err
	case r.Buyer == nil:
		return made, nil
	}
	b := *r.Buyer
	made.Since, made.OrdersPaid = value(b.Since), value(b.OrdersBefore)
	if made.OrdersPaid < 0 || value(b.Referrers) < 0 || value(b.Referrers) > 2 {
		return made, fault.Invalid("fact_invalid", "buyer", "nobody has bought that often, or has so many referrers")
	}
	if b.SpentBefore != nil {
		spent, err := money.Parse(*b.SpentBefore, k.Currency)
		if err != nil {
			return made, fault.Under("buyer.spent_before", err)
		}
		made.SpentMinor = spent.Minor
	}
	if value(b.Referrers) > 0 {
		made.Referrer = s.Book.Mint(id.User)
	}
	if value(b.Referrers) > 1 {
		made.ReferrerTwo = s.Book.Mint(id.User)
	}
	return made, nil
}

// simulation shows a rating line by line.
func simulation(o rebate.Order, out rebate.Result) CampaignSimulation {
	shown := func(minor int64) string { return money.New(minor, o.Currency).Decimal() }
	v := CampaignSimulation{Object: "campaign_simulation", Currency: string(o.Currency), Lines: []SimulatedLine{}, Rules: []RebateReason{},
		Failures: []RebateFailure{}}
	total := int64(0)
	type promised struct{ campaign, rule string }
	vests := map[promised]time.Time{}
	for _, e := range out.Earnings {
		total += e.Minor
		vests[promised{e.CampaignID, e.Rule}] = e.VestsOn
	}
	reason := func(w rebate.Reason) RebateReason {
		r := RebateReason{CampaignID: &w.CampaignID, Version: &w.Version, Rule: w.Rule, Level: w.Level, Offer: shown(w.OfferMinor), Earns: shown(w.Minor)}
		if w.Beneficiary != "" {
			r.Beneficiary = &w.Beneficiary
		}
		if w.Because != "" {
			r.Because = &w.Because
		}
		if at, ok := vests[promised{w.CampaignID, w.Rule}]; ok && w.Minor > 0 {
			r.VestsOn = &openapi_types.Date{Time: at}
		}
		return r
	}
	for _, l := range o.Lines {
		line, earns := SimulatedLine{Line: l.Number, Sku: l.SKU, Paid: shown(l.Base), Reasons: []RebateReason{}}, int64(0)
		if l.Category != "" {
			line.Category = &l.Category
		}
		for _, w := range out.Why {
			if w.Line == l.Number {
				earns += w.Minor
				line.Reasons = append(line.Reasons, reason(w))
			}
		}
		line.Earns = shown(earns)
		v.Lines = append(v.Lines, line)
	}
	for _, w := range out.Why {
		if w.Line == 0 {
			v.Rules = append(v.Rules, reason(w))
		}
	}
	for _, f := range out.Failed {
		v.Failures = append(v.Failures, RebateFailure{CampaignID: &f.CampaignID, Rule: f.Rule, Failure: string(f.Failure)})
	}
	v.Earns = shown(total)
	return v
}
