package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"paysaga/api"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// accepting makes the sagas answer with f.
func (s *sagas) accepting(f func(context.Context, payment.Payment) error) { s.accept.Store(&f) }

func (s *sagas) canceling(f func(context.Context, payment.Payment) error) { s.cancel.Store(&f) }

// moving makes each saga move its payment once and answer.
func (s *sagas) moving(change func(*payment.Payment)) {
	s.accepting(func(_ context.Context, p payment.Payment) error { s.store.move(p.ID, change); return nil })
}

func TestPaymentThatSucceedsAnswers201(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	a := f.pay(t, fields{"order": order, "customer": `{"reference":"c-7","name":"茶","email":"a@b.example","phone":"+8613800138000"}`,
		"metadata": `{"basket":"42"}`, "return_url": `"https://shop.example/back?x=1"`, "description": `"two teas"`, "expires_in": `60`})
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	p := a.json(t)
	if p["status"] != "succeeded" || p["amount_captured"] != "12.34" || p["order_reference"] != "A-1" || p["livemode"] != false || p["object"] != "payment" {
		t.Errorf("%v", p)
	}
	if got := a.header.Get("Location"); got != "/v1/payments/"+a.text(t, "id") {
		t.Errorf("Location %s", got)
	}
	if a.header.Get("Idempotent-Replayed") != "" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", a.header)
	}
	if p["created_at"] != "2026-11-21T08:00:00Z" || p["expires_at"] != "2026-11-21T08:01:00Z" {
		t.Errorf("times %v %v", p["created_at"], p["expires_at"])
	}
	read := f.do(t, request(http.MethodGet, "/v1/payments/"+a.text(t, "id"), ""))
	if read.status != http.StatusOK || string(read.body) != string(a.body) {
		t.Errorf("read %d %s", read.status, read.body)
	}
}

// TestStepOfAPayment: what is committed is all that the request said, under the payment's own cause.
func TestStepOfAPayment(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	a := f.pay(t, fields{"order": order, "amount": ``, "capture_method": `"manual"`, "channel": `"sandbox"`, "allow_partial": `true`,
		"customer": `{"reference":"c-7","name":"A"}`, "return_url": `"https://shop.example"`}, with("X-Request-Id", "shop-request-1"))
	steps := f.store.committed()
	if len(steps) != 1 || a.status != http.StatusCreated {
		t.Fatalf("%d steps, %d %s", len(steps), a.status, a.body)
	}
	s, c := steps[0], steps[0].Changes[0].(payment.Receive)
	paymentID := a.text(t, "id")
	if s.Cause != paymentID+":rc1" || s.Business != paymentID || s.Book != id.Test {
		t.Errorf("step %+v", s)
	}
	if s.By.RequestID != "shop-request-1" || !strings.HasPrefix(s.By.ID, "key_") || s.By.Kind != "merchant" {
		t.Errorf("by %+v", s.By)
	}
	if c.Secrets.Token != "tok_ok" || c.Secrets.ReturnURL != "https://shop.example" || !c.AllowPartial || !c.Payment.Amount.IsZero() || c.Payment.Amount.Currency != "CNY" {
		t.Errorf("receive %+v", c)
	}
	if c.Payment.Capture != payment.CaptureManual || c.Payment.Channel != "sandbox" || c.Payment.MerchantID != shop || c.Payment.Parts != nil || c.Payment.Sequence != 1 {
		t.Errorf("payment %+v", c.Payment)
	}
	if c.Customer.Reference != "c-7" || c.Customer.ID != c.Payment.CustomerID || c.Customer.Existing || c.Customer.Details["name"] != "A" {
		t.Errorf("customer %+v", c.Customer)
	}
	if k := c.Idempotency; k.MerchantID != shop || k.Operation != "POST /v1/payments" || len(k.RequestHash) != 64 {
		t.Errorf("idempotency %+v", k)
	}
	if a.text(t, "amount") != "12.34" {
		t.Errorf("the amount that was left out is %s", a.text(t, "amount"))
	}
}

func TestFirstStableStateAnswers201(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*payment.Payment){
		needsAction,
		func(p *payment.Payment) { p.Status, p.DeclineCode = payment.Failed, "insufficient_funds" },
		func(p *payment.Payment) { p.Status = payment.Reserved },
		func(p *payment.Payment) { p.Status = payment.Expired },
	} {
		f := newFront(t)
		f.sagas.moving(change)
		a := f.pay(t, fields{"method": `{"type":"qr"}`})
		if a.status != http.StatusCreated {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a.text(t, "status") == "requires_action" && !strings.Contains(string(a.body), `"url":"https://qr.example/x?a=1&b=2"`) {
			t.Errorf("the QR code's text: %s", a.body)
		}
	}
}

