package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"paysaga/drill/stage"
)

// world is a database and a Temporal server, and settings for them.
type world struct {
	env      map[string]string
	sandbox  string
	ear      string // where its merchant's endpoint may be
	merchant created
}

func newWorld(t *testing.T) *world {
	t.Helper()
	d := stage.StartDevstack(t)
	ear, err := freeAddress()
	require.NoError(t, err)
	w := &world{ear: ear}
	_, port, err := net.SplitHostPort(w.ear)
	require.NoError(t, err)
	w.env = map[string]string{"PAYSAGA_WEBHOOK_PORTS": "443," + port, "PAYSAGA_WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8", "PAYSAGA_WEBHOOK_PLAINTEXT": "true",
		"PAYSAGA_DATABASE_URL": d.AppURL, "PAYSAGA_OWNER_URL": d.PostgresURL, "PAYSAGA_SEAL_KEYS": goodKey,
		"PAYSAGA_TEMPORAL_ADDRESS": d.TemporalAddress, "PAYSAGA_TEMPORAL_NAMESPACE": d.Namespace, "PAYSAGA_PACE": "drill",
		"PAYSAGA_HTTP_ADDRESS": "127.0.0.1:0", "PAYSAGA_METRICS_ADDRESS": "127.0.0.1:0", "PAYSAGA_SANDBOX_ADDRESS": "127.0.0.1:0",
		"PAYSAGA_SANDBOX_BOOK": filepath.Join(t.TempDir(), "book"), "PAYSAGA_DEADLINE": "20s", "PAYSAGA_AUDIT_EVERY": "500ms"}
	w.do(t, "migrate")
	w.do(t, "migrate") // again: nothing to do
	w.sandbox = launch(t, w.env, "sandbox").url(t)
	out := w.do(t, "merchant", "create", "Tea House", "--fee-bps=60", "--sandbox-base-url="+w.sandbox, "--json")
	require.NoError(t, json.Unmarshal([]byte(out), &w.merchant))
	return w
}

// do runs a command that ends by itself, and well.
func (w *world) do(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	require.Zero(t, run(t.Context(), args, w.env, streams{strings.NewReader(`{"secret":"another"}`), &out, &errs}), "%v: %s%s", args, &out, &errs)
	return out.String()
}

func order(reference, method string) string {
	return `{"order":{"reference":"` + reference + `","type":"purchase"},"amount":"12.34","currency":"CNY","method":` + method + `}`
}

// The whole of paysaga as its user meets it: processes, a database, a Temporal
// server, a channel, and the commands beside them.
func TestFromAnEmptyDatabaseToABookedPayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	serve := launch(t, w.env, "serve")
	at := serve.url(t)

	card := order("A-1", `{"type":"card_token","token":"tok_ok"}`)
	code, paid := call(t, http.MethodPost, at+"/v1/payments", w.merchant.APIKey, card)
	require.Equal(t, http.StatusCreated, code, paid)
	require.Equal(t, "succeeded", paid["status"])
	require.Equal(t, "12.34", paid["amount"])
	code, again := call(t, http.MethodPost, at+"/v1/payments", w.merchant.APIKey, card)
	require.Equal(t, http.StatusCreated, code)
	require.Equal(t, paid["id"], again["id"], "one key, one payment")

	w.listen(t, at)
	one := at + "/v1/payments/" + paid["id"].(string)
	code, read := call(t, http.MethodGet, one, w.merchant.APIKey, "")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "succeeded", read["status"])
	code, timeline := call(t, http.MethodGet, one+"/timeline", w.merchant.APIKey, "")
	require.Equal(t, http.StatusOK, code)
	require.Greater(t, len(timeline["data"].([]any)), 4)

	code, open := call(t, http.MethodPost, at+"/v1/payments", w.merchant.APIKey, order("A-2", `{"type":"qr"}`))
	require.Equal(t, http.StatusCreated, code, open)
	require.Equal(t, "requires_action", open["status"])
	w.beside(t, open["id"].(string))
	code, _ = call(t, http.MethodPost, w.sandbox+"/admin/pay", "", `{"reference":"`+open["id"].(string)+`"}`)
	require.Equal(t, http.StatusOK, code)
	eventually(t, "the scanned code is paid", func() bool {
		_, p := call(t, http.MethodGet, at+"/v1/payments/"+open["id"].(string), w.merchant.APIKey, "")
		return p["status"] == "succeeded"
	})

	require.Contains(t, w.do(t, "audit", "--full"), " 0 broken")
	body, _, err := get(t.Context(), at+"/metrics")
	require.NoError(t, err)
	for _, metric := range []string{"paysaga_build_info", "paysaga_http_requests_total", "temporal_workflow_completed_total", "temporal_request_latency_seconds_bucket", "go_goroutines"} {
		require.Contains(t, string(body), metric)
	}
	eventually(t, "a worker audits the books", func() bool {
		body, _, err := get(t.Context(), at+"/metrics")
		return err == nil && strings.Contains(string(body), `paysaga_audit_broken_rows{invariant="I-01"} 0`)
	})
	require.Zero(t, serve.stop(t))
	for _, secret := range []string{w.merchant.APIKey, goodKey[3:], "tok_ok"} {
		require.NotContains(t, serve.said(), secret)
	}
	w.apart(t)
}

