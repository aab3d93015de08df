package alipay_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/alipay"
	"paysaga/channels/alipay/fake"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// desk is an adapter, as paysaga calls it, before a fake at which something may happen when a request arrives.
type desk struct {
	*testing.T
	fake    *fake.Server
	ch      channels.Channel
	account channels.Account
	before  func(method string)
	n       byte
}

func newDesk(t *testing.T, c fake.Config) *desk {
	t.Helper()
	d := &desk{T: t, fake: fake.New(c), before: func(string) {}}
	gateway := d.fake.Handler()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		d.before(r.PostForm.Get("method"))
		again := r.Clone(r.Context())
		again.Body = http.NoBody
		again.URL.RawQuery = r.PostForm.Encode()
		gateway.ServeHTTP(w, again)
	}))
	client := wire.New(wire.Config{})
	t.Cleanup(func() {
		client.CloseIdle()
		h.Close()
	})
	d.ch = channels.Guard(alipay.New(client))
	d.account = channels.Account{ID: "cha_1", Channel: alipay.Name, Book: id.Test, BaseURL: h.URL, Credentials: d.fake.Credentials()}
	return d
}

func (d *desk) call(p id.Prefix, code id.Code) channels.Call {
	d.Helper()
	d.n++
	return call(d.T, d.fake, d.account, p, code, d.n)
}

// charged makes a charge.
func (d *desk) charged(r *channels.ChargeRequest) (channels.Call, payment.Outcome) {
	d.Helper()
	c := d.call(id.Payment, id.Charge)
	out, err := d.ch.Charge(d.Context(), c, *r)
	require.NoError(d, err)
	return c, out
}

func (d *desk) ask(c channels.Call, r *channels.ChargeRequest) payment.Outcome {
	d.Helper()
	c.Now = d.fake.Now()
	out, err := d.ch.Ask(d.Context(), c, *r)
	require.NoError(d, err)
	return out
}

func (d *desk) cancel(c channels.Call, r *channels.ChargeRequest) payment.Outcome {
	d.Helper()
	c.Now = d.fake.Now()
	out, err := d.ch.Cancel(d.Context(), c, *r)
	require.NoError(d, err)
	return out
}

// Alipay has no trade of a code that nobody has scanned and of a page that nobody has opened. That it says so proves
// nothing while they can still be paid.
func TestWhatNobodyHasScannedIsNotDead(t *testing.T) {
	t.Parallel()
	for _, method := range []payment.MethodType{payment.MethodQR, payment.MethodRedirect, payment.MethodInApp} {
		d := newDesk(t, fake.Config{})
		r := charge(method, "")
		until := d.fake.Now().Add(30 * time.Minute)
		r.ExpiresAt = &until
		visit := func(out payment.Outcome) (number, wrong string) {
			if out.Action.Type == payment.ActionSDK {
				return d.fake.Visit(out.Action.Parameters["order_string"])
			}
			return d.fake.Visit(out.Action.URL)
		}
		c, out := d.charged(r)
		require.Equal(t, payment.Pending, out.Verdict)
		require.NotNil(t, out.Action)
		require.Equal(t, until.Truncate(time.Second), out.ExpiresAt)
		for range 2 {
			require.Equal(t, payment.Pending, d.ask(c, r).Verdict, method)
			require.Equal(t, payment.Pending, d.cancel(c, r).Verdict, "it can't be closed: there is no trade")
		}
		_, again := d.charged(r)
		require.NotEqual(t, out.Action, again.Action, "another payment has an action of its own")
		repeated, err := d.ch.Charge(t.Context(), c, *r)
		require.NoError(t, err)
		require.Equal(t, out.Action, repeated.Action, "a repeat shows the same")

		if method != payment.MethodQR {
			number, wrong := visit(out)
			require.Empty(t, wrong)
			require.Equal(t, c.Key.Reference, number)
		}
		require.True(t, d.fake.Pay(c.Key.Reference), "the customer came after the cancel")
		paid := d.ask(c, r)
		require.Equal(t, payment.Succeeded, paid.Verdict)
		require.Equal(t, paid, d.cancel(c, r))

		late, out := d.charged(r)
		d.fake.Advance(time.Until(until) + 20*time.Minute - time.Until(d.fake.Now()))
		require.False(t, d.fake.Pay(late.Key.Reference), "its time is over")
		if method != payment.MethodQR {
			_, wrong := visit(out)
			require.NotEmpty(t, wrong, "its time is over")
		}
		require.Equal(t, payment.Outcome{Verdict: payment.Closed, Dead: true}, d.ask(late, r))
		require.Equal(t, payment.Outcome{Verdict: payment.Closed, Dead: true}, d.cancel(late, r))
	}
}

func TestADeviceChoosesItsPage(t *testing.T) {
	t.Parallel()
	d := newDesk(t, fake.Config{})
	for device, want := range map[payment.Device]string{"": "alipay.trade.page.pay", payment.Desktop: "alipay.trade.page.pay", payment.Mobile: "alipay.trade.wap.pay"} {
		r := charge(payment.MethodRedirect, "")
		r.Method.Device = device
		_, out := d.charged(r)
		u, err := url.Parse(out.Action.URL)
		require.NoError(t, err)
		assert.Equal(t, want, u.Query().Get("method"))
		assert.Equal(t, r.ReturnURL, u.Query().Get("return_url"))
		assert.Equal(t, r.CallbackURL, u.Query().Get("notify_url"))
	}
}

