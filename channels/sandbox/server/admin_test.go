package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/sandbox/server"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

func TestTheBookIsFoundByEveryName(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	c := b.call(id.Payment, id.Charge)
	out := b.charge(c, card("tok_ok"))
	refund := b.call(id.Refund, id.RefundOut)
	_, err := b.ch.Refund(t.Context(), refund, channels.RefundRequest{ChargeKey: c.Key.ID, ChannelID: out.ChannelID,
		AmountMinor: 34, Currency: "CNY"})
	require.NoError(t, err)
	read := func(name string) (book server.Book) {
		status, text := b.send(http.MethodGet, "/admin/book?reference="+url.QueryEscape(name), "")
		require.Equal(t, 200, status, text)
		require.NoError(t, json.Unmarshal([]byte(text), &book))
		return book
	}
	paymentID, _, _ := strings.Cut(c.Key.ID, ":")
	refundID, _, _ := strings.Cut(refund.Key.ID, ":")
	for _, name := range []string{c.Key.Reference, c.Key.ID, paymentID} {
		book := read(name)
		require.Len(t, book.Charges, 1, name)
		got := book.Charges[0]
		assert.Equal(t, c.Key.ID, got.Key)
		assert.Equal(t, c.Key.BodyHash, got.BodyHash)
		assert.Equal(t, server.Succeeded, got.State)
		assert.Equal(t, int64(1234), got.CapturedMinor)
		assert.Equal(t, int64(34), got.RefundedMinor)
	}
	assert.Len(t, read(paymentID).Refunds, 1, "a payment's refunds are found under its id")
	for _, name := range []string{refund.Key.Reference, refund.Key.ID, refundID} {
		book := read(name)
		assert.Len(t, book.Refunds, 1, name)
		assert.Empty(t, book.Charges)
	}
	assert.Equal(t, server.Book{Charges: []server.Charge{}, Refunds: []server.Move{}, Payouts: []server.Move{}}, read("pay_nobody"))

	status, text := b.send(http.MethodGet, "/admin/book?all=1", "")
	assert.Equal(t, 200, status)
	assert.Equal(t, 2, strings.Count(text, "\n"))
	status, _ = b.send(http.MethodGet, "/admin/book", "")
	assert.Equal(t, 400, status)
	_, text = b.send(http.MethodGet, "/admin/summary", "")
	assert.JSONEq(t, `{"charges":{"succeeded":1},"refunds":{"succeeded":1},"payouts":{},"captured_minor":{"CNY":1234},
		"refunded_minor":{"CNY":34},"given_back_minor":{"CNY":34},"paid_out_minor":{},"paid_twice":0,"callbacks_owed":0}`, text)
}

func TestTheCustomerPaysInEveryWay(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	pay := func(c channels.Call, more string) (int, string) {
		return b.send(http.MethodPost, "/admin/pay", fmt.Sprintf(`{"reference":%q%s}`, c.Key.ID, more))
	}
	made := func() channels.Call {
		c := b.call(id.Payment, id.Charge)
		require.Equal(t, payment.Pending, b.charge(c, qr("")).Verdict)
		return c
	}
	t.Run("another amount", func(t *testing.T) {
		c := made()
		status, _ := pay(c, `,"amount_minor":499`)
		assert.Equal(t, 200, status)
		assert.Equal(t, int64(499), b.ask(c).AmountMinor)
	})
	t.Run("another currency", func(t *testing.T) {
		c := made()
		pay(c, `,"currency":"USD"`)
		assert.Equal(t, "USD", b.ask(c).Currency)
	})
	t.Run("twice", func(t *testing.T) {
		c := made()
		pay(c, `,"times":2`)
		assert.Len(t, b.s.Lookup(c.Key.ID).Charges, 2)
		status, text := pay(c, "")
		assert.Equal(t, 409, status)
		assert.Contains(t, text, "charge_paid")
		pay(c, `,"again":true`)
		charges := b.s.Lookup(c.Key.ID).Charges
		require.Len(t, charges, 3)
		assert.NotEqual(t, charges[0].ID, charges[2].ID)
		assert.Equal(t, charges[0].ID, b.ask(c).ChannelID, "asking still finds the first")
	})
	t.Run("after it expired", func(t *testing.T) {
		c := b.call(id.Payment, id.Charge)
		r := qr("")
		at := b.s.Now().Add(-time.Second)
		r.ExpiresAt = &at
		assert.Equal(t, payment.Closed, b.charge(c, r).Verdict)
		status, text := pay(c, "")
		assert.Equal(t, 409, status)
		assert.Contains(t, text, "charge_closed")
		assert.Equal(t, payment.Closed, b.ask(c).Verdict)
		status, _ = pay(c, `,"after_close":true`)
		assert.Equal(t, 200, status)
		assert.Equal(t, payment.Succeeded, b.ask(c).Verdict)
		assert.True(t, b.s.Lookup(c.Key.ID).Charges[0].Late)
	})
	t.Run("after it was cancelled", func(t *testing.T) {
		c := made()
		out, err := b.ch.Cancel(t.Context(), c, qr(""))
		require.NoError(t, err)
		require.Equal(t, payment.Closed, out.Verdict)
		status, _ := pay(c, `,"after_close":true`)
		assert.Equal(t, 200, status)
		assert.Equal(t, payment.Succeeded, b.ask(c).Verdict)
	})
	t.Run("what was cancelled before it existed is never paid", func(t *testing.T) {
		c := b.call(id.Payment, id.Charge)
		_, err := b.ch.Cancel(t.Context(), c, qr(""))
		require.NoError(t, err)
		status, _ := pay(c, `,"after_close":true`)
		assert.Equal(t, 409, status)
	})
	status, _ := pay(b.call(id.Payment, id.Charge), "")
	assert.Equal(t, 404, status)
}

