package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"paysaga/api"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
)

const toIBAN = `{"type":"iban","account":"DE89 3704 0044 0532 0130 00","name":"Ada Lovelace"}`

func (f *front) payout(t testing.TB, body string, edit ...func(*http.Request)) answer {
	t.Helper()
	return f.do(t, request(http.MethodPost, "/v1/payouts", body, edit...))
}

// payoutBody takes 10.00 out, with some fields other than usual; an empty one is left out.
func payoutBody(other fields) string {
	all := fields{"amount": `"10.00"`, "currency": `"CNY"`, "destination": toIBAN}
	for name, raw := range other {
		all[name] = raw
	}
	var list []string
	for name, raw := range all {
		if raw != "" {
			list = append(list, `"`+name+`":`+raw)
		}
	}
	return "{" + strings.Join(list, ",") + "}"
}

func TestPayout(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	user, stranger := f.user(t, "ada"), f.user(t, "bob")
	first := f.payout(t, payoutBody(fields{"user_id": `"` + user + `"`, "note": `"rent"`, "metadata": `{"month":"11"}`}))
	if first.status != http.StatusCreated || first.text(t, "status") != "succeeded" || first.text(t, "user_id") != user ||
		first.header.Get("Location") != "/v1/payouts/"+first.text(t, "id") {
		t.Errorf("%d %s", first.status, first.body)
	}
	if strings.Contains(string(first.body), "DE89") || strings.Contains(string(first.body), "Ada") || !strings.Contains(string(first.body), `"last":"3000"`) {
		t.Errorf("what is shown of the destination: %s (I-26)", first.body)
	}
	more := f.payout(t, payoutBody(fields{"user_id": `"` + user + `"`, "amount": `"90.01"`}))
	if more.status != http.StatusConflict || more.text(t, "code") != "insufficient_balance" || more.text(t, "available") != "90.00" {
		t.Errorf("more than is there: %d %s", more.status, more.body)
	}
	mine := f.payout(t, payoutBody(fields{"channel": `"cards"`}))
	if mine.status != http.StatusCreated || mine.text(t, "channel") != "cards" || strings.Contains(string(mine.body), "user_id") {
		t.Errorf("a merchant's own: %d %s", mine.status, mine.body)
	}
	for path, want := range map[string]int{"/v1/payouts": 2, "/v1/payouts?user_id=" + user: 1, "/v1/payouts?user_id=" + stranger: 0, "/v1/payouts?status=failed": 0,
		"/v1/payouts?limit=1": 1, "/v1/payouts?starting_after=" + mine.text(t, "id"): 1, "/v1/payouts?created_from=2199-01-01T00:00:00Z": 0} {
		a := f.do(t, request(http.MethodGet, path, ""))
		if list, _ := a.json(t)["data"].([]any); a.status != http.StatusOK || len(list) != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if logs := f.logs.String(); strings.Contains(logs, "DE89") || strings.Contains(logs, "0532") || strings.Contains(logs, "Ada") {
		t.Errorf("the logs know the destination (I-26): %s", logs)
	}
}

// I-25: a user takes out what is theirs, and learns of nothing else.
func TestPayoutOfAUser(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	user, stranger := f.user(t, "ada"), f.user(t, "bob")
	asUser := as(f.signIn(t, shop, user))
	mine := f.payout(t, payoutBody(nil), asUser)
	if mine.status != http.StatusCreated || mine.text(t, "user_id") != user {
		t.Errorf("%d %s", mine.status, mine.body)
	}
	if same := f.payout(t, payoutBody(fields{"user_id": `"` + user + `"`}), asUser); same.status != http.StatusCreated {
		t.Errorf("%d %s", same.status, same.body)
	}
	theirs := f.payout(t, payoutBody(fields{"user_id": `"` + stranger + `"`}))
	ofShop := f.payout(t, payoutBody(nil))
	for what, a := range map[string]answer{
		"out of another's wallet":   f.payout(t, payoutBody(fields{"user_id": `"` + stranger + `"`}), asUser),
		"another's payout":          f.do(t, request(http.MethodGet, "/v1/payouts/"+theirs.text(t, "id"), "", asUser)),
		"the merchant's payout":     f.do(t, request(http.MethodGet, "/v1/payouts/"+ofShop.text(t, "id"), "", asUser)),
		"another's payouts":         f.do(t, request(http.MethodGet, "/v1/payouts?user_id="+stranger, "", asUser)),
		"mine, by another merchant": f.do(t, request(http.MethodGet, "/v1/payouts/"+mine.text(t, "id"), "", as(keyOfOther))),
		"mine, in another book":     f.do(t, request(http.MethodGet, "/v1/payouts/"+mine.text(t, "id"), "", as(keyOfLive))),
	} {
		if a.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	list, _ := f.do(t, request(http.MethodGet, "/v1/payouts", "", asUser)).json(t)["data"].([]any)
	if len(list) != 2 {
		t.Errorf("a user sees %d payouts", len(list))
	}
}

func TestPayoutIsRepeated(t *testing.T) {
	t.Parallel()
	f := newFrontWith(t, api.Config{Deadline: 20 * time.Millisecond})
	stuck := func(ctx context.Context, _ payout.Payout) error { <-ctx.Done(); return ctx.Err() }
	f.sagas.acceptPayout.Store(&stuck)
	key, body := with("Idempotency-Key", "p-1"), payoutBody(fields{"amount": `"100.00"`})
	first := f.payout(t, body, key)
	if first.status != http.StatusAccepted || first.text(t, "status") != "processing" {
		t.Errorf("first: %d %s", first.status, first.body)
	}
	f.sagas.acceptPayout.Store(nil)
	f.store.open = nil // nothing is left by now, and nobody could pay out any more: a repeat isn't judged anew
	again := f.payout(t, body, key)
	if again.status != http.StatusCreated || again.header.Get("Idempotent-Replayed") != "true" || again.text(t, "id") != first.text(t, "id") {
		t.Errorf("again: %d %s", again.status, again.body)
	}
	if other := f.payout(t, payoutBody(nil), key); other.status != http.StatusUnprocessableEntity || other.text(t, "code") != "idempotency_key_reused" {
		t.Errorf("another body: %d %s", other.status, other.body)
	}
	if n := len(f.store.payouts); n != 1 {
		t.Errorf("%d payouts came of it (I-20)", n)
	}
}

func TestPayoutBadInput(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f *front, rows func() int) {
		f.payout(t, payoutBody(fields{"amount": `"1000000.00"`})) // opens the accounts that it names
		before := rows()
		to := func(kind, account string) string { return `{"type":"` + kind + `","account":"` + account + `"}` }
		for _, bad := range []struct {
			name, raw string
			status    int
			code      string
			param     string
		}{
			{"amount", ``, 422, "field_required", "amount"}, {"amount", `"0.00"`, 422, "amount_invalid", "amount"}, {"amount", `"-1.00"`, 422, "amount_invalid", "amount"},
			{"amount", `"1.001"`, 422, "amount_invalid", "amount"}, {"amount", `"1e2"`, 422, "amount_invalid", "amount"}, {"amount", `1`, 422, "", "amount"},
			{"amount", `"99999999999999999999"`, 422, "", "amount"},
			{"currency", ``, 422, "field_required", "currency"}, {"currency", `"cny"`, 422, "currency_unsupported", "currency"},
			{"currency", `"EUR"`, 422, "payout_unavailable", "channel"}, {"channel", `"nobody"`, 422, "payout_unavailable", "channel"},
			{"channel", `"No Channel"`, 422, "channel_invalid", "channel"},
			{"destination", ``, 422, "destination_invalid", "destination.type"}, {"destination", `"DE89370400440532013000"`, 422, "", "destination"},
			{"destination", `{}`, 422, "", "destination.type"}, {"destination", `{"type":"iban"}`, 422, "", "destination.account"},
			{"destination", to("iban", "DE88370400440532013000"), 422, "destination_invalid", "destination.account"},
			{"destination", to("iban", "DE8937040044053201300"), 422, "destination_invalid", "destination.account"},
			{"destination", to("card", "4111111111111112"), 422, "destination_invalid", "destination.account"},
			{"destination", to("wallet", "a b"), 422, "destination_invalid", "destination.account"},
			{"destination", to("cash", "x"), 422, "destination_invalid", "destination.type"},
			{"destination", `{"type":"wallet","account":"x","name":"a\u0001"}`, 422, "destination_invalid", "destination.name"},
			{"destination", `{"type":"wallet","account":"x","bank":"y"}`, 422, "", "destination.bank"},
			{"user_id", `"usr_1"`, 422, "id_invalid", "user_id"}, {"user_id", `"` + mint(id.Merchant) + `"`, 422, "id_invalid", "user_id"},
			{"note", `"a\u0001b"`, 422, "note_invalid", "note"}, {"metadata", `[]`, 422, "", "metadata"}, {"extra", `1`, 422, "", "extra"},
		} {
			a := f.payout(t, payoutBody(fields{bad.name: bad.raw}))
			if a.status != bad.status || (bad.code != "" && a.text(t, "code") != bad.code) || a.text(t, "param") != bad.param {
				t.Errorf("%s %s: %d %s", bad.name, bad.raw, a.status, a.body)
			}
			if strings.Contains(string(a.body), "37040044") || strings.Contains(string(a.body), "41111111") {
				t.Errorf("%s: the refusal quotes the account: %s", bad.raw, a.body)
			}
		}
		for what, a := range map[string]answer{
			"of nobody's user":         f.payout(t, payoutBody(fields{"user_id": `"` + mint(id.User) + `"`, "amount": `"1000000.00"`})),
			"more than is there":       f.payout(t, payoutBody(fields{"amount": `"1000000.00"`})),
			"no key":                   f.payout(t, payoutBody(nil), without("Idempotency-Key")),
			"without the scope":        f.payout(t, payoutBody(nil), as(keyOfReader)),
			"an operator's, of nobody": f.payout(t, payoutBody(nil), as(keyOfOperator)),
			"an unknown query":         f.do(t, request(http.MethodGet, "/v1/payouts?order_id=x", "")),
			"a payment's status":       f.do(t, request(http.MethodGet, "/v1/payouts?status=canceled", "")),
			"no user":                  f.do(t, request(http.MethodGet, "/v1/payouts?user_id=x", "")),
			"a refund as the after":    f.do(t, request(http.MethodGet, "/v1/payouts?starting_after="+mint(id.Refund), "")),
			"no such payout":           f.do(t, request(http.MethodGet, "/v1/payouts/"+mint(id.Payout), "")),
			"a refund as a payout":     f.do(t, request(http.MethodGet, "/v1/payouts/"+mint(id.Refund), "")),
		} {
			if a.status < 400 || a.status >= 500 {
				t.Errorf("%s: %d %s", what, a.status, a.body)
			}
		}
		if after := rows(); after != before {
			t.Errorf("%d rows before, %d after", before, after)
		}
	})
}

