package api_test

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"paysaga/domain/access"
	"paysaga/domain/delivery"
	"paysaga/domain/id"
)

const hookBody = `{"url":"https://shop.example/hooks"}`

// send posts to the webhook operations: they know no idempotency key.
func send(method, target, body string, edit ...func(*http.Request)) *http.Request {
	edit = append([]func(*http.Request){without("Idempotency-Key")}, edit...)
	if body != "" {
		edit = append(edit, with("Content-Type", "application/json"))
	}
	return request(method, target, body, edit...)
}

// both runs a test on fakes and on PostgreSQL; rows counts what could be left behind.
func both(t *testing.T, do func(t *testing.T, f *front, rows func() int)) {
	t.Helper()
	t.Run("fakes", func(t *testing.T) {
		t.Parallel()
		f := newFront(t)
		do(t, f, f.store.rows)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		f, db := onStore(t)
		do(t, f, func() int { return allRows(t, db) })
	})
}

// hostileURLs are the vectors of package webhook: far more than a hundred ways to have us call what we mustn't.
func hostileURLs(t *testing.T) (list []refusal) {
	t.Helper()
	raw, err := os.ReadFile("../webhook/testdata/hostile.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors map[string][]string
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	for code, urls := range vectors {
		for _, url := range urls {
			text, _ := json.Marshal(url)
			r := refusal{name: short(url), body: `{"url":` + string(text) + `}`, status: 422, code: code, param: "url"}
			switch {
			case url == "":
				r.code = "field_required"
			case strings.Contains(url, "\x00"):
				r.status, r.code = 400, "json_invalid"
			}
			list = append(list, r)
		}
	}
	if len(list) < 100 {
		t.Fatalf("%d vectors", len(list))
	}
	return list
}

func badEndpoints() []refusal {
	b := func(more, code, param string) refusal {
		return refusal{name: more, body: `{"url":"https://shop.example/h",` + more + `}`, status: 422, code: code, param: param}
	}
	many := `"events":[` + strings.TrimSuffix(strings.Repeat(`"payment.x",`, 51), ",") + `]`
	return []refusal{
		{name: "no URL", body: `{}`, status: 422, code: "field_required", param: "url"},
		{name: "URL of another type", body: `{"url":1}`, status: 422, code: "type_invalid", param: "url"},
		b(`"url":"https://twice.example/"`, "json_invalid", "url").as(400), b(`"secret":"whsec_x"`, "field_unknown", "secret"), b(`"status":"enabled"`, "field_unknown", "status"),
		b(`"events":"payment.*"`, "type_invalid", "events"), b(`"events":["payment"]`, "events_invalid", "events[0]"), b(`"events":["*"]`, "events_invalid", "events[0]"),
		b(`"events":["payment.*","payment.*"]`, "events_invalid", "events[1]"), b(`"events":["paymnt.succeeded"]`, "events_invalid", "events[0]"),
		b(`"events":["payment.Succeeded"]`, "events_invalid", "events[0]"), b(`"events":["payment."]`, "events_invalid", "events[0]"), b(`"events":[".*"]`, "events_invalid", "events[0]"),
		b(`"events":["payment.a.b"]`, "events_invalid", "events[0]"), b(`"events":["payment.'; drop table events"]`, "events_invalid", "events[0]"), b(many, "events_invalid", "events"),
		b(`"description":"`+strings.Repeat("x", 501)+`"`, "description_invalid", "description"), b(`"description":"\u0007"`, "description_invalid", "description"),
		b(`"api_version":"2020-01-01"`, "api_version_unknown", "api_version"), b(`"api_version":""`, "api_version_unknown", "api_version"),
		b(`"include_children":"yes"`, "type_invalid", "include_children"), b(`"schedule":"default"`, "type_invalid", "schedule"),
		b(`"schedule":{"preset":"hourly"}`, "schedule_unknown", "schedule.preset"), b(`"schedule":{"preset":"default","waits":["5s"]}`, "schedule_invalid", "schedule.preset"),
		b(`"schedule":{"waits":[]}`, "schedule_invalid", "schedule.waits"), b(`"schedule":{"waits":["soon"]}`, "schedule_invalid", "schedule.waits[0]"),
		b(`"schedule":{"waits":["5s","0s"]}`, "schedule_invalid", "schedule.waits[1]"), b(`"schedule":{"waits":["-5s"]}`, "schedule_invalid", "schedule.waits[0]"),
		b(`"schedule":{"waits":["49h"]}`, "schedule_invalid", "schedule.waits[0]"), b(`"schedule":{"waits":["1s"],"jitter_percent":51}`, "schedule_invalid", "schedule.jitter_percent"),
		b(`"schedule":{"jitter_percent":10}`, "schedule_invalid", "schedule.jitter_percent"), b(`"schedule":{"waits":[`+strings.TrimSuffix(strings.Repeat(`"1s",`, 51), ",")+`]}`, "schedule_invalid", "schedule.waits"),
		b(`"schedule":{"waits":[`+strings.TrimSuffix(strings.Repeat(`"48h",`, 16), ",")+`]}`, "schedule_invalid", "schedule.waits"), b(`"schedule":{"preset":null}`, "null_refused", "schedule.preset"),
	}
}

func (r refusal) as(status int) refusal {
	r.status = status
	return r
}

func TestBadEndpointsAreRefused(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f *front, rows func() int) {
		made := f.do(t, send(http.MethodPost, "/v1/webhook_endpoints", hookBody))
		if made.status != http.StatusCreated {
			t.Fatalf("%d %s", made.status, made.body)
		}
		path := "/v1/webhook_endpoints/" + made.text(t, "id")
		before := rows()
		for _, r := range append(hostileURLs(t), badEndpoints()...) {
			checkProblem(t, r, f.do(t, send(http.MethodPost, "/v1/webhook_endpoints", r.body)))
			if r.code == "field_required" || strings.Contains(r.name, `"status":"enabled"`) {
				continue
			}
			checkProblem(t, r, f.do(t, send(http.MethodPatch, path, r.body)))
		}
		p := func(method, target, body string, status int, code, param string) {
			t.Helper()
			checkProblem(t, refusal{name: method + " " + target + " " + body, status: status, code: code, param: param}, f.do(t, send(method, target, body)))
		}
		again := hookBody
		p("POST", "/v1/webhook_endpoints", again, 409, "endpoint_exists", "url")
		p("PATCH", path, `{"status":"paused"}`, 422, "status_invalid", "status")
		p("POST", path+"/rotate_secret", `{"expire_after":-1}`, 422, "expire_after_out_of_range", "expire_after")
		p("POST", path+"/rotate_secret", `{"expire_after":604801}`, 422, "expire_after_out_of_range", "expire_after")
		p("POST", path+"/rotate_secret", `{"expire_after":"1h"}`, 422, "type_invalid", "expire_after")
		p("POST", path+"/test", `{"type":"x"}`, 422, "field_unknown", "type")
		p("POST", path+"/redeliver", `{"statuses":["held"]}`, 422, "status_invalid", "statuses[0]")
		p("POST", path+"/redeliver", `{"statuses":[]}`, 422, "status_invalid", "statuses")
		p("POST", path+"/redeliver", `{"types":["x"]}`, 422, "events_invalid", "types[0]")
		p("POST", path+"/redeliver", `{"from":"yesterday"}`, 422, "type_invalid", "from")
		p("POST", path+"/redeliver", `{"from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"}`, 422, "time_invalid", "to")
		p("POST", path+"/redeliver", `{"from":"0001-01-01T00:00:00Z"}`, 422, "time_invalid", "from")
		p("POST", path+"/redeliver", ``, 415, "content_type_unsupported", "Content-Type")
		for _, q := range [][2]string{{"type=x", "type"}, {"type=*", "type"}, {"object_id=%00", "object_id"}, {"created_from=now", "created_from"}, {"limit=0", "limit"}, {"starting_after=pay_1", "starting_after"}} {
			p("GET", "/v1/events?"+q[0], "", 422, "parameter_invalid", q[1])
		}
		for _, q := range [][2]string{{"endpoint_id=x", "endpoint_id"}, {"event_id=x", "event_id"}, {"status=succeeded", "status"}, {"limit=101", "limit"}, {"starting_after=evt_1", "starting_after"}} {
			p("GET", "/v1/webhook_deliveries?"+q[0], "", 422, "parameter_invalid", q[1])
		}
		p("GET", "/v1/webhook_deliveries?endpoint=x", "", 400, "parameter_unknown", "endpoint")
		nobody := "/v1/webhook_endpoints/" + mint(id.Endpoint)
		for _, target := range []string{nobody, "/v1/webhook_endpoints/whk_1", "/v1/events/" + mint(id.Event), "/v1/webhook_deliveries/" + mint(id.Event) + "/" + mint(id.Endpoint), "/v1/webhook_deliveries/x/y"} {
			p("GET", target, "", 404, "not_found", "")
		}
		p("PATCH", nobody, `{"status":"disabled"}`, 404, "not_found", "")
		p("DELETE", nobody, "", 404, "not_found", "")
		p("POST", nobody+"/test", "", 404, "not_found", "")
		p("POST", nobody+"/rotate_secret", "", 404, "not_found", "")
		p("POST", nobody+"/redeliver", "{}", 404, "not_found", "")
		p("POST", "/v1/webhook_deliveries/"+mint(id.Event)+"/"+mint(id.Endpoint)+"/redeliver", "", 404, "not_found", "")
		if after := rows(); after != before {
			t.Errorf("%d rows before, %d after", before, after)
		}
	})
}