func TestThePayPage(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	c := b.call(id.Payment, id.Charge)
	r := qr("")
	r.Method.Type, r.ReturnURL, r.Description = payment.MethodRedirect, "https://shop.test/back?order=1", "<script>tea</script>"
	out := b.charge(c, r)
	require.Equal(t, payment.ActionRedirect, out.Action.Type)
	path := strings.TrimPrefix(out.Action.URL, b.url)
	status, text := b.send(http.MethodGet, path, "")
	assert.Equal(t, 200, status)
	assert.Contains(t, text, "Pay</button>")
	assert.NotContains(t, text, "<script>")
	status, _ = b.send(http.MethodGet, path+"0", "")
	assert.Equal(t, 404, status)
	status, _ = b.send(http.MethodPost, path, "act=pay", "Content-Type", "application/x-www-form-urlencoded")
	assert.Equal(t, http.StatusSeeOther, status)
	assert.Equal(t, payment.Succeeded, b.ask(c).Verdict)
	_, text = b.send(http.MethodGet, path, "")
	assert.Contains(t, text, "Back to the shop")
}

func TestScripts(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	c, other := b.call(id.Payment, id.Charge), b.call(id.Payment, id.Charge)
	b.admin("/admin/script", fmt.Sprintf(`{"operation":"charge","reference":%q,"fault":"500","times":2}`, c.Key.ID))
	assert.Equal(t, payment.Succeeded, b.charge(other, card("tok_ok")).Verdict)
	for range 2 {
		assert.Equal(t, payment.Unknown, b.charge(c, card("tok_ok")).Verdict)
		assert.Equal(t, payment.Absent, b.ask(c).Verdict)
	}
	assert.Equal(t, payment.Succeeded, b.charge(c, card("tok_ok")).Verdict)

	for _, name := range []string{"500_after", "drop_after", "reset_after", "garbage", "empty", "truncated", "huge", "redirect",
		"unknown_state", "wrong_reference", "drop", "reset"} {
		c := b.call(id.Payment, id.Charge)
		b.admin("/admin/script", fmt.Sprintf(`{"operation":"charge","reference":%q,"fault":%q}`, c.Key.Reference, name))
		assert.Equal(t, payment.Unknown, b.charge(c, card("tok_ok")).Verdict, name)
		want := payment.Succeeded
		if name == "drop" || name == "reset" {
			want = payment.Absent
		}
		assert.Equal(t, want, b.ask(c).Verdict, name)
	}
	b.admin("/admin/script", `{"operation":"ask","fault":"500","times":-1}`)
	for range 3 {
		assert.Equal(t, payment.Unknown, b.ask(c).Verdict)
	}
	status, _ := b.send(http.MethodDelete, "/admin/script", "")
	assert.Equal(t, 200, status)
	assert.Equal(t, payment.Succeeded, b.ask(c).Verdict)

	b.admin("/admin/script", `{"operation":"refund","fault":"decline"}`)
	refund := b.call(id.Refund, id.RefundOut)
	out, err := b.ch.Refund(t.Context(), refund, channels.RefundRequest{ChargeKey: c.Key.ID, AmountMinor: 1, Currency: "CNY"})
	require.NoError(t, err)
	assert.Equal(t, payment.Declined, out.Verdict)
	assert.Zero(t, b.s.Lookup(c.Key.ID).Charges[0].RefundedMinor)
}

