package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/rebate"
)

// Rerater rates campaigns' orders again. Another merchant's run is fault.NotFound (I-25).
type Rerater interface {
	// PreviewRerating shows what a run would come to at the next orders.
	PreviewRerating(ctx context.Context, r accrual.Rerating, limit int) (list []accrual.Preview, next string, over bool, err error)
	// TotalRerating sums up what it would come to at all orders, as far as most of them or ctx go.
	TotalRerating(ctx context.Context, r accrual.Rerating, most int) (accrual.Whole, error)
	Reratings(ctx context.Context, f accrual.RunFilter) (page []accrual.Rerating, more bool, err error)
	BeginRerating(ctx context.Context, b accrual.BeginRerating, by ledger.Principal) (accrual.Rerating, error)
	Rerating(ctx context.Context, book id.Book, merchantID, runID string) (accrual.Rerating, error)
	CancelRerating(ctx context.Context, book id.Book, merchantID, runID string, by ledger.Principal) (accrual.Rerating, error)
}

const (
	// previewed is how many orders a preview looks at unless told otherwise.
	previewed = 100
	// totalled and totalledFor bound the pass over all orders.
	totalled    = 10_000
	totalledFor = 20 * time.Second
)

// RerateCampaign shows what a corrected version would change, or begins to change it (I-20).
func (s *server) RerateCampaign(c echo.Context, campaignID CampaignID, _ RerateCampaignParams) error {
	var r RerateRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	apply := value(r.Apply)
	if err := r.check(apply); err != nil {
		return err
	}
	k, err := s.campaign(c, campaignID)
	if err != nil {
		return err
	}
	if r.Version > k.Latest {
		return fault.NotFound("campaign version").WithParam("version")
	}
	if err := s.conforms("rerateCampaign", body); err != nil {
		return err
	}
	run := accrual.Rerating{Book: k.Book, MerchantID: k.MerchantID, CampaignID: k.ID, Currency: k.Currency, Version: r.Version, Corrects: value(r.Corrects)}
	if !apply {
		run.After = value(r.StartingAfter)
		return s.previewRerating(c, k, run, r)
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
	if markReplayed(c, replayed); replayed {
		run, err = s.Rerater.Rerating(ctx, who.Book, who.merchant, runID)
	} else {
		by := who.by(c)
		by.Reason = value(r.Reason)
		run.ID = s.Book.Mint(id.Rerating)
		run, err = s.Rerater.BeginRerating(ctx, accrual.BeginRerating{Idempotency: key, Run: run}, by)
	}
	if err != nil {
		return err
	}
	about(c, run.ID)
	c.Response().Header().Set("Location", "/v1/reratings/"+run.ID)
	return reply(c, http.StatusCreated, mediaJSON, run.Public())
}

func (r RerateRequest) check(apply bool) error {
	switch {
	case !numbered(r.Version):
		return fault.Invalid("version_invalid", "version", "a version is a number from 1")
	case r.Corrects != nil && !numbered(*r.Corrects):
		return fault.Invalid("version_invalid", "corrects", "a version is a number from 1")
	case apply && strings.TrimSpace(value(r.Reason)) == "":
		return fault.Invalid("field_required", "reason", "say why")
	case utf8.RuneCountInString(value(r.Reason)) > maxReason:
		return fault.Invalid("text_too_long", "reason", "a reason has at most 500 characters")
	case apply && r.StartingAfter != nil:
		return fault.Invalid("field_forbidden", "starting_after", "what is applied is applied to all orders")
	case apply && r.Limit != nil:
		return fault.Invalid("field_forbidden", "limit", "what is applied is applied to all orders")
	case apply && r.Whole != nil:
		return fault.Invalid("field_forbidden", "whole", "what is applied is summed up by the re-rating itself")
	case r.Limit != nil && (*r.Limit < 1 || *r.Limit > 500):
		return fault.Invalid("out_of_range", "limit", "a preview looks at 1 to 500 orders")
	case r.StartingAfter != nil && !isOrderID(*r.StartingAfter):
		return fault.Invalid("id_invalid", "starting_after", "this is not an order's id")
	}
	return nil
}

func (s *server) previewRerating(c echo.Context, k rebate.Campaign, run accrual.Rerating, r RerateRequest) error {
	limit := previewed
	if r.Limit != nil {
		limit = *r.Limit
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	list, next, over, err := s.Rerater.PreviewRerating(ctx, run, limit)
	if err != nil {
		return err
	}
	v := ReratingPreview{Object: "rerating_preview", CampaignID: k.ID, Version: run.Version, Currency: string(k.Currency), HasMore: !over}
	if !over {
		v.Next = &next
	}
	v.Orders = make([]ReratedOrder, 0, len(list))
	var sum accrual.Differences
	for _, p := range list {
		sum = sum.Add(p.Differences())
		if one, shown := orderPreviewed(p, k.Currency); shown {
			v.Orders = append(v.Orders, one)
		}
	}
	v.Totals = sum.Public(k.Currency)
	if value(r.Whole) {
		if v.Whole, err = s.totalRerating(c, k, run); err != nil {
			return err
		}
	}
	return reply(c, http.StatusOK, mediaJSON, v)
}

// totalRerating goes through all orders once. A client that has gone ends it.
func (s *server) totalRerating(c echo.Context, k rebate.Campaign, run accrual.Rerating) (*ReratingWhole, error) {
	ctx, cancel := context.WithTimeout(c.Request().Context(), totalledFor)
	defer cancel()
	w, err := s.Rerater.TotalRerating(ctx, run, totalled)
	if err != nil {
		return nil, err
	}
	v := &ReratingWhole{Looked: w.Looked, LeftAlone: w.Left, Complete: w.Complete, Totals: w.Done.Public(k.Currency)}
	if v.LeftAlone == nil {
		v.LeftAlone = map[string]int64{}
	}
	if !w.Complete && w.Next != "" {
		v.Next = &w.Next
	}
	return v, nil
}

// ListReratings lists re-ratings, newest first.
func (s *server) ListReratings(c echo.Context, p ListReratingsParams) error {
	who := callerOf(c)
	f := accrual.RunFilter{Book: who.Book, MerchantID: who.merchant, CampaignID: value(p.CampaignID), Status: accrual.RunStatus(value(p.Status)),
		After: value(p.StartingAfter), Limit: pageSize(p.Limit)}
	return listed(s, c, f, s.Rerater.Reratings, accrual.Rerating.Public)
}

func isReratingStatus(text string) bool {
	return slices.Contains([]accrual.RunStatus{accrual.Running, accrual.Canceled, accrual.Completed}, accrual.RunStatus(text))
}

// orderPreviewed shows an order; one of which nothing changes isn't shown.
func orderPreviewed(p accrual.Preview, currency money.Currency) (ReratedOrder, bool) {
	one := ReratedOrder{OrderID: p.OrderID, Rebates: []ReratedRebate{}}
	if p.Left != "" {
		why := LeftAlone(p.Left)
		one.LeftAlone = &why
		return one, true
	}
	add := func(a accrual.Accrual, before int64) {
		one.Rebates = append(one.Rebates, ReratedRebate{RebateID: a.ID, Line: a.Line, Rule: a.Rule, UserID: a.Beneficiary, Level: a.Level,
			Before: money.New(before, currency).Decimal(), After: money.New(a.Accrued, currency).Decimal()})
	}
	for _, m := range p.Changed {
		if m.More() != 0 {
			add(m.After, m.Before.Accrued)
		}
	}
	for _, a := range p.Made {
		add(a, 0)
	}
	return one, len(one.Rebates) > 0
}

func isRerating(text string) bool { return id.Is(id.Rerating, text) }

// GetRerating reads a re-rating and how far it is.
func (s *server) GetRerating(c echo.Context, runID ReratingID, _ GetReratingParams) error {
	return shown(s, c, id.Rerating, runID, "rerating", s.Rerater.Rerating, accrual.Rerating.Public)
}

// CancelRerating ends a re-rating; what it has changed stays.
func (s *server) CancelRerating(c echo.Context, runID ReratingID, _ CancelReratingParams) error {
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
	if err := s.conforms("cancelRerating", body); err != nil {
		return err
	}
	if !isRerating(runID) {
		return fault.NotFound("rerating")
	}
	about(c, runID)
	who := callerOf(c)
	by := who.by(c)
	by.Reason = r.Reason
	ctx, cancel := s.durable(c)
	defer cancel()
	run, err := s.Rerater.CancelRerating(ctx, who.Book, who.merchant, runID, by)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, run.Public())
}
