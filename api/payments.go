package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/routing"
)

func (s *server) intake(who caller) intake {
	// Microseconds are what the store keeps, so that an answer never changes by being stored.
	return intake{caller: who, now: s.Now().UTC().Truncate(time.Microsecond), mint: s.Book.Mint}
}

// reading bounds what a GET asks of the store; it ends with its client.
func (s *server) reading(c echo.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.Request().Context(), s.StoreTimeout)
}

// durable bounds what a POST asks of the store. It outlives a client that goes away: what was begun is finished, and no
// connection is torn out of a commit.
func (s *server) durable(c echo.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(c.Request().Context()), s.StoreTimeout)
}

// CreatePayment receives a payment and joins its saga (I-19, I-20).
func (s *server) CreatePayment(c echo.Context, _ CreatePaymentParams) error {
	deadline := time.Now().Add(s.Deadline)
	var r PaymentRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	who := callerOf(c)
	received, err := s.intake(who).payment(r)
	if err != nil {
		return err
	}
	if err := s.conforms("createPayment", body); err != nil {
		return err
	}
	if received.Idempotency, err = idempotency(c, who, body); err != nil {
		return err
	}
	about(c, received.Payment.ID)
	ctx, cancel := s.durable(c)
	defer cancel()
	paymentID, err := s.receivePayment(ctx, c, received)
	if err != nil {
		return err
	}
	about(c, paymentID)
	p, err := s.join(context.WithoutCancel(ctx), deadline, received.Payment, paymentID)
	if err != nil {
		return err
	}
	return answer(c, p, http.StatusCreated)
}

// receivePayment receives what a channel can take, or finds the payment that its idempotency key stands for.
func (s *server) receivePayment(ctx context.Context, c echo.Context, r payment.Receive) (paymentID string, err error) {
	if err := s.routable(ctx, r.Payment); err != nil {
		// What a channel takes may have changed since the first request, and a repeat isn't judged anew.
		first, found, replayErr := s.Book.Replayed(ctx, r.Payment.Book, r.Idempotency)
		switch {
		case replayErr != nil:
			return "", replayErr
		case found:
			markReplayed(c, true)
			return first, nil
		}
		return "", err
	}
	return s.receive(ctx, c, r.Payment.ID, r.Payment.ID, r)
}

// routable refuses, before anything is stored, what no channel could ever take.
func (s *server) routable(ctx context.Context, p payment.Payment) error {
	if p.Method == payment.MethodWallet {
		return nil
	}
	open, err := s.Accounts.OpenAccounts(ctx, p.Book, p.MerchantID)
	if err != nil {
		return err
	}
	_, err = routing.Make(routing.Facts{Channel: p.Channel, Method: p.Method, Currency: p.Amount.Currency}, s.Channels.Candidates(channels.Open(open, p), p.Amount.Currency))
	return err
}

// join brings a received payment to its first stable state, or as far as it gets until the deadline, and reads it. That it
// didn't get there is no error: the payment is received, and a relay starts it if this didn't.
func (s *server) join(ctx context.Context, deadline time.Time, mine payment.Payment, paymentID string) (payment.Payment, error) {
	p := mine
	if p.ID != paymentID || p.Amount.IsZero() || p.OrderRef == "" { // a repeat, or something that the store filled in
		stored, err := s.read(ctx, mine, paymentID)
		if err != nil || stored.Status.Stable() {
			return stored, err
		}
		p = stored
	}
	waiting, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	s.unexpected(s.Starter.Accept(waiting, p), p.ID, "accept")
	return s.read(ctx, mine, paymentID)
}

func (s *server) read(ctx context.Context, mine payment.Payment, paymentID string) (payment.Payment, error) {
	ctx, cancel := context.WithTimeout(ctx, s.StoreTimeout)
	defer cancel()
	return s.Reader.Payment(ctx, mine.Book, mine.MerchantID, paymentID)
}

// unexpected logs what a saga said beyond "not yet"; the answer goes by the payment's state all the same.
func (s *server) unexpected(err error, businessID, what string) {
	if err == nil {
		return
	}
	switch f := classify(err); f.Kind {
	case fault.KindUnavailable, fault.KindUnknown:
	default:
		s.Log.Error("the saga refused", "call", what, "business_id", businessID, "error", f.Error())
	}
}

// answer shows a payment: as stable, or as 202 while its outcome is open.
func answer(c echo.Context, p payment.Payment, stable int) error {
	code := stable
	if !p.Status.Stable() {
		code = http.StatusAccepted
	}
	c.Response().Header().Set("Location", pathOf(p))
	return reply(c, code, mediaJSON, p.Shown())
}

// GetPayment reads a payment.
func (s *server) GetPayment(c echo.Context, paymentID PaymentID, _ GetPaymentParams) error {
	p, err := s.mine(c, paymentID)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, p.Public())
}

// pathOf is where a payment, or a top-up, is read.
func pathOf(p payment.Payment) string {
	if p.TopUp() {
		return "/v1/topups/" + p.ID
	}
	return "/v1/payments/" + p.ID
}

// mine reads a payment that the caller may see (I-25).
func (s *server) mine(c echo.Context, paymentID string) (payment.Payment, error) {
	if !id.Is(id.Payment, paymentID) {
		return payment.Payment{}, fault.NotFound("payment")
	}
	about(c, paymentID)
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	return s.Reader.Payment(ctx, who.Book, who.merchant, paymentID)
}

// GetPaymentTimeline tells everything that happened to a payment.
func (s *server) GetPaymentTimeline(c echo.Context, paymentID PaymentID, _ GetPaymentTimelineParams) error {
	if !id.Is(id.Payment, paymentID) {
		return fault.NotFound("payment")
	}
	return s.timeline(c, paymentID)
}

// GetTopUpTimeline is GetPaymentTimeline of a top-up.
func (s *server) GetTopUpTimeline(c echo.Context, topUpID TopUpID, _ GetTopUpTimelineParams) error {
	if !isTopUp(topUpID) {
		return fault.NotFound("topup")
	}
	return s.timeline(c, topUpID)
}

func (s *server) timeline(c echo.Context, paymentID string) error {
	about(c, paymentID)
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	list, err := s.Reader.Timeline(ctx, who.Book, who.merchant, paymentID)
	if err != nil {
		return err
	}
	if list == nil {
		list = []payment.Occurrence{}
	}
	return reply(c, http.StatusOK, mediaJSON, Timeline{Data: list})
}

// public renders a list; an empty one is [], not null.
func public(list []payment.Payment) []Payment {
	views := make([]Payment, 0, len(list))
	for _, p := range list {
		views = append(views, p.Public())
	}
	return views
}
