package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"paysaga/domain/payment"
)

// payer pays over HTTP, as a merchant's backend does.
type payer struct {
	api  string
	to   Merchant
	http *http.Client
	tag  string
	n    atomic.Int64
}

func newPayer(api string, to Merchant) *payer {
	return &payer{api: api, to: to, tag: strconv.FormatInt(time.Now().UnixNano(), 36),
		http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024}}}
}

// Amount is what each payment is over, in minor units of CNY.
const Amount = 1234

// body is a whole order as a shop sends it.
const body = `{"order":{"reference":"%[1]s","type":"purchase","lines":[` +
	`{"sku":"tea-longjing-50g","description":"Longjing tea, 50 g","quantity":2,"unit_price":"5.00","discount":"0.00","tax":"0.00"}],` +
	`"adjustments":[{"type":"shipping","amount":"2.34"}]},"amount":"12.34","currency":"CNY",` +
	`"method":{"type":"card_token","token":"tok_ok"},"return_url":"https://shop.example.com/orders/%[1]s",` +
	`"description":"Order %[1]s","customer":{"reference":"customer-%[2]d"},"metadata":{"cart":"%[1]s","source":"web"}}`

// paid is what counts of an answer.
type paid struct {
	ID     string         `json:"id"`
	Status payment.Status `json:"status"`
	Code   string         `json:"code"`
}

func (p *payer) shape() shape { return shape{string(p.to.Lane), p.pay} }

// pollEvery is how often a client asks what became of a 202.
const pollEvery = 200 * time.Millisecond

// pay makes one payment. An answer of 202 is waited out: the payment counts
// when it has succeeded, and takes as long as that took.
func (p *payer) pay(ctx context.Context) (string, error) {
	n := p.n.Add(1)
	reference := p.tag + "-" + strconv.FormatInt(n, 10)
	text := fmt.Appendf(nil, body, reference, n%1000)
	got, code, err := p.call(ctx, http.MethodPost, "/v1/payments", reference, text)
	for err == nil && code < 300 && !got.Status.Terminal() {
		if err := wait(ctx, pollEvery); err != nil {
			return "", err
		}
		got, code, err = p.call(ctx, http.MethodGet, "/v1/payments/"+got.ID, "", nil)
	}
	switch {
	case err != nil:
		return "", err
	case code >= 300 || got.Status != payment.Paid:
		return "", fmt.Errorf("payment %s is %s (HTTP %d, %s)", got.ID, got.Status, code, got.Code)
	}
	return got.ID, nil
}

func (p *payer) call(ctx context.Context, method, path, key string, text []byte) (got paid, code int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, p.api+path, bytes.NewReader(text))
	if err != nil {
		return got, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+p.to.Key)
	if key != "" {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := p.http.Do(req)
	if err != nil {
		return got, 0, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return got, 0, err
	}
	return got, res.StatusCode, json.Unmarshal(raw, &got)
}
