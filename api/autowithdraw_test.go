package api_test

import (
	"net/http"
	"strings"
	"testing"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payout"
	"paysaga/domain/user"
	"paysaga/store/storetest"
)

// What can't be paid out by itself is refused with its field, and nothing has changed.
func TestAutoWithdrawalsThatAreRefused(t *testing.T) {
	t.Parallel()
	f, db := onStore(t)
	ctx := t.Context()
	me := f.do(t, sent(http.MethodPost, "/v1/users", `{"reference":"c-1"}`)).text(t, "id")
	you := f.do(t, sent(http.MethodPost, "/v1/users", `{"reference":"c-2"}`)).text(t, "id")
	keep := func(u, last string) string {
		return f.do(t, sent(http.MethodPost, "/v1/users/"+u+"/destinations", `{"type":"wallet","account":"w-`+last+`"}`)).text(t, "id")
	}
	mine, gone, theirs := keep(me, "1"), keep(me, "2"), keep(you, "3")
	if a := f.do(t, request(http.MethodDelete, "/v1/users/"+me+"/destinations/"+gone, "")); a.status != 204 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	other := storetest.Plant(t, db.Store, id.Test)
	by := ledger.Service("test")
	stranger, _, err := db.Store.CreateUser(ctx, user.User{Book: id.Test, MerchantID: other.MerchantID}, by)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := db.Store.AddDestination(ctx, user.Ref{Book: id.Test, MerchantID: other.MerchantID, ID: stranger.ID}, payout.Destination{Type: payout.Wallet, Account: "w-4"}, by)
	if err != nil {
		t.Fatal(err)
	}
	wish := func(destination, currency, atLeast string) string {
		return `{"destination_id":"` + destination + `","currency":` + currency + `,"at_least":` + atLeast + `}`
	}
	before := f.do(t, request(http.MethodGet, "/v1/users/"+me, "")).body
	for _, c := range []struct{ wish, code, param string }{
		{wish(mine, `"XYZ"`, `"1.00"`), "currency_unsupported", "currency"},
		{wish(mine, `"cny"`, `"1.00"`), "currency_unsupported", "currency"},
		{wish(mine, `86`, `"1.00"`), "type_invalid", "currency"},
		{`{"destination_id":"` + mine + `","at_least":"1.00"}`, "", "currency"},
		{wish(mine, `"CNY"`, `"0.00"`), "", "at_least"},
		{wish(mine, `"CNY"`, `"0"`), "", "at_least"},
		{wish(mine, `"CNY"`, `"-1.00"`), "", "at_least"},
		{wish(mine, `"CNY"`, `"1.001"`), "", "at_least"},
		{wish(mine, `"JPY"`, `"1.5"`), "", "at_least"},
		{wish(mine, `"CNY"`, `"1e3"`), "", "at_least"},
		{wish(mine, `"CNY"`, `"99999999999999999999"`), "", "at_least"},
		{wish(mine, `"CNY"`, `1.5`), "type_invalid", "at_least"},
		{wish(mine, `"CNY"`, `1`), "type_invalid", "at_least"},
		{wish(mine, `"CNY"`, `null`), "null_refused", "at_least"},
		{`{"destination_id":"` + mine + `","currency":"CNY"}`, "", "at_least"},
		{wish("DE89370400440532013001", `"CNY"`, `"1.00"`), "destination_invalid", "destination_id"},
		{wish("dst_1", `"CNY"`, `"1.00"`), "destination_invalid", "destination_id"},
		{wish(me, `"CNY"`, `"1.00"`), "destination_invalid", "destination_id"},
		{wish(mint(id.Destination), `"CNY"`, `"1.00"`), "destination_invalid", "destination_id"},
		{wish(gone, `"CNY"`, `"1.00"`), "destination_invalid", "destination_id"},
		{wish(theirs, `"CNY"`, `"1.00"`), "destination_invalid", "destination_id"},
		{wish(elsewhere.ID, `"CNY"`, `"1.00"`), "destination_invalid", "destination_id"},
		{wish("", `"CNY"`, `"1.00"`), "destination_invalid", "destination_id"},
		{`{"currency":"CNY"}`, "destination_invalid", "destination_id"},
		{`{"off":true,"destination_id":"` + mine + `"}`, "field_forbidden", "off"},
		{`{"off":"yes"}`, "type_invalid", "off"},
		{`{"destination":"` + mine + `"}`, "field_unknown", "destination"},
	} {
		for _, as := range []func(*http.Request){func(*http.Request) {}, f.asUser(t, f.merchant, me)} {
			a := f.do(t, sent(http.MethodPatch, "/v1/users/"+me, `{"name":"Eve","auto_withdraw":`+c.wish+`}`, as))
			if a.status != 422 || a.text(t, "param") != "auto_withdraw."+c.param || c.code != "" && a.text(t, "code") != c.code {
				t.Errorf("%s: %d %s", c.wish, a.status, a.body)
			}
		}
		if a := f.do(t, sent(http.MethodPost, "/v1/users", `{"auto_withdraw":`+c.wish+`}`)); a.status != 422 || !strings.HasPrefix(a.text(t, "param"), "auto_withdraw.") {
			t.Errorf("of somebody new, %s: %d %s", c.wish, a.status, a.body)
		}
	}
	if after := f.do(t, request(http.MethodGet, "/v1/users/"+me, "")).body; string(after) != string(before) {
		t.Errorf("a refused wish has changed something:\n%s\n%s", before, after)
	}
	var users int
	if err := db.Owner.QueryRow(ctx, `SELECT count(*) FROM users`).Scan(&users); err != nil || users != 3 {
		t.Errorf("%d users, %v", users, err)
	}
	if a := f.do(t, sent(http.MethodPatch, "/v1/users/"+me, `{"auto_withdraw":`+wish(mine, `"CNY"`, `"1.00"`)+`}`)); a.status != 200 {
		t.Errorf("what is right: %d %s", a.status, a.body)
	}
	if a := f.do(t, sent(http.MethodPatch, "/v1/users/"+you, `{"auto_withdraw":`+wish(theirs, `"CNY"`, `"1.00"`)+`}`, f.asUser(t, f.merchant, me))); a.status != 404 {
		t.Errorf("for another user: %d %s", a.status, a.body)
	}
}
