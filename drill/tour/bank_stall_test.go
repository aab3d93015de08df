package tour_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/bank"
	bankfake "paysaga/channels/bank/fake"
	"paysaga/domain/id"
	"paysaga/drill/stage"
)

const (
	stallIBAN = "DE89370400440532013000"
	payerIBAN = "FR1420041010050500013M02606"
)

// atBank is a folder with a bank at its other end. Files go when exchange says so: past the next cut-off, whatever the day.
func atBank(*testing.T) stall {
	disk := bankfake.NewDisk(time.Now)
	b := bankfake.New(disk, stallIBAN, time.Now)
	ch := bank.New(func(string) (bank.Folder, error) { return disk.Open(), nil })
	credentials := map[string]string{bank.FolderPath: "/tour", bank.Holder: "Paysaga Test GmbH", bank.AccountIBAN: stallIBAN, bank.AccountBIC: "COBADEFFXXX"}
	work := func(t *testing.T, account string, now time.Time) {
		_, err := ch.Work(t.Context(), channels.Account{ID: account, Channel: bank.Name, Book: id.Test, Credentials: credentials}, now,
			func(context.Context, bank.Told) error { return nil }) // nobody is told: the sagas ask
		require.NoError(t, err)
	}
	var at stall
	rounds := 0
	at = stall{
		adapter: ch, currency: "EUR", account: stage.AccountSpec{Channel: bank.Name, Credentials: credentials},
		exchange: func(t *testing.T, account string) {
			rounds++
			work(t, account, time.Now().AddDate(0, 0, 7*rounds)) // each a cut-off later: what was closed stays closed
			require.NoError(t, b.Take())
			b.Tell()
			work(t, account, time.Now())
		},
		methods: []method{{name: "bank_transfer", body: map[string]any{"type": "bank_transfer"}, payBy: func(t *testing.T, m *stage.Merchant, a stage.Answer) {
			require.NotNil(t, a.NextAction, string(a.Raw))
			b.Receive(bankfake.Booking{Minor: 1234, Currency: "EUR", At: time.Now(), RF: a.NextAction.Parameters["reference"], IBAN: payerIBAN, Name: "Ada Lovelace"})
			at.exchange(t, m.Sandboxes[0].Account)
		}}},
		book: func(string) (taken, back int64) {
			for _, e := range b.Book() {
				if e.Minor > 0 {
					taken += e.Minor
				} else {
					back -= e.Minor
				}
			}
			return taken, back
		},
	}
	return at
}
