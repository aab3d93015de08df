package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
)

// CancelPayment notes that the payment is to be cancelled, and asks its saga to do it. A second request is answered by
// the payment's state.
func (s *server) CancelPayment(c echo.Context, paymentID PaymentID, _ CancelPaymentParams) error {
	deadline := time.Now().Add(s.Deadline)
	body, err := readEmpty(c)
	if err != nil {
		return err
	}
	p, err := s.mine(c, paymentID)
	if err != nil {
		return err
	}
	return s.cancel(c, deadline, body, p)
}

// cancel asks for the end of a payment, or of a top-up.
func (s *server) cancel(c echo.Context, deadline time.Time, body []byte, p payment.Payment) error {
	key, err := idempotency(c, callerOf(c), body)
	if err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	receipt, err := s.Book.Commit(ctx, ledger.Step{
		Book: p.Book, Cause: id.Key(p.ID, id.Step{Code: id.CancelRequested, Ordinal: 1}), Business: p.ID, By: callerOf(c).by(c),
		Changes: []ledger.Change{payment.RequestCancel{Idempotency: key, PaymentID: p.ID, At: s.intake(callerOf(c)).now}},
	})
	// A Conflict is a payment that has ended, or a cancel that was asked for before under another key: the state tells.
	if err != nil && fault.Of(err) != fault.KindConflict {
		return err
	}
	markReplayed(c, receipt.Replayed)
	refused := err
	if p, err = s.endByCancel(context.WithoutCancel(ctx), deadline, p); err != nil {
		return err
	}
	switch {
	case p.Status == payment.Canceled, refused == nil && p.Status == payment.Paid && released(p):
		return answer(c, p, http.StatusOK)
	case p.Status.Terminal():
		c.Response().Header().Del(replayedHeader)
		return fault.Conflict("payment_not_cancelable", "the payment is "+string(p.Status)).WithDetail("payment_status", string(p.Status))
	}
	c.Response().Header().Set("Location", pathOf(p))
	return reply(c, http.StatusAccepted, mediaJSON, p.Shown())
}

// released: what wasn't captured of an authorization was given back, by this cancel.
func released(p payment.Payment) bool {
	return p.Capture == payment.CaptureManual && !p.CancelRequested.IsZero() && p.Captured.Minor < p.Amount.Minor
}

// endByCancel asks the saga to cancel, unless the payment has ended already, and reads what became of it.
func (s *server) endByCancel(ctx context.Context, deadline time.Time, p payment.Payment) (payment.Payment, error) {
	now, err := s.read(ctx, p, p.ID)
	if err != nil || now.Status.Terminal() {
		return now, err
	}
	waiting, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	s.unexpected(s.Starter.Cancel(waiting, now), p.ID, "cancel")
	return s.read(ctx, p, p.ID)
}

// readEmpty takes no body, or an empty object.
func readEmpty(c echo.Context) ([]byte, error) { return readOptional(c, &struct{}{}) }
