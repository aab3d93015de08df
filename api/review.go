package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/domain/risk"
	"paysaga/domain/rule"
)

// ReviewPayment judges a payment that risk holds. The saga does it; that an operator was authenticated here travels sealed, so
// that a decision typed into the Web UI can't claim it.
func (s *server) ReviewPayment(c echo.Context, paymentID PaymentID, _ ReviewPaymentParams) error {
	var r ReviewRequest
	raw, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	if r.Decision != risk.Approve && r.Decision != risk.Refuse {
		return fault.Invalid("decision_unknown", "decision", "the decision is approve or refuse")
	}
	if err := rule.CheckNote("reason", r.Reason, true); err != nil {
		return err
	}
	if err := s.conforms("reviewPayment", raw); err != nil {
		return err
	}
	who := callerOf(c)
	if who.Kind != ledger.ByOperator {
		return fault.Denied("operator_required", "operators review payments")
	}
	p, err := s.mine(c, paymentID)
	if err != nil {
		return err
	}
	vouch := access.Vouch{Book: p.Book, BusinessID: p.ID, Decision: string(r.Decision), Actor: who.ID, Reason: r.Reason}
	code, err := s.seal(vouch)
	if err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	waiting, stop := context.WithTimeout(ctx, s.Deadline)
	defer stop()
	if err := s.Starter.Review(waiting, p, vouch, code); err != nil {
		return err
	}
	now, err := s.read(ctx, p, p.ID)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, now.Public())
}

// seal makes the code by which a saga believes us.
func (s *server) seal(v access.Vouch) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fault.Internal("a decision that is no JSON", err)
	}
	sealed, err := s.Sealer.Seal(text)
	if err != nil {
		return "", err
	}
	return access.VouchPrefix + base64.RawURLEncoding.EncodeToString(sealed), nil
}
