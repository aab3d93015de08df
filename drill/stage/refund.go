package stage

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/refund"
	"paysaga/workflows"
)

// RefundAnswer is what the API answered about a refund.
type RefundAnswer struct {
	Code int
	refund.Public
	Problem    string // the code of a problem document
	Refundable string // what it says is left
	Available  string // and what the wallet holds
	Raw        []byte
}

// Refund asks for a refund of a payment; an empty amount is all that is left.
func (m *Merchant) Refund(t testing.TB, paymentID, key, amount string) RefundAnswer {
	t.Helper()
	body := map[string]any{}
	if amount != "" {
		body["amount"] = amount
	}
	return asRefund(t, m.Do(t, http.MethodPost, "/v1/payments/"+paymentID+"/refunds", key, body))
}

// RefundTopUp asks for a refund of a top-up; an empty amount is all that is left.
func (m *Merchant) RefundTopUp(t testing.TB, topUpID, key, amount string) RefundAnswer {
	t.Helper()
	body := map[string]any{}
	if amount != "" {
		body["amount"] = amount
	}
	return asRefund(t, m.Do(t, http.MethodPost, "/v1/topups/"+topUpID+"/refunds", key, body))
}

// GetRefund reads a refund.
func (m *Merchant) GetRefund(t testing.TB, refundID string) RefundAnswer {
	t.Helper()
	return asRefund(t, m.Do(t, http.MethodGet, "/v1/refunds/"+refundID, "", nil))
}

func asRefund(t testing.TB, a Answer) RefundAnswer {
	t.Helper()
	r := RefundAnswer{Code: a.Code, Problem: a.Problem, Raw: a.Raw}
	if a.Code < 400 {
		must(t, json.Unmarshal(a.Raw, &r.Public))
		return r
	}
	var p struct {
		Refundable string `json:"amount_refundable"`
		Available  string
	}
	must(t, json.Unmarshal(a.Raw, &p))
	r.Refundable, r.Available = p.Refundable, p.Available
	return r
}

// UntilRefund reads a refund until it is as wanted.
func (m *Merchant) UntilRefund(t testing.TB, refundID, what string, wanted func(RefundAnswer) bool) (r RefundAnswer) {
	t.Helper()
	Eventually(t, refundID+" is "+what, func() bool { r = m.GetRefund(t, refundID); return wanted(r) })
	return r
}

// ReceiveRefund commits a refund as the API does, and starts its saga without
// waiting for it.
func (m *Merchant) ReceiveRefund(t testing.TB, paymentID string, minor int64) string {
	t.Helper()
	s := m.Stage
	r := refund.Refund{ID: s.Store.Mint(id.Refund), PaymentID: paymentID, MerchantID: m.ID, Amount: money.New(minor, "CNY")}
	if r.OfTopUp() {
		r.User = m.GetTopUp(t, paymentID).UserID
	} else if paid := m.Get(t, paymentID); len(paid.Parts) > 0 {
		r.User = paid.CustomerID
	}
	must(t, s.Receive(refund.Receive{Refund: r}, id.Test))
	got, err := s.Store.Refund(context.Background(), id.Test, m.ID, r.ID)
	must(t, err)
	must(t, s.Starter.StartRefund(context.Background(), got))
	return r.ID
}

// Receive commits the receiving Step of a refund.
func (s *Stage) Receive(c refund.Receive, book id.Book) error {
	c.Refund.Book = book
	_, err := s.Store.Commit(context.Background(), ledger.Step{Book: book, Business: c.Refund.ID, By: ledger.Service("stage"),
		Cause: id.Key(c.Refund.ID, id.Step{Code: id.Receive, Ordinal: 1}), Changes: []ledger.Change{c}})
	return err
}

// UpdateRefund sends an Update to a refund's saga, as an operator does.
func (s *Stage) UpdateRefund(refundID, name string, args ...any) error {
	return s.UpdateWorkflow(workflows.RefundID(refundID), name, args...)
}
