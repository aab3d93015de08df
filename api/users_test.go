package api_test

import (
	"net/http"
	"strings"
	"testing"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// sent is a request with a JSON body by any method.
func sent(method, target, body string, edit ...func(*http.Request)) *http.Request {
	r := request(method, target, body, append([]func(*http.Request){with("Content-Type", "application/json")}, edit...)...)
	return r
}

// A user registers, logs in, reads and changes what is theirs, and nothing of anybody else's (I-25).
func TestAUserActsForThemselves(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(t *testing.T) *front{
		"fakes": func(t *testing.T) *front { f := newFront(t); f.merchant = shop; return f },
		"store": func(t *testing.T) *front { f, _ := onStore(t); return f },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := make(t)
			credentials := `"merchant_id":"` + f.merchant + `","livemode":false,"login":"Ada@example.com","password":"correct horse"`
			nobody := without("Authorization")
			a := f.do(t, sent(http.MethodPost, "/v1/auth/register", `{`+credentials+`,"email":"ada@example.com","language":"en"}`, nobody))
			if a.status != http.StatusCreated {
				t.Fatalf("%d %s", a.status, a.body)
			}
			me, token := a.text(t, "user_id"), a.text(t, "token")
			if a := f.do(t, sent(http.MethodPost, "/v1/auth/register", `{`+credentials+`}`, nobody)); a.status != 409 || a.text(t, "code") != "login_taken" {
				t.Errorf("a second one: %d %s", a.status, a.body)
			}
			if a := f.do(t, sent(http.MethodPost, "/v1/auth/login", `{`+strings.Replace(credentials, "correct", "wrong", 1)+`}`, nobody)); a.status != 401 || a.text(t, "code") != "login_failed" {
				t.Errorf("a wrong password: %d %s", a.status, a.body)
			}
			in := f.do(t, sent(http.MethodPost, "/v1/auth/login", `{`+strings.Replace(credentials, "Ada@", "aDA@", 1)+`}`, nobody))
			if in.status != http.StatusOK || in.text(t, "user_id") != me {
				t.Fatalf("%d %s", in.status, in.body)
			}
			mine := as(token)
			if a := f.do(t, request(http.MethodGet, "/v1/users/"+me, "", mine)); a.status != 200 || a.text(t, "email") != "ada@example.com" {
				t.Errorf("%d %s", a.status, a.body)
			}
			if a := f.do(t, sent(http.MethodPatch, "/v1/users/"+me, `{"language":"zh","preferences":{"off":["sms"]}}`, mine)); a.status != 200 || a.text(t, "language") != "zh" {
				t.Errorf("%d %s", a.status, a.body)
			}
			if a := f.do(t, request(http.MethodGet, "/v1/users/"+me+"/wallets", "", mine)); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
			theirs := f.do(t, sent(http.MethodPost, "/v1/users", `{"reference":"c-2"}`)).text(t, "id")
			for target, status := range map[string]int{"/v1/users/" + theirs: 404, "/v1/users/" + theirs + "/wallets": 404, "/v1/users": 403,
				"/v1/users/" + theirs + "/wallets/CNY/history": 404, "/v1/users/" + theirs + "/wallets/CNY/history.csv": 404} {
				if a := f.do(t, request(http.MethodGet, target, "", mine)); a.status != status {
					t.Errorf("%s: %d %s", target, a.status, a.body)
				}
			}
			if a := f.do(t, sent(http.MethodPatch, "/v1/users/"+me, `{"metadata":{"vip":"yes"}}`, mine)); a.status != 403 || a.text(t, "param") != "metadata" {
				t.Errorf("%d %s", a.status, a.body)
			}
			for _, act := range []string{"freeze", "unfreeze", "close", "erase"} {
				if a := f.do(t, sent(http.MethodPost, "/v1/users/"+me+"/"+act, `{"reason":"x"}`, mine)); a.status != 403 {
					t.Errorf("%s: %d %s", act, a.status, a.body)
				}
			}
			if a := f.do(t, sent(http.MethodPost, "/v1/auth/password", `{"current_password":"correct horse","password":"another horse"}`, mine)); a.status != 204 {
				t.Errorf("%d %s", a.status, a.body)
			}
			out := f.do(t, sent(http.MethodPost, "/v1/auth/refresh", `{"refresh_token":"`+in.text(t, "refresh_token")+`"}`, nobody))
			if name == "store" && out.status != 401 {
				t.Errorf("another session after the password changed: %d %s", out.status, out.body)
			}
			again := f.do(t, sent(http.MethodPost, "/v1/auth/login", `{`+strings.Replace(credentials, "correct", "another", 1)+`}`, nobody))
			next := f.do(t, sent(http.MethodPost, "/v1/auth/refresh", `{"refresh_token":"`+again.text(t, "refresh_token")+`"}`, nobody))
			if next.status != http.StatusOK {
				t.Fatalf("%d %s", next.status, next.body)
			}
			if a := f.do(t, sent(http.MethodPost, "/v1/auth/logout", `{"refresh_token":"`+next.text(t, "refresh_token")+`"}`, nobody)); a.status != 204 {
				t.Errorf("%d %s", a.status, a.body)
			}
			if a := f.do(t, request(http.MethodGet, "/v1/users/"+me, "", as(next.text(t, "token")))); a.status != 401 {
				t.Errorf("after logging out: %d %s", a.status, a.body)
			}
		})
	}
}

