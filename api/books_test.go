package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/store/storetest"
)

// The books of the fake store: one account of the shop and one of the other merchant, each with one entry.
var (
	shopsAccount  = mint(id.Account)
	othersAccount = mint(id.Account)
	cause         = mint(id.Payment) + ":ch1"
	final         = time.Date(2026, 11, 21, 7, 59, 58, 0, time.UTC)
)

func bookAccounts() []ledger.Opened {
	account := func(accountID, owner string) ledger.Opened {
		return ledger.Opened{ID: accountID, OpenedAt: final.Add(-time.Hour), Account: ledger.Account{Book: id.Test, Code: "merchant/" + owner + "/available", Currency: "CNY",
			Owner: owner, Kind: ledger.Liability, Normal: ledger.Credit, Floored: true}}
	}
	return []ledger.Opened{account(shopsAccount, shop), account(othersAccount, other)}
}

func (m *memory) LedgerAccounts(_ context.Context, f ledger.AccountFilter) ([]ledger.Opened, bool, error) {
	unlock, err := m.lock("LedgerAccounts")
	defer unlock()
	var list []ledger.Opened
	for _, a := range bookAccounts() {
		if a.Book == f.Book && (f.Owner == "" || f.Owner == a.Owner) && strings.HasPrefix(a.Code, f.Code) && f.After == "" {
			list = append(list, a)
		}
	}
	return list, false, err
}

func (m *memory) LedgerAccount(_ context.Context, book id.Book, owner, accountID string) (ledger.Opened, error) {
	unlock, err := m.lock("LedgerAccount")
	defer unlock()
	for _, a := range bookAccounts() {
		if a.ID == accountID && a.Book == book && (owner == "" || owner == a.Owner) {
			return a, err
		}
	}
	return ledger.Opened{}, fault.NotFound("account")
}

func (m *memory) Balance(ctx context.Context, book id.Book, owner, accountID string, at time.Time, by ledger.Dating) (ledger.Balance, error) {
	a, err := m.LedgerAccount(ctx, book, owner, accountID)
	if err == nil && at.After(final) {
		err = fault.Invalid("at_not_final", "at", "later instants can still change")
	}
	return ledger.Balance{Opened: a, By: by, At: at, Minor: -1234, FinalUpTo: final}, err
}

func (m *memory) Statement(ctx context.Context, f ledger.StatementFilter) (ledger.Statement, error) {
	a, err := m.LedgerAccount(ctx, f.Book, f.Owner, f.Account)
	return ledger.Statement{Opened: a, From: final.Add(-time.Hour), To: final, FinalUpTo: final, Closing: -1234, Lines: []ledger.StatementLine{
		{Number: ledger.From(final) - 1, Cause: cause, Kind: "captured", EffectiveAt: final, Amount: -1234, Balance: -1234}}}, err
}

func (m *memory) Journal(_ context.Context, book id.Book, owner, name string) (ledger.Posted, error) {
	unlock, err := m.lock("Journal")
	defer unlock()
	p := ledger.Posted{Number: ledger.From(final) - 1, Book: book, Cause: name, Kind: "captured", EffectiveAt: final, Count: 2}
	for i, a := range bookAccounts() {
		if a.Book == book && (owner == "" || owner == a.Owner) {
			p.Legs = append(p.Legs, ledger.PostedLeg{Leg: i + 1, Account: a.Account, ID: a.ID, Amount: []int64{-1234, 1234}[i]})
		}
	}
	if err == nil && (name != cause || len(p.Legs) == 0) {
		err = fault.NotFound("journal")
	}
	return p, err
}

func (m *memory) TrialBalance(_ context.Context, book id.Book, at time.Time, _ money.Currency) (ledger.TrialBalance, error) {
	unlock, err := m.lock("TrialBalance")
	defer unlock()
	return ledger.TrialBalance{Book: book, At: final, FinalUpTo: final, Currencies: []ledger.TrialCurrency{{Currency: "CNY", Debit: 1234, Credit: 1234,
		Lines: []ledger.TrialLine{{Kind: ledger.Asset, Class: "channel/*/clearing", Accounts: 1, Debit: 1234}, {Kind: ledger.Liability, Class: "merchant/*/available", Accounts: 1, Credit: 1234}}}}}, err
}

