package api_test

import (
	"net/http"
	"strings"
	"testing"

	"paysaga/domain/id"
)

func TestRerating(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	k := f.do(t, request(http.MethodPost, campaigns, campaignBody(nil))).text(t, "id")
	for range 2 {
		if a := f.do(t, request(http.MethodPost, campaigns+"/"+k+"/versions", strategy(`{"type":"percentage","rate_bps":100}`))); a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	url := campaigns + "/" + k + "/rerate"
	for _, c := range []struct{ body, code, param string }{
		{`{}`, "version_invalid", "version"},
		{`{"version":0}`, "version_invalid", "version"},
		{`{"version":2,"corrects":-1}`, "version_invalid", "corrects"},
		{`{"version":2,"apply":true}`, "field_required", "reason"},
		{`{"version":2,"apply":true,"reason":" "}`, "field_required", "reason"},
		{`{"version":2,"apply":true,"reason":"` + strings.Repeat("x", 501) + `"}`, "text_too_long", "reason"},
		{`{"version":2,"apply":true,"reason":"r","limit":5}`, "field_forbidden", "limit"},
		{`{"version":2,"apply":true,"reason":"r","starting_after":"` + mint(id.Order) + `"}`, "field_forbidden", "starting_after"},
		{`{"version":2,"apply":true,"reason":"r","whole":true}`, "field_forbidden", "whole"},
		{`{"version":2,"whole":1}`, "type_invalid", "whole"},
		{`{"version":2,"limit":501}`, "out_of_range", "limit"},
		{`{"version":2,"starting_after":"x"}`, "id_invalid", "starting_after"},
		{`{"version":2,"apply":"yes"}`, "type_invalid", "apply"},
		{`{"version":2,"x":1}`, "field_unknown", "x"},
	} {
		before := f.store.rows()
		if a := f.do(t, request(http.MethodPost, url, c.body)); a.status != 422 || a.text(t, "code") != c.code || a.text(t, "param") != c.param || f.store.rows() != before {
			t.Errorf("%s: %d %s", c.body, a.status, a.body)
		}
	}
	if a := f.do(t, request(http.MethodPost, url, `{"version":3}`)); a.status != 404 {
		t.Errorf("a version that isn't there: %d %s", a.status, a.body)
	}
	a := f.do(t, request(http.MethodPost, url, `{"version":2,"limit":3}`))
	totals, _ := a.json(t)["totals"].(map[string]any)
	orders, _ := a.json(t)["orders"].([]any)
	if a.status != 200 || a.json(t)["has_more"] != true || len(orders) != 2 || totals["more"] != "1.00" || totals["less"] != "0.60" || totals["made"] != 1.0 ||
		orders[1].(map[string]any)["left_alone"] != "settled" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if _, shown := a.json(t)["whole"]; shown {
		t.Errorf("nobody has asked for the whole: %s", a.body)
	}
	a = f.do(t, request(http.MethodPost, url, `{"version":2,"whole":true}`))
	whole, _ := a.json(t)["whole"].(map[string]any)
	if a.status != 200 || whole["looked"] != 3.0 || whole["complete"] != true || whole["left_alone"].(map[string]any)["settled"] != 1.0 ||
		whole["totals"].(map[string]any)["less"] != "0.60" {
		t.Errorf("%d %s", a.status, a.body)
	}
	key, apply := with("Idempotency-Key", "rr-1"), `{"version":2,"corrects":1,"apply":true,"reason":"the rate was wrong"}`
	first := f.do(t, request(http.MethodPost, url, apply, key))
	again := f.do(t, request(http.MethodPost, url, apply, key))
	run := first.text(t, "id")
	if first.status != 201 || again.status != 201 || again.text(t, "id") != run || again.header.Get("Idempotent-Replayed") != "true" ||
		first.header.Get("Location") != "/v1/reratings/"+run || first.text(t, "status") != "running" {
		t.Errorf("%d %s, and then %d %s", first.status, first.body, again.status, again.body)
	}
	if a := f.do(t, request(http.MethodPost, url, apply)); a.status != 409 || a.text(t, "code") != "rerating_open" {
		t.Errorf("a second one: %d %s", a.status, a.body)
	}
	if a := f.do(t, request(http.MethodPost, "/v1/reratings/"+run+"/cancel", `{"reason":"wrong again"}`)); a.status != 200 || a.text(t, "status") != "canceled" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := f.do(t, request(http.MethodGet, "/v1/reratings/"+run, "")); a.status != 200 || a.text(t, "status") != "canceled" || a.text(t, "ended_at") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for query, want := range map[string]int{"": 1, "?campaign_id=" + k: 1, "?campaign_id=" + mint(id.Campaign): 0, "?status=canceled": 1, "?status=running": 0} {
		a := f.do(t, request(http.MethodGet, "/v1/reratings"+query, ""))
		if list, _ := a.json(t)["data"].([]any); a.status != 200 || len(list) != want {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	for _, query := range []string{"?status=paused", "?campaign_id=x", "?limit=0", "?starting_after=x"} {
		if a := f.do(t, request(http.MethodGet, "/v1/reratings"+query, "")); a.status != 422 {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	if a := f.do(t, request(http.MethodGet, "/v1/reratings/"+mint(id.Rerating), "")); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
