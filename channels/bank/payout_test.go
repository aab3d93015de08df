package bank_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/bank"
	"paysaga/channels/bank/fake"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

func TestAPayoutLeavesAtTheCutOffAndTheBankSettlesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.call(id.Payout, id.PayoutOut)
	assert.Equal(t, payment.Absent, w.ask(c).Verdict)
	for range 3 {
		out, err := w.channel().Payout(t.Context(), w.at(c), request)
		require.NoError(t, err)
		assert.Equal(t, payment.Pending, out.Verdict)
		assert.Equal(t, c.Key.Reference, out.ChannelID)
		w.advance(time.Minute)
	}
	assert.Zero(t, w.work().Sent, "before the cut-off nothing leaves")
	w.advance(4 * time.Hour)
	assert.Equal(t, 1, w.work().Sent)
	assert.Zero(t, w.work().Sent)
	require.NoError(t, w.bank.Take())
	assert.Equal(t, payment.Pending, w.ask(c).Verdict, "its answer isn't read yet")
	w.work()
	out := w.ask(c)
	assert.Equal(t, payment.Succeeded, out.Verdict, "%+v", out)
	assert.Equal(t, int64(12345), out.AmountMinor)
	assert.Equal(t, "EUR", out.Currency)
	assert.False(t, out.EffectiveAt.IsZero())
	again, err := w.channel().Payout(t.Context(), w.at(c), request)
	require.NoError(t, err)
	assert.Equal(t, out, again, "a repeat says what a question does")
	told := w.told(c.Key.Reference)
	require.Len(t, told, 1)
	assert.Equal(t, channels.SubjectPayout, told[0].Subject)
	assert.Equal(t, out.Vetted(), told[0].Outcome)
	book := w.bank.Book()
	require.Len(t, book, 1)
	assert.Equal(t, int64(-12345), book[0].Minor)
	assert.Equal(t, theirIBAN, book[0].IBAN)
	assert.Equal(t, "Zoe Lukasz + Sohne", book[0].Name)
	assert.Equal(t, "invoice / 7", book[0].Text)
	assert.Empty(t, w.disk.Files("book/pending"), "whom it paid is forgotten")
	assert.Empty(t, w.disk.Files(bank.Inbox))
}

func TestAnotherPayoutUnderTheSameKeyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.payout()
	other := c
	other.Key.BodyHash = "other"
	more := request
	more.AmountMinor++
	for range 2 { // before the file leaves, and after
		_, err := w.channel().Payout(t.Context(), w.at(other), request)
		assert.Equal(t, fault.KindConflict, fault.Of(err), "%v", err)
		_, err = w.channel().Payout(t.Context(), w.at(c), more)
		assert.Equal(t, fault.KindConflict, fault.Of(err), "%v", err)
		w.advance(5 * time.Hour)
		w.exchange()
	}
	assert.Len(t, w.bank.Book(), 1)
}

func TestWhereABankCantPay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for code, r := range map[string]channels.PayoutRequest{
		"destination_unsupported": {AmountMinor: 1, Currency: "EUR", Destination: "card:4111111111111111", Name: "Ada"},
		"holder_name_missing":     {AmountMinor: 1, Currency: "EUR", Destination: "iban:" + theirIBAN, Name: "张三"},
	} {
		out, err := w.channel().Payout(t.Context(), w.call(id.Payout, id.PayoutOut), r)
		require.NoError(t, err)
		require.Equal(t, payment.Declined, out.Verdict)
		assert.True(t, out.Dead)
		assert.Equal(t, code, out.Decline.Code)
	}
	assert.Empty(t, w.disk.Files("book"))
}

