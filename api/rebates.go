package api

import (
	"context"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/user"
)

// Rebates reads rebates and settlements. Another merchant's is fault.NotFound (I-25).
type Rebates interface {
	Rebate(ctx context.Context, book id.Book, merchantID, rebateID string) (accrual.Accrual, error)
	Rebates(ctx context.Context, f accrual.Filter) (page []accrual.Accrual, more bool, err error)
	// RebateTotals sums a user's rebates, by currency.
	RebateTotals(ctx context.Context, ref user.Ref) ([]accrual.Totals, error)
	Settlement(ctx context.Context, book id.Book, merchantID, settlementID string) (accrual.Run, error)
	Settlements(ctx context.Context, f accrual.RunFilter) (page []accrual.Run, more bool, err error)
	// SettlementsDue are the settlements that could begin now, of one campaign if it is named.
	SettlementsDue(ctx context.Context, book id.Book, campaignID string, now time.Time) ([]accrual.Run, error)
}

// Settler begins settlements and steers them.
type Settler interface {
	Begin(ctx context.Context, b accrual.Begin, by ledger.Principal) (accrual.Run, error)
	Steer(ctx context.Context, book id.Book, merchantID, settlementID string, to accrual.RunStatus, by ledger.Principal) (accrual.Run, error)
}

func isRebate(text string) bool     { return id.Is(id.Rebate, text) }
func isSettlement(text string) bool { return id.Is(id.Settlement, text) }
func isOrderID(text string) bool    { return id.Is(id.Order, text) }
func isCampaignID(text string) bool { return id.Is(id.Campaign, text) }
func isRebateStatus(text string) bool {
	return slices.Contains(accrual.Statuses(), accrual.Status(text))
}
func isRunStatus(text string) bool {
	return slices.Contains(accrual.RunStatuses(), accrual.RunStatus(text))
}

// ListRebates lists rebates of a user or of an order, newest first. A user sees their own.
func (s *server) ListRebates(c echo.Context, p ListRebatesParams) error {
	who := callerOf(c)
	of, err := who.whose(p.UserID)
	if err != nil {
		return err
	}
	f := accrual.Filter{Book: who.Book, MerchantID: who.merchant, User: of, OrderID: value(p.OrderID), CampaignID: value(p.CampaignID),
		Status: value(p.Status), After: value(p.StartingAfter), Limit: pageSize(p.Limit)}
	if f.User == "" && f.OrderID == "" {
		return fault.Invalid("parameter_required", "user_id", "name the user or the order whose rebates you want")
	}
	return listed(s, c, f, s.Rebates.Rebates, accrual.Accrual.Public)
}

// GetRebate reads a rebate.
func (s *server) GetRebate(c echo.Context, rebateID RebateID, _ GetRebateParams) error {
	if !isRebate(rebateID) {
		return fault.NotFound("rebate")
	}
	about(c, rebateID)
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	a, err := s.Rebates.Rebate(ctx, who.Book, who.merchant, rebateID)
	if err == nil {
		err = who.owns("rebate", a.Beneficiary)
	}
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, a.Public())
}

// CreateSettlement begins a settlement of what has vested. Its saga goes on by itself (I-19, I-20).
func (s *server) CreateSettlement(c echo.Context, _ CreateSettlementParams) error {
	var r SettlementRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	if !isCampaignID(r.CampaignID) {
		return fault.Invalid("id_invalid", "campaign_id", "this is not a campaign's id")
	}
	if err := s.conforms("createSettlement", body); err != nil {
		return err
	}
	who := callerOf(c)
	key, err := idempotency(c, who, body)
	if err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	runID, replayed, err := s.Book.Replayed(ctx, who.Book, key)
	if err != nil {
		return err
	}
	markReplayed(c, replayed)
	var run accrual.Run
	if replayed {
		run, err = s.Rebates.Settlement(ctx, who.Book, who.merchant, runID)
	} else {
		run, err = s.begin(ctx, who, accrual.Begin{Idempotency: key, Run: accrual.Run{CampaignID: r.CampaignID}}, who.by(c))
	}
	if err != nil {
		return err
	}
	about(c, run.ID)
	s.unexpected(s.Starter.SettlementMoved(context.WithoutCancel(ctx), run), run.ID, "settlement begun")
	c.Response().Header().Set("Location", "/v1/settlements/"+run.ID)
	return reply(c, http.StatusCreated, mediaJSON, run.Public())
}

