package stage

import (
	"context"
	"testing"
	"time"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// Fund puts CNY into a user's wallet.
func (m *Merchant) Fund(t testing.TB, user string, minor int64) {
	t.Helper()
	s := m.Stage.Store
	topUp := s.Mint(id.TopUp)
	cause := id.Key(topUp, id.Step{Code: id.Charge, Ordinal: 1})
	j, err := ledger.ToppedUp(cause, ledger.Chart{Book: m.Book, Currency: "CNY"}, m.Sandboxes[0].Account, user, money.New(minor, "CNY"), time.Now())
	must(t, err)
	_, err = s.Commit(context.Background(), ledger.Step{Book: m.Book, Cause: cause, Business: topUp, By: ledger.Service("stage"), Journals: []ledger.Journal{j}})
	must(t, err)
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
