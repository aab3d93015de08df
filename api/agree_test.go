package api_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"
	"pgregory.net/rapid"

	"paysaga/domain/exception"
	"paysaga/domain/id"
)

// asDocumented holds a request against openapi.yaml.
func asDocumented(t testing.TB, r *http.Request, body string) error {
	t.Helper()
	router, err := document()
	if err != nil {
		t.Fatal(err)
	}
	r = r.Clone(context.Background())
	r.Body = io.NopCloser(strings.NewReader(body))
	route, params, err := router.FindRoute(r)
	if err != nil {
		t.Fatal(err)
	}
	return openapi3filter.ValidateRequest(context.Background(), &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	})
}

// TestChecksByHandAreAsStrictAsTheDocument: whatever openapi.yaml refuses, the front refuses. Bodies are put together from
// values that are good, bad and odd; the document judges, then the front.
func TestChecksByHandAreAsStrictAsTheDocument(t *testing.T) {
	t.Parallel()
	accepted, refused := 0, 0
	good := newFront(t)
	rapid.Check(t, func(rt *rapid.T) {
		value := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(rt, name) }
		amount := func(name string) string {
			return value(name, `"12.34"`, `"12.34"`, `"12.34"`, `"12.34"`, `"1"`, `"0"`, `"01"`, `"1.23456"`, `12.34`, `""`, `true`)
		}
		text := func(name string) string {
			return value(name, "", "", "", `"x"`, `"x"`, `""`, `7`, `"`+strings.Repeat("茶", 255)+`"`, `"`+strings.Repeat("x", 256)+`"`)
		}
		orderLine := body(fields{"sku": `"a"`, "quantity": value("quantity", "1", "1", "1", "0", "1000000", "1000001", "1.5", `"1"`), "unit_price": amount("price"), "discount": value("discount", "", "", `"0"`, `"x"`)},
			fields{"description": text("line text"), "x": value("x", "", "", "", "", "", `1`)})
		raw := payBody(fields{
			"order":          body(fields{"reference": value("reference", `"`+mint(id.Order)+`"`, `"`+mint(id.Order)+`"`, `"a b"`, `""`, `7`), "type": value("type", `"purchase"`, `"purchase"`, `"gift"`)}, fields{"lines": value("lines", "", "", "["+orderLine+"]", "[]")}),
			"amount":         amount("amount"),
			"currency":       value("currency", `"CNY"`, `"CNY"`, `"CNY"`, `"cny"`, `"EUR"`, `7`, ""),
			"method":         value("method", `{"type":"qr"}`, `{"type":"redirect"}`, `{"type":"card_token","token":"t"}`, `{"type":"cash"}`, `{}`, `{"type":"card_token","token":""}`),
			"channel":        value("channel", "", "", `"sandbox"`, `"S"`, `""`),
			"return_url":     value("return_url", "", "", `"https://a.example"`, `"HTTP://a.example/x"`, `"ftp://a"`, `""`),
			"description":    text("text"),
			"expires_in":     value("expires_in", "", "", "60", "604800", "59", "604801", `"60"`, "60.5"),
			"capture_method": value("capture", "", "", `"manual"`, `"automatic"`, `"x"`),
			"allow_partial":  value("partial", "true", "true", "false", `"true"`),
			"metadata":       value("metadata", "", "", `{"a":"b"}`, `{"a":1}`, `{"a":"`+strings.Repeat("x", 501)+`"}`, metadata(50), metadata(51)),
			"customer":       value("customer", "", "", `{"reference":"c"}`, `{"reference":"c","phone":"+8613800138000","email":"a@b"}`, `{"reference":"c","phone":"1"}`, `{"reference":"c","x":1}`, `{"id":"usr_1"}`),
			"Amount":         value("case", "", "", "", "", "", "", "", `"1"`),
		})
		r := request(http.MethodPost, "/v1/payments", raw)
		documented := asDocumented(t, r, raw)
		a := good.do(t, r)
		if a.status >= 500 || (documented != nil && a.status < 400) {
			rt.Fatalf("the document says %v, the front %d %s to %s", documented, a.status, a.body, raw)
		}
		if a.status < 300 {
			accepted++
		} else {
			refused++
		}
	})
	t.Logf("%d accepted, %d refused", accepted, refused)
}

// TestExamplesOfTheDocumentWork: what a newcomer copies out of the reference makes a payment.
func TestExamplesOfTheDocumentWork(t *testing.T) {
	t.Parallel()
	for path, item := range specification(t).Paths.Map() {
		if item.Post == nil || item.Post.RequestBody == nil || item.Post.RequestBody.Value.Content.Get("application/json") == nil {
			continue
		}
		for name, e := range item.Post.RequestBody.Value.Content.Get("application/json").Examples {
			raw, err := jsonOf(e.Value.Value)
			if err != nil {
				t.Fatal(err)
			}
			f := newFront(t)
			path := strings.Replace(path, "{case_id}", f.aCase(exception.PartialPayment, shop).Path(), 1)
			r := request(http.MethodPost, path, raw)
			if err := asDocumented(t, r, raw); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if a := f.do(t, r); a.status != http.StatusCreated && a.status != http.StatusOK {
				t.Errorf("%s %s: %d %s", path, name, a.status, a.body)
			}
		}
	}
}

// FuzzBody: no bytes make a 500, and what isn't accepted leaves nothing.
func FuzzBody(f *testing.F) {
	for _, r := range refusals() {
		f.Add([]byte(r.body))
	}
	f.Add([]byte(payBody(nil)))
	fr := newFront(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := fr.store.rows()
		r := request(http.MethodPost, "/v1/payments", "{}")
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
		a := fr.do(t, r)
		if a.status >= 500 || (a.status >= 400 && fr.store.rows() != before) {
			t.Errorf("%d %s to %q", a.status, a.body, raw)
		}
	})
}
