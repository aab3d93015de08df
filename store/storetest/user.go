package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// User makes a user of the seed's merchant with so many minor units of CNY in the wallet, and returns its id.
func User(t testing.TB, db *Database, seed Seed, holds int64) string {
	t.Helper()
	user := db.Store.Mint(id.User)
	_, err := db.Owner.Exec(t.Context(), `INSERT INTO users (book, id, merchant_id, created_at) VALUES ($1, $2, $3, now())`, seed.Book, user, seed.MerchantID)
	require.NoError(t, err)
	if holds > 0 {
		Fund(t, db, seed, user, money.New(holds, "CNY"))
	}
	return user
}

// Fund tops a wallet up over the seed's channel account.
func Fund(t testing.TB, db *Database, seed Seed, user string, amount money.Amount) {
	t.Helper()
	topUp := db.Store.Mint(id.TopUp)
	cause := id.Key(topUp, id.Step{Code: id.Charge, Ordinal: 1})
	j, err := ledger.ToppedUp(cause, ledger.Chart{Book: seed.Book, Currency: amount.Currency}, seed.ChannelAccount, user, amount, time.Now())
	require.NoError(t, err)
	_, err = db.Store.Commit(t.Context(), ledger.Step{Book: seed.Book, Cause: cause, Business: topUp, By: ledger.Service("test"), Journals: []ledger.Journal{j}})
	require.NoError(t, err)
}
