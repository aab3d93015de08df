package api

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/domain/trade"
)

// CreateRefund receives a refund, or refuses it at once, and joins its saga (I-12, I-19, I-20).
func (s *server) CreateRefund(c echo.Context, paymentID PaymentID, _ CreateRefundParams) error {
	return s.createRefund(c, "createRefund", func() (payment.Payment, error) { return s.mine(c, paymentID) })
}

// CreateTopUpRefund is CreateRefund of a top-up: out of the wallet that it went to.
func (s *server) CreateTopUpRefund(c echo.Context, topUpID TopUpID, _ CreateTopUpRefundParams) error {
	return s.createRefund(c, "createTopUpRefund", func() (payment.Payment, error) { return s.myTopUp(c, topUpID) })
}

// createRefund refunds what find reads, once the body can be read.
func (s *server) createRefund(c echo.Context, operation string, find func() (payment.Payment, error)) error {
	deadline := time.Now().Add(s.Deadline)
	var r RefundRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	p, err := find()
	if err != nil {
		return err
	}
	who := callerOf(c)
	received, err := s.intake(who).refund(r, p)
	if err != nil {
		return err
	}
	if err := s.conforms(operation, body); err != nil {
		return err
	}
	if received.Idempotency, err = idempotency(c, who, body); err != nil {
		return err
	}
	mine := received.Refund
	about(c, mine.ID)
	ctx, cancel := s.durable(c)
	defer cancel()
	if err := s.refundable(ctx, p, received); err != nil {
		return err
	}
	refundID, err := s.receive(ctx, c, mine.ID, mine.ID, received)
	if err != nil {
		return err
	}
	about(c, refundID)
	mine, err = s.joinRefund(context.WithoutCancel(ctx), deadline, p, refundID)
	if err != nil {
		return err
	}
	return ended(c, mine.Status.Terminal(), "/v1/refunds/"+mine.ID, mine.Public())
}

// refundable refuses what can be refused without a lock. A repeat isn't judged anew.
func (s *server) refundable(ctx context.Context, p payment.Payment, r refund.Receive) error {
	amount := r.Refund.Amount
	if r.All {
		amount = p.Left()
	}
	refused := refund.Admit(p, amount)
	if refused == nil {
		return nil
	}
	_, found, err := s.Book.Replayed(ctx, p.Book, r.Idempotency)
	switch {
	case err != nil:
		return err
	case found:
		return nil
	}
	return refused
}

// refund judges the fields of a request. What of the payment is left is settled under its lock.
func (in intake) refund(r RefundRequest, p payment.Payment) (refund.Receive, error) {
	amount := money.Zero(p.Amount.Currency)
	if r.Currency != nil {
		currency, err := parseCurrency(*r.Currency)
		if err != nil {
			return refund.Receive{}, err
		}
		if currency != p.Amount.Currency {
			return refund.Receive{}, fault.Invalid("currency_mismatch", "currency", "the payment is in "+string(p.Amount.Currency)).
				WithDetail("amount_refundable", p.Public().Refundable)
		}
	}
	if r.Amount != nil {
		var err error
		if amount, err = money.ParsePositive(*r.Amount, p.Amount.Currency); err != nil {
			return refund.Receive{}, fault.Under("amount", err)
		}
	}
	if !written(value(r.Reason), trade.MaxDescription, "") {
		return refund.Receive{}, fault.Invalid("reason_invalid", "reason", "a reason is at most 255 characters, none of them a control character")
	}
	mine := refund.Refund{Book: p.Book, ID: in.mint(id.Refund), PaymentID: p.ID, MerchantID: p.MerchantID, Amount: amount,
		Reason: value(r.Reason), CreatedAt: in.now}
	if r.Metadata != nil {
		if err := checkMetadata(*r.Metadata); err != nil {
			return refund.Receive{}, err
		}
		mine.Metadata = *r.Metadata
	}
	if p.WalletPart() != nil || p.TopUp() {
		mine.User = p.CustomerID
	}
	return refund.Receive{Refund: mine, All: r.Amount == nil}, nil
}

// joinRefund brings a received refund to its end, or as far as it gets until the deadline, and reads it.
func (s *server) joinRefund(ctx context.Context, deadline time.Time, p payment.Payment, refundID string) (refund.Refund, error) {
	return joined(ctx, s, deadline, underWay[refund.Refund]{id: refundID, accept: s.Starter.AcceptRefund,
		read: func(ctx context.Context) (refund.Refund, error) {
			return s.Refunds.Refund(ctx, p.Book, p.MerchantID, refundID)
		},
		ended: func(r refund.Refund) bool { return r.Status.Terminal() }})
}

// GetRefund reads a refund.
func (s *server) GetRefund(c echo.Context, refundID RefundID, _ GetRefundParams) error {
	return shown(s, c, id.Refund, refundID, "refund", s.Refunds.Refund, refund.Refund.Public)
}

// ListRefunds lists refunds, newest first.
func (s *server) ListRefunds(c echo.Context, p ListRefundsParams) error {
	return s.listRefunds(c, refund.Filter{PaymentID: value(p.PaymentID), Status: value(p.Status), CreatedFrom: value(p.CreatedFrom),
		CreatedBefore: value(p.CreatedBefore), After: value(p.StartingAfter)}, p.Limit)
}

// ListPaymentRefunds lists one payment's refunds, newest first.
func (s *server) ListPaymentRefunds(c echo.Context, paymentID PaymentID, p ListPaymentRefundsParams) error {
	if _, err := s.mine(c, paymentID); err != nil {
		return err
	}
	return s.listRefunds(c, refund.Filter{PaymentID: paymentID, Status: value(p.Status), CreatedFrom: value(p.CreatedFrom),
		CreatedBefore: value(p.CreatedBefore), After: value(p.StartingAfter)}, p.Limit)
}

// ListTopUpRefunds lists one top-up's refunds, newest first.
func (s *server) ListTopUpRefunds(c echo.Context, topUpID TopUpID, p ListTopUpRefundsParams) error {
	if _, err := s.myTopUp(c, topUpID); err != nil {
		return err
	}
	return s.listRefunds(c, refund.Filter{PaymentID: topUpID, Status: value(p.Status), CreatedFrom: value(p.CreatedFrom),
		CreatedBefore: value(p.CreatedBefore), After: value(p.StartingAfter)}, p.Limit)
}

func (s *server) listRefunds(c echo.Context, f refund.Filter, limit *int) error {
	who := callerOf(c)
	f.Book, f.MerchantID, f.Limit = who.Book, who.merchant, pageSize(limit)
	return listed(s, c, f, s.Refunds.Refunds, refund.Refund.Public)
}

func isRefund(text string) bool { return id.Is(id.Refund, text) }

func isRefundStatus(text string) bool { return refund.Status(text).Valid() }

// refundValues judges what refunds are filtered by.
var refundValues = map[string]func(string) bool{"status": isRefundStatus,
	"payment_id": func(text string) bool { return id.Is(id.Payment, text) || isTopUp(text) }}
