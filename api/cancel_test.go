package api_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"paysaga/api"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// waiting is a front with one payment that waits for its customer.
func waiting(t *testing.T, cfg api.Config) (*front, string) {
	t.Helper()
	f := newFrontWith(t, cfg)
	f.sagas.moving(needsAction)
	return f, f.pay(t, fields{"method": `{"type":"qr"}`}).text(t, "id")
}

func (f *front) cancel(t testing.TB, paymentID, body string, edit ...func(*http.Request)) answer {
	t.Helper()
	return f.do(t, request(http.MethodPost, "/v1/payments/"+paymentID+"/cancel", body, edit...))
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "{}", " { } "} {
		f, paymentID := waiting(t, api.Config{})
		a := f.cancel(t, paymentID, body)
		if a.status != http.StatusOK || a.text(t, "status") != "canceled" {
			t.Errorf("%q: %d %s", body, a.status, a.body)
		}
		steps := f.store.committed()
		if s := steps[len(steps)-1]; s.Cause != paymentID+":cn1" || s.Business != paymentID {
			t.Errorf("step %+v", s)
		}
	}
}

func TestSecondCancelIsAnsweredByState(t *testing.T) {
	t.Parallel()
	f, paymentID := waiting(t, api.Config{Deadline: 20 * time.Millisecond})
	f.sagas.canceling(func(ctx context.Context, _ payment.Payment) error { <-ctx.Done(); return ctx.Err() })
	key := with("Idempotency-Key", "c-1")
	first := f.cancel(t, paymentID, "", key)
	if first.status != http.StatusAccepted || first.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("first: %d %s", first.status, first.body)
	}
	again := f.cancel(t, paymentID, "{}", key) // no body and an empty object are one request
	if again.status != http.StatusAccepted || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("again: %d %s", again.status, again.body)
	}
	if another := f.cancel(t, paymentID, ""); another.status != http.StatusAccepted {
		t.Errorf("another key: %d %s", another.status, another.body)
	}
	f.store.move(paymentID, func(p *payment.Payment) { p.Status = payment.Canceled })
	for _, k := range []string{"c-1", "c-2"} {
		if a := f.cancel(t, paymentID, "", with("Idempotency-Key", k)); a.status != http.StatusOK || a.text(t, "status") != "canceled" {
			t.Errorf("%s: %d %s", k, a.status, a.body)
		}
	}
	if n := f.sagas.cancels.Load(); n != 3 {
		t.Errorf("the saga was asked %d times", n)
	}
}

func TestCancelOfWhatHasEnded(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*payment.Payment){
		succeed,
		func(p *payment.Payment) { p.Status = payment.Failed },
		func(p *payment.Payment) { p.Status = payment.Expired },
	} {
		f := newFront(t)
		f.sagas.moving(change)
		paid := f.pay(t, nil)
		a := f.cancel(t, paid.text(t, "id"), "")
		if a.status != http.StatusConflict || a.text(t, "code") != "payment_not_cancelable" || a.text(t, "payment_status") != paid.text(t, "status") {
			t.Errorf("%d %s", a.status, a.body)
		}
		if n := f.sagas.cancels.Load(); n != 0 {
			t.Error("the saga was asked")
		}
	}
}

// TestCancelThatComesTooLate: the customer paid while the channel was asked to close.
func TestCancelThatComesTooLate(t *testing.T) {
	t.Parallel()
	f, paymentID := waiting(t, api.Config{})
	f.sagas.canceling(func(_ context.Context, p payment.Payment) error { f.store.move(p.ID, succeed); return nil })
	a := f.cancel(t, paymentID, "")
	if a.status != http.StatusConflict || a.text(t, "payment_status") != "succeeded" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestCancelIsRefused(t *testing.T) {
	t.Parallel()
	f, paymentID := waiting(t, api.Config{})
	before := f.store.rows()
	for _, r := range []struct {
		name, body string
		status     int
		code       string
		edit       func(*http.Request)
	}{
		{"a field", `{"reason":"x"}`, 422, "field_unknown", with("X", "x")},
		{"an array", `[]`, 400, "json_invalid", with("X", "x")},
		{"a form", `a=b`, 415, "content_type_unsupported", with("Content-Type", "application/x-www-form-urlencoded")},
		{"no type", `{}`, 415, "content_type_unsupported", without("Content-Type")},
		{"no key", ``, 400, "idempotency_key_missing", without("Idempotency-Key")},
		{"another merchant", ``, 404, "not_found", as(keyOfOther)},
		{"another book", ``, 404, "not_found", as(keyOfLive)},
		{"a reader", ``, 403, "scope_missing", as(keyOfReader)},
	} {
		if a := f.cancel(t, paymentID, r.body, r.edit); a.status != r.status || a.text(t, "code") != r.code {
			t.Errorf("%s: %d %s", r.name, a.status, a.body)
		}
	}
	if f.store.rows() != before {
		t.Error("something was stored")
	}
	f.store.broken("Commit", fault.Unavailable("store_unavailable", "x", nil))
	if a := f.cancel(t, paymentID, ""); a.status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", a.status, a.body)
	}
}