// What the payee has to do is shown to the merchant and to the user whose wallet it leaves, as long as it is under way, and to nobody else.
func TestWhatThePayeeHasToDoIsShown(t *testing.T) {
	t.Parallel()
	f := newFrontWith(t, api.Config{Deadline: 20 * time.Millisecond})
	stuck := func(ctx context.Context, _ payout.Payout) error { <-ctx.Done(); return ctx.Err() }
	f.sagas.acceptPayout.Store(&stuck)
	user := f.user(t, "ada")
	id := f.payout(t, payoutBody(fields{"user_id": `"` + user + `"`})).text(t, "id")
	show := func(edit func(*payout.Payout)) {
		f.store.mu.Lock()
		defer f.store.mu.Unlock()
		p := f.store.payouts[id]
		edit(&p)
		f.store.payouts[id] = p
	}
	show(func(p *payout.Payout) {
		p.NextAction = &payment.Action{Type: payment.ActionSDK, Parameters: map[string]string{"package": "hidden"}}
	})
	path := "/v1/payouts/" + id
	for who, a := range map[string]answer{"merchant": f.do(t, request(http.MethodGet, path, "")), "user": f.do(t, request(http.MethodGet, path, "", as(f.signIn(t, shop, user)))),
		"list": f.do(t, request(http.MethodGet, "/v1/payouts", ""))} {
		if !strings.Contains(string(a.body), `"next_action":{"type":"sdk","url":"","parameters":{"package":"hidden"}}`) {
			t.Errorf("%s: %d %s", who, a.status, a.body)
		}
	}
	if a := f.do(t, request(http.MethodGet, path, "", as(keyOfOther))); a.status != http.StatusNotFound || strings.Contains(string(a.body), "hidden") {
		t.Errorf("another merchant: %d %s (I-25)", a.status, a.body)
	}
	show(func(p *payout.Payout) { p.Status = payout.Succeeded })
	if a := f.do(t, request(http.MethodGet, path, "")); strings.Contains(string(a.body), "next_action") {
		t.Errorf("after its end: %s", a.body)
	}
}

