package api_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

const (
	routingSets = "/v1/routing/rule_sets"
	riskSets    = "/v1/risk/rule_sets"
)

// routed is a body with one routing rule that has this condition.
func routed(when string) string {
	return `{"definition":{"rules":[{"name":"first","use":[{"channel":"sandbox"}]},{"name":"r","when":` + strconv.Quote(when) + `,"use":[{"channel":"sandbox"}]}]}}`
}

// hostile are sources that no rule may have; each is refused by name when it is saved.
var hostile = []string{
	`1`, `"text"`, `amount`, `amount > "1"`, `amount > 1.5`, `nobody == 1`, `metadata.x > 1`, `amount >`, `amount > 1 &&`, `((((`,
	`[1,2,3].all(x, x > 0)`, `[1,2].map(x, x).size() > 0`, `metadata.exists(k, k == "a")`, `[[1,2]].exists(l, l.exists(x, x > 0))`,
	`currency.matches("(a+)+$")`, `dyn(amount) == "x"`, `type(amount) == int`, `double(amount) > 1.0`, `created_at.getFullYear() > 2000`,
	`timestamp("x") > created_at && 1/0 > 0`, `"a" in {"a": 1, "a": 2} && amount`, `google.protobuf.Duration{seconds: 1} == customer_age`,
	`amount > 1 // and then` + "\n" + `)`, `true ? amount : currency`, `amount.size() > 1`, "\x00", "amount > 1\x00",
	`__result__ == 1`, `has(amount.x)`, `@in == 1`, `amount > 9223372036854775808`, `amount == -9223372036854775809`,
	strings.Repeat("(", 60) + "true" + strings.Repeat(")", 60), strings.Repeat("amount > 1 && ", 200) + "true",
	strings.Repeat("a", 2001), "[" + strings.Repeat("[", 50) + strings.Repeat("]", 50) + "] == []",
	strings.Repeat("amount + ", 90) + "1.0 > 0", `"` + strings.Repeat("x", 1990) + `" == currency + currency + 1`,
	`amount > 1 ? true : 1`, `currency in [1, 2]`, `customer_age > 24`, `hour == "6"`, `size(metadata) > "0"`,
	`string(amount, 10) == "1"`, `duration("forever") > customer_age`, `ip_country == "CN"`, `card == ""`, `capture.reverse() == ""`,
}

