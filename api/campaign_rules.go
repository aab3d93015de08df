package api

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/rebate"
	"paysaga/domain/rule"
)

// versionTries bounds how often a version's number is tried for: two who save at once both succeed.
const versionTries = 10

// SaveCampaignVersion keeps rules as a campaign's next version.
func (s *server) SaveCampaignVersion(c echo.Context, campaignID CampaignID, _ SaveCampaignVersionParams) error {
	var r CampaignVersionRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	k, err := s.campaign(c, campaignID)
	if err != nil {
		return err
	}
	if k.Status == rebate.Ended {
		return fault.Conflict("campaign_ended", "the campaign has ended")
	}
	v := rebate.Version{CampaignID: k.ID, Definition: r.Definition, Note: value(r.Note)}
	if _, err := rebate.Compile(k, v); err != nil {
		return fault.Under("definition", err)
	}
	if err := rule.CheckNote("note", v.Note, false); err != nil {
		return err
	}
	if err := s.conforms("saveCampaignVersion", body); err != nil {
		return err
	}
	who := callerOf(c)
	ctx, cancel := s.durable(c)
	defer cancel()
	for try := 1; ; try++ {
		v.Number = k.Latest + 1
		_, err := s.Book.Commit(ctx, s.campaignAct(k, who.by(c), rebate.SaveVersion{MerchantID: who.merchant, Version: v}))
		if err == nil {
			break
		}
		if !fault.Is(err, fault.KindConflict, "stale_state") || try == versionTries {
			return err
		}
		if k, err = s.Campaigns.Campaign(ctx, who.Book, who.merchant, k.ID); err != nil {
			return err
		}
	}
	if v, err = s.Campaigns.CampaignVersion(ctx, k.Book, k.ID, v.Number); err != nil {
		return err
	}
	return reply(c, http.StatusCreated, mediaJSON, v.Public(false))
}

// ListCampaignVersions lists versions, newest first.
func (s *server) ListCampaignVersions(c echo.Context, campaignID CampaignID, p ListCampaignVersionsParams) error {
	k, err := s.campaign(c, campaignID)
	if err != nil {
		return err
	}
	before := 0
	if p.StartingAfter != nil {
		before, _ = strconv.Atoi(*p.StartingAfter) // a number, or the guard had refused it
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	list, more, err := s.Campaigns.CampaignVersions(ctx, k.Book, k.ID, before, pageSize(p.Limit))
	if err != nil {
		return err
	}
	page := CampaignVersionList{Data: []CampaignVersion{}, HasMore: more}
	for _, v := range list {
		page.Data = append(page.Data, v.Public(v.Number == k.Version))
	}
	return reply(c, http.StatusOK, mediaJSON, page)
}

// GetCampaignVersion reads a version.
func (s *server) GetCampaignVersion(c echo.Context, campaignID CampaignID, version RuleVersion, _ GetCampaignVersionParams) error {
	k, err := s.campaign(c, campaignID)
	if err != nil {
		return err
	}
	if !numbered(version) {
		return fault.NotFound("campaign version")
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	v, err := s.Campaigns.CampaignVersion(ctx, k.Book, k.ID, version)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, v.Public(v.Number == k.Version))
}

// FundCampaign puts the merchant's money into a budget.
func (s *server) FundCampaign(c echo.Context, campaignID CampaignID, _ FundCampaignParams) error {
	return s.moveBudget(c, campaignID, "fundCampaign", 1)
}

// DefundCampaign takes out of a budget what isn't promised.
func (s *server) DefundCampaign(c echo.Context, campaignID CampaignID, _ DefundCampaignParams) error {
	return s.moveBudget(c, campaignID, "defundCampaign", -1)
}

func (s *server) moveBudget(c echo.Context, campaignID, operation string, sign int64) error {
	var r CampaignFundingRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	k, err := s.campaign(c, campaignID)
	if err != nil {
		return err
	}
	currency, err := parseCurrency(r.Currency)
	if err != nil {
		return err
	}
	if currency != k.Currency {
		return fault.Invalid("currency_mismatch", "currency", "the campaign's budget is in "+string(k.Currency))
	}
	amount, err := money.ParsePositive(r.Amount, currency)
	if err != nil {
		return fault.Under("amount", err)
	}
	if err := rule.CheckNote("reason", value(r.Reason), false); err != nil {
		return err
	}
	if err := s.conforms(operation, body); err != nil {
		return err
	}
	who := callerOf(c)
	key, err := idempotency(c, who, body)
	if err != nil {
		return err
	}
	by := who.by(c)
	by.Reason = value(r.Reason)
	trf := s.Book.Mint(id.Transfer)
	ctx, cancel := s.durable(c)
	defer cancel()
	receipt, err := s.Book.Commit(ctx, ledger.Step{Book: k.Book, Cause: id.Key(trf, id.Step{Code: id.Move, Ordinal: 1}), Business: k.ID, By: by,
		Changes: []ledger.Change{rebate.Fund{Idempotency: key, ID: trf, CampaignID: k.ID, MerchantID: k.MerchantID,
			Amount: money.New(sign*amount.Minor, currency), Reason: value(r.Reason)}}})
	if err != nil {
		return err
	}
	fundingID, replayed := objectOf(receipt, trf)
	markReplayed(c, replayed)
	list, _, err := s.Campaigns.Fundings(ctx, k.Book, k.ID, fundingID, "", 1)
	if err != nil || len(list) == 0 {
		return fault.Internal("a movement of a budget can't be read back", err)
	}
	return reply(c, http.StatusCreated, mediaJSON, list[0].Public())
}

// ListCampaignFundings lists a budget's movements, newest first.
func (s *server) ListCampaignFundings(c echo.Context, campaignID CampaignID, p ListCampaignFundingsParams) error {
	k, err := s.campaign(c, campaignID)
	if err != nil {
		return err
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	list, more, err := s.Campaigns.Fundings(ctx, k.Book, k.ID, "", value(p.StartingAfter), pageSize(p.Limit))
	if err != nil {
		return err
	}
	page := CampaignFundingList{Data: []CampaignFunding{}, HasMore: more}
	for _, f := range list {
		page.Data = append(page.Data, f.Public())
	}
	return reply(c, http.StatusOK, mediaJSON, page)
}