// listen is told of a payment, each message verified, and leaves no endpoint behind.
func (w *world) listen(t *testing.T, at string) {
	t.Helper()
	ear := launch(t, map[string]string{"PAYSAGA_LISTEN_KEY": w.merchant.APIKey}, "listen", "--address="+w.ear, "--api="+at, "--events=payment.*")
	eventually(t, "it has registered", func() bool { return strings.Contains(ear.said(), "is told of events") })
	code, paid := call(t, http.MethodPost, at+"/v1/payments", w.merchant.APIKey, order("A-9", `{"type":"card_token","token":"tok_ok"}`))
	require.Equal(t, http.StatusCreated, code, paid)
	told := func() (n int) { // how often it is told of this payment's success; of the one before it may be told, too
		for line := range strings.Lines(ear.said()) {
			if strings.Contains(line, "payment.succeeded") && strings.Contains(line, paid["id"].(string)) {
				n++
			}
		}
		return n
	}
	eventually(t, "it is told", func() bool { return told() == 1 })
	require.NotContains(t, ear.said(), "refused")
	require.NotContains(t, ear.said(), "order.")
	_, list := call(t, http.MethodGet, at+"/v1/webhook_endpoints", w.merchant.APIKey, "")
	endpoint := at + "/v1/webhook_endpoints/" + list["data"].([]any)[0].(map[string]any)["id"].(string)
	code, _ = call(t, http.MethodPost, endpoint+"/test", w.merchant.APIKey, "")
	require.Equal(t, http.StatusAccepted, code)
	eventually(t, "the ping comes, although it wasn't asked for", func() bool { return strings.Contains(ear.said(), "endpoint.ping") })
	eventually(t, "what was delivered is told again", func() bool {
		code, again := call(t, http.MethodPost, endpoint+"/redeliver", w.merchant.APIKey, `{"statuses":["delivered"],"types":["payment.succeeded"]}`)
		count, _ := again["count"].(float64)
		return code == http.StatusAccepted && count >= 1
	})
	eventually(t, "it comes a second time", func() bool { return told() == 2 })
	require.Zero(t, ear.stop(t))
	code, left := call(t, http.MethodGet, at+"/v1/webhook_endpoints", w.merchant.APIKey, "")
	require.Equal(t, http.StatusOK, code)
	require.Empty(t, left["data"])
}

// beside runs the commands that work beside a running paysaga.
func (w *world) beside(t *testing.T, openPayment string) {
	t.Helper()
	require.Regexp(t, `^[1-9]\d* replayed, 0 failed`, w.do(t, "replay", "--open", "--closed=5"))
	key := filepath.Join(t.TempDir(), "mei.key")
	require.Contains(t, w.do(t, "operator", "create", "Mei", "--key", key, "--api-key=test"), "sk_test_")
	info, err := os.Stat(key)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NotEmpty(t, w.do(t, "operator", "sign", "--key", key, "--payment", openPayment, "--decision=reject", "--reason=a try"))
	require.Contains(t, w.do(t, "channel", "add", "sandbox", "--merchant", w.merchant.MerchantID, "--base-url", w.sandbox, "--priority=200"), "cha_")
	made := w.do(t, "merchant", "key", w.merchant.MerchantID)
	require.Contains(t, made, "sk_test_")
	w.do(t, "merchant", "key", w.merchant.MerchantID, "--revoke", made[strings.Index(made, "key_"):strings.Index(made, ")")])
}

// apart runs the API and workers as processes of their own.
func (w *world) apart(t *testing.T) {
	t.Helper()
	api := launch(t, w.env, "api")
	calls := launch(t, w.env, "worker", "--queues=channel-sandbox,channel-stripe")
	sagas := launch(t, w.env, "worker", "--queues=payments")
	at := api.url(t)
	code, _ := call(t, http.MethodGet, sagas.url(t)+"/healthz", "", "")
	require.Equal(t, http.StatusOK, code)
	code, paid := call(t, http.MethodPost, at+"/v1/payments", w.merchant.APIKey, order("A-3", `{"type":"card_token","token":"tok_ok"}`))
	require.Equal(t, http.StatusCreated, code, paid)
	require.Equal(t, "succeeded", paid["status"])
	for _, p := range []*proc{api, calls, sagas} {
		require.Zero(t, p.stop(t))
	}
	require.Contains(t, w.do(t, "audit"), " 0 broken")
	w.broken(t)
}

// broken changes a balance behind the ledger's back: the audit has to see it.
func (w *world) broken(t *testing.T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.env["PAYSAGA_OWNER_URL"])
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	_, err = conn.Exec(t.Context(), "UPDATE accounts SET balance = balance + 1 WHERE balance > 0")
	require.NoError(t, err)
	code, out, errs := paysagaIn(t.Context(), w.env, "audit", "--full")
	require.Equal(t, 1, code, errs)
	require.Contains(t, out, "BROKEN  I-03")
}
