package tour_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/channels/bank"
	"paysaga/channels/bank/fake"
	"paysaga/domain/exception"
	"paysaga/domain/giro"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
	"paysaga/domain/refund"
	"paysaga/drill/stage"
)

const (
	houseIBAN = "DE89370400440532013000"
	guestIBAN = "FR1420041010050500013M02606"
)

// branch is a stage whose only channel is a bank account, run by files.
type branch struct {
	*stage.Stage
	*stage.Merchant
	t       *testing.T
	bank    *fake.Bank
	adapter *bank.Channel
	account channels.Account
}

func openBranch(t *testing.T) *branch {
	disk := fake.NewDisk(time.Now)
	b := &branch{t: t, bank: fake.New(disk, houseIBAN, time.Now)}
	b.adapter = bank.New(func(string) (bank.Folder, error) { return disk.Open(), nil })
	b.Stage = stage.New(t, stage.Options{Wire: stage.Wire{Steps: func(c *activities.Config) { c.Channels = channels.NewRegistry(b.adapter) }}})
	b.Merchant = b.Stage.Merchant(t, payment.Terms{}, stage.AccountSpec{Channel: bank.Name, Lane: payment.Standard, Credentials: map[string]string{
		bank.FolderPath: "/srv/bank", bank.Holder: "Tea House", bank.AccountIBAN: houseIBAN, bank.AccountBIC: "COBADEFFXXX"}})
	var err error
	b.account, err = b.Store.Account(t.Context(), bank.Name, b.Sandboxes[0].Account)
	require.NoError(t, err)
	return b
}

// exchange is a round of the clerk, the bank's answer, and the round after it, at
// a time when every cut-off is over.
func (b *branch) exchange() {
	b.t.Helper()
	later := time.Now().Add(96 * time.Hour)
	for range 2 {
		_, err := b.adapter.Work(b.t.Context(), b.account, later, b.tell)
		require.NoError(b.t, err)
		require.NoError(b.t, b.bank.Take())
		b.bank.Tell()
	}
	_, err := b.adapter.Work(b.t.Context(), b.account, later, b.tell)
	require.NoError(b.t, err)
}

func (b *branch) tell(ctx context.Context, told bank.Told) error {
	_, _, err := b.Store.ReceiveCallback(ctx, channels.Received{ID: b.Store.Mint(id.Callback), Book: b.account.Book, Channel: bank.Name,
		ChannelAccount: b.account.ID, EventID: told.EventID, Subject: told.Subject, Reference: told.Reference, Outcome: told.Outcome,
		Body: told.Body, ReceivedAt: time.Now().UTC()})
	return err
}

// asks opens a payment by transfer, and returns the reference that its customer is told.
func (b *branch) asks(amount string) (paymentID, rf string) {
	b.t.Helper()
	a := b.Pay(b.t, map[string]any{"type": "bank_transfer"}, map[string]any{"amount": amount})
	a = b.UntilStatus(b.t, a.ID, payment.RequiresAction)
	require.NotNil(b.t, a.NextAction)
	rf = a.NextAction.Parameters["reference"]
	_, ok := giro.ParseReference(rf)
	require.True(b.t, ok, "%+v", a.NextAction)
	return a.ID, rf
}

func (b *branch) sends(minor int64, rf string) {
	b.bank.Receive(fake.Booking{Minor: minor, Currency: "CNY", RF: rf, IBAN: guestIBAN, Name: "Ada Lovelace"})
	b.exchange()
}

// Money in and out over a bank account, on real parts: what was meant, a part, too
// much, what nobody knows, a refund, a payout, and one that comes back.
func TestTheWayThroughABank(t *testing.T) {
	t.Parallel()
	b := openBranch(t)
	cash, clearing := "bank/"+b.account.ID+"/cash", "channel/"+b.account.ID+"/clearing"

	paid, rf := b.asks("100.00")
	b.sends(10000, rf)
	b.UntilStatus(t, paid, payment.Paid)
	assert.Equal(t, int64(10000), b.Balance(t, cash), "the bank has booked it: it is ours there")

	part, rf := b.asks("50.00")
	b.sends(3000, rf)
	k := b.UntilCaseIs(t, part, exception.PartialPayment, exception.Open)
	assert.Equal(t, int64(3000), k.Amount.Minor)
	code, _ := b.Decide(t, k, exception.Accept)
	require.Equal(t, 200, code)
	b.UntilStatus(t, part, payment.Paid)

	over, rf := b.asks("20.00")
	b.sends(2500, rf)
	k = b.UntilCaseIs(t, over, exception.AmountMismatch, exception.Open)
	code, _ = b.Decide(t, k, exception.Return)
	require.Equal(t, 200, code)
	stage.Eventually(t, "the refund of the case is at the bank", func() bool { b.exchange(); return b.bank.Book()[len(b.bank.Book())-1].Minor == -2500 })
	b.UntilCaseIs(t, over, exception.AmountMismatch, exception.Closed)

	again, rf := b.asks("10.00")
	b.sends(1000, rf)
	b.UntilStatus(t, again, payment.Paid)
	b.sends(1000, rf) // paid twice: the second one goes back by itself
	stage.Eventually(t, "the second payment is back", func() bool { b.exchange(); return b.bank.Book()[len(b.bank.Book())-1].Minor == -1000 })
	b.UntilCaseIs(t, again, exception.DuplicatePayment, exception.Closed)

	foreign, _ := giro.Reference("539007547034")
	b.sends(700, foreign)
	stage.Eventually(t, "what nobody knows is a case", func() bool {
		return b.Count(t, "SELECT count(*) FROM cases WHERE kind = 'orphan'") == 1
	})

	r := b.Refund(t, paid, "refund", "40.00")
	require.Less(t, r.Code, 300, "%s", r.Raw)
	stage.Eventually(t, "the refund is at the bank", func() bool { b.exchange(); return b.bank.Book()[len(b.bank.Book())-1].Minor == -4000 })
	b.UntilRefund(t, r.ID, "succeeded", func(a stage.RefundAnswer) bool { return a.Status == refund.Succeeded })

	has, before := b.Balance(t, "merchant/"+b.ID+"/available"), b.Balance(t, cash)
	out := b.Withdraw(t, "payout", "", "60.00", map[string]any{"type": "iban", "account": guestIBAN, "name": "Ada Lovelace"})
	require.Less(t, out.Code, 300, "%s", out.Raw)
	stage.Eventually(t, "the payout is at the bank", func() bool { b.exchange(); return b.bank.Book()[len(b.bank.Book())-1].Minor == -6000 })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the payout: %s", b.GetPayout(t, out.ID).Raw)
		}
	})
	b.UntilPayout(t, out.ID, "succeeded", func(a stage.PayoutAnswer) bool { return a.Status == payout.Succeeded })
	assert.Equal(t, before-6000, b.Balance(t, cash), "it left our cash")
	book := b.bank.Book()
	b.bank.Return(book[len(book)-1].EndToEnd, "AC04")
	b.exchange()
	stage.Eventually(t, "the payout has come back", func() bool {
		return b.Count(t, "SELECT count(*) FROM cases WHERE kind = 'payout_returned'") == 1
	})
	assert.Equal(t, before, b.Balance(t, cash))
	assert.Equal(t, has, b.Balance(t, "merchant/"+b.ID+"/available"))

	sum := int64(0)
	for _, e := range b.bank.Book() {
		sum += e.Minor
	}
	assert.Equal(t, sum-700, b.Balance(t, cash), "the bank's book and ours: all but what nobody knows")
	assert.Zero(t, b.Balance(t, clearing), "nobody settles with us what is at the bank already")
	b.Audit(t)
}
