package bank_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/bank/fake"
	"paysaga/domain/fault"
	"paysaga/domain/giro"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

var transferIn = channels.ChargeRequest{AmountMinor: 10000, Currency: "EUR", Capture: true, Method: payment.Method{Type: payment.MethodBankTransfer}}

// charge asks a customer to pay, and returns the reference they are told.
func (w *world) charge() (c channels.Call, rf string) {
	w.Helper()
	c = w.call(id.Payment, id.Charge)
	out, err := w.channel().Charge(w.Context(), c, transferIn)
	require.NoError(w, err)
	require.Equal(w, payment.Pending, out.Verdict, "%+v", out)
	require.Equal(w, payment.ActionBankTransfer, out.Action.Type)
	return c, out.Action.Parameters["reference"]
}

func (w *world) pays(minor int64, rf string) fake.Booking {
	return w.bank.Receive(fake.Booking{Minor: minor, Currency: "EUR", RF: rf, IBAN: theirIBAN, Name: "Ada Lovelace"})
}

func (w *world) hear() {
	w.Helper()
	w.bank.Tell()
	w.work()
}

func (w *world) askCharge(c channels.Call) payment.Outcome {
	w.Helper()
	out, err := w.channel().Ask(w.Context(), w.at(c), transferIn)
	require.NoError(w, err)
	return out
}

func TestACustomerPaysByTransfer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, rf := w.charge()
	_, ok := giro.ParseReference(rf)
	require.True(t, ok)
	again, err := w.channel().Charge(t.Context(), c, transferIn)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"iban": ourIBAN, "bic": "COBADEFFXXX", "name": "Paysaga Test GmbH", "reference": rf}, again.Action.Parameters)
	assert.Equal(t, payment.Pending, w.askCharge(c).Verdict)
	w.pays(10000, rf)
	w.hear()
	out := w.askCharge(c)
	assert.Equal(t, payment.Succeeded, out.Verdict)
	assert.Equal(t, int64(10000), out.AmountMinor)
	assert.False(t, out.EffectiveAt.IsZero())
	told := w.told(c.Key.Reference)
	require.Len(t, told, 1)
	assert.Equal(t, channels.SubjectCharge, told[0].Subject)
	assert.Equal(t, out.Vetted(), told[0].Outcome)
}

// However the reference reaches us: people write it, banks move it.
func TestTheReferenceIsFoundWhereverItStands(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(rf string) fake.Booking{
		"structured": func(rf string) fake.Booking { return fake.Booking{RF: rf} },
		"in groups":  func(rf string) fake.Booking { return fake.Booking{RF: giro.Grouped(rf)} },
		"in the text": func(rf string) fake.Booking {
			return fake.Booking{Text: "order 7, " + strings.ToLower(giro.Grouped(rf))}
		},
		"as the end-to-end": func(rf string) fake.Booking { return fake.Booking{EndToEnd: rf} },
	} {
		for _, version := range []string{"02", "04", "08"} {
			w := newWorld(t)
			w.bank.Camt = version
			c, rf := w.charge()
			b := put(rf)
			b.Minor, b.Currency = 10000, "EUR"
			w.bank.Receive(b)
			w.hear()
			assert.Equal(t, payment.Succeeded, w.askCharge(c).Verdict, "%s, camt.054.001.%s", name, version)
		}
	}
}

// What isn't as meant is told as it came: settling makes cases of it.
func TestPartsAndTooMuchAreToldAsTheyCame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, rf := w.charge()
	w.pays(6000, rf)
	w.hear()
	part := w.askCharge(c)
	assert.Equal(t, int64(6000), part.AmountMinor)
	w.pays(4000, rf)
	w.hear()
	told := w.told(c.Key.Reference)
	require.Len(t, told, 2)
	assert.NotEqual(t, told[0].Outcome.ChannelID, told[1].Outcome.ChannelID, "each transfer is a charge of its own")
	assert.Equal(t, int64(10000), told[0].Outcome.AmountMinor+told[1].Outcome.AmountMinor)
	assert.Equal(t, part, w.askCharge(c), "a second transfer doesn't change what is said of the first")
	for _, one := range told {
		known := c
		known.ChannelID = one.Outcome.ChannelID
		assert.Equal(t, one.Outcome, w.askCharge(known).Vetted())
	}
}

func TestTwoEqualTransfersAreTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, rf := w.charge()
	w.pays(10000, rf)
	w.pays(10000, rf)
	w.hear()
	assert.Len(t, w.told(c.Key.Reference), 2)
}

func TestTheSameNotificationAgainTellsNothingNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, rf := w.charge()
	w.pays(10000, rf)
	name := w.bank.Tell()
	content := w.disk.Get(name)
	w.work()
	w.disk.Put("inbox/again.xml", content)
	w.work()
	assert.Len(t, w.told(c.Key.Reference), 1, "the same bytes are the same callback")
	w.disk.Put("inbox/made-anew.xml", []byte(strings.Replace(string(content), "</MsgId>", "X</MsgId>", 1)))
	w.work()
	for _, told := range w.told(c.Key.Reference) {
		assert.Equal(t, w.askCharge(c).ChannelID, told.Outcome.ChannelID, "another file about the same transfer")
	}
}

