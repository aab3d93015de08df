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
	"paysaga/domain/payout"
	"paysaga/workflows"
)

// PayoutAnswer is what the API answered about a payout.
type PayoutAnswer struct {
	Code int
	payout.Public
	problem
	There string `json:"available"` // what a refusal says is there
	Raw   []byte
}

// To is a destination of the sandbox's: any of its words, or an account that takes what comes.
func To(word string) map[string]any { return map[string]any{"type": "wallet", "account": word} }

// Withdraw asks for a payout in CNY; an empty user pays out of what the merchant has available.
func (m *Merchant) Withdraw(t testing.TB, key, user, amount string, to map[string]any) PayoutAnswer {
	t.Helper()
	body := map[string]any{"amount": amount, "currency": "CNY", "destination": to}
	if user != "" {
		body["user_id"] = user
	}
	return asPayout(t, m.Do(t, http.MethodPost, "/v1/payouts", key, body))
}

// GetPayout reads a payout.
func (m *Merchant) GetPayout(t testing.TB, payoutID string) PayoutAnswer {
	t.Helper()
	return asPayout(t, m.Do(t, http.MethodGet, "/v1/payouts/"+payoutID, "", nil))
}

func asPayout(t testing.TB, a Answer) PayoutAnswer {
	t.Helper()
	p := PayoutAnswer{Code: a.Code, Raw: a.Raw}
	if a.Code < 400 {
		must(t, json.Unmarshal(a.Raw, &p.Public))
		return p
	}
	must(t, json.Unmarshal(a.Raw, &p.problem))
	var there struct {
		There string `json:"available"`
	}
	must(t, json.Unmarshal(a.Raw, &there))
	p.There = there.There
	return p
}

// UntilPayout reads a payout until it is as wanted.
func (m *Merchant) UntilPayout(t testing.TB, payoutID, what string, wanted func(PayoutAnswer) bool) (p PayoutAnswer) {
	t.Helper()
	Eventually(t, payoutID+" is "+what, func() bool { p = m.GetPayout(t, payoutID); return wanted(p) })
	return p
}

// ReceivePayout commits a payout as any Step of ours may order one, and starts its saga without waiting for it.
func (m *Merchant) ReceivePayout(t testing.TB, user string, minor int64, to string) string {
	t.Helper()
	s := m.Stage
	d, err := payout.Destination{Type: payout.Wallet, Account: to}.Checked()
	must(t, err)
	p := payout.Payout{ID: s.Store.Mint(id.Payout), MerchantID: m.ID, UserID: user, Amount: money.New(minor, "CNY"), Channel: "sandbox",
		ChannelAccount: m.Sandboxes[0].Account, Lane: payment.Express}
	_, err = s.Store.Commit(context.Background(), ledger.Step{Book: m.Book, Cause: id.Key(p.ID, id.Step{Code: id.Receive, Ordinal: 1}), Business: p.ID,
		By: ledger.Service("stage"), Changes: []ledger.Change{payout.Receive{Payout: p, Destination: d}}})
	must(t, err)
	got, err := s.Store.Payout(context.Background(), m.Book, m.ID, user, p.ID)
	must(t, err)
	must(t, s.Starter.StartPayout(context.Background(), got))
	return p.ID
}

// Earn lets the merchant be paid, so that it has at least as much available, and makes a user.
func (m *Merchant) Earn(t testing.TB, amount string) (user string) {
	t.Helper()
	a := m.Pay(t, Card("tok_ok"), map[string]any{"amount": amount, "customer": map[string]any{"reference": fmt.Sprintf("c-%d", m.n)}})
	m.UntilStatus(t, a.ID, payment.Paid)
	return a.CustomerID
}

// Give moves a merchant's money into the wallet of one of its users.
func (m *Merchant) Give(t testing.TB, user string, minor int64) {
	t.Helper()
	m.n++
	c := ledger.Chart{Book: m.Book, Currency: "CNY"}
	j, err := ledger.Post(ledger.Posting{Cause: id.Key(user, id.Step{Code: id.Act, Ordinal: m.n}), Kind: "given", Late: ledger.ToNextOpen},
		ledger.Dr(c.Available(m.ID), money.New(minor, "CNY")), ledger.Cr(c.Wallet(user), money.New(minor, "CNY")))
	must(t, err)
	_, err = m.Stage.Store.Commit(context.Background(), ledger.Step{Book: m.Book, Cause: j.Cause(), Business: user, By: ledger.Service("stage"),
		Journals: []ledger.Journal{j}})
	must(t, err)
}

// UpdatePayout sends an Update to a payout's saga, as an operator does.
func (s *Stage) UpdatePayout(payoutID, name string, args ...any) error {
	return s.UpdateWorkflow(workflows.PayoutID(payoutID), name, args...)
}
