package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"paysaga/domain/id"
)

const campaigns = "/v1/campaigns"

// campaignBody is a request for a campaign of a year, with fields of the caller's besides.
func campaignBody(more fields) string {
	return body(fields{"name": `"Spring"`, "currency": `"CNY"`, "starts_at": `"2026-01-01T00:00:00Z"`, "ends_at": `"2035-01-01T00:00:00Z"`}, more)
}

func defined(rules string) string { return `{"definition":{"rules":` + rules + `}}` }

func strategy(text string) string { return defined(`[{"name":"r","strategy":` + text + `}]`) }

func ruleWhen(source string) string {
	return defined(`[{"name":"a","strategy":{"type":"percentage","rate_bps":1}},{"name":"r","when":` + strconv.Quote(source) + `,"strategy":{"type":"percentage","rate_bps":1}}]`)
}

// versionsRefused are definitions that nobody can mean; each is named by its place.
func versionsRefused() []refusal {
	bad := func(name, raw, code, param string) refusal {
		return refusal{name: name, body: raw, status: 422, code: code, param: param}
	}
	at := func(field string) string { return "definition.rules[0].strategy." + field }
	list := []refusal{
		bad("no definition", `{}`, "rules_invalid", "definition.rules"),
		bad("no rules", defined(`[]`), "rules_invalid", "definition.rules"),
		bad("a name", defined(`[{"name":"A B","strategy":{"type":"percentage","rate_bps":1}}]`), "name_invalid", "definition.rules[0].name"),
		bad("a name twice", defined(`[{"name":"a","strategy":{"type":"percentage","rate_bps":1}},{"name":"a","strategy":{"type":"percentage","rate_bps":1}}]`), "name_taken", "definition.rules[1].name"),
		bad("more than all", strategy(`{"type":"percentage","rate_bps":10001}`), "rate_invalid", at("rate_bps")),
		bad("less than nothing", strategy(`{"type":"percentage","rate_bps":-1}`), "rate_invalid", at("rate_bps")),
		bad("no rate", strategy(`{"type":"percentage"}`), "rate_invalid", at("rate_bps")),
		bad("a fraction", strategy(`{"type":"percentage","rate_bps":1.5}`), "type_invalid", at("rate_bps")),
		bad("a strategy", strategy(`{"type":"lottery"}`), "strategy_unknown", at("type")),
		bad("another's field", strategy(`{"type":"percentage","rate_bps":1,"amount_minor":5}`), "strategy_invalid", at("amount_minor")),
		bad("a negative amount", strategy(`{"type":"fixed","amount_minor":-5}`), "amount_invalid", at("amount_minor")),
		bad("per moon", strategy(`{"type":"fixed","amount_minor":5,"per":"moon"}`), "strategy_invalid", at("per")),
		bad("tiers that fall", strategy(`{"type":"tiered","tiers":[{"from_minor":5,"rate_bps":1},{"from_minor":5,"rate_bps":2}]}`), "strategy_invalid", at("tiers[1].from_minor")),
		bad("a tier above all", strategy(`{"type":"tiered","tiers":[{"from_minor":5,"rate_bps":20000}]}`), "rate_invalid", at("tiers[0].rate_bps")),
		bad("a step of an amount", strategy(`{"type":"stepped","tiers":[{"from_minor":5,"amount_minor":1}]}`), "strategy_invalid", at("tiers[0].amount_minor")),
		bad("levels above all", strategy(`{"type":"referral","levels_bps":[5000,5001]}`), "rate_invalid", at("levels_bps")),
		bad("one level", strategy(`{"type":"referral","levels_bps":[5000]}`), "strategy_invalid", at("levels_bps")),
		bad("no categories", strategy(`{"type":"category","rate_bps":5}`), "strategy_invalid", at("rates_bps")),
		bad("rate and amount", strategy(`{"type":"new_user","rate_bps":5,"amount_minor":5}`), "strategy_invalid", at("rate_bps")),
		bad("a negative cap", `{"definition":{"caps":{"order_minor":-1},"rules":[{"name":"r","strategy":{"type":"percentage","rate_bps":1}}]}}`, "cap_invalid", "definition.caps.order_minor"),
		bad("a rule's cap", defined(`[{"name":"r","caps":{"user_day_minor":-1},"strategy":{"type":"percentage","rate_bps":1}}]`), "cap_invalid", "definition.rules[0].caps.user_day_minor"),
		bad("a vest", `{"definition":{"vest":{"after":"easter"},"rules":[{"name":"r","strategy":{"type":"percentage","rate_bps":1}}]}}`, "vest_invalid", "definition.vest.after"),
		bad("receipt for ever", `{"definition":{"vest":{"after":"receipt","days":3},"rules":[{"name":"r","strategy":{"type":"percentage","rate_bps":1}}]}}`, "vest_invalid", "definition.vest.at_latest_days"),
		bad("rounding", `{"definition":{"rounding":"nearest","rules":[{"name":"r","strategy":{"type":"percentage","rate_bps":1}}]}}`, "rounding_invalid", "definition.rounding"),
		bad("stacking", `{"definition":{"stacking":"pile","rules":[{"name":"r","strategy":{"type":"percentage","rate_bps":1}}]}}`, "stacking_unknown", "definition.stacking"),
		bad("a note", `{"note":"`+strings.Repeat("x", 501)+`","definition":{"rules":[{"name":"r","strategy":{"type":"percentage","rate_bps":1}}]}}`, "reason_invalid", "note"),
		bad("an unknown field", `{"definition":{"x":1}}`, "field_unknown", "definition.x"),
	}
	for _, source := range hostile {
		if !strings.ContainsRune(source, 0) {
			list = append(list, bad("when "+short(source), ruleWhen(source), "rule_invalid", "definition.rules[1].when"))
		}
	}
	return list
}