// begin finds out what there is to settle, and begins.
func (s *server) begin(ctx context.Context, who caller, b accrual.Begin, by ledger.Principal) (accrual.Run, error) {
	campaign := b.Run.CampaignID
	due, err := s.Rebates.SettlementsDue(ctx, who.Book, campaign, s.Now())
	if err != nil {
		return b.Run, err
	}
	if i := slices.IndexFunc(due, func(r accrual.Run) bool { return r.MerchantID == who.merchant }); i >= 0 {
		b.Run = due[i]
		return s.Settler.Begin(ctx, b, by)
	}
	for _, status := range []accrual.RunStatus{accrual.Running, accrual.Paused} {
		open, _, err := s.Rebates.Settlements(ctx, accrual.RunFilter{Book: who.Book, MerchantID: who.merchant, CampaignID: campaign, Status: status, Limit: 1})
		if err != nil {
			return b.Run, err
		}
		if len(open) > 0 {
			return b.Run, fault.Conflict("settlement_open", "the campaign has an open settlement already: "+open[0].ID)
		}
	}
	// Another merchant's campaign has nothing to settle either (I-25).
	return b.Run, fault.Conflict("nothing_to_settle", "the campaign has no rebates that have vested and aren't paid")
}

// ListSettlements lists settlements, newest first.
func (s *server) ListSettlements(c echo.Context, p ListSettlementsParams) error {
	who := callerOf(c)
	f := accrual.RunFilter{Book: who.Book, MerchantID: who.merchant, CampaignID: value(p.CampaignID), Status: value(p.Status),
		After: value(p.StartingAfter), Limit: pageSize(p.Limit)}
	return listed(s, c, f, s.Rebates.Settlements, accrual.Run.Public)
}

// GetSettlement reads a settlement and how far it is.
func (s *server) GetSettlement(c echo.Context, settlementID SettlementID, _ GetSettlementParams) error {
	return shown(s, c, id.Settlement, settlementID, "settlement", s.Rebates.Settlement, accrual.Run.Public)
}

// PauseSettlement holds a settlement after the page under way.
func (s *server) PauseSettlement(c echo.Context, settlementID SettlementID, _ PauseSettlementParams) error {
	return s.steer(c, settlementID, "pauseSettlement", accrual.Paused)
}

// ResumeSettlement goes on with a paused settlement.
func (s *server) ResumeSettlement(c echo.Context, settlementID SettlementID, _ ResumeSettlementParams) error {
	return s.steer(c, settlementID, "resumeSettlement", accrual.Running)
}

// CancelSettlement ends a settlement after the page under way.
func (s *server) CancelSettlement(c echo.Context, settlementID SettlementID, _ CancelSettlementParams) error {
	return s.steer(c, settlementID, "cancelSettlement", accrual.Canceled)
}

func (s *server) steer(c echo.Context, settlementID, operation string, to accrual.RunStatus) error {
	var r SettlementSteering
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	switch n := utf8.RuneCountInString(r.Reason); {
	case n == 0:
		return fault.Invalid("field_required", "reason", "say why")
	case n > maxReason:
		return fault.Invalid("text_too_long", "reason", "a reason has at most 500 characters")
	}
	if err := s.conforms(operation, body); err != nil {
		return err
	}
	if !isSettlement(settlementID) {
		return fault.NotFound("settlement")
	}
	about(c, settlementID)
	who := callerOf(c)
	by := who.by(c)
	by.Reason = r.Reason
	ctx, cancel := s.durable(c)
	defer cancel()
	run, err := s.Settler.Steer(ctx, who.Book, who.merchant, settlementID, to, by)
	if err != nil {
		return err
	}
	s.unexpected(s.Starter.SettlementMoved(context.WithoutCancel(ctx), run), run.ID, "settlement steered")
	return reply(c, http.StatusOK, mediaJSON, run.Public())
}
