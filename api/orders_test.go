package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
)

func TestOrderWithLinesPaymentsAndSums(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	key := with("Idempotency-Key", "o-1")
	content := orderBody(fields{"lines": `[{"sku":"tea","description":"绿茶","quantity":3,"unit_price":"5.00","discount":"1.00","tax":"0.34"}]`,
		"adjustments": `[{"type":"shipping","amount":"2.00"},{"type":"discount","amount":"4.00"}]`})
	a := f.do(t, request(http.MethodPost, "/v1/orders", content, key))
	if a.status != http.StatusCreated || a.header.Get("Location") != "/v1/orders/"+a.text(t, "id") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	o := a.json(t)
	if o["amount_total"] != "12.34" || o["amount_unpaid"] != "12.34" || o["status"] != "open" || len(o["payments"].([]any)) != 0 {
		t.Errorf("%s", a.body)
	}
	orderID := a.text(t, "id")
	s := f.store.committed()[0]
	if s.Cause != orderID+":rc1" || s.Business != orderID || s.Changes[0].(trade.Receive).Idempotency.Operation != "POST /v1/orders" {
		t.Errorf("step %+v", s)
	}
	again := f.do(t, request(http.MethodPost, "/v1/orders", content, key))
	if again.status != http.StatusCreated || again.header.Get("Idempotent-Replayed") != "true" || again.text(t, "id") != orderID {
		t.Errorf("%d %s", again.status, again.body)
	}
	standing := f.do(t, request(http.MethodPost, "/v1/orders", content))
	if standing.status != http.StatusCreated || standing.text(t, "id") != orderID {
		t.Errorf("the same reference and content: %d %s", standing.status, standing.body)
	}
	different := strings.Replace(content, `"quantity":3`, `"quantity":4`, 1)
	if a := f.do(t, request(http.MethodPost, "/v1/orders", different)); a.status != http.StatusConflict || a.text(t, "code") != "order_reference_exists" || a.text(t, "param") != "reference" {
		t.Errorf("the same reference, other content: %d %s", a.status, a.body)
	}
	paid := f.pay(t, fields{"order": "", "order_id": `"` + orderID + `"`})
	read := f.do(t, request(http.MethodGet, "/v1/orders/"+orderID, ""))
	list := read.json(t)["payments"].([]any)
	if read.status != 200 || len(list) != 1 || list[0].(map[string]any)["id"] != paid.text(t, "id") {
		t.Errorf("%d %s", read.status, read.body)
	}
}

func TestListOfPayments(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	var ids []string
	for i := range 25 {
		f.clock.now.Add(time.Second.Microseconds())
		f.sagas.moving(succeed)
		if i == 3 {
			f.sagas.moving(func(p *payment.Payment) { p.Status, p.Channel = payment.Failed, "cards" })
		}
		ids = append([]string{f.pay(t, nil).text(t, "id")}, ids...)
	}
	list := func(query string) ([]string, bool) {
		a := f.do(t, request(http.MethodGet, "/v1/payments"+query, ""))
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d %s", query, a.status, a.body)
		}
		var got []string
		for _, p := range a.json(t)["data"].([]any) {
			got = append(got, p.(map[string]any)["id"].(string))
		}
		return got, a.json(t)["has_more"].(bool)
	}
	first, more := list("")
	if len(first) != 20 || !more || first[0] != ids[0] {
		t.Errorf("the first page: %d %v", len(first), more)
	}
	rest, more := list("?limit=100&starting_after=" + first[19])
	if len(rest) != 5 || more || rest[0] != ids[20] {
		t.Errorf("the rest: %d %v", len(rest), more)
	}
	for query, n := range map[string]int{
		"?status=failed": 1, "?status=succeeded&limit=100": 24, "?channel=cards": 1, "?channel=nowhere": 0, "?order_id=" + mint(id.Order): 0,
		"?created_from=2026-11-21T08:00:05Z&created_before=2026-11-21T08:00:08Z":               3,
		"?created_from=2026-11-21T16:00:05%2B08:00&created_before=2026-11-21T08:00:08.000001Z": 4,
	} {
		if got, _ := list(query); len(got) != n {
			t.Errorf("%s: %d, not %d", query, len(got), n)
		}
	}
}

func TestReceiptOfAnOrderOverTheAPI(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	f.sagas.moving(succeed)
	buyer := mint(id.User)
	paid := f.pay(t, nil)
	orderID := paid.text(t, "order_id")
	url := "/v1/orders/" + orderID + "/receipt"
	refused := func(a answer, status int, code string) {
		t.Helper()
		if a.status != status || a.text(t, "code") != code {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	refused(f.do(t, request(http.MethodPost, url, `{}`)), http.StatusConflict, "order_unpaid")
	f.store.mu.Lock()
	o := f.store.orders[orderID]
	o.Paid = o.Total
	f.store.orders[orderID] = o
	p := f.store.payments[paid.text(t, "id")]
	p.CustomerID = buyer
	f.store.payments[p.ID] = p
	f.store.mu.Unlock()
	refused(f.do(t, request(http.MethodPost, url, `{}`, f.asUser(t, shop, mint(id.User)))), http.StatusNotFound, "not_found")
	refused(f.do(t, request(http.MethodPost, url, `{"received_at":"2026-11-21T08:00:00Z"}`, f.asUser(t, shop, buyer))), http.StatusUnprocessableEntity, "field_forbidden")
	refused(f.do(t, request(http.MethodPost, url, `{"received_at":"2126-11-21T08:00:00Z"}`)), http.StatusUnprocessableEntity, "time_invalid")
	refused(f.do(t, request(http.MethodPost, "/v1/orders/"+mint(id.Order)+"/receipt", `{}`)), http.StatusNotFound, "not_found")
	refused(f.do(t, request(http.MethodGet, "/v1/orders/"+orderID, "", f.asUser(t, shop, buyer))), http.StatusForbidden, "users_forbidden")
	first := f.do(t, request(http.MethodPost, url, `{}`, f.asUser(t, shop, buyer)))
	again := f.do(t, request(http.MethodPost, url, `{"received_at":"2026-11-21T08:00:05Z"}`))
	if first.status != 200 || again.status != 200 || first.text(t, "received_at") == "" || first.text(t, "received_at") != again.text(t, "received_at") {
		t.Errorf("%d %s, and then %d %s", first.status, first.body, again.status, again.body)
	}
}
