package api_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"paysaga/api"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/transfer"
)

// user is somebody of the shop: whoever pays is one.
func (f *front) user(t testing.TB, reference string, edit ...func(*http.Request)) string {
	t.Helper()
	return f.pay(t, fields{"customer": fmt.Sprintf(`{"reference":%q}`, reference)}, edit...).text(t, "customer_id")
}

func (f *front) transfer(t testing.TB, from, to, amount string, edit ...func(*http.Request)) answer {
	t.Helper()
	return f.do(t, request(http.MethodPost, "/v1/transfers", fmt.Sprintf(`{"from":%q,"to":%q,"amount":%q,"currency":"CNY"}`, from, to, amount), edit...))
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	ada, bob := f.user(t, "ada"), f.user(t, "bob")
	f.store.wallets.holds[ada] = 1000
	a := f.transfer(t, ada, bob, "7.50")
	if a.status != http.StatusCreated || a.text(t, "status") != "succeeded" || a.text(t, "from") != ada || a.text(t, "to") != bob ||
		a.header.Get("Location") != "/v1/transfers/"+a.text(t, "id") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := f.transfer(t, ada, bob, "2.51"); a.status != http.StatusConflict || a.text(t, "code") != "insufficient_balance" || a.text(t, "available") != "2.50" {
		t.Errorf("more than there is: %d %s", a.status, a.body)
	}
	for code, want := range map[string]string{"wallet_frozen": "recipient_frozen", "wallet_closed": "recipient_closed"} {
		f.store.wallets.refused[bob] = code
		if a := f.transfer(t, bob, ada, "1.00"); a.status != http.StatusConflict || a.text(t, "code") != code || a.text(t, "param") != "from" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := f.transfer(t, ada, bob, "1.00"); a.status != http.StatusConflict || a.text(t, "code") != want || a.text(t, "param") != "to" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	for path, want := range map[string]int{"/v1/transfers": 1, "/v1/transfers?user_id=" + bob: 1, "/v1/transfers?user_id=" + mint(id.User): 0,
		"/v1/transfers?status=failed": 0, "/v1/transfers?limit=1": 1, "/v1/transfers?starting_after=" + a.text(t, "id"): 0,
		"/v1/transfers?created_from=2199-01-01T00:00:00Z": 0} {
		a := f.do(t, request(http.MethodGet, path, ""))
		if list, _ := a.json(t)["data"].([]any); a.status != http.StatusOK || len(list) != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if got := f.do(t, request(http.MethodGet, "/v1/transfers/"+a.text(t, "id"), "")); got.status != http.StatusOK || got.text(t, "id") != a.text(t, "id") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestTransferIsRepeated(t *testing.T) {
	t.Parallel()
	f := newFrontWith(t, api.Config{Deadline: 20 * time.Millisecond})
	ada, bob := f.user(t, "ada"), f.user(t, "bob")
	f.store.wallets.holds[ada] = 100
	stuck := func(ctx context.Context, _ transfer.Transfer) error { <-ctx.Done(); return ctx.Err() }
	f.sagas.acceptTransfer.Store(&stuck)
	key := with("Idempotency-Key", "t-1")
	first := f.transfer(t, ada, bob, "1.00", key)
	if first.status != http.StatusAccepted || first.text(t, "status") != "processing" {
		t.Errorf("first: %d %s", first.status, first.body)
	}
	f.sagas.acceptTransfer.Store(nil)
	f.store.wallets.refused[bob] = "wallet_frozen" // a repeat isn't judged anew, and what was there is settled as things stand
	again := f.transfer(t, ada, bob, "1.00", key)
	if again.status != http.StatusCreated || again.header.Get("Idempotent-Replayed") != "true" || again.text(t, "id") != first.text(t, "id") ||
		again.text(t, "status") != "failed" || again.text(t, "failure_code") != "recipient_frozen" {
		t.Errorf("again: %d %s", again.status, again.body)
	}
	if other := f.transfer(t, ada, bob, "2.00", key); other.status != http.StatusUnprocessableEntity || other.text(t, "code") != "idempotency_key_reused" {
		t.Errorf("another body: %d %s", other.status, other.body)
	}
}

// A user sends only what is theirs, and sees only what they sent or got (I-25).
func TestTransfersOfAUser(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	ada, bob, eve := f.user(t, "ada"), f.user(t, "bob"), f.user(t, "eve")
	f.store.wallets.holds[ada], f.store.wallets.holds[bob] = 1000, 1000
	asAda, asEve := f.asUser(t, shop, ada), f.asUser(t, shop, eve)
	a := f.transfer(t, ada, bob, "1.00", asAda, with("Idempotency-Key", "one"))
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if b := f.transfer(t, bob, ada, "1.00", asAda); b.status != http.StatusNotFound || b.text(t, "param") != "from" {
		t.Errorf("another's money: %d %s", b.status, b.body)
	}
	if b := f.transfer(t, ada, bob, "1.00", asEve, with("Idempotency-Key", "one")); b.status != http.StatusNotFound {
		t.Errorf("another's key: %d %s", b.status, b.body)
	}
	for who, want := range map[string]int{ada: 200, bob: 200, eve: 404} {
		if got := f.do(t, request(http.MethodGet, "/v1/transfers/"+a.text(t, "id"), "", f.asUser(t, shop, who))); got.status != want {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	list := f.do(t, request(http.MethodGet, "/v1/transfers", "", asEve))
	if data, _ := list.json(t)["data"].([]any); list.status != http.StatusOK || len(data) != 0 {
		t.Errorf("what is another's: %d %s", list.status, list.body)
	}
	if list := f.do(t, request(http.MethodGet, "/v1/transfers?user_id="+ada, "", asEve)); list.status != http.StatusNotFound {
		t.Errorf("%d %s", list.status, list.body)
	}
}

func TestTransferBadInput(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f *front, rows func() int) {
		if f.store == nil {
			stuck := func(context.Context, transfer.Transfer) error { return fault.Unknown("saga_unanswered", "x", nil) }
			f.sagas.acceptTransfer.Store(&stuck)
		}
		ada, bob, eve := f.user(t, "ada"), f.user(t, "bob"), f.user(t, "eve", as(keyOfOther))
		before := rows()
		for _, bad := range []struct {
			from, to, amount, more string
			status                 int
			param                  string
		}{
			{ada, bob, `"0.00"`, "", 422, "amount"}, {ada, bob, `"-1.00"`, "", 422, "amount"}, {ada, bob, `"1.001"`, "", 422, "amount"},
			{ada, bob, `1`, "", 422, "amount"}, {ada, bob, `""`, "", 422, "amount"}, {ada, bob, `"99999999999999999999"`, "", 422, "amount"},
			{ada, ada, `"1.00"`, "", 422, "to"}, {"", bob, `"1.00"`, "", 422, "from"}, {ada, "", `"1.00"`, "", 422, "to"},
			{"usr_1", bob, `"1.00"`, "", 422, "from"}, {ada, mint(id.Payment), `"1.00"`, "", 422, "to"},
			{ada, mint(id.User), `"1.00"`, "", 404, "to"}, {mint(id.User), ada, `"1.00"`, "", 404, "from"},
			{ada, eve, `"1.00"`, "", 404, "to"}, {eve, ada, `"1.00"`, "", 404, "from"}, // I-25
			{ada, bob, `"1.00"`, `,"description":"a\u0000b"`, 0, ""}, {ada, bob, `"1.00"`, `,"description":1`, 422, "description"},
			{ada, bob, `"1.00"`, `,"metadata":{"":"x"}`, 422, "metadata"}, {ada, bob, `"1.00"`, `,"From":"x"`, 422, "From"},
			{ada, bob, `"1.00"`, `,"amount":"2.00"`, 400, ""}, {ada, bob, `"1.00"`, `}{`, 400, ""},
		} {
			body := fmt.Sprintf(`{"from":%q,"to":%q,"amount":%s,"currency":"CNY"%s}`, bad.from, bad.to, bad.amount, bad.more)
			a := f.do(t, request(http.MethodPost, "/v1/transfers", body))
			if a.status < 400 || a.status >= 500 || (bad.status != 0 && a.status != bad.status) || (bad.param != "" && a.text(t, "param") != bad.param) {
				t.Errorf("%s: %d %s", body, a.status, a.body)
			}
		}
		for what, a := range map[string]answer{
			"no currency":       f.do(t, request(http.MethodPost, "/v1/transfers", fmt.Sprintf(`{"from":%q,"to":%q,"amount":"1.00"}`, ada, bob))),
			"no key":            f.transfer(t, ada, bob, "1.00", without("Idempotency-Key")),
			"another book's":    f.transfer(t, ada, bob, "1.00", as(keyOfLive)),
			"without the scope": f.transfer(t, ada, bob, "1.00", as(keyOfReader)),
			"an operator's":     f.transfer(t, ada, bob, "1.00", as(keyOfOperator)),
			"an unknown query":  f.do(t, request(http.MethodGet, "/v1/transfers?from="+ada, "")),
			"no status":         f.do(t, request(http.MethodGet, "/v1/transfers?status=canceled", "")),
			"no user":           f.do(t, request(http.MethodGet, "/v1/transfers?user_id=x", "")),
			"no such transfer":  f.do(t, request(http.MethodGet, "/v1/transfers/"+mint(id.Transfer), "")),
		} {
			if a.status < 400 || a.status >= 500 {
				t.Errorf("%s: %d %s", what, a.status, a.body)
			}
		}
		if after := rows(); after != before {
			t.Errorf("%d rows before, %d after", before, after)
		}
		if a := f.transfer(t, ada, bob, "1.00"); a.status != http.StatusConflict || a.text(t, "code") != "insufficient_balance" || a.text(t, "available") != "0.00" {
			t.Errorf("out of an empty wallet: %d %s", a.status, a.body)
		}
	})
}
