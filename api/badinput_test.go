package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"paysaga/domain/id"
)

// refusal is a request that must be refused, and how. Nothing may be left of it.
type refusal struct {
	name   string
	body   string
	status int
	code   string
	param  string
	edit   []func(*http.Request)
}

func amounts(currency string, bad ...string) []refusal {
	var list []refusal
	for _, text := range bad {
		list = append(list, refusal{"amount " + text, payBody(fields{"amount": strconv.Quote(text), "currency": `"` + currency + `"`}), 422, "amount_invalid", "amount", nil})
	}
	return list
}

// field is a payment with one field changed.
func field(name, raw string, status int, code, param string) refusal {
	return refusal{name + " " + short(raw), payBody(fields{name: raw}), status, code, param, nil}
}

func short(s string) string { return s[:min(len(s), 40)] }

// lines is an order of a payment with these lines.
func lines(raw, code, param string) refusal {
	o := `{"reference":"` + mint(id.Order) + `","type":"purchase","lines":` + raw + `}`
	return refusal{"lines " + short(raw), payBody(fields{"order": o}), 422, code, param, nil}
}

func many(raw string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(raw+",", n), ",") + "]"
}

func metadata(n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, `"k`+strconv.Itoa(i)+`":"v"`)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

const line = `{"sku":"tea","quantity":2,"unit_price":"5.00"}`

// refusals of POST /v1/payments.
func refusals() []refusal {
	list := amounts("CNY", "", "0", "0.00", "-1", "+1", "1e2", "1E2", " 1", "1 ", "1.", ".5", "01", "00", "1.234", "1,00", "0x10",
		"1_000", "١", "NaN", "Infinity", "1000000000000000", "9223372036854775808", "1.00 CNY", "¥1", "1\u00a0")
	list = append(list, amounts("JPY", "100.0", "1.5", "0")...)
	list = append(list, amounts("KWD", "1.2345")...)
	list = append(list, amounts("UYW", "922337203685477.5808")...)
	list = append(list, amountTypes()...)
	list = append(list, currencies()...)
	list = append(list, bytesOfBodies()...)
	list = append(list, orders()...)
	list = append(list, methods()...)
	list = append(list, partsOfPayments()...)
	list = append(list, webTexts()...)
	list = append(list, customers()...)
	return append(list, headers()...)
}

func amountTypes() []refusal {
	return []refusal{
		field("amount", `12.34`, 422, "type_invalid", "amount"),
		field("amount", `12`, 422, "type_invalid", "amount"),
		field("amount", `null`, 422, "null_refused", "amount"),
		field("amount", `["12.34"]`, 422, "type_invalid", "amount"),
		field("amount", `{"minor":1234}`, 422, "type_invalid", "amount"),
		field("amount", `true`, 422, "type_invalid", "amount"),
		field("amount", ``, 422, "field_required", "amount"),
		field("amount", `12.340000000000000000000000000000001`, 422, "type_invalid", "amount"),
		field("amount", `1e400`, 422, "type_invalid", "amount"),
		field("allow_partial", `"yes"`, 422, "type_invalid", "allow_partial"),
		field("allow_partial", `1`, 422, "type_invalid", "allow_partial"),
	}
}

func currencies() []refusal {
	var list []refusal
	for _, c := range []string{"cny", "CN", "CNYX", "XXX", "XTS", "XAU", "HRK", "BTC", " CNY", "RMB", "C\u0000Y"[:1]} {
		list = append(list, field("currency", strconv.Quote(c), 422, "currency_unsupported", "currency"))
	}
	return append(list,
		field("currency", ``, 422, "field_required", "currency"),
		field("currency", `""`, 422, "field_required", "currency"),
		field("currency", `156`, 422, "type_invalid", "currency"),
		field("currency", `"EUR"`, 422, "currency_unsupported", "currency"), // no open channel takes it
	)
}

