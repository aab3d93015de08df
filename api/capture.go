package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// CapturePayment receives a capture and joins the payment's saga, which carries it out. What the authorization has left is
// judged in the receiving Step (I-09); a refusal starts nothing.
func (s *server) CapturePayment(c echo.Context, paymentID PaymentID, _ CapturePaymentParams) error {
	deadline := time.Now().Add(s.Deadline)
	var r CaptureRequest
	body, err := readOptional(c, &r)
	if err != nil {
		return err
	}
	p, err := s.mine(c, paymentID)
	if err != nil {
		return err
	}
	received, err := s.wish(c, p, r)
	if err != nil {
		return err
	}
	if len(body) > 0 {
		if err := s.conforms("capturePayment", body); err != nil {
			return err
		}
	}
	if received.Idempotency, err = idempotency(c, callerOf(c), body); err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	captureID, err := s.receive(ctx, c, received.CaptureID, p.ID, received)
	if err != nil {
		return err
	}
	return s.answerCapture(c, context.WithoutCancel(ctx), deadline, p, captureID)
}

// wish is what the request asks for, in the payment's currency, and what the payment's channel can do about it.
func (s *server) wish(c echo.Context, p payment.Payment, r CaptureRequest) (payment.ReceiveCapture, error) {
	in := s.intake(callerOf(c))
	out := payment.ReceiveCapture{CaptureID: in.mint(id.Capture), PaymentID: p.ID, At: in.now,
		Wish: payment.CaptureWish{Amount: money.Zero(p.Amount.Currency), Final: r.Final}}
	if r.Amount != nil {
		amount, err := money.ParsePositive(*r.Amount, p.Amount.Currency)
		if err != nil {
			return out, fault.Under("amount", err)
		}
		out.Wish.Amount = amount
	}
	if channel, err := s.Channels.Get(p.Channel); err == nil {
		d := channel.Describe()
		out.Can, out.Several = d.Can(channels.OpCapture), d.MultiCapture
	}
	return out, nil
}

// answerCapture brings a received capture to its end, or as far as it gets until the deadline. That it didn't get there is no
// error: the capture is received, and a relay tells the saga if this didn't.
func (s *server) answerCapture(c echo.Context, ctx context.Context, deadline time.Time, p payment.Payment, captureID string) error {
	capture, err := s.captureOf(ctx, p, captureID)
	if err != nil {
		return err
	}
	if capture.Status == payment.CaptureProcessing {
		waiting, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		s.unexpected(s.Starter.Capture(waiting, p, captureID), p.ID, "capture")
		if capture, err = s.captureOf(ctx, p, captureID); err != nil {
			return err
		}
	}
	now, err := s.read(ctx, p, p.ID)
	if err != nil {
		return err
	}
	code := http.StatusOK
	if capture.Status == payment.CaptureProcessing {
		code = http.StatusAccepted
	}
	c.Response().Header().Set("Location", "/v1/payments/"+p.ID)
	return reply(c, code, mediaJSON, payment.PublicCaptured{Public: now.Public(), Capture: capture.Public()})
}

func (s *server) captureOf(ctx context.Context, p payment.Payment, captureID string) (payment.Capture, error) {
	ctx, cancel := context.WithTimeout(ctx, s.StoreTimeout)
	defer cancel()
	list, err := s.Reader.Captures(ctx, p.Book, p.MerchantID, p.ID)
	if err != nil {
		return payment.Capture{}, err
	}
	for _, capture := range list {
		if capture.ID == captureID {
			return capture, nil
		}
	}
	return payment.Capture{}, fault.Internal("a capture that was received isn't there", nil)
}

// ListCaptures lists a payment's captures, in order of receipt. There are few, so there are no pages.
func (s *server) ListCaptures(c echo.Context, paymentID PaymentID, _ ListCapturesParams) error {
	if !id.Is(id.Payment, paymentID) {
		return fault.NotFound("payment")
	}
	about(c, paymentID)
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	list, err := s.Reader.Captures(ctx, who.Book, who.merchant, paymentID)
	if err != nil {
		return err
	}
	views := make([]Capture, 0, len(list))
	for _, capture := range list {
		views = append(views, capture.Public())
	}
	return reply(c, http.StatusOK, mediaJSON, CaptureList{Data: views, HasMore: false})
}

// readOptional reads a body that may be left out.
func readOptional(c echo.Context, into any) ([]byte, error) {
	if c.Request().ContentLength != 0 && c.Request().Header.Get("Content-Type") != "" {
		return readJSON(c, into)
	}
	body, err := readBody(c)
	if err == nil && strings.TrimSpace(string(body)) != "" {
		err = fault.Invalid("content_type_unsupported", "Content-Type", "send application/json in UTF-8, or no body")
	}
	return nil, err
}