func campaignsRefused() []refusal {
	bad := func(name string, more fields, code, param string) refusal {
		return refusal{name: name, body: campaignBody(more), status: 422, code: code, param: param}
	}
	return []refusal{
		bad("no name", fields{"name": `""`}, "name_invalid", "name"),
		bad("a name that no line can hold", fields{"name": `"a\n"`}, "name_invalid", "name"),
		bad("a currency", fields{"currency": `"XXQ"`}, "currency_unsupported", "currency"),
		bad("an end before the start", fields{"ends_at": `"2025-01-01T00:00:00Z"`}, "period_invalid", "ends_at"),
		bad("an end at the start", fields{"ends_at": `"2026-01-01T00:00:00Z"`}, "period_invalid", "ends_at"),
		bad("a century", fields{"ends_at": `"2126-01-01T00:00:00Z"`}, "period_invalid", "ends_at"),
		bad("a priority", fields{"priority": `1001`}, "out_of_range", "priority"),
		bad("a budget", fields{"budget": `"5.00"`}, "field_unknown", "budget"),
	}
}

// changesRefused are about a campaign that is there.
func changesRefused(at string) map[string][]refusal {
	bad := func(name, raw, code, param string) refusal {
		return refusal{name: name, body: raw, status: 422, code: code, param: param}
	}
	order := func(text string) string { return `{"version":1,"order":` + text + `}` }
	const line = `{"sku":"a","quantity":1,"unit_price":"1.00"}`
	return map[string][]refusal{
		at + "/fund": {
			bad("another currency", `{"amount":"5.00","currency":"EUR"}`, "currency_mismatch", "currency"),
			bad("nothing", `{"amount":"0.00","currency":"CNY"}`, "amount_invalid", "amount"),
			bad("less than nothing", `{"amount":"-5.00","currency":"CNY"}`, "amount_invalid", "amount"),
		},
		at + "/defund": {bad("a fraction", `{"amount":"5.001","currency":"CNY"}`, "amount_invalid", "amount")},
		at + "/pause":  {bad("no reason", `{}`, "reason_required", "reason"), bad("a field", `{"reason":"r","x":1}`, "field_unknown", "x")},
		"/v1/rebates/simulate": {
			bad("nothing", `{}`, "simulation_ambiguous", "order_id"),
			bad("both", `{"order_id":"`+mint(id.Order)+`","order":{"lines":[`+line+`]}}`, "simulation_ambiguous", "order_id"),
			bad("no currency", `{"order":{"lines":[`+line+`]}}`, "field_required", "currency"),
			bad("a currency beside an order", `{"order_id":"`+mint(id.Order)+`","currency":"CNY"}`, "field_forbidden", "currency"),
			bad("an unknown currency", `{"currency":"XXQ","order":{"lines":[`+line+`]}}`, "currency_unsupported", "currency"),
			bad("no lines", `{"currency":"CNY","order":{"lines":[]}}`, "field_required", "order.lines"),
			bad("an unknown field", `{"currency":"CNY","order":{"lines":[`+line+`]},"version":1}`, "field_unknown", "version"),
		},
		at + "/simulate": {
			bad("nothing", `{}`, "simulation_ambiguous", "order_id"),
			bad("version and definition", `{"order":{"lines":[`+line+`]},"version":1,"definition":{"rules":[]}}`, "simulation_ambiguous", "version"),
			bad("no lines", order(`{"lines":[]}`), "field_required", "order.lines"),
			bad("a line", order(`{"lines":[{"sku":"a","quantity":0,"unit_price":"1.00"}]}`), "quantity_invalid", "order.lines[0].quantity"),
			bad("a category", order(`{"lines":[{"sku":"a","category":"`+strings.Repeat("x", 65)+`","quantity":1,"unit_price":"1.00"}]}`), "category_invalid", "order.lines[0].category"),
			bad("a stranger", order(`{"lines":[`+line+`],"customer_id":"`+mint(id.User)+`"}`), "customer_unknown", "order.customer_id"),
			bad("two buyers", order(`{"lines":[`+line+`],"customer_id":"`+mint(id.User)+`","buyer":{}}`), "simulation_ambiguous", "order.customer_id"),
			bad("what they spent", order(`{"lines":[`+line+`],"buyer":{"spent_before":"x"}}`), "amount_invalid", "order.buyer.spent_before"),
			bad("a definition", `{"order":{"lines":[`+line+`]},"definition":{"rules":[{"name":"r","strategy":{"type":"percentage","rate_bps":10001}}]}}`, "rate_invalid", "definition.rules[0].strategy.rate_bps"),
			bad("a country", order(`{"lines":[`+line+`],"country":"cn"}`), "fact_invalid", "order.country"),
			bad("a time", order(`{"lines":[`+line+`],"paid_at":"1999-01-01T00:00:00Z"}`), "fact_invalid", "order.paid_at"),
		},
	}
}

