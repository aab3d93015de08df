package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// CreateTopUp receives a top-up and joins its saga (I-19, I-20).
func (s *server) CreateTopUp(c echo.Context, _ CreateTopUpParams) error {
	deadline := time.Now().Add(s.Deadline)
	var r TopUpRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	who := callerOf(c)
	received, err := s.intake(who).topUp(r)
	if err != nil {
		return err
	}
	if err := s.conforms("createTopUp", body); err != nil {
		return err
	}
	if received.Idempotency, err = idempotency(c, who, body); err != nil {
		return err
	}
	p := received.Payment
	about(c, p.ID)
	ctx, cancel := s.durable(c)
	defer cancel()
	if err := s.topUpable(ctx, received); err != nil {
		return err
	}
	topUpID, err := s.receive(ctx, c, p.ID, p.ID, received)
	if err != nil {
		return err
	}
	about(c, topUpID)
	if p, err = s.join(context.WithoutCancel(ctx), deadline, p, topUpID); err != nil {
		return err
	}
	return answer(c, p, http.StatusCreated)
}

// topUpable refuses, before anything is stored, whom nobody knows and what no channel takes. A repeat isn't judged anew.
func (s *server) topUpable(ctx context.Context, r payment.ReceiveTopUp) error {
	p := r.Payment
	_, found, err := s.Book.Replayed(ctx, p.Book, r.Idempotency)
	if err != nil || found {
		return err
	}
	if err := s.Transfers.Holder(ctx, p.Book, p.MerchantID, p.CustomerID); err != nil {
		return fault.As(err).WithParam("user_id")
	}
	return s.routable(ctx, p)
}

// topUp judges the fields of a request, as payment does; whose the user is comes later.
func (in intake) topUp(r TopUpRequest) (payment.ReceiveTopUp, error) {
	switch {
	case r.UserID == "":
		return payment.ReceiveTopUp{}, required("user_id", "say whose wallet")
	case !id.Is(id.User, r.UserID):
		return payment.ReceiveTopUp{}, fault.Invalid("id_invalid", "user_id", "this is not a user's id")
	}
	if err := in.caller.owns("user", r.UserID); err != nil {
		return payment.ReceiveTopUp{}, fault.As(err).WithParam("user_id")
	}
	amount, err := parseAmount(r.Amount, r.Currency)
	if err != nil {
		return payment.ReceiveTopUp{}, err
	}
	like := PaymentRequest{Method: r.Method, Channel: r.Channel, ReturnURL: r.ReturnURL, Description: r.Description, Metadata: r.Metadata}
	if err := checkHow(like); err != nil {
		return payment.ReceiveTopUp{}, err
	}
	if err := checkTexts(like); err != nil {
		return payment.ReceiveTopUp{}, err
	}
	expires, err := expiry(r.ExpiresIn)
	if err != nil {
		return payment.ReceiveTopUp{}, err
	}
	none := money.Zero(amount.Currency)
	p := payment.Payment{Book: in.caller.Book, ID: in.mint(id.TopUp), MerchantID: in.caller.merchant, CustomerID: r.UserID, Amount: amount,
		Method: r.Method.Type, Capture: payment.CaptureAutomatic, Channel: value(r.Channel), CreatedAt: in.now, UpdatedAt: in.now,
		ExpiresAt: in.now.Add(expires), Status: payment.Processing, Sequence: 1, Metadata: value(r.Metadata),
		Captured: none, Refunded: none, Refunding: none, Fee: none, FeeReturned: none, Pending: none}
	return payment.ReceiveTopUp{Payment: p, Secrets: r.Method.secrets(r.ReturnURL, r.Description)}, nil
}

// GetTopUp reads a top-up.
func (s *server) GetTopUp(c echo.Context, topUpID TopUpID, _ GetTopUpParams) error {
	p, err := s.myTopUp(c, topUpID)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, p.PublicTopUp())
}

// myTopUp reads a top-up that the caller may see (I-25).
func (s *server) myTopUp(c echo.Context, topUpID string) (payment.Payment, error) {
	if !isTopUp(topUpID) {
		return payment.Payment{}, fault.NotFound("topup")
	}
	about(c, topUpID)
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	p, err := s.Reader.Payment(ctx, who.Book, who.merchant, topUpID)
	if err != nil {
		return p, err
	}
	return p, who.owns("topup", p.CustomerID)
}

// CancelTopUp is CancelPayment of a top-up.
func (s *server) CancelTopUp(c echo.Context, topUpID TopUpID, _ CancelTopUpParams) error {
	deadline := time.Now().Add(s.Deadline)
	body, err := readEmpty(c)
	if err != nil {
		return err
	}
	p, err := s.myTopUp(c, topUpID)
	if err != nil {
		return err
	}
	return s.cancel(c, deadline, body, p)
}

// ListTopUps lists top-ups, newest first; a user's own to a user.
func (s *server) ListTopUps(c echo.Context, p ListTopUpsParams) error {
	who := callerOf(c)
	of, err := who.whose(p.UserID)
	if err != nil {
		return err
	}
	f := payment.Filter{Book: who.Book, MerchantID: who.merchant, TopUps: true, UserID: of, Status: value(p.Status),
		Channel: value(p.Channel), CreatedFrom: value(p.CreatedFrom), CreatedBefore: value(p.CreatedBefore), After: value(p.StartingAfter), Limit: pageSize(p.Limit)}
	return listed(s, c, f, s.Reader.Payments, payment.Payment.PublicTopUp)
}

func isTopUp(text string) bool { return id.Is(id.TopUp, text) }