func TestMoneyThatNobodyKnowsIsToldToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	foreign, _ := giro.Reference("539007547034")
	w.pays(700, foreign)
	w.bank.Receive(fake.Booking{Minor: 800, Currency: "EUR", Text: "hello"})
	w.hear()
	require.Len(t, w.told(foreign), 1)
	require.Len(t, w.told(""), 1)
	assert.Equal(t, int64(800), w.told("")[0].Outcome.AmountMinor)
	_, _, err := id.ParseReference(foreign)
	assert.Error(t, err, "it will be an orphan")
}

func TestAClosedChargeThatIsPaidAllTheSameIsLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, rf := w.charge()
	for range 2 {
		out, err := w.channel().Cancel(t.Context(), c, transferIn)
		require.NoError(t, err)
		assert.Equal(t, payment.Outcome{Verdict: payment.Closed, Dead: true}, out)
	}
	assert.Equal(t, payment.Closed, w.askCharge(c).Verdict)
	again, err := w.channel().Charge(t.Context(), c, transferIn)
	require.NoError(t, err)
	assert.Equal(t, payment.Closed, again.Verdict)
	w.pays(10000, rf)
	w.hear()
	require.Len(t, w.told(c.Key.Reference), 1)
	assert.Equal(t, payment.Succeeded, w.told(c.Key.Reference)[0].Outcome.Verdict)
	assert.Equal(t, payment.Succeeded, w.askCharge(c).Verdict)
}

func TestAnAbsentChargeIsClosedForGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.call(id.Payment, id.Charge)
	assert.Equal(t, payment.Outcome{Verdict: payment.Absent}, w.askCharge(c))
	out, err := w.channel().Cancel(t.Context(), c, transferIn)
	require.NoError(t, err)
	assert.Equal(t, payment.Closed, out.Verdict)
	late, err := w.channel().Charge(t.Context(), c, transferIn)
	require.NoError(t, err)
	assert.Equal(t, payment.Closed, late.Verdict)
}

func TestAnotherChargeUnderTheSameKeyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.charge()
	c.Key.BodyHash = "other"
	_, err := w.channel().Charge(t.Context(), c, transferIn)
	assert.Equal(t, fault.KindConflict, fault.Of(err), "%v", err)
}

// A reference that is another's already isn't given twice.
func TestReferencesThatClashStayApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.call(id.Payment, id.Charge)
	taken := giro.ReferenceFor(c.Key.Reference, 0)
	w.disk.Put("book/payins/"+taken, []byte(`{"reference":"p0c0300j3w460l0pcfcz6z0kx42ch1","key":"","body_hash":"","amount_minor":1,"currency":"EUR"}`))
	out, err := w.channel().Charge(t.Context(), c, transferIn)
	require.NoError(t, err)
	rf := out.Action.Parameters["reference"]
	assert.NotEqual(t, taken, rf)
	w.pays(10000, rf)
	w.hear()
	assert.Equal(t, payment.Succeeded, w.askCharge(c).Verdict)
}

func TestARefundGoesBackToWhereTheMoneyCameFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, rf := w.charge()
	w.pays(10000, rf)
	w.hear()
	call := w.call(id.Refund, id.RefundOut)
	r := channels.RefundRequest{ChargeKey: c.Key.ID, ChannelID: w.askCharge(c).ChannelID, AmountMinor: 4000, TotalMinor: 10000, Currency: "EUR"}
	for range 2 {
		out, err := w.channel().Refund(t.Context(), call, r)
		require.NoError(t, err)
		assert.Equal(t, payment.Pending, out.Verdict)
	}
	w.advance(5 * time.Hour)
	w.exchange()
	out, err := w.channel().AskRefund(t.Context(), w.at(call), r)
	require.NoError(t, err)
	assert.Equal(t, payment.Succeeded, out.Verdict)
	assert.Equal(t, int64(4000), out.AmountMinor)
	book := w.bank.Book()
	last := book[len(book)-1]
	assert.Equal(t, theirIBAN, last.IBAN)
	assert.Equal(t, "Ada Lovelace", last.Name)
	assert.Equal(t, "Refund "+rf, last.Text)
	r.AmountMinor = 10001
	_, err = w.channel().Refund(t.Context(), w.call(id.Refund, id.RefundOut), r)
	assert.Equal(t, fault.KindInvalid, fault.Of(err), "%v", err)
	w.bank.Return(call.Key.Reference, "AC04")
	w.hear()
	out, err = w.channel().AskRefund(t.Context(), w.at(call), r)
	require.NoError(t, err)
	assert.Equal(t, "refund_returned", out.Decline.Code)
}

// The bank takes a transfer back that it had credited.
func TestACreditThatTheBankTakesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, rf := w.charge()
	w.pays(10000, rf)
	w.hear()
	was := w.askCharge(c)
	w.bank.Enter(fake.Booking{Minor: -10000, Currency: "EUR", RF: rf, Reversal: true})
	w.hear()
	out := payment.Outcome{}
	for _, told := range w.told(c.Key.Reference) {
		if told.Outcome.Verdict == payment.Closed {
			out = told.Outcome
		}
	}
	assert.True(t, out.Dead)
	assert.Equal(t, was.ChannelID, out.ChannelID)
	assert.NotEqual(t, payment.Succeeded, w.askCharge(c).Verdict)
}