func TestBadCampaignsChangeNothing(t *testing.T) {
	t.Parallel()
	real, db := onStore(t)
	fake := newFront(t)
	for name, f := range map[string]*front{"fakes": fake, "store": real} {
		c := f.do(t, request(http.MethodPost, campaigns, campaignBody(nil)))
		if c.status != 201 {
			t.Fatalf("%d %s", c.status, c.body)
		}
		at := campaigns + "/" + c.text(t, "id")
		rows := func() int {
			if name == "store" {
				return allRows(t, db)
			}
			return f.store.rows()
		}
		before := rows()
		all := changesRefused(at)
		all[campaigns], all[at+"/versions"] = campaignsRefused(), versionsRefused()
		for target, list := range all {
			for _, r := range list {
				t.Run(name+" "+target+" "+r.name, func(t *testing.T) { checkProblem(t, r, f.do(t, request(http.MethodPost, target, r.body))) })
			}
		}
		if after := rows(); after != before {
			t.Errorf("%s: refused requests left %d rows", name, after-before)
		}
	}
}

// TestCampaignsGoTheirWay: draft, versions, activation, budget, simulation, pause, end; on fakes and on PostgreSQL.
func TestCampaignsGoTheirWay(t *testing.T) {
	t.Parallel()
	real, _ := onStore(t)
	for name, f := range map[string]*front{"fakes": newFront(t), "store": real} {
		t.Run(name, func(t *testing.T) { campaigned(t, f, name == "fakes") })
	}
}

func campaigned(t *testing.T, f *front, funded bool) {
	post := func(target, raw string, want int) answer {
		t.Helper()
		a := f.do(t, request(http.MethodPost, target, raw))
		if a.status != want {
			t.Fatalf("POST %s: %d %s", target, a.status, a.body)
		}
		return a
	}
	c := post(campaigns, campaignBody(fields{"priority": "7"}), 201)
	at := campaigns + "/" + c.text(t, "id")
	if c.text(t, "status") != "draft" {
		t.Error(string(c.body))
	}
	const because = `{"reason":"r"}`
	post(at+"/resume", because, 409)
	const asked = `{"order":{"lines":[{"sku":"a","category":"shoes","quantity":2,"unit_price":"10.00"},{"sku":"b","quantity":1,"unit_price":"5.00"}],
		"adjustments":[{"type":"discount","amount":"5.00"}]}`
	post(at+"/simulate", asked+`}`, 409)
	post(at+"/versions", defined(`[{"name":"shoes","when":"line_category == \"shoes\"","strategy":{"type":"percentage","rate_bps":1000}}]`), 201)
	v := post(at+"/versions", defined(`[{"name":"all","strategy":{"type":"percentage","rate_bps":500}}]`), 201)
	if v.json(t)["version"] != float64(2) || v.json(t)["active"] != false {
		t.Error(string(v.body))
	}
	post(at+"/versions/3/activate", because, 404)
	if a := post(at+"/versions/1/activate", because, 200); a.text(t, "status") != "active" || a.json(t)["version"] != float64(1) {
		t.Error(string(a.body))
	}
	if funded {
		moneyed(t, f, at, post)
	} else {
		post(at+"/fund", `{"amount":"0.01","currency":"CNY"}`, 409) // the merchant has nothing yet
	}
	s := post(at+"/simulate", asked+`,"version":2}`, 200)
	if want := map[bool]string{true: "1.00", false: "0.00"}[funded]; s.text(t, "earns") != want || s.text(t, "version") != "2" {
		t.Error(string(s.body))
	}
	together(t, post, funded, c.text(t, "id"))
	if post(at+"/pause", because, 200).text(t, "status") != "paused" || post(at+"/resume", because, 200).text(t, "status") != "active" {
		t.Error("a pause")
	}
	change := f.do(t, patch(at, `{"name":"Summer","reason":"later"}`))
	if change.status != 200 || change.text(t, "name") != "Summer" || change.json(t)["priority"] != float64(7) {
		t.Error(change.status, string(change.body))
	}
	if a := f.do(t, patch(at, `{"starts_at":"2027-01-01T00:00:00Z","reason":"later"}`)); a.status != 409 || a.text(t, "code") != "campaign_started" {
		t.Error(a.status, string(a.body))
	}
	if a := f.do(t, patch(at, `{"ends_at":"2026-02-01T00:00:00Z","reason":"earlier"}`)); a.status != 422 || a.text(t, "param") != "ends_at" {
		t.Error(a.status, string(a.body))
	}
	for target, want := range map[string]int{at: 200, at + "/versions": 200, at + "/versions/2": 200, at + "/versions/9": 404, at + "/fundings": 200,
		at + "/spend": 200, campaigns + "?status=active&limit=1": 200, campaigns + "?status=sleepy": 422, campaigns + "?starting_after=x": 422} {
		if a := f.do(t, request(http.MethodGet, target, "")); a.status != want {
			t.Errorf("GET %s: %d %s", target, a.status, a.body)
		}
		if strings.HasPrefix(target, at) { // I-25
			if a := f.do(t, request(http.MethodGet, target, "", as(keyOfOther))); a.status != 404 {
				t.Errorf("another merchant's GET %s: %d", target, a.status)
			}
		}
	}
	if a := f.do(t, request(http.MethodPost, at+"/end", because, as(keyOfOther))); a.status != 404 {
		t.Error("another merchant ended it")
	}
	post(at+"/end", because, 200)
	post(at+"/end", because, 409)
	post(at+"/versions", strategy(`{"type":"percentage","rate_bps":1}`), 409)
}