// What was paid out to a kept destination is answered the same when that is forgotten; only what is new has nowhere to go.
func TestAPayoutIsRepeatedAfterItsDestinationWasForgotten(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	u := f.do(t, sent(http.MethodPost, "/v1/users", `{"reference":"c-1"}`)).text(t, "id")
	mine := f.asUser(t, shop, u)
	target := "/v1/users/" + u + "/destinations"
	kept := f.do(t, sent(http.MethodPost, target, `{"type":"wallet","account":"w-1"}`, mine)).text(t, "id")
	body := `{"amount":"1.00","currency":"CNY","destination":{"type":"kept","account":"` + kept + `"}}`
	first := f.payout(t, body, mine, with("Idempotency-Key", "p-1"))
	if first.status != http.StatusCreated {
		t.Fatalf("%d %s", first.status, first.body)
	}
	if a := f.do(t, request(http.MethodDelete, target+"/"+kept, "", mine)); a.status != 204 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	again := f.payout(t, body, mine, with("Idempotency-Key", "p-1"))
	if again.status != first.status || string(again.body) != string(first.body) || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%d %s", again.status, again.body)
	}
	if a := f.payout(t, body, mine, with("Idempotency-Key", "p-2")); a.status != 422 || a.text(t, "param") != "destination.account" {
		t.Errorf("a new one: %d %s", a.status, a.body)
	}
}
