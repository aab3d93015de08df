package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/transfer"
	"paysaga/workflows"
)

// User makes a user of the merchant's with so many minor units of CNY in the wallet, and returns its id.
func (m *Merchant) User(t testing.TB, holds int64) string {
	t.Helper()
	s := m.Stage
	user := s.Store.Mint(id.User)
	s.Exec(t, `INSERT INTO users (book, id, merchant_id, created_at) VALUES ($1, $2, $3, now())`, m.Book, user, m.ID)
	if holds > 0 {
		m.Fund(t, user, holds)
	}
	return user
}

// TopUpAnswer is what the API answered about a top-up.
type TopUpAnswer struct {
	Code int
	payment.PublicTopUp
	Problem string // the code of a problem document
	Raw     []byte
}

func asTopUp(t testing.TB, a Answer) TopUpAnswer {
	t.Helper()
	r := TopUpAnswer{Code: a.Code, Problem: a.Problem, Raw: a.Raw}
	if a.Code < 400 {
		must(t, json.Unmarshal(a.Raw, &r.PublicTopUp))
	}
	return r
}

// TopUp asks for a top-up of CNY.
func (m *Merchant) TopUp(t testing.TB, user, amount string, method map[string]any) TopUpAnswer {
	t.Helper()
	m.n++
	return m.topUp(t, fmt.Sprintf("topup-%d", m.n), user, amount, method)
}

func (m *Merchant) topUp(t testing.TB, key, user, amount string, method map[string]any) TopUpAnswer {
	t.Helper()
	return asTopUp(t, m.Do(t, http.MethodPost, "/v1/topups", key,
		map[string]any{"user_id": user, "amount": amount, "currency": "CNY", "method": method}))
}

// GetTopUp reads a top-up.
func (m *Merchant) GetTopUp(t testing.TB, topUpID string) TopUpAnswer {
	t.Helper()
	return asTopUp(t, m.Do(t, http.MethodGet, "/v1/topups/"+topUpID, "", nil))
}

// UntilTopUp reads a top-up until it is as wanted.
func (m *Merchant) UntilTopUp(t testing.TB, topUpID, what string, wanted func(TopUpAnswer) bool) (a TopUpAnswer) {
	t.Helper()
	Eventually(t, topUpID+" is "+what, func() bool { a = m.GetTopUp(t, topUpID); return wanted(a) })
	return a
}

// SetUserStatus freezes, closes or thaws a user.
func (m *Merchant) SetUserStatus(t testing.TB, user, status string) {
	t.Helper()
	m.Stage.Exec(t, `UPDATE users SET status = $2 WHERE id = $1`, user, status)
}

// Wallet is what a user's wallet of the test book holds, in minor units of all currencies.
func (s *Stage) Wallet(t testing.TB, user string) int64 {
	t.Helper()
	return -s.Balance(t, "user/"+user+"/wallet")
}

// TransferAnswer is what the API answered about a transfer.
type TransferAnswer struct {
	Code int
	transfer.Public
	Problem   string // the code of a problem document
	Available string // what it says is there
	Raw       []byte
}

// Transfer asks for a transfer of CNY.
func (m *Merchant) Transfer(t testing.TB, from, to, amount string) TransferAnswer {
	t.Helper()
	m.n++
	return asTransfer(t, m.Do(t, http.MethodPost, "/v1/transfers", fmt.Sprintf("transfer-%d", m.n),
		map[string]any{"from": from, "to": to, "amount": amount, "currency": "CNY"}))
}

// GetTransfer reads a transfer.
func (m *Merchant) GetTransfer(t testing.TB, transferID string) TransferAnswer {
	t.Helper()
	return asTransfer(t, m.Do(t, http.MethodGet, "/v1/transfers/"+transferID, "", nil))
}

func asTransfer(t testing.TB, a Answer) TransferAnswer {
	t.Helper()
	r := TransferAnswer{Code: a.Code, Problem: a.Problem, Raw: a.Raw}
	if a.Code < 400 {
		must(t, json.Unmarshal(a.Raw, &r.Public))
		return r
	}
	var p struct{ Available string }
	must(t, json.Unmarshal(a.Raw, &p))
	r.Available = p.Available
	return r
}

// UntilTransfer reads a transfer until it has ended.
func (m *Merchant) UntilTransfer(t testing.TB, transferID string) (a TransferAnswer) {
	t.Helper()
	Eventually(t, transferID+" has ended", func() bool { a = m.GetTransfer(t, transferID); return a.Status.Terminal() })
	return a
}

// ReceiveTransfer commits a transfer as the API does, without starting its saga.
func (m *Merchant) ReceiveTransfer(t testing.TB, from, to string, minor int64) transfer.Transfer {
	t.Helper()
	s := m.Stage.Store
	one := transfer.Transfer{ID: s.Mint(id.Transfer), MerchantID: m.ID, From: from, To: to, Amount: money.New(minor, "CNY")}
	_, err := s.Commit(context.Background(), ledger.Step{Book: m.Book, Business: one.ID, By: ledger.Service("stage"),
		Cause: id.Key(one.ID, id.Step{Code: id.Receive, Ordinal: 1}), Changes: []ledger.Change{transfer.Receive{Transfer: one}}})
	must(t, err)
	one, err = s.Transfer(context.Background(), m.Book, m.ID, one.ID)
	must(t, err)
	return one
}

// UpdateTransfer sends an Update to a transfer's saga, as an operator does.
func (s *Stage) UpdateTransfer(transferID, name string, args ...any) error {
	return s.UpdateWorkflow(workflows.TransferID(transferID), name, args...)
}