func bytesOfBodies() []refusal {
	raw := func(name, body, param string) refusal { return refusal{name, body, 400, "json_invalid", param, nil} }
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	return []refusal{
		raw("cut off", `{"amount":"12.34"`, ""), raw("not JSON", `amount=12.34`, ""), raw("an array", `[]`, ""), raw("a string", `"x"`, ""),
		raw("null", `null`, ""), raw("a number", `1`, ""), raw("spaces", `   `, ""), raw("a BOM", "\xef\xbb\xbf"+payBody(nil), ""),
		raw("something after it", payBody(nil)+`{}`, ""), raw("a letter after it", payBody(nil)+`x`, ""), raw("NUL after it", payBody(nil)+"\x00", ""),
		raw("a duplicate", payBody(fields{"amount": `"12.34","amount":"99.00"`}), "amount"),
		raw("an escaped duplicate", payBody(fields{"amount": `"12.34","\u0061mount":"99.00"`}), "amount"),
		raw("a nested duplicate", payBody(fields{"metadata": `{"a":"1","a":"2"}`}), "metadata.a"),
		raw("broken UTF-8", payBody(fields{"description": "\"\xff\""}), "description"),
		raw("cut UTF-8", payBody(fields{"description": "\"\xe4\xbd\""}), "description"),
		raw("a surrogate in UTF-8", payBody(fields{"description": "\"\xed\xa0\x80\""}), "description"),
		raw("a lone high surrogate", payBody(fields{"description": `"\ud800"`}), "description"),
		raw("a lone low surrogate", payBody(fields{"description": `"\udc00x"`}), "description"),
		raw("an escaped NUL", payBody(fields{"description": `"a\u0000b"`}), "description"),
		raw("an escaped NUL in a name", payBody(fields{"metadata": `{"a\u0000":"1"}`}), "metadata.?"),
		raw("a raw NUL", payBody(fields{"description": "\"a\x00b\""}), "description"),
		raw("a raw line feed", payBody(fields{"description": "\"a\nb\""}), "description"),
		raw("a comma too many", `{"amount":"1",}`, ""), raw("a comment", `{/**/}`, ""), raw("single quotes", `{'a':1}`, ""),
		raw("NaN", `{"amount":NaN}`, "amount"), raw("a hex number", `{"amount":0x1}`, ""), raw("a leading zero", `{"expires_in":0600}`, ""),
		raw("too deep", deep, ""), raw("an array too deep", `{"a":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+"}", ""),
		{"an unknown field", payBody(fields{"amout": `"1"`}), 422, "field_unknown", "amout", nil},
		{"another case", payBody(fields{"Amount": `"1"`}), 422, "field_unknown", "Amount", nil},
		{"another case of a letter", payBody(fields{"ſ": `"1"`}), 422, "field_unknown", "?", nil},
		{"a nested unknown field", payBody(fields{"method": `{"type":"qr","x":1}`}), 422, "field_unknown", "method.x", nil},
		{"an unknown field of a line", payBody(fields{"order": `{"reference":"r","type":"purchase","lines":[{"sku":"a","quantity":1,"unit_price":"1","price":"1"}]}`}), 422, "field_unknown", "order.lines[0].price", nil},
		{"__proto__", payBody(fields{"__proto__": `{}`}), 422, "field_unknown", "__proto__", nil},
		{"no body", "", 415, "content_type_unsupported", "Content-Type", nil},
		{"an empty body", "", 400, "json_invalid", "", []func(*http.Request){with("Content-Type", "application/json")}},
		{"too large", payBody(fields{"description": `"` + strings.Repeat("x", 64<<10) + `"`}), 413, "body_too_large", "", nil},
		{"too large, length unknown", payBody(fields{"description": `"` + strings.Repeat("x", 64<<10) + `"`}), 413, "body_too_large", "", []func(*http.Request){func(r *http.Request) { r.ContentLength = -1 }}},
	}
}

func orders() []refusal {
	o := func(raw, code, param string) refusal { return field("order", raw, 422, code, param) }
	return []refusal{
		field("order", ``, 422, "field_required", "order"),
		field("order_id", `"`+mint(id.Order)+`"`, 422, "order_ambiguous", "order_id"),
		{"order_id malformed", payBody(fields{"order": "", "order_id": `"A-1001"`}), 422, "id_invalid", "order_id", nil},
		{"order_id of a payment", payBody(fields{"order": "", "order_id": `"` + mint(id.Payment) + `"`}), 422, "id_invalid", "order_id", nil},
		{"order_id in upper case", payBody(fields{"order": "", "order_id": `"` + strings.ToUpper(mint(id.Order)) + `"`}), 422, "id_invalid", "order_id", nil},
		{"order_id of nobody", payBody(fields{"order": "", "order_id": `"` + mint(id.Order) + `"`}), 404, "not_found", "order_id", nil},
		{"order_id empty", payBody(fields{"order": "", "order_id": `""`}), 422, "id_invalid", "order_id", nil},
		o(`"A-1"`, "type_invalid", "order"), o(`{}`, "field_required", "order.reference"),
		o(`{"type":"purchase"}`, "field_required", "order.reference"), o(`{"reference":"A-1"}`, "field_required", "order.type"),
		o(`{"reference":"","type":"purchase"}`, "field_required", "order.reference"),
		o(`{"reference":"A 1","type":"purchase"}`, "order_reference_invalid", "order.reference"),
		o(`{"reference":"茶","type":"purchase"}`, "order_reference_invalid", "order.reference"),
		o(`{"reference":"`+strings.Repeat("a", 65)+`","type":"purchase"}`, "order_reference_invalid", "order.reference"),
		o(`{"reference":7,"type":"purchase"}`, "type_invalid", "order.reference"),
		o(`{"reference":"A-1","type":"gift"}`, "order_type_unknown", "order.type"),
		o(`{"reference":"A-1","type":"Purchase"}`, "order_type_unknown", "order.type"),
		o(`{"reference":"A-1","type":"purchase","adjustments":[{"type":"shipping","amount":"1"}]}`, "adjustments_without_lines", "order.adjustments"),
		o(`{"reference":"A-1","type":"purchase","lines":[`+line+`],"adjustments":[{"type":"bribe","amount":"1"}]}`, "adjustment_type_unknown", "order.adjustments[0].type"),
		o(`{"reference":"A-1","type":"purchase","lines":[`+line+`],"adjustments":[{"type":"fee","amount":"-1"}]}`, "amount_invalid", "order.adjustments[0].amount"),
		o(`{"reference":"A-1","type":"purchase","lines":[`+line+`],"adjustments":[{"type":"fee"}]}`, "field_required", "order.adjustments[0].amount"),
		o(`{"reference":"A-1","type":"purchase","lines":[`+line+`],"adjustments":[{"amount":"1"}]}`, "field_required", "order.adjustments[0].type"),
		o(`{"reference":"A-1","type":"purchase","lines":[`+line+`],"adjustments":[{"type":"discount","amount":"10.00"}]}`, "order_total_invalid", "order"),
		o(`{"reference":"A-1","type":"purchase","lines":[`+line+`],"adjustments":`+many(`{"type":"fee","amount":"1"}`, 21)+`}`, "too_many_adjustments", "order.adjustments"),
		lines(`[{"quantity":1,"unit_price":"1"}]`, "sku_invalid", "order.lines[0].sku"),
		lines(`[{"sku":"`+strings.Repeat("a", 65)+`","quantity":1,"unit_price":"1"}]`, "sku_invalid", "order.lines[0].sku"),
		lines(`[{"sku":"a\u001b","quantity":1,"unit_price":"1"}]`, "sku_invalid", "order.lines[0].sku"),
		lines(`[{"sku":"tea","unit_price":"1"}]`, "quantity_invalid", "order.lines[0].quantity"),
		lines(`[{"sku":"tea","quantity":0,"unit_price":"1"}]`, "quantity_invalid", "order.lines[0].quantity"),
		lines(`[{"sku":"tea","quantity":-1,"unit_price":"1"}]`, "quantity_invalid", "order.lines[0].quantity"),
		lines(`[{"sku":"tea","quantity":1.5,"unit_price":"1"}]`, "type_invalid", "order.lines[0].quantity"),
		lines(`[{"sku":"tea","quantity":"2","unit_price":"1"}]`, "type_invalid", "order.lines[0].quantity"),
		lines(`[{"sku":"tea","quantity":1000001,"unit_price":"1"}]`, "quantity_invalid", "order.lines[0].quantity"),
		lines(`[{"sku":"tea","quantity":99999999999999999999,"unit_price":"1"}]`, "type_invalid", "order.lines[0].quantity"),
		lines(`[{"sku":"tea","quantity":1000000,"unit_price":"999999999999999.99"}]`, "amount_overflow", "order.lines[0].unit_price"),
		lines(`[{"sku":"tea","quantity":1}]`, "field_required", "order.lines[0].unit_price"),
		lines(`[`+line+`,{"sku":"tea","quantity":1,"unit_price":5}]`, "type_invalid", "order.lines[1].unit_price"),
		lines(`[{"sku":"tea","quantity":1,"unit_price":"5.001"}]`, "amount_invalid", "order.lines[0].unit_price"),
		lines(`[{"sku":"tea","quantity":1,"unit_price":"5","discount":"5.01"}]`, "line_total_negative", "order.lines[0].discount"),
		lines(`[{"sku":"tea","quantity":1,"unit_price":"5","tax":"1e1"}]`, "amount_invalid", "order.lines[0].tax"),
		lines(`[{"sku":"tea","quantity":1,"unit_price":"0"}]`, "order_total_invalid", "order"),
		lines(many(line, 101), "too_many_lines", "order.lines"),
		lines(`{"sku":"tea"}`, "type_invalid", "order.lines"),
		{"more than the order", payBody(fields{"order": order, "amount": `"12.35"`}), 422, "amount_exceeds_order", "amount", nil},
		{"less than the order", payBody(fields{"order": order, "amount": `"12.33"`}), 422, "partial_not_allowed", "amount", nil},
	}
}

func methods() []refusal {
	m := func(raw, code, param string) refusal { return field("method", raw, 422, code, param) }
	return []refusal{
		m(``, "field_required", "method.type"), m(`{}`, "field_required", "method.type"), m(`"qr"`, "type_invalid", "method"),
		m(`{"type":"cash"}`, "method_unsupported", "method.type"), m(`{"type":"QR"}`, "method_unsupported", "method.type"),
		m(`{"type":"card_token"}`, "field_required", "method.token"), m(`{"type":"card_token","token":""}`, "token_invalid", "method.token"),
		m(`{"type":"card_token","token":"tok ok"}`, "token_invalid", "method.token"),
		m(`{"type":"card_token","token":"`+strings.Repeat("a", 256)+`"}`, "token_invalid", "method.token"),
		m(`{"type":"qr","token":"tok_ok"}`, "token_unexpected", "method.token"),
		field("capture_method", `"later"`, 422, "capture_method_invalid", "capture_method"),
		field("channel", `"nowhere"`, 422, "channel_unknown", "channel"),
		field("channel", `"Sandbox"`, 422, "channel_unknown", "channel"), field("channel", `""`, 422, "channel_unknown", "channel"),
		field("channel", `"../sandbox"`, 422, "channel_unknown", "channel"),
		{"a method the channel lacks", payBody(fields{"channel": `"cards"`, "method": `{"type":"qr"}`}), 422, "method_unsupported", "method.type", nil},
		field("expires_in", `59`, 422, "expires_in_invalid", "expires_in"), field("expires_in", `604801`, 422, "expires_in_invalid", "expires_in"),
		field("expires_in", `0`, 422, "expires_in_invalid", "expires_in"), field("expires_in", `-60`, 422, "expires_in_invalid", "expires_in"),
		field("expires_in", `60.5`, 422, "type_invalid", "expires_in"), field("expires_in", `"1800"`, 422, "type_invalid", "expires_in"),
		field("expires_in", `1e3`, 422, "type_invalid", "expires_in"), field("expires_in", `9223372036854775808`, 422, "type_invalid", "expires_in"),
	}
}

func webTexts() []refusal {
	var list []refusal
	for _, u := range []string{"", "shop", "/back", "//shop.example/x", "javascript:alert(1)", "data:text/html,x", "ftp://shop.example", "file:///etc/passwd",
		"https://", "https:///x", "http:shop.example", "https://user:pw@shop.example", "https://a@b.example", `https://shop.example\\@evil.example`,
		"https://shop.example/a b", "https://shop.example:port", "https://茶.example", "https://shop.example/" + strings.Repeat("x", 2048), "https://[::1"} {
		list = append(list, field("return_url", `"`+u+`"`, 422, "return_url_invalid", "return_url"))
	}
	return append(list,
		field("description", `"`+strings.Repeat("茶", 256)+`"`, 422, "description_invalid", "description"),
		field("description", `"a\u0007b"`, 422, "description_invalid", "description"),
		field("description", `{}`, 422, "type_invalid", "description"),
		field("metadata", metadata(51), 422, "metadata_invalid", "metadata"),
		field("metadata", `{"`+strings.Repeat("k", 41)+`":"v"}`, 422, "metadata_invalid", "metadata"),
		field("metadata", `{"":"v"}`, 422, "metadata_invalid", "metadata"),
		field("metadata", `{"a[b]":"v"}`, 422, "metadata_invalid", "metadata"),
		field("metadata", `{"k":"`+strings.Repeat("茶", 501)+`"}`, 422, "metadata_invalid", "metadata.k"),
		field("metadata", `{"k":"\u001b[31m"}`, 422, "metadata_invalid", "metadata.k"),
		field("metadata", `{"k":1}`, 422, "type_invalid", "metadata.k"),
		field("metadata", `{"k":{"l":"v"}}`, 422, "type_invalid", "metadata.k"),
		field("metadata", `{"k":null}`, 422, "null_refused", "metadata.k"),
		field("metadata", `["k"]`, 422, "type_invalid", "metadata"),
	)
}

func customers() []refusal {
	c := func(raw, code, param string) refusal { return field("customer", raw, 422, code, param) }
	return []refusal{
		c(`{}`, "field_required", "customer.reference"), c(`{"name":"A"}`, "field_required", "customer.reference"),
		c(`{"id":"usr_1"}`, "id_invalid", "customer.id"), c(`{"id":"`+mint(id.User)+`","reference":"c-7"}`, "customer_ambiguous", "customer.id"),
		c(`{"reference":""}`, "customer_invalid", "customer.reference"), c(`{"reference":"c 7"}`, "customer_invalid", "customer.reference"),
		c(`{"reference":"c-7","name":""}`, "customer_invalid", "customer.name"), c(`{"reference":"c-7","name":"`+strings.Repeat("n", 201)+`"}`, "customer_invalid", "customer.name"),
		c(`{"reference":"c-7","email":"nobody"}`, "customer_invalid", "customer.email"), c(`{"reference":"c-7","email":"a@b@c"}`, "customer_invalid", "customer.email"),
		c(`{"reference":"c-7","phone":"13800138000"}`, "customer_invalid", "customer.phone"), c(`{"reference":"c-7","phone":"+0123456"}`, "customer_invalid", "customer.phone"),
		c(`"c-7"`, "type_invalid", "customer"), c(`{"reference":"c-7","card":"4242424242424242"}`, "field_unknown", "customer.card"),
	}
}

func headers() []refusal {
	h := func(name string, status int, code, param string, edit ...func(*http.Request)) refusal {
		return refusal{name, payBody(nil), status, code, param, edit}
	}
	twice := func(name string) func(*http.Request) { return func(r *http.Request) { r.Header.Add(name, "again") } }
	query := func(q string) func(*http.Request) { return func(r *http.Request) { r.URL.RawQuery = q } }
	list := []refusal{
		h("no key", 400, "idempotency_key_missing", "Idempotency-Key", without("Idempotency-Key")),
		h("two keys", 400, "idempotency_key_invalid", "Idempotency-Key", twice("Idempotency-Key")),
		h("no content type", 415, "content_type_unsupported", "Content-Type", without("Content-Type")),
		h("a form", 415, "content_type_unsupported", "Content-Type", with("Content-Type", "application/x-www-form-urlencoded")),
		h("text", 415, "content_type_unsupported", "Content-Type", with("Content-Type", "text/plain")),
		h("JSON in Latin-1", 415, "content_type_unsupported", "Content-Type", with("Content-Type", "application/json; charset=iso-8859-1")),
		h("a broken type", 415, "content_type_unsupported", "Content-Type", with("Content-Type", "application/json; charset")),
		h("compressed", 415, "content_type_unsupported", "Content-Type", with("Content-Encoding", "gzip")),
		h("a query", 400, "parameter_unknown", "dry_run", query("dry_run=true")),
		h("no authorization", 401, "unauthenticated", "", without("Authorization")),
		h("basic authorization", 401, "unauthenticated", "", with("Authorization", "Basic c2s6")),
		h("an unknown key", 401, "unauthenticated", "", as("sk_test_nobody")),
		h("an empty key", 401, "unauthenticated", "", with("Authorization", "Bearer ")),
		h("a long key", 401, "unauthenticated", "", as("sk_test_"+strings.Repeat("x", 300))),
		h("two authorizations", 401, "unauthenticated", "", twice("Authorization")),
		h("no scope", 403, "scope_missing", "", as(keyOfReader)),
		h("another merchant", 403, "merchant_forbidden", "", with("Paysaga-Merchant", other)),
		h("no merchant's id", 422, "id_invalid", "Paysaga-Merchant", with("Paysaga-Merchant", "shop")),
		h("an operator without merchant", 422, "merchant_required", "Paysaga-Merchant", as(keyOfDesk)),
	}
	for _, key := range []string{"", " ", "a b", `"`, `""`, `"a`, `"a"b`, `"a\x"`, `"a\`, `"a b"`, "ключ", "a\x7f", strings.Repeat("k", 256)} {
		list = append(list, h("the key "+short(strconv.Quote(key)), 400, "idempotency_key_invalid", "Idempotency-Key", with("Idempotency-Key", key)))
	}
	return list
}

// TestBadInputIsRefused: each request is a 4xx problem that names the field, and leaves nothing behind.
func TestBadInputIsRefused(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	list := refusals()
	if len(list) < 100 {
		t.Fatalf("only %d vectors", len(list))
	}
	for _, r := range list {
		a := f.do(t, request(http.MethodPost, "/v1/payments", r.body, r.edit...))
		checkProblem(t, r, a)
		if n := f.store.rows(); n != 0 {
			t.Fatalf("%s: %d rows are left", r.name, n)
		}
	}
	if n := f.sagas.accepted.Load(); n != 0 {
		t.Errorf("%d sagas were started", n)
	}
	t.Logf("%d vectors", len(list))
}

// checkProblem holds an answer against what the vector says.
func checkProblem(t *testing.T, r refusal, a answer) {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s: %d %s %s", r.name, a.status, got, a.body)
		return
	}
	p := a.json(t)
	param, _ := p["param"].(string)
	if a.status != r.status || p["status"] != float64(r.status) || p["code"] != r.code || param != r.param {
		t.Errorf("%s: want %d %s %q, got %d %v %q: %v", r.name, r.status, r.code, r.param, a.status, p["code"], param, p["detail"])
	}
	if p["request_id"] != a.header.Get("X-Request-Id") || p["request_id"] == "" {
		t.Errorf("%s: request id %v", r.name, p["request_id"])
	}
}

func TestBadOrdersAreRefused(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	o := func(name, raw string, status int, code, param string) refusal {
		return refusal{name + " " + short(raw), orderBody(fields{name: raw}), status, code, param, nil}
	}
	for _, r := range []refusal{
		o("reference", ``, 422, "field_required", "reference"), o("reference", `"A 1"`, 422, "order_reference_invalid", "reference"),
		o("type", ``, 422, "field_required", "type"), o("type", `"x"`, 422, "order_type_unknown", "type"),
		o("currency", ``, 422, "field_required", "currency"), o("currency", `"cny"`, 422, "currency_unsupported", "currency"),
		o("lines", ``, 422, "field_required", "lines"), o("lines", `[]`, 422, "field_required", "lines"),
		o("lines", `[{"sku":"tea","quantity":1,"unit_price":"1.001"}]`, 422, "amount_invalid", "lines[0].unit_price"),
		o("lines", `[{"sku":"tea","quantity":1000000,"unit_price":"999999999999"},{"sku":"tea","quantity":1,"unit_price":"1"}]`, 422, "amount_overflow", "lines[0].unit_price"),
		o("lines", many(`{"sku":"tea","quantity":1000000,"unit_price":"90000000000"}`, 2), 422, "amount_overflow", "lines[1]"),
		o("adjustments", `[{"type":"discount","amount":"99"}]`, 422, "order_total_invalid", ""),
		o("amount", `"12.34"`, 422, "field_unknown", "amount"),
		{"no scope", orderBody(nil), 403, "scope_missing", "", []func(*http.Request){as(keyOfReader)}},
		{"no key", orderBody(nil), 400, "idempotency_key_missing", "Idempotency-Key", []func(*http.Request){without("Idempotency-Key")}},
	} {
		checkProblem(t, r, f.do(t, request(http.MethodPost, "/v1/orders", r.body, r.edit...)))
		if n := f.store.rows(); n != 0 {
			t.Fatalf("%s: %d rows are left", r.name, n)
		}
	}
}

func TestBadQueriesAreRefused(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	for _, q := range []struct{ query, code, param string }{
		{"limit=0", "parameter_invalid", "limit"}, {"limit=101", "parameter_invalid", "limit"}, {"limit=-1", "parameter_invalid", "limit"},
		{"limit=ten", "parameter_invalid", "limit"}, {"limit=1.0", "parameter_invalid", "limit"}, {"limit=%2B5", "parameter_invalid", "limit"}, {"limit=05", "parameter_invalid", "limit"}, {"limit=", "parameter_invalid", "limit"},
		{"status=paid", "parameter_invalid", "status"}, {"status=", "parameter_invalid", "status"}, {"order_id=A-1", "parameter_invalid", "order_id"},
		{"channel=%27%20OR%201=1", "parameter_invalid", "channel"}, {"created_from=yesterday", "parameter_invalid", "created_from"},
		{"created_before=2026-13-01T00:00:00Z", "parameter_invalid", "created_before"}, {"created_from=2026-01-01", "parameter_invalid", "created_from"},
		{"starting_after=pay_1", "parameter_invalid", "starting_after"}, {"starting_after=" + mint(id.Order), "parameter_invalid", "starting_after"},
		{"Status=succeeded", "parameter_unknown", "Status"}, {"page=2", "parameter_unknown", "page"}, {"%00=1", "parameter_unknown", "?"},
		{"limit=1&limit=2", "parameter_repeated", "limit"},
	} {
		status := 422
		if q.code != "parameter_invalid" {
			status = 400
		}
		checkProblem(t, refusal{name: q.query, status: status, code: q.code, param: q.param}, f.do(t, request(http.MethodGet, "/v1/payments?"+q.query, "")))
	}
}

func TestUnknownPathsAreProblems(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	pay := mint(id.Payment)
	for _, r := range []struct {
		method, target string
		status         int
		code           string
	}{
		{"GET", "/", 404, "not_found"}, {"GET", "/v1", 404, "not_found"}, {"GET", "/v2/payments", 404, "not_found"}, {"GET", "/v1/payments/", 404, "not_found"},
		{"GET", "/v1/payments/" + pay, 404, "not_found"}, {"GET", "/v1/payments/x", 404, "not_found"}, {"GET", "/v1/payments/%00", 404, "not_found"},
		{"GET", "/v1/payments/" + strings.ToUpper(pay), 404, "not_found"}, {"GET", "/v1/payments/" + pay + "/timeline", 404, "not_found"}, {"GET", "/v1/payments/x/timeline", 404, "not_found"},
		{"GET", "/v1/orders/" + mint(id.Order), 404, "not_found"}, {"GET", "/v1/orders/" + pay, 404, "not_found"}, {"GET", "/v1/orders/..%2fpayments", 404, "not_found"},
		{"DELETE", "/v1/payments", 405, "method_not_allowed"}, {"PUT", "/v1/payments/" + pay, 405, "method_not_allowed"}, {"GET", "/v1/orders", 405, "method_not_allowed"},
		{"POST", "/v1/payments/" + pay + "/cancel", 404, "not_found"}, {"POST", "/v1/payments/x/cancel", 404, "not_found"}, {"BREW", "/v1/payments", 405, "method_not_allowed"},
	} {
		a := f.do(t, request(r.method, r.target, ""))
		checkProblem(t, refusal{name: r.method + " " + r.target, status: r.status, code: r.code}, a)
		if r.status == 405 && a.header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", r.method, r.target)
		}
	}
}