func TestTheBooksAreRead(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	get := func(target string, edit ...func(*http.Request)) answer {
		return f.do(t, request(http.MethodGet, target, "", edit...))
	}
	list := get("/v1/accounts?code=merchant/").json(t)["data"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["id"] != shopsAccount || list[0].(map[string]any)["floor"] != "0.00" {
		t.Errorf("%v", list)
	}
	if a := get("/v1/accounts/" + shopsAccount); a.text(t, "kind") != "liability" || a.text(t, "owner") != shop {
		t.Errorf("%d %s", a.status, a.body)
	}
	at := url.QueryEscape(final.Format(time.RFC3339))
	if a := get("/v1/accounts/" + shopsAccount + "/balance?at=" + at); a.text(t, "balance") != "12.34" || a.json(t)["final"] != true {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := get("/v1/accounts/" + shopsAccount + "/balance"); a.json(t)["final"] != false || a.json(t)["at"] != nil {
		t.Errorf("%d %s", a.status, a.body)
	}
	a := get("/v1/accounts/" + shopsAccount + "/entries?limit=5&starting_after=" + cause)
	entry := a.json(t)["data"].([]any)[0].(map[string]any)
	if a.text(t, "closing_balance") != "12.34" || a.text(t, "opening_balance") != "0.00" || entry["side"] != "credit" || entry["amount"] != "12.34" || entry["journal"] != cause {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := get("/v1/journals/" + cause); a.text(t, "currency") != "CNY" || a.json(t)["entry_count"] != 2.0 || len(a.json(t)["entries"].([]any)) != 1 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := get("/v1/journals/"+cause, as(keyOfOperator)); len(a.json(t)["entries"].([]any)) != 2 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := get("/v1/trial-balance?currency=CNY", as(keyOfOperator)); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestNobodyReadsAnothersBooks (I-25).
func TestNobodyReadsAnothersBooks(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	for _, key := range []string{keyOfOther, keyOfLive, keyOfPlatform} {
		for _, target := range []string{"", "/balance", "/entries"} {
			if a := f.do(t, request(http.MethodGet, "/v1/accounts/"+shopsAccount+target, "", as(key))); a.status != 404 || a.text(t, "code") != "not_found" {
				t.Errorf("%s reads %s: %d %s", key, target, a.status, a.body)
			}
		}
		if key != keyOfOther {
			if a := f.do(t, request(http.MethodGet, "/v1/journals/"+cause, "", as(key))); a.status != 404 {
				t.Errorf("%s: %d %s", key, a.status, a.body)
			}
		}
		if a := f.do(t, request(http.MethodGet, "/v1/accounts", "", as(key))); strings.Contains(string(a.body), shopsAccount) {
			t.Errorf("%s lists %s", key, a.body)
		}
	}
	if a := f.do(t, request(http.MethodGet, "/v1/accounts/"+shopsAccount, "", as(keyOfPlatform), with("Paysaga-Merchant", shop))); a.status != 200 {
		t.Errorf("for its child: %d %s", a.status, a.body)
	}
	if a := f.do(t, request(http.MethodGet, "/v1/accounts", "", as(keyOfOperator))); len(a.json(t)["data"].([]any)) != 2 {
		t.Errorf("an operator: %s", a.body)
	}
}

// bookRefusals are requests of the books that have to be refused.
func bookRefusals() []refusal {
	bad := func(target, code, param string, edit ...func(*http.Request)) refusal {
		status := map[string]int{"parameter_unknown": 400, "parameter_repeated": 400, "not_found": 404, "scope_missing": 403, "operators_only": 403, "unauthenticated": 401}[code]
		if status == 0 {
			status = 422
		}
		return refusal{target, target, status, code, param, edit}
	}
	account := "/v1/accounts/" + shopsAccount
	var list []refusal
	for _, text := range []string{"", "/", "/merchant", "Merchant/", "merchant//x", "merchant/%25", "a%20b", "a'%20OR%201=1--", "%00", "茶", strings.Repeat("a", 201), "*"} {
		list = append(list, bad("/v1/accounts?code="+text, "parameter_invalid", "code"))
	}
	for _, text := range []string{"", "cny", "CNYX", "BTC", "XXX"} {
		list = append(list, bad("/v1/accounts?currency="+text, "parameter_invalid", "currency"), bad("/v1/trial-balance?currency="+text, "parameter_invalid", "currency", as(keyOfOperator)))
	}
	for _, text := range []string{"", "now", "yesterday", "2026-01-01", "2026-13-01T00:00:00Z", "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "0000-01-01T00:00:00Z",
		"2026-01-01T00:00:00", "1700000000", "2026-01-01T00:00:00%2B25:00", "9999-12-31T23:59:59Z"} {
		list = append(list, bad(account+"/balance?at="+text, "parameter_invalid", "at"), bad(account+"/entries?from="+text, "parameter_invalid", "from"),
			bad(account+"/entries?to="+text, "parameter_invalid", "to"), bad("/v1/trial-balance?at="+text, "parameter_invalid", "at", as(keyOfOperator)))
	}
	for _, text := range []string{"", "booked", "Effective", "both"} {
		list = append(list, bad(account+"/balance?by="+text, "parameter_invalid", "by"))
	}
	for _, text := range []string{"0", "101", "-1", "ten", "1.0", ""} {
		list = append(list, bad("/v1/accounts?limit="+text, "parameter_invalid", "limit"), bad(account+"/entries?limit="+text, "parameter_invalid", "limit"))
	}
	return append(list,
		bad("/v1/accounts?starting_after="+mint(id.Payment), "parameter_invalid", "starting_after"), bad("/v1/accounts?starting_after=", "parameter_invalid", "starting_after"),
		bad(account+"/entries?starting_after=", "parameter_invalid", "starting_after"), bad(account+"/entries?starting_after=a%20b", "parameter_invalid", "starting_after"),
		bad(account+"/entries?starting_after="+strings.Repeat("x", 129), "parameter_invalid", "starting_after"),
		bad("/v1/accounts?owner="+shop, "parameter_unknown", "owner"), bad(account+"?at=2026-01-01T00:00:00Z", "parameter_unknown", "at"), bad("/v1/journals/"+cause+"?x=1", "parameter_unknown", "x"),
		bad(account+"/balance?by=booking&by=effective", "parameter_repeated", "by"), bad("/v1/trial-balance?limit=1", "parameter_unknown", "limit", as(keyOfOperator)),
		bad("/v1/accounts/x", "not_found", ""), bad("/v1/accounts/"+mint(id.ChannelAccount), "not_found", ""), bad("/v1/accounts/"+strings.ToUpper(shopsAccount), "not_found", ""),
		bad("/v1/accounts/"+mint(id.Account), "not_found", ""), bad("/v1/accounts/"+mint(id.Account)+"/balance", "not_found", ""), bad("/v1/accounts/x/entries", "not_found", ""),
		bad("/v1/accounts/x/balance", "not_found", ""), bad("/v1/journals/"+mint(id.Payment)+":ch1", "not_found", ""), bad("/v1/journals/%00", "not_found", ""), bad("/v1/journals/a%20b", "not_found", ""),
		bad("/v1/journals/"+strings.Repeat("x", 129), "not_found", ""), bad("/v1/journals/..%2faccounts", "not_found", ""),
		bad("/v1/accounts", "scope_missing", "", as(keyOfReader)), bad(account, "scope_missing", "", as(keyOfReader)), bad("/v1/journals/"+cause, "scope_missing", "", as(keyOfReader)),
		bad("/v1/trial-balance", "scope_missing", "", as(keyOfReader)), bad("/v1/trial-balance", "operators_only", ""), bad("/v1/trial-balance", "operators_only", "", as(keyOfPlatform)),
		bad("/v1/trial-balance", "merchant_unexpected", "Paysaga-Merchant", as(keyOfOperator), with("Paysaga-Merchant", shop)),
		bad("/v1/accounts", "unauthenticated", "", without("Authorization")), bad(account+"/balance", "unauthenticated", "", as("sk_test_nobody")),
	)
}

func TestBadQuestionsAboutTheBooksAreRefused(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	list := append(bookRefusals(), refusal{"at_not_final", "/v1/accounts/" + shopsAccount + "/balance?at=2026-11-21T07:59:59Z", 422, "at_not_final", "at", nil})
	for _, r := range list {
		checkProblem(t, r, f.do(t, request(http.MethodGet, r.body, "", r.edit...)))
	}
	t.Logf("%d vectors", len(list))
}

// TestTheBooksOnTheStore: what was booked, as the store has it, and that no bad question changes a row.
func TestTheBooksOnTheStore(t *testing.T) {
	t.Parallel()
	f, db := onStore(t)
	chart := ledger.Chart{Book: id.Test, Currency: "CNY"}
	past := storetest.Past{Book: id.Test, Accounts: []ledger.Account{chart.Clearing(f.account), chart.Available(f.merchant), chart.Fees()}}
	for i := range 5 {
		past.Journals = append(past.Journals, &storetest.PastJournal{Booked: time.Now().Add(time.Duration(i-60) * time.Minute), Legs: []ledger.Entry{
			{Account: past.Accounts[0], Amount: 100}, {Account: past.Accounts[1], Amount: -90}, {Account: past.Accounts[2], Amount: -10}}})
	}
	ids := db.PlantPast(t, past)
	mine, fees := ids[past.Accounts[1].Code+" CNY"], ids["income/fees CNY"]
	before := allRows(t, db)
	get := func(target string, edit ...func(*http.Request)) answer {
		return f.do(t, request(http.MethodGet, target, "", edit...))
	}
	if list := get("/v1/accounts").json(t)["data"].([]any); len(list) != 1 || list[0].(map[string]any)["id"] != mine {
		t.Errorf("%v", list)
	}
	if list := get("/v1/accounts?limit=2", as(keyOfOperator)).json(t); len(list["data"].([]any)) != 2 || list["has_more"] != true {
		t.Errorf("%v", list)
	}
	third := past.Journals[2]
	at := url.QueryEscape(third.Number.BookedAt().Format(time.RFC3339Nano))
	if a := get("/v1/accounts/" + mine + "/balance?at=" + at); a.text(t, "balance") != "2.70" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := get("/v1/accounts/" + mine + "/balance?by=effective"); a.text(t, "balance") != "4.50" || a.text(t, "at") != a.text(t, "final_up_to") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := get("/v1/accounts/" + mine + "/entries?from=" + at + "&limit=2"); a.text(t, "opening_balance") != "1.80" || a.text(t, "closing_balance") != "4.50" || a.json(t)["has_more"] != true {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := get("/v1/journals/" + third.Cause); a.json(t)["entry_count"] != 3.0 || len(a.json(t)["entries"].([]any)) != 1 {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, target := range []string{"/v1/accounts/" + fees, "/v1/accounts/" + fees + "/balance", "/v1/accounts/" + fees + "/entries"} {
		if a := get(target); a.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
		if a := get(target, as(keyOfOperator)); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	trial := get("/v1/trial-balance?at="+at, as(keyOfOperator)).json(t)["currencies"].([]any)[0].(map[string]any)
	if trial["debit"] != "3.00" || trial["credit"] != "3.00" || len(trial["lines"].([]any)) != 3 {
		t.Errorf("%v", trial)
	}
	for _, future := range []string{"/v1/accounts/" + mine + "/balance?at=2199-01-01T00:00:00Z", "/v1/trial-balance?at=2199-01-01T00:00:00Z"} {
		if a := get(future, as(keyOfOperator)); a.status != 422 || a.text(t, "code") != "at_not_final" || a.text(t, "param") != "at" || a.text(t, "final_up_to") == "" {
			t.Errorf("%s: %d %s", future, a.status, a.body)
		}
	}
	if after := allRows(t, db); after != before {
		t.Error(fmt.Sprint(before, " rows before, ", after, " after"))
	}
}