func TestUsersThatAreRefused(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	u := f.do(t, sent(http.MethodPost, "/v1/users", `{"reference":"c-1"}`)).text(t, "id")
	before := f.store.rows()
	register := func(change string) string {
		return `{"merchant_id":"` + shop + `","livemode":false,"login":"ada","password":"correct horse"` + change + `}`
	}
	for _, c := range []struct {
		method, target, body, code, param string
		status                            int
	}{
		{"POST", "/v1/users", `{"email":"nobody"}`, "email_invalid", "email", 422},
		{"POST", "/v1/users", `{"email":"a@b@c"}`, "email_invalid", "email", 422},
		{"POST", "/v1/users", `{"phone":"13800138000"}`, "phone_invalid", "phone", 422},
		{"POST", "/v1/users", `{"country":"cn"}`, "country_invalid", "country", 422},
		{"POST", "/v1/users", `{"name":"a\u0007"}`, "name_invalid", "name", 422},
		{"POST", "/v1/users", `{"reference":""}`, "reference_invalid", "reference", 422},
		{"POST", "/v1/users", `{"reference":"ä"}`, "reference_invalid", "reference", 422},
		{"POST", "/v1/users", `{"language":"tlh"}`, "language_invalid", "language", 422},
		{"POST", "/v1/users", `{"push_tokens":["a","a"]}`, "push_tokens_invalid", "push_tokens[1]", 422},
		{"POST", "/v1/users", `{"preferences":{"off":["doves"]}}`, "preferences_invalid", "preferences.off[0]", 422},
		{"POST", "/v1/users", `{"preferences":{"quiet":{"from":"25:00","to":"08:00"}}}`, "quiet_invalid", "preferences.quiet.from", 422},
		{"POST", "/v1/users", `{"preferences":{"time_zone":"Moon/Sea"}}`, "time_zone_unknown", "preferences.time_zone", 422},
		{"POST", "/v1/users", `{"referrer":"` + shop + `"}`, "id_invalid", "referrer", 422},
		{"POST", "/v1/users", `{"wallet":"1"}`, "field_unknown", "wallet", 422},
		{"POST", "/v1/users", `{"name":null}`, "null_refused", "name", 422},
		{"PATCH", "/v1/users/" + u, `{"referrer":"` + u + `"}`, "referral_circle", "referrer", 422},
		{"PATCH", "/v1/users/" + mint(id.User), `{}`, "not_found", "", 404},
		{"PATCH", "/v1/users/" + shop, `{}`, "not_found", "", 404},
		{"POST", "/v1/users/" + u + "/freeze", `{"reason":""}`, "reason_required", "reason", 422},
		{"POST", "/v1/users/" + u + "/credentials", `{"login":"a b","password":"correct horse"}`, "login_invalid", "login", 422},
		{"POST", "/v1/users/" + u + "/credentials", `{"login":"ada","password":"short"}`, "password_invalid", "password", 422},
		{"POST", "/v1/users/" + u + "/credentials", `{"login":"adalovelace","password":"AdaLovelace"}`, "password_invalid", "password", 422},
		{"POST", "/v1/users/" + u + "/credentials", `{"login":"ada","password":"aaaaaaaaaaaa"}`, "password_invalid", "password", 422},
		{"POST", "/v1/auth/register", strings.Replace(register(""), shop, "mer_1", 1), "id_invalid", "merchant_id", 422},
		{"POST", "/v1/auth/register", register(`,"reference":"c-1"`), "field_unknown", "reference", 422},
		{"POST", "/v1/auth/register", register(`,"email":"x"`), "email_invalid", "email", 422},
		{"POST", "/v1/auth/login", `{"merchant_id":"` + shop + `","livemode":false,"password":"x"}`, "field_required", "login", 422},
		{"POST", "/v1/auth/login", register(""), "login_failed", "", 401},
		{"POST", "/v1/auth/refresh", `{"refresh_token":"x"}`, "refresh_invalid", "", 401},
		{"POST", "/v1/auth/refresh", `{}`, "schema_violated", "", 422},
		{"POST", "/v1/auth/password", `{"current_password":"a","password":"correct horse"}`, "users_only", "", 403},
	} {
		a := f.do(t, sent(c.method, c.target, c.body))
		if a.status != c.status || a.text(t, "code") != c.code || a.text(t, "param") != c.param {
			t.Errorf("%s %s %s: %d %s", c.method, c.target, c.body, a.status, a.body)
		}
	}
	if f.store.rows() != before {
		t.Error("something was stored")
	}
	for target, param := range map[string]string{"/v1/users?status=gone": "status", "/v1/users?starting_after=x": "starting_after", "/v1/users?referrer=x": "referrer"} {
		if a := f.do(t, request(http.MethodGet, target, "")); a.status != 422 || a.text(t, "param") != param {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	if strings.Contains(f.logs.String(), "correct horse") { // I-26
		t.Error("a password is in the log")
	}
}

func TestWhoKnocksTooOftenWaits(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	last := answer{}
	for range 300 {
		if last = f.do(t, sent(http.MethodPost, "/v1/auth/refresh", `{"refresh_token":"x"}`)); last.status == http.StatusTooManyRequests {
			break
		}
	}
	if last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", last.status, last.body)
	}
}

// A wallet's history is the ledger's own, and its CSV the same.
func TestAWalletsHistory(t *testing.T) {
	t.Parallel()
	f, db := onStore(t)
	u := f.do(t, sent(http.MethodPost, "/v1/users", `{"reference":"c-1"}`)).text(t, "id")
	c := ledger.Chart{Book: id.Test, Currency: "CNY"}
	var causes []string
	for i, legs := range [][]ledger.Entry{
		{ledger.Dr(c.Clearing(f.account), money.New(1234, "CNY")), ledger.Cr(c.Wallet(u), money.New(1234, "CNY"))},
		{ledger.Dr(c.Wallet(u), money.New(234, "CNY")), ledger.Cr(c.Clearing(f.account), money.New(234, "CNY"))},
	} {
		top := db.Store.Mint(id.Request) // of nobody's sort, so that no other check looks for its object
		cause := id.Key(top, id.Step{Code: id.Move, Ordinal: 1})
		j, err := ledger.Post(ledger.Posting{Cause: cause, Kind: []string{"came", "went"}[i], Late: ledger.ToNextOpen}, legs...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Store.Commit(t.Context(), ledger.Step{Book: id.Test, Cause: cause, Business: top, By: ledger.Service("test"), Journals: []ledger.Journal{j}}); err != nil {
			t.Fatal(err)
		}
		causes = append(causes, top)
	}
	mine := f.asUser(t, f.merchant, u)
	if a := f.do(t, request(http.MethodGet, "/v1/users/"+u+"/wallets", "", mine)); !strings.Contains(string(a.body), `"available":"10.00"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	history := "/v1/users/" + u + "/wallets/CNY/history"
	a := f.until(t, func() (answer, bool) { // what was booked is final about a second later
		a := f.do(t, request(http.MethodGet, history, "", mine))
		data, _ := a.json(t)["data"].([]any)
		return a, len(data) == 2
	})
	data := a.json(t)["data"].([]any)
	for i, want := range []map[string]any{{"direction": "in", "amount": "12.34", "balance": "12.34", "business_id": causes[0], "kind": "came"},
		{"direction": "out", "amount": "2.34", "balance": "10.00", "business_id": causes[1], "kind": "went"}} {
		for name, v := range want {
			if got := data[i].(map[string]any)[name]; got != v {
				t.Errorf("entry %d: %s is %v", i, name, got)
			}
		}
	}
	csv := f.do(t, request(http.MethodGet, history+".csv", "", mine))
	lines := strings.Split(strings.TrimSpace(string(csv.body)), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[1], ",came,"+causes[0]+",12.34,12.34,CNY") || !strings.HasSuffix(lines[2], ",-2.34,10.00,CNY") ||
		csv.header.Get("Content-Type") != "text/csv" {
		t.Errorf("%s", csv.body)
	}
	for _, target := range []string{"/v1/users/" + u + "/wallets/JPY/history", "/v1/users/" + mint(id.User) + "/wallets/CNY/history"} {
		if a := f.do(t, request(http.MethodGet, target, "")); a.status != 404 {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	if a := f.do(t, request(http.MethodGet, history, "", as(keyOfOther))); a.status != 404 {
		t.Errorf("another merchant reads it: %d %s", a.status, a.body)
	}
	if a := f.do(t, sent(http.MethodPost, "/v1/users/"+u+"/close", `{"reason":"asked"}`)); a.status != 409 || a.text(t, "code") != "wallet_not_empty" || a.text(t, "balance") != "10.00" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A user keeps where they are paid out to; nobody is shown it again, and nobody else is paid there.
func TestDestinationsAreKept(t *testing.T) {
	t.Parallel()
	f, db := onStore(t)
	u := f.do(t, sent(http.MethodPost, "/v1/users", `{"reference":"c-1"}`)).text(t, "id")
	other := f.do(t, sent(http.MethodPost, "/v1/users", `{"reference":"c-2"}`)).text(t, "id")
	mine, theirs := f.asUser(t, f.merchant, u), f.asUser(t, f.merchant, other)
	target := "/v1/users/" + u + "/destinations"
	for text, param := range map[string]string{`{"type":"iban","account":"DE89370400440532013001"}`: "account",
		`{"type":"card","account":"4242424242424241"}`: "account", `{"type":"kept","account":"x"}`: "type"} {
		if a := f.do(t, sent(http.MethodPost, target, text, mine)); a.status != 422 || a.text(t, "param") != param {
			t.Errorf("%s: %d %s", text, a.status, a.body)
		}
	}
	a := f.do(t, sent(http.MethodPost, target, `{"type":"iban","account":"DE89 3704 0044 0532 0130 00","name":"Ada"}`, mine))
	if a.status != http.StatusCreated || a.text(t, "last") != "3000" || strings.Contains(strings.ReplaceAll(string(a.body), " ", ""), "37040044") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	kept := a.text(t, "id")
	for _, r := range []*http.Request{sent(http.MethodPost, target, `{"type":"iban","account":"DE89370400440532013000"}`, theirs),
		request(http.MethodGet, target, "", theirs), request(http.MethodDelete, target+"/"+kept, "", theirs),
		request(http.MethodDelete, "/v1/users/"+other+"/destinations/"+kept, "", theirs), request(http.MethodGet, target, "", as(keyOfOther))} {
		if a := f.do(t, r); a.status != 404 {
			t.Errorf("%s %s: %d %s", r.Method, r.URL.Path, a.status, a.body)
		}
	}
	pay := func(id string, edit func(*http.Request)) answer {
		return f.do(t, sent(http.MethodPost, "/v1/payouts", `{"amount":"1.00","currency":"CNY","destination":{"type":"kept","account":"`+id+`"}}`, edit))
	}
	// There is nothing in the wallet, or nobody who pays out; but the destination was found.
	if a := pay(kept, mine); a.text(t, "param") == "destination.account" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := pay(kept, theirs); a.status != 422 || a.text(t, "param") != "destination.account" {
		t.Errorf("another user is paid there: %d %s", a.status, a.body)
	}
	if a := f.do(t, request(http.MethodGet, target, "", mine)); !strings.Contains(string(a.body), kept) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := f.do(t, request(http.MethodDelete, target+"/"+kept, "", mine)); a.status != 204 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := pay(kept, mine); a.status != 422 || a.text(t, "param") != "destination.account" {
		t.Errorf("after it was forgotten: %d %s", a.status, a.body)
	}
	var left int
	if err := db.Owner.QueryRow(t.Context(), `SELECT count(*) FROM user_destinations WHERE destination_sealed IS NOT NULL OR hint <> ''`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d, %v", left, err)
	}
}

// A rebate statement is its user's and the merchant's.
func TestARebateStatement(t *testing.T) {
	t.Parallel()
	f, _ := onStore(t)
	u := f.do(t, sent(http.MethodPost, "/v1/users", `{"reference":"c-1"}`)).text(t, "id")
	mine := f.asUser(t, f.merchant, u)
	for _, target := range []string{"/v1/users/" + u + "/rebates", "/v1/users/" + u + "/rebates.csv"} {
		if a := f.do(t, request(http.MethodGet, target, "", mine)); a.status != 200 {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
		if a := f.do(t, request(http.MethodGet, target, "", as(keyOfOther))); a.status != 404 {
			t.Errorf("another merchant reads %s: %d %s", target, a.status, a.body)
		}
	}
}

// What an operator has frozen a merchant doesn't undo, in no way, and doesn't see why; what the merchant has frozen both may undo.
func TestAnOperatorsFreezeIsNoMerchantsToLift(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	u := "/v1/users/" + f.do(t, sent(http.MethodPost, "/v1/users", `{"reference":"c-1"}`)).text(t, "id")
	act := func(name string, want int, edit ...func(*http.Request)) answer {
		t.Helper()
		a := f.do(t, sent(http.MethodPost, u+"/"+name, `{"reason":"theft"}`, edit...))
		if a.status != want {
			t.Fatalf("%s: %d %s", name, a.status, a.body)
		}
		return a
	}
	act("freeze", 200)
	if a := f.do(t, request(http.MethodGet, u, "")); !strings.Contains(string(a.body), `"freezes":[{"by":"merchant","actor":"key_`) || !strings.Contains(string(a.body), `"reason":"theft"`) {
		t.Errorf("%s", a.body)
	}
	act("unfreeze", 200, as(keyOfOperator))
	act("freeze", 200)
	act("unfreeze", 200)
	act("freeze", 200)
	act("freeze", 200, as(keyOfOperator))
	for _, name := range []string{"unfreeze", "close", "erase"} {
		if a := act(name, 403); a.text(t, "code") != "frozen_by_operator" {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	a := f.do(t, request(http.MethodGet, u, ""))
	theirs := a.json(t)["freezes"].([]any)
	if one := theirs[1].(map[string]any); len(theirs) != 2 || one["by"] != "operator" || one["reason"] != nil || one["actor"] != nil || one["at"] == nil {
		t.Errorf("the merchant sees %s", a.body)
	}
	a = f.do(t, request(http.MethodGet, u, "", as(keyOfOperator)))
	if one := a.json(t)["freezes"].([]any)[1].(map[string]any); one["reason"] != "theft" || one["actor"] == nil {
		t.Errorf("an operator sees %s", a.body)
	}
	if a := f.do(t, request(http.MethodGet, u, "", f.asUser(t, f.merchant, strings.TrimPrefix(u, "/v1/users/")))); a.text(t, "status") != "frozen" || strings.Contains(string(a.body), "freezes") {
		t.Errorf("the user sees %s", a.body)
	}
	if a := act("unfreeze", 200, as(keyOfOperator)); a.text(t, "status") != "active" || strings.Contains(string(a.body), "freezes") {
		t.Errorf("%s", a.body)
	}
}