func TestResetEmptiesTheBookButNotTheNumbers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := open(t, server.Config{Dir: dir})
	c := b.call(id.Payment, id.Charge)
	first := b.charge(c, card("tok_ok")).ChannelID
	b.admin("/admin/reset", "")
	assert.Equal(t, payment.Absent, b.ask(c).Verdict)
	require.NoError(t, b.s.Close())
	b = open(t, server.Config{Dir: dir})
	c.Account = b.account()
	assert.NotEqual(t, first, b.charge(c, card("tok_ok")).ChannelID)
}

func TestBadInputIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	good := map[string]any{"reference": "p1", "key": "k1", "body_hash": strings.Repeat("0", 64), "amount_minor": 5,
		"currency": "CNY", "method": map[string]any{"type": "card_token", "token": "tok_ok"}, "capture": true}
	with := func(field string, value any) string {
		c := map[string]any{}
		for k, v := range good {
			c[k] = v
		}
		c[field] = value
		raw, _ := json.Marshal(c)
		return string(raw)
	}
	bodies := []string{"", "{", "[]", "null", `"x"`, "{} {}", with("reference", ""), with("reference", "UP"), with("reference", strings.Repeat("a", 33)),
		with("key", "other"), with("body_hash", "x"), with("amount_minor", 0), with("amount_minor", -1), with("amount_minor", 1.5),
		with("amount_minor", "5"), with("amount_minor", 1e18), with("currency", "cny"), with("currency", ""), with("method", nil),
		with("method", map[string]any{"type": "cash"}), with("method", map[string]any{"type": "card_token"}),
		with("method", map[string]any{"type": "qr", "token": "tok_ok"}), with("callback_url", "ftp://x"), with("return_url", "javascript:x"),
		with("expires_at", "tomorrow"), with("surprise", 1), with("description", strings.Repeat("x", 1001)),
		with("description", strings.Repeat("x", 70_000))}
	for _, body := range bodies {
		status, text := b.send(http.MethodPost, "/v1/charges", body, "Authorization", "Bearer "+secret, "Idempotency-Key", "k1")
		assert.True(t, status == 400 || status == 413 || status == 422, "%d %s", status, text)
		assert.Contains(t, text, `"code"`)
	}
	status, _ := b.send(http.MethodPost, "/v1/charges", with("currency", "CNY"), "Authorization", "Bearer "+secret)
	assert.Equal(t, 400, status)
	status, _ = b.send(http.MethodPost, "/v1/charges", with("currency", "CNY"), "Idempotency-Key", "k1")
	assert.Equal(t, 401, status)
	for path, body := range map[string]string{
		"/admin/pay":       `{"reference":"x","amount_minor":-1}`,
		"/admin/script":    `{"operation":"charge","fault":"earthquake"}`,
		"/admin/callbacks": `{"reference":"x","mode":"telepathy"}`,
		"/admin/clock":     `{"offset":"soon"}`,
	} {
		status, text := b.send(http.MethodPost, path, body)
		assert.Equal(t, 422, status, text)
	}
	status, _ = b.send(http.MethodGet, "/nothing", "")
	assert.Equal(t, 404, status)
	assert.Empty(t, b.s.Summarize().Charges)
	status, _ = b.send(http.MethodPost, "/v1/charges", with("currency", "CNY"), "Authorization", "Bearer "+secret, "Idempotency-Key", "k1")
	assert.Equal(t, 201, status)
}

func TestRefundsOfTheWrongCharge(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	c := b.call(id.Payment, id.Charge)
	b.charge(c, card("tok_ok"))
	refund := func(r channels.RefundRequest) error {
		_, err := b.ch.Refund(t.Context(), b.call(id.Refund, id.RefundOut), r)
		return err
	}
	nobody := b.call(id.Payment, id.Charge)
	declined := b.call(id.Payment, id.Charge)
	b.charge(declined, card("tok_stolen"))
	assert.Equal(t, fault.KindNotFound, fault.Of(refund(channels.RefundRequest{ChargeKey: nobody.Key.ID, AmountMinor: 1, Currency: "CNY"})))
	assert.Equal(t, fault.KindNotFound, fault.Of(refund(channels.RefundRequest{ChargeKey: c.Key.ID, ChannelID: "sbx_999", AmountMinor: 1, Currency: "CNY"})))
	assert.Equal(t, fault.KindConflict, fault.Of(refund(channels.RefundRequest{ChargeKey: declined.Key.ID, AmountMinor: 1, Currency: "CNY"})))
	assert.Equal(t, fault.KindInvalid, fault.Of(refund(channels.RefundRequest{ChargeKey: c.Key.ID, AmountMinor: 1, Currency: "USD"})))
	assert.Equal(t, fault.KindInvalid, fault.Of(refund(channels.RefundRequest{ChargeKey: c.Key.ID, AmountMinor: 1235, Currency: "CNY"})))
}
