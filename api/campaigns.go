package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/rebate"
	"paysaga/domain/rule"
)

// CreateCampaign makes a draft.
func (s *server) CreateCampaign(c echo.Context, _ CreateCampaignParams) error {
	var r CampaignRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	currency, err := parseCurrency(r.Currency)
	if err != nil {
		return err
	}
	who := callerOf(c)
	mine := rebate.Campaign{ID: s.Book.Mint(id.Campaign), Book: who.Book, MerchantID: who.merchant, Name: r.Name, Currency: currency,
		Terms: rebate.Terms{StartsAt: r.StartsAt, EndsAt: r.EndsAt, Priority: value(r.Priority), Exclusive: value(r.Exclusive)}}
	if err := mine.Check(); err != nil {
		return err
	}
	if err := s.conforms("createCampaign", body); err != nil {
		return err
	}
	key, err := idempotency(c, who, body)
	if err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	campaignID, err := s.receive(ctx, c, mine.ID, mine.ID, rebate.Create{Idempotency: key, Campaign: mine})
	if err != nil {
		return err
	}
	about(c, campaignID)
	c.Response().Header().Set("Location", "/v1/campaigns/"+campaignID)
	return s.showCampaign(ctx, c, http.StatusCreated, campaignID)
}

// showCampaign answers with a campaign as it is now.
func (s *server) showCampaign(ctx context.Context, c echo.Context, code int, campaignID string) error {
	who := callerOf(c)
	k, err := s.Campaigns.Campaign(ctx, who.Book, who.merchant, campaignID)
	if err != nil {
		return err
	}
	return reply(c, code, mediaJSON, k.Public())
}

// campaign reads one of the caller's (I-25).
func (s *server) campaign(c echo.Context, campaignID string) (rebate.Campaign, error) {
	if !id.Is(id.Campaign, campaignID) {
		return rebate.Campaign{}, fault.NotFound("campaign")
	}
	about(c, campaignID)
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	return s.Campaigns.Campaign(ctx, who.Book, who.merchant, campaignID)
}

// GetCampaign reads a campaign.
func (s *server) GetCampaign(c echo.Context, campaignID CampaignID, _ GetCampaignParams) error {
	k, err := s.campaign(c, campaignID)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, k.Public())
}

// ListCampaigns lists campaigns, newest first.
func (s *server) ListCampaigns(c echo.Context, p ListCampaignsParams) error {
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	list, more, err := s.Campaigns.Campaigns(ctx, rebate.Filter{Book: who.Book, MerchantID: who.merchant, Status: rebate.Status(value(p.Status)),
		After: value(p.StartingAfter), Limit: pageSize(p.Limit)})
	if err != nil {
		return err
	}
	page := CampaignList{Data: []Campaign{}, HasMore: more}
	for _, k := range list {
		page.Data = append(page.Data, k.Public())
	}
	return reply(c, http.StatusOK, mediaJSON, page)
}

func isCampaign(text string) bool { return id.Is(id.Campaign, text) }

func isFunding(text string) bool { return id.Is(id.Transfer, text) }

func isCampaignStatus(text string) bool {
	return slices.Contains([]rebate.Status{rebate.Draft, rebate.Active, rebate.Paused, rebate.Ended}, rebate.Status(text))
}

// ChangeCampaign changes what is said about it; what is left out stays.
func (s *server) ChangeCampaign(c echo.Context, campaignID CampaignID, _ ChangeCampaignParams) error {
	var r CampaignChangeRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	return s.revise(c, campaignID, "changeCampaign", body, r.Reason, rebate.Revision{Name: r.Name, StartsAt: r.StartsAt, EndsAt: r.EndsAt,
		Priority: r.Priority, Exclusive: r.Exclusive})
}

// PauseCampaign lets it give nothing for a while.
func (s *server) PauseCampaign(c echo.Context, campaignID CampaignID, _ PauseCampaignParams) error {
	return s.decideCampaign(c, campaignID, "pauseCampaign", rebate.Paused)
}

// ResumeCampaign lets a paused one give again.
func (s *server) ResumeCampaign(c echo.Context, campaignID CampaignID, _ ResumeCampaignParams) error {
	return s.decideCampaign(c, campaignID, "resumeCampaign", rebate.Active)
}

// EndCampaign ends it for good.
func (s *server) EndCampaign(c echo.Context, campaignID CampaignID, _ EndCampaignParams) error {
	return s.decideCampaign(c, campaignID, "endCampaign", rebate.Ended)
}

func (s *server) decideCampaign(c echo.Context, campaignID, operation string, to rebate.Status) error {
	var r CampaignDecisionRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	return s.revise(c, campaignID, operation, body, r.Reason, rebate.Revision{Status: &to})
}

// ActivateCampaignVersion puts a version in force.
func (s *server) ActivateCampaignVersion(c echo.Context, campaignID CampaignID, version RuleVersion, _ ActivateCampaignVersionParams) error {
	var r CampaignDecisionRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	if !numbered(version) {
		return fault.NotFound("campaign version")
	}
	return s.revise(c, campaignID, "activateCampaignVersion", body, r.Reason, rebate.Revision{Version: &version})
}

// revise commits a revision. A repeat finds nothing to change.
func (s *server) revise(c echo.Context, campaignID, operation string, body []byte, reason string, r rebate.Revision) error {
	if err := rule.CheckNote("reason", reason, true); err != nil {
		return err
	}
	k, err := s.campaign(c, campaignID)
	if err != nil {
		return err
	}
	if _, _, err := k.Revised(r, s.Now()); err != nil && fault.Of(err) == fault.KindInvalid {
		return err
	}
	if err := s.conforms(operation, body); err != nil {
		return err
	}
	who := callerOf(c)
	by := who.by(c)
	by.Reason = reason
	ctx, cancel := s.durable(c)
	defer cancel()
	if _, err := s.Book.Commit(ctx, s.campaignAct(k, by, rebate.Revise{CampaignID: k.ID, MerchantID: who.merchant, Revision: r})); err != nil {
		return err
	}
	return s.showCampaign(ctx, c, http.StatusOK, k.ID)
}

// campaignAct is a Step about a campaign that has no ordinal of the campaign's: these are never exhausted. Its cause is an id of its own.
func (s *server) campaignAct(k rebate.Campaign, by ledger.Principal, change ledger.Change) ledger.Step {
	return ledger.Step{Book: k.Book, Cause: id.Key(s.Book.Mint(id.Request), id.Step{Code: id.Act, Ordinal: 1}), Business: k.ID, By: by,
		Changes: []ledger.Change{change}}
}

// GetCampaignSpend tells what is left of a budget.
func (s *server) GetCampaignSpend(c echo.Context, campaignID CampaignID, _ GetCampaignSpendParams) error {
	k, err := s.campaign(c, campaignID)
	if err != nil {
		return err
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	spend, err := s.Campaigns.CampaignSpend(ctx, k.Book, k.ID)
	if err != nil {
		return err
	}
	spent := money.New(spend.Funded.Minor-spend.Left.Minor, k.Currency) // the budget has no other way in or out
	return reply(c, http.StatusOK, mediaJSON, CampaignSpend{Object: "campaign_spend", CampaignID: k.ID, Currency: string(k.Currency),
		Funded: spend.Funded.Decimal(), Spent: spent.Decimal(), Left: spend.Left.Decimal(), Recoverable: spend.Recoverable.Decimal()})
}