func rulesRefused() []refusal {
	bad := func(name, body string, status int, code, param string) refusal {
		return refusal{name: name, body: body, status: status, code: code, param: param}
	}
	var list []refusal
	for _, source := range hostile {
		r := bad("when "+short(source), routed(source), 422, "rule_invalid", "definition.rules[1].when")
		if strings.ContainsRune(source, 0) {
			r.status, r.code = 400, "json_invalid"
		}
		list = append(list, r)
	}
	rules := func(raw string) string { return `{"definition":{"rules":` + raw + `}}` }
	return append(list,
		bad("no definition", `{}`, 422, "schema_violated", ""),
		bad("a list", `[]`, 400, "json_invalid", ""),
		bad("null", `{"definition":null}`, 422, "null_refused", "definition"),
		bad("an unknown field", `{"definition":{"rules":[],"x":1}}`, 422, "field_unknown", "definition.x"),
		bad("a version", `{"definition":{"version":"7"}}`, 422, "field_unknown", "definition.version"),
		bad("a name", rules(`[{"name":"Big USD","use":[{"channel":"sandbox"}]}]`), 422, "name_invalid", "definition.rules[0].name"),
		bad("no name", rules(`[{"use":[{"channel":"sandbox"}]}]`), 422, "name_invalid", "definition.rules[0].name"),
		bad("a name twice", rules(`[{"name":"a","use":[{"channel":"sandbox"}]},{"name":"a","use":[{"channel":"sandbox"}]}]`), 422, "name_taken", "definition.rules[1].name"),
		bad("nothing to use", rules(`[{"name":"a","use":[]}]`), 422, "targets_invalid", "definition.rules[0].use"),
		bad("two targets in one", rules(`[{"name":"a","use":[{"channel":"sandbox","account":"cha_1"}]}]`), 422, "target_invalid", "definition.rules[0].use[0]"),
		bad("an unknown channel", rules(`[{"name":"a","use":[{"channel":"sandbox"},{"channel":"nobody"}]}]`), 422, "channel_unknown", "definition.rules[0].use[1].channel"),
		bad("an unknown account", rules(`[{"name":"a","use":[{"account":"`+mint(id.ChannelAccount)+`"}]}]`), 422, "account_unknown", "definition.rules[0].use[0].account"),
		bad("a weight", rules(`[{"name":"a","use":[{"channel":"sandbox","weight":-1}]}]`), 422, "weight_invalid", "definition.rules[0].use[0].weight"),
		bad("a weight that is a fraction", rules(`[{"name":"a","use":[{"channel":"sandbox","weight":1.5}]}]`), 422, "type_invalid", "definition.rules[0].use[0].weight"),
		bad("too many rules", rules(many(`{"name":"a","use":[{"channel":"sandbox"}]}`, 101)), 422, "too_many_rules", "definition.rules"),
		bad("too many targets", rules(`[{"name":"a","use":`+many(`{"channel":"sandbox"}`, 21)+`}]`), 422, "targets_invalid", "definition.rules[0].use"),
		bad("an order", `{"definition":{"default":{"order":"random"}}}`, 422, "order_unknown", "definition.default.order"),
		bad("a rate", `{"definition":{"default":{"min_success_per_mille":1001}}}`, 422, "out_of_range", "definition.default.min_success_per_mille"),
		bad("a note", `{"note":"`+strings.Repeat("x", 501)+`","definition":{}}`, 422, "reason_invalid", "note"),
		bad("twice", `{"definition":{},"definition":{}}`, 400, "json_invalid", "definition"),
		bad("too large", `{"note":"`+strings.Repeat("x", 70_000)+`"}`, 413, "body_too_large", ""),
	)
}

func riskRefused() []refusal {
	bad := func(name, definition, code, param string) refusal {
		return refusal{name: name, body: `{"definition":` + definition + `}`, status: 422, code: code, param: param}
	}
	return []refusal{
		bad("a rule", `{"rules":[{"name":"a","then":"review","when":"amount >"}]}`, "rule_invalid", "definition.rules[0].when"),
		bad("a decision", `{"rules":[{"name":"a","then":"perhaps"}]}`, "decision_unknown", "definition.rules[0].then"),
		bad("a velocity by", `{"velocities":[{"name":"a","by":"moon","window":"day","max_count":1}]}`, "velocity_invalid", "definition.velocities[0].by"),
		bad("a window", `{"velocities":[{"name":"a","by":"card","window":"year","max_count":1}]}`, "velocity_invalid", "definition.velocities[0].window"),
		bad("no bound", `{"velocities":[{"name":"a","by":"card","window":"day"}]}`, "velocity_invalid", "definition.velocities[0].max_count"),
		bad("a sum without currency", `{"velocities":[{"name":"a","by":"card","window":"day","max_sum_minor":5}]}`, "velocity_invalid", "definition.velocities[0].currency"),
		bad("too many velocities", `{"velocities":`+many(`{"name":"a","by":"card","window":"day","max_count":1}`, 21)+`}`, "too_many_rules", "definition.rules"),
		bad("a limit's currency", `{"limits":[{"currency":"XXQ","max_minor":1}]}`, "currency_unsupported", "definition.limits[0].currency"),
		bad("a limit of nothing", `{"limits":[{"currency":"CNY"}]}`, "limit_invalid", "definition.limits[0]"),
		bad("on_error", `{"on_error":"ignore"}`, "decision_unknown", "definition.on_error"),
		bad("unreadable", `{"unreadable":{"refuse_above_minor":{"CNY":-1}}}`, "limit_invalid", "definition.unreadable.refuse_above_minor"),
		bad("a long review", `{"review_for_minutes":43201}`, "out_of_range", "definition.review_for_minutes"),
	}
}