func TestABarcodeWaitsForItsCustomer(t *testing.T) {
	t.Parallel()
	d := newDesk(t, fake.Config{})
	r := charge(payment.MethodBarcode, d.fake.Barcode(fake.Confirms))
	c, out := d.charged(r)
	require.Equal(t, payment.Pending, out.Verdict)
	require.Nil(t, out.Action)
	require.False(t, out.ExpiresAt.IsZero())
	require.Equal(t, payment.Pending, d.ask(c, r).Verdict)
	require.True(t, d.fake.Pay(c.Key.Reference))
	require.Equal(t, payment.Succeeded, d.ask(c, r).Verdict)

	closed, _ := d.charged(r)
	require.Equal(t, payment.Closed, d.cancel(closed, r).Verdict)
	require.False(t, d.fake.Pay(closed.Key.Reference))

	expired, _ := d.charged(r)
	d.fake.Advance(4 * time.Minute)
	require.Equal(t, payment.Closed, d.ask(expired, r).Verdict)
}

// The customer confirms between our question and our cancel: the money goes back, and the charge is dead.
func TestACancelThatComesTooLateGivesTheMoneyBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t, fake.Config{})
	r := charge(payment.MethodBarcode, d.fake.Barcode(fake.Confirms))
	c, _ := d.charged(r)
	d.before = func(method string) {
		if method == "alipay.trade.cancel" {
			d.fake.Pay(c.Key.Reference)
		}
	}
	out := d.cancel(c, r)
	require.Equal(t, payment.Closed, out.Verdict)
	require.True(t, out.Dead)
	trade, _ := d.fake.Trade(c.Key.Reference)
	require.Equal(t, trade.Total, trade.Refunded)
}

// The customer pays between our question and our close: Alipay refuses to close, and that is a success.
func TestACloseThatComesTooLateIsASuccess(t *testing.T) {
	t.Parallel()
	d := newDesk(t, fake.Config{ScanAtOnce: true})
	r := charge(payment.MethodQR, "")
	c, _ := d.charged(r)
	d.before = func(method string) {
		if method == "alipay.trade.close" {
			d.fake.Pay(c.Key.Reference)
		}
	}
	require.Equal(t, payment.Succeeded, d.cancel(c, r).Verdict)
	trade, _ := d.fake.Trade(c.Key.Reference)
	require.Zero(t, trade.Refunded)
}

func TestAlipayThatDoesNotKnowIsUnknown(t *testing.T) {
	t.Parallel()
	d := newDesk(t, fake.Config{})
	r := charge(payment.MethodBarcode, d.fake.Barcode(fake.Busy))
	c, out := d.charged(r)
	require.Equal(t, payment.Unknown, out.Verdict)
	require.Equal(t, payment.Absent, d.ask(c, r).Verdict)
}

// A trade that is closed because all of it was given back was a success, and stays one.
func TestAFullRefundIsNoFailure(t *testing.T) {
	t.Parallel()
	d := newDesk(t, fake.Config{})
	r := charge(payment.MethodBarcode, d.fake.Barcode(fake.Pays))
	c, paid := d.charged(r)
	back := d.call(id.Refund, id.RefundOut)
	out, err := d.ch.Refund(t.Context(), back, channels.RefundRequest{ChargeKey: c.Key.ID, AmountMinor: 1234, TotalMinor: 1234, Currency: "CNY"})
	require.NoError(t, err)
	require.Equal(t, payment.Succeeded, out.Verdict)
	trade, _ := d.fake.Trade(c.Key.Reference)
	require.Equal(t, fake.Closed, trade.Status)
	require.Equal(t, paid, d.ask(c, r))
	told := d.fake.Notifications()
	require.Len(t, told, 2)
	for _, n := range told {
		cb, err := d.ch.ParseCallback(d.account, channels.RawCallback{Body: n.Body, Now: d.fake.Now()})
		require.NoError(t, err)
		require.Equal(t, channels.SubjectCharge, cb.Subject)
		require.Equal(t, paid, cb.Outcome, n.Status)
	}
}

func TestWhatAlipayCantTakeIsRefusedBeforeItIsAsked(t *testing.T) {
	t.Parallel()
	d := newDesk(t, fake.Config{})
	for code, change := range map[string]func(*channels.ChargeRequest){
		"currency_unsupported":      func(r *channels.ChargeRequest) { r.Currency = "USD" },
		"amount_not_allowed":        func(r *channels.ChargeRequest) { r.AmountMinor = 100_000_000_01 },
		"authorization_unsupported": func(r *channels.ChargeRequest) { r.Capture = false },
		"return_url_required":       func(r *channels.ChargeRequest) { r.Method.Type, r.ReturnURL = payment.MethodRedirect, "" },
		"token_unsupported":         func(r *channels.ChargeRequest) { r.Method = payment.Method{Type: payment.MethodBarcode, Token: "99"} },
		"method_unsupported":        func(r *channels.ChargeRequest) { r.Method.Type = payment.MethodCardToken },
	} {
		r := charge(payment.MethodQR, "")
		change(r)
		_, err := d.ch.Charge(t.Context(), d.call(id.Payment, id.Charge), *r)
		assert.True(t, fault.Is(err, fault.KindInvalid, code), "%s: %v", code, err)
	}
	assert.Empty(t, d.fake.Calls())
}

// What a merchant writes is shown to the customer without what Alipay refuses and what would break a line of a bill.
func TestSubjectsAreTaken(t *testing.T) {
	t.Parallel()
	d := newDesk(t, fake.Config{})
	for in, want := range map[string]string{"": "order", " / = & ": "order", "a/b=c&d,e\"f\ng\x00": "a b c d e f g", "绿茶": "绿茶",
		strings.Repeat("茶", 300): strings.Repeat("茶", 128)} {
		r := charge(payment.MethodQR, "")
		r.Description = in
		d.charged(r)
		calls := d.fake.Calls()
		assert.Equal(t, want, calls[len(calls)-1].Biz["subject"])
	}
}
