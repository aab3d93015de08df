package api_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"paysaga/api"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

func (m *memory) receiveCapture(book id.Book, c payment.ReceiveCapture) error {
	p, ok := m.payments[c.PaymentID]
	if !ok || p.Book != book {
		return fault.NotFound("payment")
	}
	h := payment.Hold{Status: p.Status, Amount: p.Amount, Captured: p.Captured.Minor, Capturing: p.Capturing.Minor, FinalOpen: p.FinalCapture,
		CancelRequested: !p.CancelRequested.IsZero(), Can: c.Can, Several: c.Several, Now: c.At}
	amount, final, err := h.Take(c.Wish)
	if err != nil {
		return err
	}
	p.Capturing = money.New(p.Capturing.Minor+amount.Minor, amount.Currency)
	p.FinalCapture = final
	m.payments[p.ID] = p
	m.captures[c.CaptureID] = payment.Capture{Book: book, ID: c.CaptureID, PaymentID: p.ID, MerchantID: p.MerchantID, Amount: amount, Final: final,
		Status: payment.CaptureProcessing, Fee: money.Zero(amount.Currency), Sequence: 1, CreatedAt: c.At, UpdatedAt: c.At}
	return nil
}

func (m *memory) Captures(ctx context.Context, book id.Book, merchantID, paymentID string) ([]payment.Capture, error) {
	if _, err := m.Payment(ctx, book, merchantID, paymentID); err != nil {
		return nil, err
	}
	unlock, err := m.lock("Captures")
	defer unlock()
	var list []payment.Capture
	for _, c := range m.captures {
		if c.PaymentID == paymentID {
			list = append(list, c)
		}
	}
	return list, err
}

// Capture carries a capture out at once, unless a test says otherwise.
func (s *sagas) Capture(ctx context.Context, p payment.Payment, captureID string) error {
	if f := s.capture.Load(); f != nil {
		return (*f)(ctx, p, captureID)
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	c := s.store.captures[captureID]
	p = s.store.payments[p.ID]
	c.Status, p.FinalCapture = payment.CaptureSucceeded, false
	p.Capturing.Minor -= c.Amount.Minor
	p.Captured = money.New(p.Captured.Minor+c.Amount.Minor, c.Amount.Currency)
	if c.Final || p.Captured == p.Amount {
		p.Status = payment.Paid
	}
	s.store.captures[captureID], s.store.payments[p.ID] = c, p
	return nil
}

func reserve(p *payment.Payment) { p.Status, p.Channel = payment.Reserved, "sandbox" }

// reserved is a front with one authorized payment of 12.34 CNY.
func reserved(t *testing.T, cfg api.Config) (*front, string) {
	t.Helper()
	f := newFrontWith(t, cfg)
	f.sagas.moving(reserve)
	return f, f.pay(t, fields{"capture_method": `"manual"`}).text(t, "id")
}

func (f *front) capture(t testing.TB, paymentID, body string, edit ...func(*http.Request)) answer {
	t.Helper()
	return f.do(t, request(http.MethodPost, "/v1/payments/"+paymentID+"/capture", body, edit...))
}

func TestCapture(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "{}", `{"amount":"12.34"}`, `{"amount":"12.34","final":true}`} {
		f, paymentID := reserved(t, api.Config{})
		a := f.capture(t, paymentID, body)
		if a.status != http.StatusOK || a.text(t, "status") != "succeeded" || a.text(t, "amount_captured") != "12.34" || a.text(t, "amount_capturable") != "0.00" {
			t.Errorf("%q: %d %s", body, a.status, a.body)
		}
	}
}

func TestPartialCaptures(t *testing.T) {
	t.Parallel()
	f, paymentID := reserved(t, api.Config{})
	for i, want := range []string{"10.00", "9.00"} {
		body := []string{`{"amount":"2.34"}`, `{"amount":"1.00"}`}[i]
		if a := f.capture(t, paymentID, body); a.status != http.StatusOK || a.text(t, "status") != "authorized" || a.text(t, "amount_capturable") != want {
			t.Fatalf("%s: %d %s", body, a.status, a.body)
		}
	}
	a := f.capture(t, paymentID, `{"amount":"9.01"}`)
	if a.status != http.StatusConflict || a.text(t, "code") != "amount_not_capturable" || a.text(t, "amount_capturable") != "9.00" {
		t.Errorf("above what is left: %d %s", a.status, a.body)
	}
	if a := f.capture(t, paymentID, `{"amount":"3.00","final":true}`); a.status != http.StatusOK || a.text(t, "status") != "succeeded" {
		t.Errorf("final: %d %s", a.status, a.body)
	}
	list := f.do(t, request(http.MethodGet, "/v1/payments/"+paymentID+"/captures", ""))
	if list.status != http.StatusOK {
		t.Errorf("list: %d %s", list.status, list.body)
	}
}