func entriesRefused() []refusal {
	bad := func(name, raw, code, param string) refusal {
		return refusal{name: name, body: raw, status: 422, code: code, param: param}
	}
	return []refusal{
		bad("a kind", `{"kind":"shoe","value":"x","list":"block","reason":"r"}`, "list_kind_unknown", "kind"),
		bad("a list", `{"kind":"email","value":"a@b.c","list":"grey","reason":"r"}`, "list_unknown", "list"),
		bad("a mail address", `{"kind":"email","value":"nobody","list":"block","reason":"r"}`, "list_value_invalid", "value"),
		bad("a phone", `{"kind":"phone","value":"123","list":"block","reason":"r"}`, "list_value_invalid", "value"),
		bad("a customer", `{"kind":"customer","value":"c-7","list":"block","reason":"r"}`, "list_value_invalid", "value"),
		bad("a country", `{"kind":"country","value":"China","list":"block","reason":"r"}`, "list_value_invalid", "value"),
		bad("no reason", `{"kind":"country","value":"CN","list":"block","reason":""}`, "reason_required", "reason"),
		bad("an end that was", `{"kind":"country","value":"CN","list":"block","reason":"r","until":"2020-01-01T00:00:00Z"}`, "until_invalid", "until"),
		bad("a hard allowance", `{"kind":"country","value":"CN","list":"allow","hard":true,"reason":"r"}`, "list_entry_invalid", "hard"),
	}
}

// refuseAll sends what must be refused, as an operator.
func refuseAll(t *testing.T, f *front) {
	t.Helper()
	for target, list := range map[string][]refusal{routingSets: rulesRefused(), riskSets: riskRefused(), "/v1/risk/lists": entriesRefused(),
		"/v1/routing/simulate": simulationsRefused("definition.rules[0].then"), "/v1/risk/simulate": simulationsRefused("definition.rules[0].use")} {
		for _, r := range list {
			t.Run(target+" "+r.name, func(t *testing.T) {
				checkProblem(t, r, f.do(t, request(http.MethodPost, target, r.body, as(keyOfOperator))))
			})
		}
	}
}

// simulationsRefused names a field that the other kind's rules have.
func simulationsRefused(field string) []refusal {
	bad := func(name, raw, code, param string) refusal {
		return refusal{name: name, body: raw, status: 422, code: code, param: param}
	}
	const facts = `"facts":{"amount":"1.00","currency":"CNY","method":"qr"}`
	return []refusal{
		bad("nothing", `{}`, "simulation_ambiguous", "payment_id"),
		bad("both", `{"payment_id":"`+mint(id.Payment)+`",`+facts+`}`, "simulation_ambiguous", "payment_id"),
		bad("version and definition", `{`+facts+`,"version":1,"definition":{}}`, "simulation_ambiguous", "version"),
		bad("version 0", `{`+facts+`,"version":0}`, "version_invalid", "version"),
		bad("an amount", `{"facts":{"amount":"1.001","currency":"CNY","method":"qr"}}`, "amount_invalid", "facts.amount"),
		bad("a method", `{"facts":{"amount":"1.00","currency":"CNY","method":"shells"}}`, "method_unsupported", "facts.method"),
		bad("a country", `{"facts":{"amount":"1.00","currency":"CNY","method":"qr","country":"china"}}`, "fact_invalid", "facts.country"),
		bad("a rule", `{`+facts+`,"definition":{"rules":[{"name":"a","then":"review","when":"1","use":[{"channel":"sandbox"}]}]}}`, "field_unknown", field),
	}
}

func TestBadRulesAreRefused(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	refuseAll(t, f)
	if n := f.store.rows(); n != 0 {
		t.Errorf("refused requests left %d rows", n)
	}
}

func TestBadRulesChangeNoRow(t *testing.T) {
	t.Parallel()
	f, db := onStore(t)
	before := allRows(t, db)
	refuseAll(t, f)
	if after := allRows(t, db); after != before {
		t.Errorf("refused requests left %d rows", after-before)
	}
}