func TestOpenOutcomeAnswers202(t *testing.T) {
	t.Parallel()
	for name, accept := range map[string]func(context.Context, payment.Payment) error{
		"nobody knows":           func(context.Context, payment.Payment) error { return fault.Unknown("saga_unanswered", "x", nil) },
		"Temporal is down":       func(context.Context, payment.Payment) error { return fault.Unavailable("temporal", "x", nil) },
		"the deadline passed":    func(ctx context.Context, _ payment.Payment) error { <-ctx.Done(); return ctx.Err() },
		"the saga has a bug":     func(context.Context, payment.Payment) error { return fault.Internal("x", nil) },
		"nothing is said at all": func(context.Context, payment.Payment) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFrontWith(t, api.Config{Deadline: 20 * time.Millisecond})
			f.sagas.accepting(accept)
			a := f.pay(t, nil)
			if a.status != http.StatusAccepted || a.text(t, "status") != "processing" || a.header.Get("Location") == "" {
				t.Errorf("%d %s", a.status, a.body)
			}
			if loud := strings.Contains(f.logs.String(), "the saga refused"); loud != (name == "the saga has a bug") {
				t.Errorf("log: %s", f.logs)
			}
		})
	}
}

func TestInDoubtIs202(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	f.sagas.moving(func(p *payment.Payment) { p.InDoubt = true })
	if a := f.pay(t, nil); a.status != http.StatusAccepted || a.json(t)["in_doubt"] != true {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestStoreDownIs503AndNothingIsPromised(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Authenticate", "OpenAccounts", "Commit", "Payment"} {
		f := newFront(t)
		f.store.broken(method, fault.Unavailable("store_unavailable", "the database is down", nil).WithRetryAfter(1500*time.Millisecond))
		a := f.pay(t, nil)
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") != "2" || a.text(t, "code") != "store_unavailable" {
			t.Errorf("%s: %d %s %v", method, a.status, a.body, a.header)
		}
		if a.header.Get("Location") != "" {
			t.Errorf("%s: a place is promised", method)
		}
	}
}

// TestUnknownCommitIsNoPromise: nobody knows whether the row is there, so no 2xx (I-19). The same key finds out.
func TestUnknownCommitIsNoPromise(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	f.store.broken("Commit", fault.Unknown("commit_unknown", "the connection was lost", nil))
	key := with("Idempotency-Key", "k-1")
	body := payBody(nil)
	if a := f.do(t, request(http.MethodPost, "/v1/payments", body, key)); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") != "1" {
		t.Errorf("%d %s", a.status, a.body)
	}
	f.store.broken("Commit", nil)
	if a := f.do(t, request(http.MethodPost, "/v1/payments", body, key)); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestCommittedPaymentStandsWhenTheClientGoesAway(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	ctx, leave := context.WithCancel(t.Context())
	f.sagas.accepting(func(saga context.Context, p payment.Payment) error {
		leave()
		if saga.Err() != nil {
			t.Error("the saga's start was torn down with the client")
		}
		f.store.move(p.ID, succeed)
		return nil
	})
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, request(http.MethodPost, "/v1/payments", payBody(nil)).WithContext(ctx))
	if len(f.store.committed()) != 1 || w.Code != http.StatusCreated {
		t.Errorf("%d steps, %d", len(f.store.committed()), w.Code)
	}
}

func TestPanicIs500WithoutDetail(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	f.sagas.accepting(func(context.Context, payment.Payment) error { panic("tok_ok is the token") })
	a := f.pay(t, nil)
	if a.status != http.StatusInternalServerError || strings.Contains(string(a.body), "token") || a.text(t, "code") != "internal" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if log := f.logs.String(); strings.Contains(log, "tok_ok") || !strings.Contains(log, "stack") {
		t.Errorf("log: %s", log)
	}
}

// TestFiftyEqualRequestsAtOnce: one payment, one saga's worth of state, fifty equal answers (I-20).
func TestFiftyEqualRequestsAtOnce(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	joined, settle := make(chan struct{}, 50), make(chan struct{})
	f.sagas.accepting(func(_ context.Context, p payment.Payment) error {
		joined <- struct{}{}
		<-settle // all of them wait for one outcome
		f.store.move(p.ID, succeed)
		return nil
	})
	body := payBody(nil)
	answers := make([]answer, 50)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			answers[i] = f.do(t, request(http.MethodPost, "/v1/payments", body, with("Idempotency-Key", "one")))
		})
	}
	for range answers {
		<-joined
	}
	close(settle)
	all.Wait()
	replayed := 0
	for _, a := range answers {
		if a.status != http.StatusCreated || string(a.body) != string(answers[0].body) {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a.header.Get("Idempotent-Replayed") == "true" {
			replayed++
		}
	}
	if replayed != 49 || len(f.store.committed()) != 1 {
		t.Errorf("%d replayed, %d steps", replayed, len(f.store.committed()))
	}
}

