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
