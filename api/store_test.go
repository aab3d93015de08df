package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"paysaga/api"
	"paysaga/channels"
	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/store"
	"paysaga/store/storetest"
)

// realKeys lets the tests' fixed tokens stand for the random ones of the real store.
type realKeys struct {
	store  *store.Store
	tokens map[string]string
}

func (k realKeys) Authenticate(ctx context.Context, token string) (access.Principal, error) {
	return k.store.Authenticate(ctx, k.tokens[token])
}

// onStore is a front on the real store; its sagas say nothing, so payments stay as they were received.
func onStore(t *testing.T) (*front, *storetest.Database) {
	t.Helper()
	db := storetest.Open(t)
	s := db.Store
	seed := storetest.Plant(t, s, id.Test)
	also := func(book id.Book, g store.KeyGrant) string {
		g.Book = book
		_, token, err := s.CreateKey(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	operator, _, err := s.CreateOperator(t.Context(), "Desk")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddChannelAccount(t.Context(), store.ChannelAccount{Book: id.Test, Channel: "cards", Lane: payment.Standard, Credentials: map[string]string{"secret": "x"}}); err != nil {
		t.Fatal(err)
	}
	keys := realKeys{s, map[string]string{
		keyOfShop:     seed.Token,
		keyOfReader:   also(id.Test, store.KeyGrant{MerchantID: seed.MerchantID, Scopes: []access.Scope{access.PaymentsRead}}),
		keyOfDesk:     also(id.Test, store.KeyGrant{OperatorID: operator, Scopes: []access.Scope{access.PaymentsWrite}}),
		keyOfOperator: also(id.Test, store.KeyGrant{OperatorID: operator}),
		keyOfOther:    storetest.Plant(t, s, id.Test).Token,
		keyOfLive:     storetest.Plant(t, s, id.Live).Token,
	}}
	f := &front{logs: &logBuffer{}, account: seed.ChannelAccount, merchant: seed.MerchantID, sagas: &sagas{}}
	f.signIn = func(t testing.TB, merchant, user string) string {
		session := access.Session{ID: mint(id.Session), Book: id.Test, MerchantID: merchant, UserID: user}
		if _, err := db.Owner.Exec(t.Context(), `INSERT INTO user_sessions (book, id, user_id, merchant_id, created_at, refreshed_at, expires_at)
			VALUES ('test', $1, $2, $3, now(), now(), now() + interval '1 day')`, session.ID, user, merchant); err != nil {
			t.Fatal(err)
		}
		return tokenOf(t, s, session, time.Now())
	}
	f.sagas.accepting(func(context.Context, payment.Payment) error { return fault.Unknown("saga_unanswered", "x", nil) })
	f.sagas.canceling(func(context.Context, payment.Payment) error { return fault.Unknown("saga_unanswered", "x", nil) })
	all := []payment.MethodType{payment.MethodQR, payment.MethodRedirect, payment.MethodCardToken}
	registry := prometheus.NewRegistry()
	f.handler, err = api.New(api.Config{Deadline: time.Second, StoreTimeout: time.Minute}, api.Parts{
		Keys: keys, Sessions: s, Users: s, Logins: s, Destinations: s, Accounts: s, Book: s, Reader: s, Refunds: s, Payouts: s, Ledger: s, Cases: s, Judge: newMemory(), Inbox: s, Store: s, Starter: f.sagas,
		Channels: channels.NewRegistry(fakeChannel{name: "sandbox", methods: all}, fakeChannel{name: "cards", methods: all[2:]}),
		Rules:    s, Lists: s, Sealer: s, Rebates: s, Settler: newMemory(), Rerater: newMemory(),
		Transfers: s,
		Notices:   s, Writer: words{},
		Campaigns: s, Shoppers: s,
		Endpoints: s, Outbox: s, Again: s, Hooks: hooks(t),
		Metrics: registry, MetricsPage: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		Log: slog.New(slog.NewTextHandler(f.logs, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f, db
}

// allRows counts the rows of all tables, but for the lanes: a process takes one before it knows what will be refused.
func allRows(t *testing.T, db *storetest.Database) int {
	t.Helper()
	const sql = `SELECT coalesce(sum((xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I', schemaname, tablename), false, true, '')))[1]::text::int), 0)
		FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND tablename <> 'lanes'`
	var n int
	if err := db.Owner.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBadInputChangesNoRow is TestBadInputIsRefused on PostgreSQL: the same refusals, and not one row more anywhere.
func TestBadInputChangesNoRow(t *testing.T) {
	t.Parallel()
	f, db := onStore(t)
	before := allRows(t, db)
	for _, r := range refusals() {
		checkProblem(t, r, f.do(t, request(http.MethodPost, "/v1/payments", r.body, r.edit...)))
	}
	if after := allRows(t, db); after != before || before == 0 {
		t.Errorf("%d rows before, %d after", before, after)
	}
}

func TestFiftyEqualRequestsOnTheStore(t *testing.T) {
	t.Parallel()
	f, db := onStore(t)
	body := payBody(fields{"order": order, "customer": `{"reference":"c-7","name":"A"}`})
	answers := make([]answer, 50)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			answers[i] = f.do(t, request(http.MethodPost, "/v1/payments", body, with("Idempotency-Key", "one")))
		})
	}
	all.Wait()
	replayed := 0
	for _, a := range answers {
		if a.status != http.StatusAccepted || string(a.body) != string(answers[0].body) {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a.header.Get("Idempotent-Replayed") == "true" {
			replayed++
		}
	}
	for table, want := range map[string]int{"payments": 1, "orders": 1, "idempotency": 1, "users": 1} {
		var n int
		if err := db.Owner.QueryRow(t.Context(), fmt.Sprintf("SELECT count(*) FROM %s", table)).Scan(&n); err != nil || n != want {
			t.Errorf("%s: %d rows, %v", table, n, err)
		}
	}
	if replayed != 49 {
		t.Errorf("%d replayed", replayed)
	}
}

// TestWayThroughTheStore: orders, payments by order and by id, a cancel, a timeline and a callback, as PostgreSQL has them.
func TestWayThroughTheStore(t *testing.T) {
	t.Parallel()
	f, _ := onStore(t)
	made := f.do(t, request(http.MethodPost, "/v1/orders", orderBody(nil)))
	orderID := made.text(t, "id")
	if made.status != http.StatusCreated || made.text(t, "amount_total") != "12.34" {
		t.Fatalf("%d %s", made.status, made.body)
	}
	key := with("Idempotency-Key", "p-1")
	content := payBody(fields{"order": "", "order_id": `"` + orderID + `"`, "amount": "", "metadata": `{"basket":"42"}`})
	paid := f.do(t, request(http.MethodPost, "/v1/payments", content, key))
	if paid.status != http.StatusAccepted || paid.text(t, "amount") != "12.34" || paid.text(t, "order_reference") != made.text(t, "reference") {
		t.Fatalf("%d %s", paid.status, paid.body)
	}
	paymentID := paid.text(t, "id")
	if again := f.do(t, request(http.MethodPost, "/v1/payments", content, key)); again.header.Get("Idempotent-Replayed") != "true" || string(again.body) != string(paid.body) {
		t.Errorf("%d %s", again.status, again.body)
	}
	if a := f.do(t, request(http.MethodPost, "/v1/payments", payBody(nil), key)); a.status != 422 || a.text(t, "code") != "idempotency_key_reused" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, target := range []string{"/v1/payments/" + paymentID, "/v1/payments/" + paymentID + "/timeline", "/v1/orders/" + orderID, "/v1/payments?order_id=" + orderID} {
		if a := f.do(t, request(http.MethodGet, target, "")); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	for _, key := range []string{keyOfOther, keyOfLive} {
		if a := f.do(t, request(http.MethodGet, "/v1/payments/"+paymentID, "", as(key))); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", key, a.status)
		}
		if a := f.do(t, request(http.MethodPost, "/v1/payments", content, as(key))); a.status != http.StatusNotFound && a.status != 422 {
			t.Errorf("%s: %d %s", key, a.status, a.body)
		}
	}
	for i, replayed := range []string{"", "true"} {
		if a := f.cancel(t, paymentID, "", with("Idempotency-Key", "c-1")); a.status != http.StatusAccepted || a.header.Get("Idempotent-Replayed") != replayed {
			t.Errorf("cancel %d: %d %s", i, a.status, a.body)
		}
	}
	if a := f.cancel(t, paymentID, ""); a.status != http.StatusAccepted {
		t.Errorf("a cancel under another key: %d %s", a.status, a.body)
	}
	if a := f.do(t, request(http.MethodPost, "/v1/orders", orderBody(fields{"reference": `"` + made.text(t, "reference") + `"`, "lines": `[{"sku":"x","quantity":1,"unit_price":"1"}]`}))); a.status != http.StatusConflict || a.text(t, "param") != "reference" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for range 2 {
		if a := f.callback(t, "sandbox", f.account, "<paid/>", with("X-Signature", "good"), with("X-Event", "e-1")); a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := f.do(t, request(http.MethodGet, "/readyz", "")); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}
