package api_test

import (
	"net/http"
	"testing"

	"paysaga/domain/fault"
)

// TestNobodyReadsWhatIsAnothers (I-25): another merchant and another book see nothing, and can't tell that there is anything.
func TestNobodyReadsWhatIsAnothers(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	made := f.do(t, request(http.MethodPost, "/v1/orders", orderBody(nil)))
	orderID := made.text(t, "id")
	paymentID := f.pay(t, fields{"order": "", "order_id": `"` + orderID + `"`}).text(t, "id")
	before := f.store.rows()
	for _, key := range []string{keyOfOther, keyOfLive, keyOfPlatform} {
		for _, target := range []string{"/v1/payments/" + paymentID, "/v1/payments/" + paymentID + "/timeline", "/v1/orders/" + orderID} {
			if a := f.do(t, request(http.MethodGet, target, "", as(key))); a.status != 404 || a.text(t, "code") != "not_found" {
				t.Errorf("%s reads %s: %d %s", key, target, a.status, a.body)
			}
		}
		if a := f.do(t, request(http.MethodGet, "/v1/payments?order_id="+orderID, "", as(key))); len(a.json(t)["data"].([]any)) != 0 {
			t.Errorf("%s lists %s", key, a.body)
		}
		if a := f.pay(t, fields{"order": "", "order_id": `"` + orderID + `"`}, as(key)); a.status != 404 || a.text(t, "param") != "order_id" {
			t.Errorf("%s pays another's order: %d %s", key, a.status, a.body)
		}
		if a := f.cancel(t, paymentID, "", as(key)); a.status != 404 {
			t.Errorf("%s cancels: %d %s", key, a.status, a.body)
		}
	}
	if f.store.rows() != before {
		t.Error("something was stored")
	}
}

func TestPlatformActsForItsMerchants(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	forShop := with("Paysaga-Merchant", shop)
	a := f.pay(t, nil, as(keyOfPlatform), forShop)
	if a.status != http.StatusCreated || a.text(t, "merchant_id") != shop {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for _, edit := range [][]func(*http.Request){{as(keyOfShop)}, {as(keyOfPlatform), forShop}, {as(keyOfShop), forShop}} {
		if a := f.do(t, request(http.MethodGet, "/v1/payments/"+a.text(t, "id"), "", edit...)); a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := f.pay(t, nil, as(keyOfPlatform), with("Paysaga-Merchant", other)); a.status != http.StatusForbidden {
		t.Errorf("a merchant that isn't below: %d", a.status)
	}
	if a := f.pay(t, nil, as(keyOfShop), with("Paysaga-Merchant", platform)); a.status != http.StatusForbidden {
		t.Errorf("a merchant above: %d", a.status)
	}
}

func TestOperatorsReadTheirBook(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	mine := f.pay(t, nil).text(t, "id")
	theirs := f.pay(t, nil, as(keyOfOther)).text(t, "id")
	live := f.pay(t, nil, as(keyOfLive)).text(t, "id")
	list := func(edit ...func(*http.Request)) []any {
		return f.do(t, request(http.MethodGet, "/v1/payments", "", append(edit, as(keyOfOperator))...)).json(t)["data"].([]any)
	}
	if all := list(); len(all) != 2 {
		t.Errorf("an operator lists %v", all)
	}
	if one := list(with("Paysaga-Merchant", other)); len(one) != 1 || one[0].(map[string]any)["id"] != theirs {
		t.Errorf("narrowed: %v", one)
	}
	for paymentID, status := range map[string]int{mine: 200, theirs: 200, live: 404} {
		if a := f.do(t, request(http.MethodGet, "/v1/payments/"+paymentID, "", as(keyOfOperator))); a.status != status {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := f.pay(t, nil, as(keyOfOperator)); a.status != http.StatusForbidden {
		t.Errorf("an operator pays: %d", a.status)
	}
	if a := f.pay(t, nil, as(keyOfDesk), with("Paysaga-Merchant", other)); a.status != http.StatusCreated || a.text(t, "merchant_id") != other {
		t.Errorf("an operator with the scope, for a merchant: %d %s", a.status, a.body)
	}
}

func TestWhoAsksIsFoundOutBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	a := f.do(t, request(http.MethodPost, "/v1/payments?x=1", "{", as("sk_test_nobody"), without("Idempotency-Key"), without("Content-Type")))
	if a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	f.store.broken("Authenticate", fault.Denied("key_revoked", "this key of the shop was revoked by opr_1"))
	if a := f.do(t, request(http.MethodGet, "/v1/payments", "")); a.status != http.StatusUnauthorized || a.text(t, "code") != "unauthenticated" {
		t.Errorf("a revoked key: %d %s", a.status, a.body)
	}
	for _, scheme := range []string{"bearer", "BEARER"} {
		g := newFront(t)
		if a := g.do(t, request(http.MethodGet, "/v1/payments", "", with("Authorization", scheme+" "+keyOfShop))); a.status != http.StatusOK {
			t.Errorf("%s: %d", scheme, a.status)
		}
	}
}
