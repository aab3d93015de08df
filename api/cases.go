package api

import (
	"context"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
)

// maxReason bounds why somebody decided.
const maxReason = 500

func isCase(text string) bool {
	_, err := exception.FromPath(text)
	return err == nil
}

func isCaseStatus(text string) bool {
	return slices.Contains(exception.States(), exception.State(text))
}

// ListCases lists cases, the oldest first.
func (s *server) ListCases(c echo.Context, p ListCasesParams) error {
	who := callerOf(c)
	filter := exception.Filter{Book: who.Book, MerchantID: who.merchant, State: value(p.Status), Kind: value(p.Kind),
		PaymentID: value(p.PaymentID), Limit: pageSize(p.Limit)}
	if p.StartingAfter != nil {
		filter.After, _ = exception.FromPath(*p.StartingAfter) // the guard has judged it
	}
	return listed(s, c, filter, s.Cases.Cases, exception.Case.Public)
}

// GetCase reads a case.
func (s *server) GetCase(c echo.Context, caseID CasePath, _ GetCaseParams) error {
	k, err := s.myCase(c, caseID)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, k.Public())
}

// myCase reads a case that the caller may see (I-25).
func (s *server) myCase(c echo.Context, text string) (exception.Case, error) {
	caseID, err := exception.FromPath(text)
	if err != nil {
		return exception.Case{}, err
	}
	about(c, caseID)
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	return s.Cases.Case(ctx, who.Book, who.merchant, caseID)
}

// ResolveCase carries a person's decision out (I-20).
func (s *server) ResolveCase(c echo.Context, text CasePath, _ ResolveCaseParams) error {
	deadline := time.Now().Add(s.Deadline)
	var r CaseResolution
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	if err := checkResolution(r); err != nil {
		return err
	}
	if err := s.conforms("resolveCase", body); err != nil {
		return err
	}
	k, err := s.myCase(c, text)
	if err != nil {
		return err
	}
	who := callerOf(c)
	key, err := idempotency(c, who, body)
	if err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	if _, found, err := s.Book.Replayed(ctx, who.Book, key); err != nil || found {
		if err != nil {
			return err
		}
		markReplayed(c, true)
		return answerCase(c, k)
	}
	by := who.by(c)
	by.Reason = r.Reason
	k, err = s.Judge.DecideCase(ctx, exception.Resolution{Book: who.Book, MerchantID: who.merchant, CaseID: k.ID, Decision: r.Decision, By: by, Idempotency: key})
	if err != nil {
		return err
	}
	telling, stop := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer stop()
	s.unexpected(s.Starter.CaseMoved(telling, k), k.ID, "case moved")
	return answerCase(c, k)
}

func checkResolution(r CaseResolution) error {
	switch n := utf8.RuneCountInString(r.Reason); {
	case r.Decision == "":
		return fault.Invalid("field_required", "decision", "say what is decided")
	case n == 0:
		return fault.Invalid("field_required", "reason", "say why")
	case n > maxReason:
		return fault.Invalid("text_too_long", "reason", "a reason has at most 500 characters")
	}
	return r.Decision.Check()
}

func answerCase(c echo.Context, k exception.Case) error {
	c.Response().Header().Set("Location", "/v1/cases/"+k.Path())
	return reply(c, http.StatusOK, mediaJSON, k.Public())
}
