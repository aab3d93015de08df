package api_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"paysaga/domain/accrual"
	"paysaga/domain/id"
)

// promise has the fakes know a rebate of a user's that has vested.
func (f *front) promise(user string) accrual.Accrual {
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	a := accrual.Accrual{Book: id.Test, ID: mint(id.Rebate), MerchantID: shop, CampaignID: mint(id.Campaign), Version: 1, Rule: "all", OrderID: mint(id.Order),
		Line: 1, Beneficiary: user, Currency: "CNY", VestsOn: accrual.Day(time.Now()), Status: accrual.Pending, Accrued: 300, Sequence: 1}
	f.store.promised.rebates = append(f.store.promised.rebates, a)
	f.store.promised.due = append(f.store.promised.due, accrual.Run{Book: id.Test, MerchantID: shop, CampaignID: a.CampaignID, Currency: "CNY",
		BusinessDate: a.VestsOn, Total: accrual.Tally{Rebates: 1, Paid: 300}})
	return a
}

func TestRebatesAreReadByTheirOwn(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	ada, eve := f.user(t, "ada"), f.user(t, "eve")
	a := f.promise(ada)
	one := f.do(t, request(http.MethodGet, "/v1/rebates/"+a.ID, "", f.asUser(t, shop, ada)))
	if one.status != 200 || one.text(t, "open") != "3.00" || one.text(t, "user_id") != ada {
		t.Errorf("%d %s", one.status, one.body)
	}
	for what, got := range map[string]answer{
		"another user's":         f.do(t, request(http.MethodGet, "/v1/rebates/"+a.ID, "", f.asUser(t, shop, eve))),
		"another user's list":    f.do(t, request(http.MethodGet, "/v1/rebates?user_id="+ada, "", f.asUser(t, shop, eve))),
		"another merchant's":     f.do(t, request(http.MethodGet, "/v1/rebates/"+a.ID, "", as(keyOfOther))),
		"another book's":         f.do(t, request(http.MethodGet, "/v1/rebates/"+a.ID, "", as(keyOfLive))),
		"nobody's":               f.do(t, request(http.MethodGet, "/v1/rebates/reb_1", "")),
		"without user and order": f.do(t, request(http.MethodGet, "/v1/rebates", "")),
		"no status":              f.do(t, request(http.MethodGet, "/v1/rebates?status=x&user_id="+ada, "")),
		"no user":                f.do(t, request(http.MethodGet, "/v1/rebates?user_id=x", "")),
	} {
		if got.status < 400 || got.status >= 500 {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	for who, want := range map[string]int{ada: 1, eve: 0} {
		list := f.do(t, request(http.MethodGet, "/v1/rebates", "", f.asUser(t, shop, who)))
		if data, _ := list.json(t)["data"].([]any); list.status != 200 || len(data) != want {
			t.Errorf("%d %s", list.status, list.body)
		}
	}
}

func TestASettlementIsBegunOnceAndSteered(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	a := f.promise(f.user(t, "ada"))
	body := fmt.Sprintf(`{"campaign_id":%q}`, a.CampaignID)
	begin := func(more ...func(*http.Request)) answer {
		return f.do(t, request(http.MethodPost, "/v1/settlements", body, more...))
	}
	for what, got := range map[string]answer{
		"another merchant's": begin(as(keyOfOther), with("Idempotency-Key", "o")),
		"without the scope":  begin(as(keyOfReader)),
		"without a key":      begin(without("Idempotency-Key")),
		"no campaign":        f.do(t, request(http.MethodPost, "/v1/settlements", `{"campaign_id":"cmp_1"}`)),
		"nothing":            f.do(t, request(http.MethodPost, "/v1/settlements", `{}`)),
		"a field too many":   f.do(t, request(http.MethodPost, "/v1/settlements", fmt.Sprintf(`{"campaign_id":%q,"date":"2026-01-01"}`, a.CampaignID))),
	} {
		if got.status < 400 || got.status >= 500 {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	first, again := begin(with("Idempotency-Key", "k")), begin(with("Idempotency-Key", "k"))
	if first.status != 201 || again.status != 201 || again.text(t, "id") != first.text(t, "id") {
		t.Fatalf("%d %s, %d %s", first.status, first.body, again.status, again.body)
	}
	if other := begin(with("Idempotency-Key", "k2")); other.status != 409 || other.text(t, "code") != "settlement_open" {
		t.Errorf("%d %s", other.status, other.body)
	}
	path := "/v1/settlements/" + first.text(t, "id")
	steer := func(verb, body string, more ...func(*http.Request)) answer {
		return f.do(t, request(http.MethodPost, path+"/"+verb, body, more...))
	}
	for verb, status := range map[string]string{"pause": "paused", "resume": "running"} {
		if got := steer(verb, `{"reason":"the books are checked"}`); got.status != 200 || got.text(t, "status") == "" {
			t.Errorf("%s: %d %s, want %s", verb, got.status, got.body, status)
		}
	}
	for what, got := range map[string]answer{
		"without a reason":   steer("pause", `{}`),
		"another merchant's": steer("pause", `{"reason":"x"}`, as(keyOfOther)),
	} {
		if got.status < 400 || got.status >= 500 {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	if got := steer("cancel", `{"reason":"over"}`); got.status != 200 || got.text(t, "status") != "canceled" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := steer("resume", `{"reason":"no"}`); got.status != 409 || got.text(t, "code") != "settlement_ended" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := f.do(t, request(http.MethodGet, path, "")); got.status != 200 || got.json(t)["done"] == nil {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := f.do(t, request(http.MethodGet, "/v1/settlements?campaign_id="+a.CampaignID, "")); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}
