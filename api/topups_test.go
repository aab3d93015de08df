package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"paysaga/domain/id"
)

func topUpBody(user, amount, more string) string {
	return fmt.Sprintf(`{"user_id":%q,"amount":%s,"currency":"CNY","method":{"type":"card_token","token":"tok_ok"}%s}`, user, amount, more)
}

func (f *front) topUp(t testing.TB, user string, edit ...func(*http.Request)) answer {
	t.Helper()
	return f.do(t, request(http.MethodPost, "/v1/topups", topUpBody(user, `"10.00"`, ""), edit...))
}

func TestTopUp(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	ada, bob := f.user(t, "ada"), f.user(t, "bob")
	key := with("Idempotency-Key", "one")
	a := f.topUp(t, ada, key)
	one := a.text(t, "id")
	if a.status != http.StatusCreated || a.text(t, "status") != "succeeded" || a.text(t, "user_id") != ada || a.text(t, "amount_credited") != "10.00" ||
		a.header.Get("Location") != "/v1/topups/"+one {
		t.Errorf("%d %s", a.status, a.body)
	}
	if again := f.topUp(t, ada, key); again.text(t, "id") != one || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%d %s", again.status, again.body)
	}
	if other := f.topUp(t, bob, key); other.text(t, "code") != "idempotency_key_reused" {
		t.Errorf("%d %s", other.status, other.body)
	}
	for path, want := range map[string]int{"/v1/topups": 1, "/v1/topups?user_id=" + ada: 1, "/v1/topups?user_id=" + bob: 0,
		"/v1/topups?status=succeeded": 1, "/v1/topups?status=failed": 0, "/v1/topups?starting_after=" + one: 0, "/v1/payments": 2} {
		a := f.do(t, request(http.MethodGet, path, ""))
		if list, _ := a.json(t)["data"].([]any); a.status != http.StatusOK || len(list) != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if got := f.do(t, request(http.MethodGet, "/v1/topups/"+one, "")); got.status != http.StatusOK || got.text(t, "object") != "topup" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if late := f.do(t, request(http.MethodPost, "/v1/topups/"+one+"/cancel", "")); late.status != http.StatusConflict || late.text(t, "code") != "payment_not_cancelable" {
		t.Errorf("%d %s", late.status, late.body)
	}
	f.sagas.moving(needsAction)
	shown := f.topUp(t, ada)
	if gone := f.do(t, request(http.MethodPost, "/v1/topups/"+shown.text(t, "id")+"/cancel", "")); gone.status != http.StatusOK || gone.text(t, "status") != "canceled" {
		t.Errorf("%d %s", gone.status, gone.body)
	}
	for code := range map[string]bool{"wallet_frozen": true, "wallet_closed": true} {
		f.store.wallets.refused[ada] = code
		if a := f.topUp(t, ada); a.status != http.StatusConflict || a.text(t, "code") != code || a.text(t, "param") != "user_id" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// A user tops up their own wallet, and sees their own top-ups (I-25).
func TestTopUpsOfAUser(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	ada, eve := f.user(t, "ada"), f.user(t, "eve")
	asAda, asEve := f.asUser(t, shop, ada), f.asUser(t, shop, eve)
	one := f.topUp(t, ada, asAda).text(t, "id")
	if a := f.topUp(t, ada, asEve); a.status != http.StatusNotFound || a.text(t, "param") != "user_id" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, path := range []string{"/v1/topups/" + one, "/v1/topups?user_id=" + ada} {
		if a := f.do(t, request(http.MethodGet, path, "", asEve)); a.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		if a := f.do(t, request(http.MethodGet, path, "", asAda)); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := f.do(t, request(http.MethodPost, "/v1/topups/"+one+"/cancel", "", asEve)); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := f.do(t, request(http.MethodGet, "/v1/topups", "", asEve)); len(a.json(t)["data"].([]any)) != 0 {
		t.Errorf("%s", a.body)
	}
}

func TestTopUpBadInput(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f *front, rows func() int) {
		ada, eve := f.user(t, "ada"), f.user(t, "eve", as(keyOfOther))
		paid := f.pay(t, nil).text(t, "id")
		before := rows()
		for _, bad := range []struct {
			user, amount, more string
			status             int
			param              string
		}{
			{ada, `"0.00"`, "", 422, "amount"}, {ada, `"-1.00"`, "", 422, "amount"}, {ada, `"1.001"`, "", 422, "amount"}, {ada, `1`, "", 422, "amount"},
			{ada, `""`, "", 422, "amount"}, {ada, `"99999999999999999999"`, "", 422, "amount"},
			{"", `"1.00"`, "", 422, "user_id"}, {"usr_1", `"1.00"`, "", 422, "user_id"}, {mint(id.User), `"1.00"`, "", 404, "user_id"},
			{eve, `"1.00"`, "", 404, "user_id"}, // I-25
			{ada, `"1.00"`, `,"order_id":"ord_1"`, 422, "order_id"}, {ada, `"1.00"`, `,"capture_method":"manual"`, 422, "capture_method"},
			{ada, `"1.00"`, `,"return_url":"ftp://x"`, 422, "return_url"}, {ada, `"1.00"`, `,"expires_in":1`, 422, "expires_in"},
			{ada, `"1.00"`, `,"channel":"no"`, 422, "channel"}, {ada, `"1.00"`, `,"metadata":{"":"x"}`, 422, "metadata"},
			{ada, `"1.00"`, `,"description":"a\u0000"`, 0, ""}, {ada, `"1.00"`, `,"amount":"2.00"`, 400, ""},
		} {
			a := f.do(t, request(http.MethodPost, "/v1/topups", topUpBody(bad.user, bad.amount, bad.more)))
			if a.status < 400 || a.status >= 500 || (bad.status != 0 && a.status != bad.status) || (bad.param != "" && a.text(t, "param") != bad.param) {
				t.Errorf("%+v: %d %s", bad, a.status, a.body)
			}
		}
		for what, a := range map[string]answer{
			"no method":            f.do(t, request(http.MethodPost, "/v1/topups", fmt.Sprintf(`{"user_id":%q,"amount":"1.00","currency":"CNY"}`, ada))),
			"another currency":     f.do(t, request(http.MethodPost, "/v1/topups", fmt.Sprintf(`{"user_id":%q,"amount":"1.00","currency":"XXX","method":{"type":"qr"}}`, ada))),
			"no key":               f.topUp(t, ada, without("Idempotency-Key")),
			"another book's":       f.topUp(t, ada, as(keyOfLive)),
			"without the scope":    f.topUp(t, ada, as(keyOfReader)),
			"an operator's":        f.topUp(t, ada, as(keyOfOperator)),
			"an unknown query":     f.do(t, request(http.MethodGet, "/v1/topups?order_id=x", "")),
			"a payment as one":     f.do(t, request(http.MethodGet, "/v1/topups/"+paid, "")),
			"a cancel of one":      f.do(t, request(http.MethodPost, "/v1/topups/"+paid+"/cancel", "")),
			"a top-up as payment":  f.do(t, request(http.MethodGet, "/v1/payments/"+mint(id.TopUp), "")),
			"no such top-up":       f.do(t, request(http.MethodGet, "/v1/topups/"+mint(id.TopUp), "")),
			"a payment as the end": f.do(t, request(http.MethodGet, "/v1/topups?starting_after="+paid, "")),
		} {
			if a.status < 400 || a.status >= 500 {
				t.Errorf("%s: %d %s", what, a.status, a.body)
			}
		}
		if after := rows(); after != before {
			t.Errorf("%d rows before, %d after", before, after)
		}
		if a := f.topUp(t, ada); a.status >= 300 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

// A top-up is given back out of the wallet that it went to, and never more than that holds (I-06, I-12).
func TestTopUpRefund(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	ada := f.user(t, "ada")
	one := f.topUp(t, ada).text(t, "id")
	give := func(body string, edit ...func(*http.Request)) answer {
		return f.do(t, request(http.MethodPost, "/v1/topups/"+one+"/refunds", body, edit...))
	}
	f.store.wallets.holds[ada] = 300
	if a := give(`{}`); a.status != http.StatusConflict || a.text(t, "code") != "insufficient_balance" || a.text(t, "available") != "3.00" {
		t.Errorf("beyond the wallet: %d %s", a.status, a.body)
	}
	back := give(`{"amount":"2.00"}`)
	if back.status != http.StatusCreated || back.text(t, "payment_id") != one || back.text(t, "user_id") != ada || back.text(t, "order_id") != "" ||
		back.text(t, "fee_returned") != "0.00" {
		t.Errorf("%d %s", back.status, back.body)
	}
	for path, want := range map[string]int{"/v1/topups/" + one + "/refunds": 1, "/v1/refunds?payment_id=" + one: 1, "/v1/topups/" + one + "/refunds?status=failed": 0} {
		a := f.do(t, request(http.MethodGet, path, ""))
		if list, _ := a.json(t)["data"].([]any); a.status != http.StatusOK || len(list) != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if got := f.do(t, request(http.MethodGet, "/v1/topups/"+one, "")); got.text(t, "amount_refunded") != "2.00" || got.text(t, "amount_refundable") != "8.00" {
		t.Errorf("%s", got.body)
	}
	paid := f.pay(t, nil).text(t, "id")
	for what, a := range map[string]answer{
		"more than came":      give(`{"amount":"8.01"}`),
		"nothing":             give(`{"amount":"0.00"}`),
		"another currency":    give(`{"currency":"USD"}`),
		"no key":              give(`{}`, without("Idempotency-Key")),
		"another merchant's":  give(`{}`, as(keyOfOther)),
		"another book's":      give(`{}`, as(keyOfLive)),
		"without the scope":   give(`{}`, as(keyOfReader)),
		"a user's own":        give(`{}`, f.asUser(t, shop, ada)),
		"of a payment":        f.do(t, request(http.MethodPost, "/v1/topups/"+paid+"/refunds", `{}`)),
		"as a payment":        f.do(t, request(http.MethodPost, "/v1/payments/"+one+"/refunds", `{}`)),
		"a payment's list":    f.do(t, request(http.MethodGet, "/v1/topups/"+paid+"/refunds", "")),
		"a payment's story":   f.do(t, request(http.MethodGet, "/v1/topups/"+paid+"/timeline", "")),
		"another's story":     f.do(t, request(http.MethodGet, "/v1/topups/"+one+"/timeline", "", as(keyOfOther))),
		"a list of no such":   f.do(t, request(http.MethodGet, "/v1/topups/"+mint(id.TopUp)+"/refunds", "")),
		"filtered by a usr":   f.do(t, request(http.MethodGet, "/v1/refunds?payment_id="+ada, "")),
		"another's refunds":   f.do(t, request(http.MethodGet, "/v1/topups/"+one+"/refunds", "", as(keyOfOther))),
		"with an unknown key": give(`{"topup_id":"x"}`),
	} {
		if a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
}
