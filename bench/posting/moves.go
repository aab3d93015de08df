package posting

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/channels"
	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
	"paysaga/store"
)

// shop is a merchant whose payments are moved.
type shop struct {
	merchant, account string
}

// prepareClients commit what a measurement needs.
const prepareClients = 256

// moving is the least of a saga's Steps that moves money: the outcome of a
// charge became unknown. The payment moves by compare-and-swap and leaves an
// event, its attempt learns the verdict, and a journal of two entries is booked.
func (p *place) moving(ctx context.Context, clients, n int) (measured, error) {
	s, err := p.store(ctx, usual)
	if err != nil {
		return nil, err
	}
	if p.shop == nil {
		if p.shop, err = newShop(ctx, s); err != nil {
			return nil, err
		}
	}
	payments, err := p.received(ctx, s, n)
	if err != nil {
		return nil, err
	}
	intents, doubts := make([]ledger.Step, n), make([]ledger.Step, n)
	for i, pay := range payments {
		if intents[i], doubts[i], err = p.shop.steps(pay); err != nil {
			return nil, err
		}
	}
	if err := p.commitAll(ctx, intents, prepareClients); err != nil {
		return nil, err
	}
	return func(ctx context.Context, t clock) (sample, error) {
		s, err := p.store(ctx, usual)
		if err != nil {
			return sample{}, err
		}
		return commits(ctx, s, &p.tally, doubts, clients, t)
	}, nil
}

func newShop(ctx context.Context, s *store.Store) (*shop, error) {
	merchant, err := s.CreateMerchant(ctx, store.Merchant{Book: book, Name: "Benchmark", Terms: payment.Terms{FeeOnRefund: "return", Zone: time.UTC}})
	if err != nil {
		return nil, err
	}
	account, err := s.AddChannelAccount(ctx, store.ChannelAccount{Book: book, Channel: "sandbox", MerchantID: merchant, Lane: payment.Standard,
		Credentials: map[string]string{"secret": "sandbox"}})
	return &shop{merchant, account}, err
}

const sqlReceived = `SELECT id, order_id, order_reference, created_at, expires_at FROM payments WHERE book = $1 AND id = ANY($2)`

// received commits n payments as POST /v1/payments does, and reads them back.
func (p *place) received(ctx context.Context, s *store.Store, n int) ([]payment.Payment, error) {
	steps, ids := make([]ledger.Step, n), make([]string, n)
	for i := range steps {
		ids[i] = s.Mint(id.Payment)
		steps[i] = p.shop.receive(ids[i])
	}
	if err := p.commitAll(ctx, steps, prepareClients); err != nil {
		return nil, err
	}
	rows, err := p.owner.Query(ctx, sqlReceived, book, ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (payment.Payment, error) {
		pay := p.shop.payment("")
		err := row.Scan(&pay.ID, &pay.OrderID, &pay.OrderRef, &pay.CreatedAt, &pay.ExpiresAt)
		pay.UpdatedAt = pay.CreatedAt
		return pay, err
	})
}

// payment is one as it was received.
func (h *shop) payment(paymentID string) payment.Payment {
	price := money.New(1234, currency)
	return payment.Payment{Book: book, ID: paymentID, MerchantID: h.merchant, Amount: price, Method: payment.MethodCardToken,
		Capture: payment.CaptureAutomatic, Metadata: map[string]string{}, Status: payment.Processing, Sequence: 1,
		Captured: money.Zero(currency), Refunded: money.Zero(currency), Fee: money.Zero(currency),
		Parts: []payment.Part{{Ordinal: 1, Source: payment.FromChannel, Amount: price, Authorized: money.Zero(currency),
			Captured: money.Zero(currency), Refunded: money.Zero(currency)}}}
}

func (h *shop) step(paymentID string, code id.Code, changes ...ledger.Change) ledger.Step {
	return ledger.Step{Book: book, Cause: id.Key(paymentID, id.Step{Code: code, Ordinal: 1}), Business: paymentID, By: principal, Changes: changes}
}

func (h *shop) receive(paymentID string) ledger.Step {
	pay := h.payment(paymentID)
	pay.ExpiresAt = time.Now().Add(time.Hour)
	return h.step(paymentID, id.Receive, payment.Receive{
		Idempotency: access.Idempotency{MerchantID: h.merchant, Operation: "POST /v1/payments", Key: paymentID, RequestHash: hashOf(paymentID)},
		Order:       &trade.Order{Reference: "order-" + paymentID, Type: trade.Purchase, Currency: currency},
		Payment:     pay, Secrets: payment.Secrets{Token: "tok_ok"}})
}

// steps are the intent of a payment's charge, and the doubt about it.
func (h *shop) steps(pay payment.Payment) (intent, doubt ledger.Step, err error) {
	request, err := json.Marshal(channels.ChargeRequest{AmountMinor: pay.Amount.Minor, Currency: string(pay.Amount.Currency),
		Method: payment.Method{Type: pay.Method, Token: "tok_ok"}, Capture: true})
	if err != nil {
		return intent, doubt, err
	}
	key, err := channels.NewKey(id.Key(pay.ID, id.Step{Code: id.Charge, Ordinal: 1}), hashOf(string(request)), time.Now())
	if err != nil {
		return intent, doubt, err
	}
	attempt := payment.Attempt{Book: book, PaymentID: pay.ID, Part: 1, Ordinal: 1, Key: key.ID, Reference: key.Reference, Channel: "sandbox",
		ChannelAccount: h.account, Lane: payment.Standard, RequestHash: key.BodyHash, BornAt: key.BornAt}
	opened := pay
	opened.Channel = "sandbox"
	intent = h.step(pay.ID, id.Open, payment.Intend{Request: request, Attempt: attempt},
		payment.Update{Before: pay, After: opened, Opened: true, Plan: []byte(`{"routes":[],"reason":"only one"}`), Risk: []byte(`{"decision":"allow"}`)})
	r, err := payment.Settle(payment.Case{Payment: opened, Attempt: &attempt, Now: time.Now(), Outcome: payment.Outcome{Verdict: payment.Unknown}})
	if err != nil {
		return intent, doubt, err
	}
	doubt = h.step(pay.ID, r.Step.Code, r.Changes(opened, &attempt)...)
	doubt.Journals = r.Journals
	return intent, doubt, nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