// together simulates an order by all active campaigns: the one that is asked first, and a second one that is exclusive, comes later and finds the
// line given on already.
func together(t *testing.T, post func(string, string, int) answer, funded bool, first string) {
	t.Helper()
	second := campaigns + "/" + post(campaigns, campaignBody(fields{"name": `"Second"`, "priority": "3", "exclusive": "true"}), 201).text(t, "id")
	post(second+"/versions", defined(`[{"name":"most","strategy":{"type":"percentage","rate_bps":5000}}]`), 201)
	post(second+"/versions/1/activate", `{"reason":"r"}`, 200)
	s := post("/v1/rebates/simulate", `{"currency":"CNY","order":{"lines":[{"sku":"a","category":"shoes","quantity":2,"unit_price":"10.00"}]}}`, 200)
	list, _ := s.json(t)["campaigns"].([]any)
	lines, _ := s.json(t)["lines"].([]any)
	if len(list) != 2 || len(lines) != 1 || list[0].(map[string]any)["campaign_id"] != first || list[1].(map[string]any)["exclusive"] != true {
		t.Fatal(string(s.body))
	}
	reasons, _ := lines[0].(map[string]any)["reasons"].([]any)
	if len(reasons) != 2 || reasons[0].(map[string]any)["campaign_id"] != first {
		t.Error(string(s.body))
	}
	if want := map[bool]string{true: "2.00", false: "0.00"}[funded]; s.text(t, "earns") != want {
		t.Error(string(s.body))
	}
	if last := reasons[1].(map[string]any); funded && (last["because"] != "exclusive" || last["earns"] != "0.00") {
		t.Error(string(s.body))
	}
	post(second+"/end", `{"reason":"r"}`, 200)
}

func patch(target, raw string) *http.Request {
	return request(http.MethodPatch, target, raw, with("Content-Type", "application/json"))
}

// moneyed funds the budget, idempotently (I-20).
func moneyed(t *testing.T, f *front, at string, post func(string, string, int) answer) {
	const body = `{"amount":"100.00","currency":"CNY","reason":"for December"}`
	first := f.do(t, request(http.MethodPost, at+"/fund", body, with("Idempotency-Key", "once")))
	again := f.do(t, request(http.MethodPost, at+"/fund", body, with("Idempotency-Key", "once")))
	if first.status != 201 || again.status != 201 || first.text(t, "id") != again.text(t, "id") || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%d %s; %d %s", first.status, first.body, again.status, again.body)
	}
	post(at+"/defund", `{"amount":"100.01","currency":"CNY"}`, 409)
	if a := post(at+"/defund", `{"amount":"40.00","currency":"CNY"}`, 201); a.text(t, "direction") != "out" {
		t.Error(string(a.body))
	}
	if s := f.do(t, request(http.MethodGet, at+"/spend", "")); s.text(t, "left") != "60.00" || s.text(t, "spent") != "0.00" {
		t.Error(string(s.body))
	}
}