// TestEndpointsAreTheirMerchants (I-25): nobody else sees or changes one, an operator names the merchant, and scopes count.
func TestEndpointsAreTheirMerchants(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f *front, _ func() int) {
		made := f.do(t, send(http.MethodPost, "/v1/webhook_endpoints", hookBody))
		path := "/v1/webhook_endpoints/" + made.text(t, "id")
		for _, key := range []string{keyOfOther, keyOfLive} {
			for _, r := range []*http.Request{send("GET", path, "", as(key)), send("PATCH", path, `{"status":"disabled"}`, as(key)), send("DELETE", path, "", as(key)),
				send("POST", path+"/test", "", as(key)), send("POST", path+"/rotate_secret", "", as(key)), send("POST", path+"/redeliver", "{}", as(key))} {
				if a := f.do(t, r); a.status != http.StatusNotFound {
					t.Errorf("%s %s as %s: %d %s", r.Method, r.URL, key, a.status, a.body)
				}
			}
			if a := f.do(t, send("GET", "/v1/webhook_endpoints", "", as(key))); len(a.json(t)["data"].([]any)) != 0 {
				t.Errorf("%s lists %s", key, a.body)
			}
		}
		for _, target := range []string{path, "/v1/webhook_endpoints", "/v1/events", "/v1/webhook_deliveries"} {
			if a := f.do(t, send("GET", target, "", as(keyOfOperator))); a.status != 422 || a.text(t, "code") != "merchant_required" {
				t.Errorf("an operator without a merchant: %d %s", a.status, a.body)
			}
			if a := f.do(t, send("GET", target, "", as(keyOfReader))); a.status != http.StatusForbidden || a.text(t, "code") != "scope_missing" {
				t.Errorf("without a scope: %d %s", a.status, a.body)
			}
		}
		merchant := with("Paysaga-Merchant", made.text(t, "merchant_id"))
		if a := f.do(t, send("GET", path, "", as(keyOfOperator), merchant)); a.status != http.StatusOK {
			t.Errorf("an operator with a merchant: %d %s", a.status, a.body)
		}
		if a := f.do(t, send("DELETE", path, "", as(keyOfOperator), merchant)); a.status != http.StatusForbidden {
			t.Errorf("an operator deletes: %d", a.status)
		}
	})
	if !slices.Contains(access.MerchantScopes, access.WebhooksWrite) || slices.Contains(access.OperatorScopes, access.WebhooksWrite) {
		t.Error("merchants change endpoints, operators don't")
	}
}

func TestAnEndpointsSecretIsShownOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f *front, _ func() int) {
		made := f.do(t, send(http.MethodPost, "/v1/webhook_endpoints",
			`{"url":"https://shop.example/hooks","description":"Shop","events":["payment.*"],"schedule":{"waits":["5s","1m"],"jitter_percent":5}}`))
		secret := made.text(t, "secret")
		if _, err := delivery.ParseSecret(secret); err != nil || made.header.Get("Location") == "" {
			t.Fatalf("%v: %s", err, made.body)
		}
		path := made.header.Get("Location")
		rotated := f.do(t, send("POST", path+"/rotate_secret", `{"expire_after":3600}`))
		if rotated.status != 200 || rotated.text(t, "secret") == secret || rotated.text(t, "secret") == "" {
			t.Errorf("%d %s", rotated.status, rotated.body)
		}
		for _, r := range []*http.Request{send("GET", path, ""), send("GET", "/v1/webhook_endpoints", ""), send("PATCH", path, `{"description":""}`)} {
			if a := f.do(t, r); a.status != 200 || strings.Contains(string(a.body), "whsec_") {
				t.Errorf("%s %s: %d %s", r.Method, r.URL, a.status, a.body)
			}
		}
		if strings.Contains(f.logs.String(), "whsec_") || strings.Contains(f.logs.String(), "shop.example") {
			t.Error("the log holds what it shouldn't (I-26)")
		}
		ping := f.do(t, send("POST", path+"/test", ""))
		if ping.status != http.StatusAccepted || !id.Is(id.Event, ping.text(t, "event_id")) {
			t.Errorf("%d %s", ping.status, ping.body)
		}
		if a := f.do(t, send("POST", path+"/redeliver", "{}")); a.status != http.StatusAccepted || a.json(t)["count"] != float64(0) {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := f.do(t, send("DELETE", path, "")); a.status != http.StatusNoContent || len(a.body) != 0 {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := f.do(t, send("GET", path, "")); a.status != http.StatusNotFound {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

// TestEventsAreReadAsTheyAreTold: lists, filters and pages, as PostgreSQL has them.
func TestEventsAreReadAsTheyAreTold(t *testing.T) {
	t.Parallel()
	f, _ := onStore(t)
	paid := f.do(t, request(http.MethodPost, "/v1/payments", payBody(fields{"order": order})))
	list := func(query string, edit ...func(*http.Request)) []any {
		t.Helper()
		a := f.do(t, send("GET", "/v1/events"+query, "", edit...))
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d %s", query, a.status, a.body)
		}
		return a.json(t)["data"].([]any)
	}
	all := list("")
	if len(all) != 2 {
		t.Fatalf("%v", all)
	}
	first := all[1].(map[string]any)
	for query, want := range map[string]int{"?type=payment.created": 1, "?type=order.*": 1, "?type=refund.*": 0, "?object_id=" + paid.text(t, "id"): 1, "?limit=1": 1,
		"?starting_after=" + all[0].(map[string]any)["id"].(string): 1, "?created_before=2020-01-01T00:00:00Z": 0, "?created_from=2020-01-01T00:00:00Z": 2} {
		if got := list(query); len(got) != want {
			t.Errorf("%s: %d events, want %d", query, len(got), want)
		}
	}
	one := f.do(t, send("GET", "/v1/events/"+first["id"].(string), ""))
	if one.status != 200 || one.json(t)["data"].(map[string]any)["id"] == nil || one.json(t)["livemode"] != false {
		t.Errorf("%d %s", one.status, one.body)
	}
	if len(list("", as(keyOfOther))) != 0 || f.do(t, send("GET", "/v1/events/"+first["id"].(string), "", as(keyOfOther))).status != 404 {
		t.Error("another merchant reads events (I-25)")
	}
	if got := strconv.Itoa(len(list("", as(keyOfLive)))); got != "0" {
		t.Error("another book's events")
	}
}
