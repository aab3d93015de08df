package stage

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// Fund puts CNY into a user's wallet, by a top-up.
func (m *Merchant) Fund(t testing.TB, user string, minor int64) {
	t.Helper()
	var a TopUpAnswer
	m.n++
	key := fmt.Sprintf("topup-%d", m.n)
	Eventually(t, "a top-up of "+user+" is received", func() bool { // what may work later is sent again under its key
		a = m.topUp(t, key, user, money.New(minor, "CNY").Decimal(), Card("tok_ok"))
		if a.Code >= 300 && a.Code != http.StatusServiceUnavailable {
			t.Fatalf("a top-up was answered %d %s", a.Code, a.Raw)
		}
		return a.Code < 300
	})
	m.UntilTopUp(t, a.ID, "there", func(a TopUpAnswer) bool { return a.Status == payment.Paid })
}

// Held is what of a user's money is set aside for payments under way.
func (s *Stage) Held(t testing.TB, user string) int64 {
	t.Helper()
	return -s.Balance(t, "user/"+user+"/held")
}

// Granted makes a user whose wallet holds so much CNY out of our own income: no channel has brought it, so channels' books stay as they are.
func (m *Merchant) Granted(t testing.TB, minor int64) string {
	t.Helper()
	user := m.User(t, 0)
	c := ledger.Chart{Book: m.Book, Currency: "CNY"}
	cause := id.Key(user, id.Step{Code: id.Act, Ordinal: 1})
	j, err := ledger.Post(ledger.Posting{Cause: cause, Kind: "granted", Late: ledger.ToNextOpen},
		ledger.Dr(c.Fees(), money.New(minor, "CNY")), ledger.Cr(c.Wallet(user), money.New(minor, "CNY")))
	must(t, err)
	_, err = m.Stage.Store.Commit(context.Background(), ledger.Step{Book: m.Book, Cause: cause, Business: user, By: ledger.Service("stage"),
		Journals: []ledger.Journal{j}})
	must(t, err)
	return user
}
