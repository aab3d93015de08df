package api_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"paysaga/api"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
)

func (f *front) refund(t testing.TB, paymentID, body string, edit ...func(*http.Request)) answer {
	t.Helper()
	return f.do(t, request(http.MethodPost, "/v1/payments/"+paymentID+"/refunds", body, edit...))
}

// TestRefund gives a payment of 12.34 back in parts.
func TestRefund(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	paid := f.pay(t, nil).text(t, "id")
	first := f.refund(t, paid, `{"amount":"2.34","currency":"CNY","reason":"a cup was broken","metadata":{"cup":"1"}}`)
	if first.status != http.StatusCreated || first.text(t, "status") != "succeeded" || first.text(t, "payment_id") != paid ||
		first.header.Get("Location") != "/v1/refunds/"+first.text(t, "id") {
		t.Errorf("%d %s", first.status, first.body)
	}
	more := f.refund(t, paid, `{"amount":"10.01"}`)
	if more.status != http.StatusConflict || more.text(t, "code") != "refund_exceeds_payment" || more.text(t, "amount_refundable") != "10.00" {
		t.Errorf("more than is left: %d %s", more.status, more.body)
	}
	rest := f.refund(t, paid, `{}`)
	if rest.status != http.StatusCreated || rest.text(t, "amount") != "10.00" {
		t.Errorf("what is left: %d %s", rest.status, rest.body)
	}
	p := f.do(t, request(http.MethodGet, "/v1/payments/"+paid, ""))
	if p.text(t, "amount_refunded") != "12.34" || p.text(t, "amount_refundable") != "0.00" || p.text(t, "amount_refunding") != "0.00" {
		t.Errorf("the payment shows %s", p.body)
	}
	if nothing := f.refund(t, paid, `{}`); nothing.status != http.StatusConflict {
		t.Errorf("of nothing left: %d %s", nothing.status, nothing.body)
	}
	for path, want := range map[string]int{"/v1/refunds": 2, "/v1/refunds?payment_id=" + paid: 2, "/v1/payments/" + paid + "/refunds": 2,
		"/v1/refunds?status=failed": 0, "/v1/refunds?limit=1": 1, "/v1/refunds?starting_after=" + rest.text(t, "id"): 1,
		"/v1/refunds?created_from=2199-01-01T00:00:00Z": 0} {
		a := f.do(t, request(http.MethodGet, path, ""))
		if list, _ := a.json(t)["data"].([]any); a.status != http.StatusOK || len(list) != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestRefundIsRepeated(t *testing.T) {
	t.Parallel()
	f := newFrontWith(t, api.Config{Deadline: 20 * time.Millisecond})
	paid := f.pay(t, nil).text(t, "id")
	stuck := func(ctx context.Context, _ refund.Refund) error { <-ctx.Done(); return ctx.Err() }
	f.sagas.acceptRefund.Store(&stuck)
	key := with("Idempotency-Key", "r-1")
	first := f.refund(t, paid, `{}`, key)
	if first.status != http.StatusAccepted || first.text(t, "status") != "processing" {
		t.Errorf("first: %d %s", first.status, first.body)
	}
	f.sagas.acceptRefund.Store(nil)
	again := f.refund(t, paid, `{}`, key) // nothing is left by now, and a repeat isn't judged anew
	if again.status != http.StatusCreated || again.header.Get("Idempotent-Replayed") != "true" || again.text(t, "id") != first.text(t, "id") {
		t.Errorf("again: %d %s", again.status, again.body)
	}
	if other := f.refund(t, paid, `{"amount":"1.00"}`, key); other.status != http.StatusUnprocessableEntity || other.text(t, "code") != "idempotency_key_reused" {
		t.Errorf("another body: %d %s", other.status, other.body)
	}
	if n := len(f.store.refunds); n != 1 {
		t.Errorf("%d refunds came of it (I-20)", n)
	}
}

func TestRefundBadInput(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f *front, rows func() int) {
		paid := f.pay(t, nil).text(t, "id")
		before := rows()
		for _, bad := range []struct {
			body   string
			status int
			param  string
		}{
			{`{"amount":"0.00"}`, 422, "amount"}, {`{"amount":"-1.00"}`, 422, "amount"}, {`{"amount":"1.001"}`, 422, "amount"},
			{`{"amount":"1e2"}`, 422, "amount"}, {`{"amount":""}`, 422, "amount"}, {`{"amount":1}`, 422, "amount"}, {`{"amount":null}`, 422, "amount"},
			{`{"amount":"99999999999999999999"}`, 422, "amount"}, {`{"amount":"01.00"}`, 422, "amount"}, {`{"amount":" 1.00"}`, 422, "amount"},
			{`{"currency":"USD"}`, 422, "currency"}, {`{"currency":"cny"}`, 422, "currency"}, {`{"currency":""}`, 422, "currency"},
			{`{"payment_id":"pay_1"}`, 422, "payment_id"}, {`{"Amount":"1.00"}`, 422, "Amount"}, {`{"reason":"a\u0000b"}`, 0, ""},
			{`{"reason":1}`, 422, "reason"}, {`{"metadata":{"":"x"}}`, 422, "metadata"}, {`{"metadata":[]}`, 422, "metadata"},
			{`{"amount":"1.00","amount":"2.00"}`, 400, ""}, {`[]`, 400, ""}, {`{`, 400, ""}, {``, 415, ""}, {`{}{}`, 400, ""},
		} {
			a := f.refund(t, paid, bad.body)
			if a.status < 400 || a.status >= 500 || (bad.status != 0 && a.status != bad.status) || (bad.param != "" && a.text(t, "param") != bad.param) {
				t.Errorf("%s: %d %s", bad.body, a.status, a.body)
			}
		}
		for what, a := range map[string]answer{
			"no key":                 f.refund(t, paid, `{}`, without("Idempotency-Key")),
			"no payment":             f.refund(t, mint(id.Payment), `{}`),
			"of a refund":            f.refund(t, mint(id.Refund), `{}`),
			"no id":                  f.refund(t, "nonsense", `{}`),
			"another merchant's":     f.refund(t, paid, `{}`, as(keyOfOther)),
			"another book's":         f.refund(t, paid, `{}`, as(keyOfLive)),
			"without the scope":      f.refund(t, paid, `{}`, as(keyOfReader)),
			"an operator's":          f.refund(t, paid, `{}`, as(keyOfOperator)),
			"an unknown query":       f.do(t, request(http.MethodGet, "/v1/refunds?order_id=x", "")),
			"a payment's status":     f.do(t, request(http.MethodGet, "/v1/refunds?status=canceled", "")),
			"a payment as the after": f.do(t, request(http.MethodGet, "/v1/refunds?starting_after="+paid, "")),
			"no such refund":         f.do(t, request(http.MethodGet, "/v1/refunds/"+mint(id.Refund), "")),
			"a payment as a refund":  f.do(t, request(http.MethodGet, "/v1/refunds/"+paid, "")),
			"refunds of another's":   f.do(t, request(http.MethodGet, "/v1/payments/"+paid+"/refunds", "", as(keyOfOther))),
		} {
			if a.status < 400 || a.status >= 500 {
				t.Errorf("%s: %d %s", what, a.status, a.body)
			}
		}
		if after := rows(); after != before {
			t.Errorf("%d rows before, %d after", before, after)
		}
	})
}

func TestRefundOfWhatWasntPaid(t *testing.T) {
	t.Parallel()
	for _, state := range []func(*payment.Payment){needsAction, reserve,
		func(p *payment.Payment) { p.Status, p.DeclineCode = payment.Failed, "insufficient_funds" },
		func(p *payment.Payment) { p.Status = payment.Canceled }, func(p *payment.Payment) { p.Status = payment.Expired }} {
		f := newFront(t)
		f.sagas.moving(state)
		a := f.refund(t, f.pay(t, nil).text(t, "id"), `{"amount":"1.00"}`)
		if a.status != http.StatusConflict || a.text(t, "code") != "payment_not_refundable" || a.text(t, "amount_refundable") != "0.00" || len(f.store.refunds) != 0 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	f, db := onStore(t)
	p := f.pay(t, nil).text(t, "id")
	before := allRows(t, db)
	if a := f.refund(t, p, `{"amount":"1.00"}`); a.status != http.StatusConflict || a.text(t, "code") != "payment_not_refundable" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if after := allRows(t, db); after != before {
		t.Errorf("%d rows before, %d after", before, after)
	}
}
