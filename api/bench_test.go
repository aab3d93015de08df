package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"paysaga/api"
)

func jsonOf(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

const benchBody = `{"order":{"reference":"A-1001","type":"purchase","lines":[{"sku":"tea","quantity":2,"unit_price":"5.00","discount":"0.00","tax":"0.00"}],` +
	`"adjustments":[{"type":"shipping","amount":"2.34"}]},"amount":"12.34","currency":"CNY","method":{"type":"card_token","token":"tok_ok"},` +
	`"channel":"sandbox","return_url":"https://shop.example/back","description":"two teas","customer":{"reference":"c-7"},"metadata":{"basket":"42"},"expires_in":1800}`

// BenchmarkPayment is the front's own share of a payment: parts in memory answer at once.
func BenchmarkPayment(b *testing.B) {
	f := newFront(b)
	f.store.open = f.store.open[:1]
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, request(http.MethodPost, "/v1/payments", benchBody))
		if w.Code != http.StatusCreated {
			b.Fatal(w.Code, w.Body)
		}
		b.StopTimer() // the fake store looks through all orders for a reference
		clear(f.store.orders)
		clear(f.store.payments)
		b.StartTimer()
	}
}

// BenchmarkDecode is the strict reading of a body.
func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var r api.PaymentRequest
		if err := api.Decode([]byte(benchBody), &r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDocument is what validating the same request against openapi.yaml would cost on top.
func BenchmarkDocument(b *testing.B) {
	r := request(http.MethodPost, "/v1/payments", benchBody)
	b.ReportAllocs()
	for b.Loop() {
		if err := asDocumented(b, r, benchBody); err != nil {
			b.Fatal(err)
		}
	}
}