// TestRulesAreVersioned goes the way of a rule set, on fakes and on PostgreSQL.
func TestRulesAreVersioned(t *testing.T) {
	t.Parallel()
	onReal, _ := onStore(t)
	for name, f := range map[string]*front{"fakes": newFront(t), "store": onReal} {
		t.Run(name, func(t *testing.T) { versioned(t, f) })
	}
}

func versioned(t *testing.T, f *front) {
	const facts = `{"facts":{"amount":"1200.00","currency":"CNY","method":"card_token"}`
	where := func(key, more string) string {
		a := f.do(t, request(http.MethodPost, "/v1/routing/simulate", facts+more+`}`, as(key)))
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		plan, _ := a.json(t)["plan"].(map[string]any)
		routes, _ := plan["routes"].([]any)
		first, _ := routes[0].(map[string]any)
		channel, _ := first["channel"].(string)
		return a.text(t, "version") + " " + channel
	}
	save := func(key, channel string) {
		t.Helper()
		body := `{"definition":{"rules":[{"name":"all","when":"amount > 100","use":[{"channel":"` + channel + `"}]}]},"note":"n"}`
		if a := f.do(t, request(http.MethodPost, routingSets, body, as(key))); a.status != 201 || a.json(t)["active"] != false {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	activate := func(key, version string) int {
		return f.do(t, request(http.MethodPost, routingSets+"/"+version+"/activate", `{"reason":"try it"}`, as(key))).status
	}
	if got := where(keyOfShop, ""); got != "built-in sandbox" {
		t.Error(got)
	}
	save(keyOfOperator, "cards") // the platform's
	save(keyOfShop, "sandbox")   // the shop's own
	if got := where(keyOfShop, ""); got != "built-in sandbox" {
		t.Errorf("a version that isn't active decided: %s", got)
	}
	if got := where(keyOfShop, `,"definition":{"rules":[{"name":"x","use":[{"channel":"cards"}]}]}`); got != "unsaved cards" {
		t.Error(got)
	}
	if activate(keyOfOperator, "1") != 200 || where(keyOfShop, "") != "platform.1 cards" {
		t.Error("the platform's rules don't hold for a merchant without its own")
	}
	if activate(keyOfShop, "1") != 200 || where(keyOfShop, "") != "1 sandbox" || where(keyOfOther, "") != "platform.1 cards" {
		t.Error("a merchant's rules hold for it alone")
	}
	save(keyOfShop, "cards")
	if where(keyOfShop, `,"version":2`) != "2 cards" || activate(keyOfShop, "2") != 200 || activate(keyOfShop, "1") != 200 || where(keyOfShop, "") != "1 sandbox" {
		t.Error("going back is activating an earlier version")
	}
	for target, want := range map[string]int{routingSets + "/2": 200, routingSets + "/3": 404, routingSets + "/0": 404, routingSets + "?limit=1": 200,
		routingSets + "?starting_after=2": 200, routingSets + "?starting_after=x": 422, routingSets + "/2?x=1": 400} {
		if a := f.do(t, request(http.MethodGet, target, "", as(keyOfShop))); a.status != want {
			t.Errorf("GET %s: %d %s", target, a.status, a.body)
		}
	}
	if a := f.do(t, request(http.MethodGet, routingSets+"/2", "", as(keyOfOther))); a.status != 404 || activate(keyOfOther, "2") != 404 {
		t.Error("a merchant reaches another's rules (I-25)")
	}
	if a := f.do(t, request(http.MethodPost, riskSets, `{"definition":{}}`, as(keyOfShop))); a.status != 403 {
		t.Errorf("risk:write isn't in a merchant's key unless it is granted: %d", a.status)
	}
}

func TestListsKeepDigests(t *testing.T) {
	t.Parallel()
	onReal, _ := onStore(t)
	for name, f := range map[string]*front{"fakes": newFront(t), "store": onReal} {
		t.Run(name, func(t *testing.T) { listed(t, f) })
	}
}

func listed(t *testing.T, f *front) {
	const body = `{"kind":"email","value":"Fraud@example.com","list":"block","reason":"three chargebacks","hard":true}`
	a := f.do(t, request(http.MethodPost, "/v1/risk/lists", body, as(keyOfOperator)))
	if a.status != 201 || strings.Contains(strings.ToLower(string(a.body)), "fraud@") || len(a.text(t, "value")) != 64 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if again := f.do(t, request(http.MethodPost, "/v1/risk/lists", body, as(keyOfOperator))); again.status != 409 || again.text(t, "code") != "list_entry_exists" {
		t.Errorf("%d %s", again.status, again.body)
	}
	judged := func() string {
		s := f.do(t, request(http.MethodPost, "/v1/risk/simulate", `{"facts":{"amount":"1.00","currency":"CNY","method":"qr","email":"fraud@EXAMPLE.com"}}`, as(keyOfShop)))
		verdict, _ := s.json(t)["verdict"].(map[string]any)
		decision, _ := verdict["decision"].(string)
		return decision
	}
	if got := judged(); got != "refuse" {
		t.Errorf("a blocked mail address is judged %q", got)
	}
	if l := f.do(t, request(http.MethodGet, "/v1/risk/lists?kind=email", "", as(keyOfOperator))); l.status != 200 || !strings.Contains(string(l.body), a.text(t, "id")) {
		t.Errorf("%d %s", l.status, l.body)
	}
	for _, q := range []string{"?kind=shoe", "?starting_after=lst_1"} {
		if l := f.do(t, request(http.MethodGet, "/v1/risk/lists"+q, "", as(keyOfOperator))); l.status != 422 {
			t.Errorf("%s: %d", q, l.status)
		}
	}
	remove := func(key string) int {
		return f.do(t, request(http.MethodPost, "/v1/risk/lists/"+a.text(t, "id")+"/remove", `{"reason":"somebody else"}`, as(key))).status
	}
	if got := [3]int{remove(keyOfShop), remove(keyOfOperator), remove(keyOfOperator)}; got != [3]int{403, 204, 404} {
		t.Error(got)
	}
	if got := judged(); got != "allow" {
		t.Errorf("an address that was taken off is judged %q", got)
	}
}

func TestReviewIsForOperators(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	f.sagas.accepting(func(context.Context, payment.Payment) error { return nil })
	p := f.do(t, request(http.MethodPost, "/v1/payments", payBody(nil))).text(t, "id")
	f.store.move(p, func(p *payment.Payment) { p.ReviewDue, p.Parked = p.ExpiresAt, "review: new" })
	send := func(key, body string) answer {
		return f.do(t, request(http.MethodPost, "/v1/payments/"+p+"/review", body, as(key)))
	}
	for body, want := range map[string]string{`{"decision":"maybe","reason":"r"}`: "decision_unknown", `{"decision":"approve","reason":""}`: "reason_required",
		`{"decision":"approve"}`: "reason_required", `{"decision":"approve","reason":"r","actor":"x"}`: "field_unknown"} {
		if a := send(keyOfOperator, body); a.status != 422 || a.text(t, "code") != want {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if a := send(keyOfShop, `{"decision":"approve","reason":"r"}`); a.status != 403 {
		t.Errorf("a merchant reviewed its own payment: %d", a.status)
	}
	f.store.keys["sk_test_greedy"] = access.Principal{Kind: "merchant", ID: mint(id.APIKey), Book: id.Test, MerchantID: shop, Scopes: []access.Scope{access.RiskReview}}
	if a := send("sk_test_greedy", `{"decision":"approve","reason":"r"}`); a.status != 403 {
		t.Errorf("a merchant with the scope reviewed its own payment: %d", a.status)
	}
	if a := send(keyOfOperator, `{"decision":"approve","reason":"called the shop"}`); a.status != 200 || a.json(t)["review_due_at"] != nil {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := send(keyOfOperator, `{"decision":"refuse","reason":"too late"}`); a.status != 409 || a.text(t, "code") != "review_over" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
