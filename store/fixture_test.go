package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
	"paysaga/store"
	"paysaga/store/storetest"
)

// shop is a merchant in a test's database, and the moves of its payments as the saga makes them.
type shop struct {
	t  testing.TB
	s  *store.Store
	db *storetest.Database
	storetest.Seed
}

func newShop(t testing.TB, terms ...payment.Terms) *shop {
	t.Helper()
	db := storetest.Open(t)
	return &shop{t, db.Store, db, storetest.Plant(t, db.Store, id.Test, terms...)}
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func cny(minor int64) money.Amount { return money.New(minor, "CNY") }

// receive makes the Step of POST /v1/payments for an order without lines.
func (h *shop) receive(key, reference string, amount money.Amount) ledger.Step {
	p := payment.Payment{ID: h.s.Mint(id.Payment), Amount: amount, Method: payment.MethodCardToken, Channel: "sandbox",
		ExpiresAt: time.Now().Add(time.Hour), Metadata: map[string]string{"basket": "42"}}
	return h.step(p.ID, id.Receive, 1, payment.Receive{
		Idempotency: access.Idempotency{MerchantID: h.MerchantID, Operation: "POST /v1/payments", Key: key, RequestHash: hashOf(reference + amount.Text())},
		Order:       &trade.Order{Reference: reference, Type: trade.Purchase, Currency: amount.Currency},
		Payment:     p, Secrets: payment.Secrets{Token: "tok_ok", ReturnURL: "https://shop.example/back"},
		Customer: &payment.Customer{Reference: "customer-1", Details: map[string]string{"name": "Ada"}},
	})
}

func (h *shop) step(business string, code id.Code, n int, changes ...ledger.Change) ledger.Step {
	return ledger.Step{Book: h.Book, Cause: id.Key(business, id.Step{Code: code, Ordinal: n}), Business: business,
		By: ledger.Principal{Kind: ledger.ByMerchant, ID: h.KeyID, RequestID: "req_1"}, Changes: changes}
}

func (h *shop) commit(step ledger.Step) ledger.Receipt {
	h.t.Helper()
	r, err := h.s.Commit(context.Background(), step)
	require.NoError(h.t, err)
	return r
}

// pay receives a payment and returns its id.
func (h *shop) pay(reference string, amount money.Amount) string {
	h.t.Helper()
	return h.commit(h.receive("key-"+reference, reference, amount)).Object
}

func (h *shop) dossier(paymentID string) payment.Dossier {
	h.t.Helper()
	d, err := h.s.Dossier(context.Background(), h.Book, paymentID)
	require.NoError(h.t, err)
	return d
}

// open makes the Step that commits an attempt's intent.
func (h *shop) open(paymentID string, ordinal int) ledger.Step {
	h.t.Helper()
	return h.intent(h.dossier(paymentID).Payment, ordinal)
}

// tryOpen is open when the database may be away.
func (h *shop) tryOpen(paymentID string) (ledger.Step, error) {
	d, err := h.s.Dossier(context.Background(), h.Book, paymentID)
	if err != nil {
		return ledger.Step{}, err
	}
	return h.intent(d.Payment, 1), nil
}

func (h *shop) intent(p payment.Payment, ordinal int) ledger.Step {
	h.t.Helper()
	paymentID := p.ID
	request, err := json.Marshal(channels.ChargeRequest{AmountMinor: p.Amount.Minor, Currency: string(p.Amount.Currency),
		Method: payment.Method{Type: p.Method, Token: "tok_ok"}, Capture: true})
	require.NoError(h.t, err)
	key, err := channels.NewKey(id.Key(paymentID, id.Step{Code: id.Charge, Ordinal: ordinal}), hashOf(string(request)), time.Now())
	require.NoError(h.t, err)
	after := p
	after.Channel = "sandbox"
	return h.step(paymentID, id.Open, ordinal,
		payment.Intend{Request: request, Attempt: payment.Attempt{Book: p.Book, PaymentID: paymentID, Part: 1, Ordinal: ordinal,
			Key: key.ID, Reference: key.Reference, Channel: "sandbox", ChannelAccount: h.ChannelAccount, Lane: payment.Standard,
			RequestHash: key.BodyHash, BornAt: key.BornAt}},
		payment.Update{Before: p, After: after, Opened: true, Plan: []byte(`{"routes":[],"reason":"only one"}`), Risk: []byte(`{"decision":"allow"}`)})
}

// settle makes the Step of what an outcome means.
func (h *shop) settle(paymentID string, ordinal int, out payment.Outcome) ledger.Step {
	h.t.Helper()
	d := h.dossier(paymentID)
	r, err := payment.Settle(payment.Case{Payment: d.Payment, Attempt: d.Attempt(ordinal), Terms: d.Terms, Calendar: d.Calendar, Now: time.Now(), Outcome: out, Last: true, End: payment.Canceled})
	require.NoError(h.t, err)
	step := h.step(paymentID, r.Step.Code, r.Step.Ordinal, r.Changes(d.Payment, d.Attempt(ordinal))...)
	step.Journals = r.Journals
	return step
}

func (h *shop) succeeded(paymentID string) payment.Outcome {
	p := h.dossier(paymentID).Payment
	return payment.Outcome{Verdict: payment.Succeeded, AmountMinor: p.Amount.Minor, Currency: string(p.Amount.Currency), ChannelID: "ch_1", EffectiveAt: time.Now()}
}

// paid carries a payment to its end.
func (h *shop) paid(reference string, amount money.Amount) string {
	h.t.Helper()
	p := h.pay(reference, amount)
	h.commit(h.open(p, 1))
	h.commit(h.settle(p, 1, h.succeeded(p)))
	return p
}

func (h *shop) key(operation, key, body string) access.Idempotency {
	return access.Idempotency{MerchantID: h.MerchantID, Operation: operation, Key: key, RequestHash: hashOf(body)}
}

// refused commits a Step that has to fail, and holds that nothing of it stays.
func (h *shop) refused(step ledger.Step, kind fault.Kind, code string) {
	h.t.Helper()
	before := h.rows()
	_, err := h.s.Commit(context.Background(), step)
	require.True(h.t, fault.Is(err, kind, code), "%v", err)
	require.Equal(h.t, before, h.rows(), "a refused Step leaves nothing")
}

// rows counts what Steps write.
func (h *shop) rows() (n [8]int) {
	h.t.Helper()
	err := h.db.Owner.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM causes), (SELECT count(*) FROM idempotency),
		(SELECT count(*) FROM orders), (SELECT count(*) FROM payments), (SELECT count(*) FROM attempts), (SELECT count(*) FROM journals),
		(SELECT count(*) FROM entries), (SELECT count(*) FROM events)`).Scan(&n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7])
	require.NoError(h.t, err)
	return n
}

// balance is what an account in CNY holds; debits are positive.
func (h *shop) balance(code string) (minor int64) {
	h.t.Helper()
	err := h.db.Owner.QueryRow(context.Background(), `SELECT coalesce(sum(balance), 0)::bigint FROM accounts WHERE book = $1 AND code = $2 AND currency = 'CNY'`,
		h.Book, code).Scan(&minor)
	require.NoError(h.t, err)
	return minor
}