func TestCaptureIsRepeated(t *testing.T) {
	t.Parallel()
	f, paymentID := reserved(t, api.Config{Deadline: 20 * time.Millisecond})
	stuck := func(ctx context.Context, _ payment.Payment, _ string) error { <-ctx.Done(); return ctx.Err() }
	f.sagas.capture.Store(&stuck)
	key := with("Idempotency-Key", "cap-1")
	first := f.capture(t, paymentID, `{"amount":"2.00"}`, key)
	if first.status != http.StatusAccepted || first.header.Get("Idempotent-Replayed") != "" || first.text(t, "amount_capturable") != "10.34" {
		t.Errorf("first: %d %s", first.status, first.body)
	}
	f.sagas.capture.Store(nil)
	again := f.capture(t, paymentID, `{"amount":"2.00"}`, key)
	if again.status != http.StatusOK || again.header.Get("Idempotent-Replayed") != "true" || again.text(t, "amount_captured") != "2.00" {
		t.Errorf("again: %d %s", again.status, again.body)
	}
	if other := f.capture(t, paymentID, `{"amount":"2.01"}`, key); other.status != http.StatusUnprocessableEntity || other.text(t, "code") != "idempotency_key_reused" {
		t.Errorf("another body: %d %s", other.status, other.body)
	}
}

func TestCaptureBadInput(t *testing.T) {
	t.Parallel()
	f, paymentID := reserved(t, api.Config{})
	for _, bad := range []struct {
		body   string
		status int
		code   string
		param  string
	}{
		{`{"amount":"0.00"}`, 422, "", "amount"}, {`{"amount":"-1.00"}`, 422, "", "amount"}, {`{"amount":"1.001"}`, 422, "", "amount"},
		{`{"amount":"1e2"}`, 422, "", "amount"}, {`{"amount":""}`, 422, "", "amount"}, {`{"amount":1}`, 422, "", "amount"},
		{`{"amount":"99999999999999999999"}`, 422, "", "amount"}, {`{"final":"yes"}`, 422, "", "final"},
		{`{"currency":"CNY"}`, 422, "field_unknown", "currency"}, {`{"Amount":"1.00"}`, 422, "field_unknown", "Amount"},
		{`{"amount":"1.00","amount":"2.00"}`, 400, "", ""}, {`[]`, 400, "", ""}, {`{`, 400, "json_invalid", ""},
		{`{"amount":"12.35"}`, 409, "amount_not_capturable", ""},
	} {
		a := f.capture(t, paymentID, bad.body)
		if a.status != bad.status || (bad.code != "" && a.text(t, "code") != bad.code) || (bad.param != "" && a.text(t, "param") != bad.param) {
			t.Errorf("%s: %d %s", bad.body, a.status, a.body)
		}
	}
	if a := f.capture(t, paymentID, "", with("Idempotency-Key", "")); a.status != 400 {
		t.Errorf("no key: %d %s", a.status, a.body)
	}
	if a := f.capture(t, mint(id.Payment), ""); a.status != 404 {
		t.Errorf("no payment: %d %s", a.status, a.body)
	}
	if a := f.capture(t, "nonsense", ""); a.status != 404 && a.status != 400 {
		t.Errorf("no id: %d %s", a.status, a.body)
	}
	if n := len(f.store.captures); n != 0 {
		t.Errorf("%d captures came of refusals", n)
	}
	for _, state := range []func(*payment.Payment){succeed, needsAction, func(p *payment.Payment) { p.Status = payment.Failed },
		func(p *payment.Payment) { reserve(p); p.CancelRequested = p.CreatedAt }} {
		f := newFront(t)
		f.sagas.moving(state)
		paid := f.pay(t, nil).text(t, "id")
		if a := f.capture(t, paid, ""); a.status != 409 || a.text(t, "code") != "payment_not_capturable" || a.text(t, "amount_capturable") != "0.00" {
			t.Errorf("in a wrong state: %d %s", a.status, a.body)
		}
	}
}
