package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
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

// Fund tops a wallet up over the seed's channel account, by the Steps of a top-up's saga.
func Fund(t testing.TB, db *Database, seed Seed, user string, amount money.Amount) {
	t.Helper()
	p := payment.Payment{ID: db.Store.Mint(id.TopUp), MerchantID: seed.MerchantID, CustomerID: user, Amount: amount, Method: payment.MethodCardToken,
		Channel: "sandbox", ExpiresAt: time.Now().Add(time.Hour)}
	commit := func(step id.Step, journals []ledger.Journal, changes ...ledger.Change) payment.Dossier {
		_, err := db.Store.Commit(t.Context(), ledger.Step{Book: seed.Book, Cause: id.Key(p.ID, step), Business: p.ID, By: ledger.Service("test"),
			Changes: changes, Journals: journals})
		require.NoError(t, err)
		d, err := db.Store.Dossier(t.Context(), seed.Book, p.ID)
		require.NoError(t, err)
		return d
	}
	d := commit(id.Step{Code: id.Receive, Ordinal: 1}, nil, payment.ReceiveTopUp{Payment: p})
	charge := id.Step{Code: id.Charge, Ordinal: 1}
	d = commit(id.Step{Code: id.Open, Ordinal: 1}, nil, payment.Update{Before: d.Payment, After: d.Payment, Opened: true}, payment.Intend{
		Request: []byte(`{"amount_minor":1}`), Attempt: payment.Attempt{PaymentID: p.ID, Part: 1, Ordinal: 1, Key: id.Key(p.ID, charge), Channel: "sandbox",
			ChannelAccount: seed.ChannelAccount, Lane: payment.Standard, RequestHash: strings.Repeat("cd", 32)}})
	r, err := payment.Settle(payment.Case{Payment: d.Payment, Attempt: d.Attempt(1), Terms: d.Terms, Now: time.Now(), Last: true,
		Outcome: payment.Outcome{Verdict: payment.Succeeded, AmountMinor: amount.Minor, Currency: string(amount.Currency), ChannelID: p.ID}})
	require.NoError(t, err)
	commit(r.Step, r.Journals, r.Changes(d.Payment, d.Attempt(1))...)
}