func TestRepeatedRequest(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	f.sagas.accepting(func(context.Context, payment.Payment) error { return fault.Unknown("saga_unanswered", "x", nil) })
	send := func(body, key string, edit ...func(*http.Request)) answer {
		return f.do(t, request(http.MethodPost, "/v1/payments", body, append(edit, with("Idempotency-Key", key))...))
	}
	body := payBody(fields{"order": order})
	first := send(body, "abc")
	if first.status != http.StatusAccepted {
		t.Fatalf("%d %s", first.status, first.body)
	}
	// The same value in other bytes, under the key in quotes, joins the saga.
	again := send("\n "+strings.Replace(body, `"amount":"12.34"`, `"amount" : "\u00312.34"`, 1), `"abc"`)
	if again.status != http.StatusAccepted || again.header.Get("Idempotent-Replayed") != "true" || again.text(t, "id") != first.text(t, "id") {
		t.Errorf("%d %s", again.status, again.body)
	}
	if n := f.sagas.accepted.Load(); n != 2 {
		t.Errorf("the saga was asked %d times", n)
	}
	// Once it is stable, the answer comes at once, and says what it is now.
	f.store.move(first.text(t, "id"), succeed)
	stable := send(body, "abc")
	if stable.status != http.StatusCreated || stable.text(t, "status") != "succeeded" || f.sagas.accepted.Load() != 2 {
		t.Errorf("%d %s", stable.status, stable.body)
	}
	if other := send(payBody(fields{"order": order, "amount": `"12.33"`}), "abc"); other.status != 422 || other.text(t, "code") != "idempotency_key_reused" || other.text(t, "param") != "Idempotency-Key" {
		t.Errorf("%d %s", other.status, other.body)
	}
	if len(f.store.committed()) != 1 {
		t.Errorf("%d steps", len(f.store.committed()))
	}
}

// TestKeysOfOthersDontMeet: the scope of a key is book, merchant and operation.
func TestKeysOfOthersDontMeet(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	key := with("Idempotency-Key", "same")
	ids := map[string]bool{}
	for _, who := range []string{keyOfShop, keyOfOther, keyOfLive, keyOfPlatform} {
		a := f.pay(t, nil, key, as(who))
		ids[a.text(t, "id")] = true
		if a.status != http.StatusCreated || a.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	a := f.do(t, request(http.MethodPost, "/v1/orders", orderBody(nil), key))
	if len(ids) != 4 || a.status != http.StatusCreated {
		t.Errorf("%d ids, %d", len(ids), a.status)
	}
}

// TestRefusedRequestLeavesItsKeyFree: what was refused is judged anew.
func TestRefusedRequestLeavesItsKeyFree(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	key := with("Idempotency-Key", "k")
	if a := f.pay(t, fields{"channel": `"nowhere"`}, key); a.status != 422 {
		t.Fatalf("%d", a.status)
	}
	if a := f.pay(t, nil, key); a.status != http.StatusCreated || a.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestRepeatIsAnsweredAfterItsChannelClosed: a repeat isn't judged anew.
func TestRepeatIsAnsweredAfterItsChannelClosed(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	key, body := with("Idempotency-Key", "k"), payBody(nil)
	first := f.do(t, request(http.MethodPost, "/v1/payments", body, key))
	f.store.mu.Lock()
	f.store.open = nil
	f.store.mu.Unlock()
	again := f.do(t, request(http.MethodPost, "/v1/payments", body, key))
	if again.status != http.StatusCreated || again.text(t, "id") != first.text(t, "id") || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%d %s", again.status, again.body)
	}
	if other := f.do(t, request(http.MethodPost, "/v1/payments", payBody(nil), key)); other.text(t, "code") != "idempotency_key_reused" {
		t.Errorf("%d %s", other.status, other.body)
	}
}

func TestSecondPaymentOfAnOrder(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	made := f.do(t, request(http.MethodPost, "/v1/orders", orderBody(nil)))
	byID := fields{"order": "", "order_id": `"` + made.text(t, "id") + `"`, "amount": ""}
	a := f.pay(t, byID)
	if a.status != http.StatusCreated || a.text(t, "amount") != "12.34" || a.text(t, "order_id") != made.text(t, "id") || a.text(t, "order_reference") != made.text(t, "reference") {
		t.Errorf("%d %s", a.status, a.body)
	}
	byID["allow_partial"], byID["amount"] = "true", `"5.00"`
	if a := f.pay(t, byID); a.status != http.StatusCreated || a.text(t, "amount") != "5.00" {
		t.Errorf("%d %s", a.status, a.body)
	}
	byID["currency"] = `"JPY"`
	byID["amount"] = `"5"`
	if a := f.pay(t, byID); a.status != 422 || a.text(t, "code") != "currency_mismatch" || a.text(t, "param") != "currency" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := f.pay(t, fields{"order": order, "amount": `"99"`}); a.status != 422 || a.text(t, "remaining") != "12.34" {
		t.Errorf("the problem doesn't say what remains: %s", a.body)
	}
}