// Each status that a bank may send, and what it makes of a payout.
func TestEveryStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]payment.Verdict{
		"RCVD": payment.Pending, "ACTC": payment.Pending, "ACCP": payment.Pending, "ACSP": payment.Pending, "ACWC": payment.Pending,
		"PDNG": payment.Pending, "ACSC": payment.Succeeded, "ACCC": payment.Succeeded, "RJCT": payment.Declined, "CANC": payment.Declined,
	} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.bank.Decide = func(fake.Transfer) (string, string) { return status, "AC04" }
			c := w.payout()
			w.advance(5 * time.Hour)
			w.exchange()
			out := w.ask(c)
			require.Equal(t, want, out.Verdict)
			if want == payment.Declined {
				assert.True(t, out.Dead)
				assert.Equal(t, payment.Decline{Code: "account_closed", Channel: "AC04", Hard: true}, *out.Decline)
			}
			if want == payment.Pending {
				w.advance(90 * time.Hour)
				assert.Equal(t, payment.Pending, w.ask(c).Verdict, "the bank has said that it is at it")
			}
		})
	}
}

func TestASilentBankLeavesItUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bank.Mute = true
	c := w.payout()
	w.advance(5 * time.Hour)
	w.work()
	require.NoError(t, w.bank.Take())
	assert.Equal(t, payment.Pending, w.ask(c).Verdict)
	w.advance(25 * time.Hour)
	out := w.ask(c)
	assert.Equal(t, payment.Unknown, out.Verdict)
	assert.Contains(t, out.Reason, "PS")
	w.bank.Tell() // the debit in a notification is an answer too
	w.work()
	assert.Equal(t, payment.Succeeded, w.ask(c).Verdict)
}

func TestAFileThatTheBankHasAlreadyEndsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bank.Decide = func(fake.Transfer) (string, string) { return "ACSP", "" }
	c := w.payout()
	w.advance(5 * time.Hour)
	w.work()
	files := w.disk.Files(bank.Outbox)
	require.Len(t, files, 1)
	copied := w.disk.Get(files[0])
	require.NoError(t, w.bank.Take())
	w.disk.Put(files[0], copied) // who carries files sends it twice
	require.NoError(t, w.bank.Take())
	w.work()
	assert.Equal(t, payment.Pending, w.ask(c).Verdict, "a duplicate's refusal says nothing against the first")
	assert.Equal(t, 1, w.bank.Seen())
}

func TestAPayoutThatComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.payout()
	w.advance(5 * time.Hour)
	w.exchange()
	require.Equal(t, payment.Succeeded, w.ask(c).Verdict)
	w.advance(72 * time.Hour)
	w.bank.Return(c.Key.Reference, "AC01")
	w.bank.Tell()
	w.work()
	out := w.ask(c)
	assert.Equal(t, payment.Declined, out.Verdict)
	assert.True(t, out.Dead)
	assert.Equal(t, "payout_returned", out.Decline.Code)
	assert.Equal(t, "AC01", out.Decline.Channel)
	last := 0
	for _, told := range w.told(c.Key.Reference) {
		if told.Outcome.Verdict == payment.Declined {
			last++
			assert.Equal(t, out.Vetted(), told.Outcome)
		}
	}
	assert.Equal(t, 1, last)
}

func TestCutOffs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acct.Credentials[bank.CutOffs] = "14:00, 10:30"
	w.acct.Credentials[bank.Zone] = "Europe/Berlin" // an hour before UTC in November
	w.payout()                                      // Monday, 11:00 there
	assert.Zero(t, w.work().Sent)
	w.advance(2*time.Hour + 59*time.Minute)
	assert.Zero(t, w.work().Sent)
	w.advance(time.Minute)
	assert.Equal(t, 1, w.work().Sent)
	w.advance(4*24*time.Hour + 6*time.Hour) // Friday, 20:00
	w.payout()
	w.advance(48 * time.Hour)
	assert.Zero(t, w.work().Sent, "no file leaves on a Sunday")
	w.advance(24 * time.Hour)
	assert.Equal(t, 1, w.work().Sent)
	assert.Len(t, w.disk.Files(bank.Outbox), 2)
}
