package api_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"paysaga/api"
	"paysaga/domain/delivery"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/rebate"
	"paysaga/domain/trade"
)

func specification(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.Specification())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestGeneratingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	for _, g := range []struct{ dir, config, spec, tools, out string }{
		{".", "server.codegen.yaml", "openapi.yaml", "../tools.mod", "server.gen.go"},
		{"client", "client.codegen.yaml", "../openapi.yaml", "../../tools.mod", "client.gen.go"},
	} {
		fresh := filepath.Join(t.TempDir(), g.out)
		config, err := os.ReadFile(filepath.Join(g.dir, g.config))
		if err != nil {
			t.Fatal(err)
		}
		elsewhere := filepath.Join(t.TempDir(), g.config)
		config = bytes.Replace(config, []byte("output: "+g.out), []byte("output: "+fresh), 1)
		if err := os.WriteFile(elsewhere, config, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile="+g.tools, "oapi-codegen", "-config", elsewhere, g.spec)
		cmd.Dir = g.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("oapi-codegen: %v\n%s", err, out)
		}
		want, err := os.ReadFile(fresh)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(g.dir, g.out))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("%s is stale: run go generate ./api ./api/client", g.out)
		}
	}
}

func TestRoutesAndDocumentAgree(t *testing.T) {
	t.Parallel()
	front, ok := newFront(t).handler.(*echo.Echo)
	if !ok {
		t.Fatal("the handler isn't echo's")
	}
	served := map[string]bool{}
	braces := regexp.MustCompile(`:([a-z_]+)`)
	for _, r := range front.Routes() {
		served[r.Method+" "+braces.ReplaceAllString(r.Path, "{$1}")] = true
	}
	delete(served, "GET /docs/*") // the assets of /docs
	written := map[string]bool{}
	for path, item := range specification(t).Paths.Map() {
		for method, op := range item.Operations() {
			written[method+" "+path] = true
			if !api.Guarded(op.OperationID) {
				t.Errorf("%s has no entry in operations", op.OperationID)
			}
		}
	}
	if !maps.Equal(served, written) {
		t.Errorf("served %v\nwritten %v", slices.Sorted(maps.Keys(served)), slices.Sorted(maps.Keys(written)))
	}
	if n := api.Operations(); n != len(written) {
		t.Errorf("operations has %d entries, the document %d", n, len(written))
	}
}

func TestOperationsAskForWhatTheDocumentSays(t *testing.T) {
	t.Parallel()
	for path, item := range specification(t).Paths.Map() {
		for method, op := range item.Operations() {
			open := op.Security != nil && len(*op.Security) == 0
			user := false // {user: []} stands beside {key: []}
			if op.Security != nil {
				for _, way := range *op.Security {
					_, token := way["user"]
					user = user || token
				}
			}
			key, query := false, []string{}
			for _, p := range op.Parameters {
				key = key || p.Value.Name == "Idempotency-Key"
				if p.Value.In == "query" {
					query = append(query, p.Value.Name)
				}
			}
			if err := api.Matches(op.OperationID, open, key, user, query); err != nil {
				t.Errorf("%s %s: %v", method, path, err)
			}
		}
	}
}

func TestDocumentIsValidAndComplete(t *testing.T) {
	t.Parallel()
	doc := specification(t)
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Summary == "" {
				t.Errorf("%s %s has no summary", method, path)
			}
			if strings.HasPrefix(path, "/v1/") && op.Responses.Value("500") == nil {
				t.Errorf("%s %s doesn't say that it may break", method, path)
			}
		}
	}
	for name, schema := range doc.Components.Schemas {
		if strings.HasSuffix(name, "Request") && (schema.Value.AdditionalProperties.Has == nil || *schema.Value.AdditionalProperties.Has) {
			t.Errorf("%s takes fields that nobody knows", name)
		}
	}
}

// TestDocumentHasTheEnumsOfTheDomain: an enum in the code that the document lacks breaks other people's clients.
func TestDocumentHasTheEnumsOfTheDomain(t *testing.T) {
	t.Parallel()
	doc := specification(t)
	for name, want := range map[string][]string{
		"PaymentStatus":         texts(payment.Statuses),
		"OrderStatus":           texts(trade.Statuses()),
		"OrderType":             trade.Types(),
		"AdjustmentType":        trade.AdjustmentTypes(),
		"AccountKind":           texts([]ledger.Kind{ledger.Asset, ledger.Liability, ledger.Income, ledger.Expense, ledger.Equity, ledger.Memo}),
		"Side":                  texts([]ledger.Side{ledger.Debit, ledger.Credit}),
		"Dating":                texts([]ledger.Dating{ledger.ByBooking, ledger.ByEffective}),
		"MethodType":            texts([]payment.MethodType{payment.MethodQR, payment.MethodRedirect, payment.MethodCardToken, payment.MethodBarcode, payment.MethodInApp, payment.MethodMiniProgram, payment.MethodBankTransfer, payment.MethodWallet}),
		"PartSource":            texts([]payment.Source{payment.FromChannel, payment.FromWallet}),
		"WebhookEndpointStatus": texts(delivery.EndpointStatuses()),
		"WebhookDeliveryStatus": texts(delivery.States()),
		"WebhookOutcome":        texts(delivery.Outcomes()),
		"CaptureMethod":         texts([]payment.CaptureMethod{payment.CaptureAutomatic, payment.CaptureManual}),
	} {
		var got []string
		for _, v := range doc.Components.Schemas[name].Value.Enum {
			got = append(got, v.(string))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: document %v, domain %v", name, got, want)
		}
	}
}

func texts[T ~string](list []T) []string {
	var out []string
	for _, v := range list {
		out = append(out, string(v))
	}
	return out
}

// TestDocumentHasEveryFieldOfTheObjects: events carry the same objects, so a field the document lacks would be unexplained.
func TestDocumentHasEveryFieldOfTheObjects(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := payment.Payment{
		CustomerID: "usr", Channel: "sandbox", DeclineCode: "x", DeclineClass: "soft", ReviewDue: now, RiskFlag: "r@1", Status: payment.RequiresAction, BusinessDate: "2026-01-01", EffectiveAt: now,
		NextAction: &payment.Action{Type: "qr_code", URL: "u"}, Amount: money.New(1, "CNY"), Book: id.Test, Parts: []payment.Part{{Source: payment.FromWallet, Amount: money.New(1, "CNY")}},
	}
	o := trade.Order{Currency: "CNY", ReceivedAt: now, Lines: []trade.Line{{SKU: "s", Category: "c", Description: "d"}}, Adjustments: []trade.Adjustment{{Type: "fee"}}}
	hooked := delivery.Endpoint{Reason: "gone", FailingSince: now, LastSuccessAt: now, Schedule: delivery.Schedule{JitterPercent: 1}}.Public()
	hooked.Secret = "x"
	result := delivery.Result{Outcome: delivery.Retry, Reason: "http_500", Status: 500, Excerpt: "x"}
	campaign := rebate.Campaign{Currency: "CNY", Terms: rebate.Terms{Version: 1}}.Public()
	campaign.Funding = &rebate.PublicFunding{}
	told := delivery.Row{Last: result, NextAt: now, At: now, Delivered: now}.Public(delivery.Try{Result: result})
	for name, object := range map[string]any{
		"Payment": p.Public(), "Order": o.Public(), "Line": o.Public().Lines[0], "Adjustment": o.Public().Adjustments[0],
		"WebhookEndpoint": hooked, "WebhookDelivery": told, "WebhookTry": told.Tries[0], "WebhookSchedule": hooked.Schedule,
		"Campaign": campaign, "CampaignFunding": rebate.Funding{Amount: money.New(1, "CNY"), Reason: "r"}.Public(),
		"CampaignVersion": rebate.Version{Note: "n"}.Public(true),
		"Event":           trade.Event{MerchantID: "mer", Data: json.RawMessage("{}")}, "EventObject": trade.EventObject{},
		"Occurrence": payment.Occurrence{Data: map[string]any{"a": 1}},
	} {
		b, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(b, &fields); err != nil {
			t.Fatal(err)
		}
		schema := specification(t).Components.Schemas[name].Value
		if name == "Order" {
			fields["payments"] = nil // the front adds it
		}
		if got, want := slices.Sorted(maps.Keys(fields)), slices.Sorted(maps.Keys(schema.Properties)); !slices.Equal(got, want) {
			t.Errorf("%s has the fields\n%v, the document\n%v", name, got, want)
		}
	}
}

func TestReferencePageLoadsNothingFromOutside(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	page := f.do(t, request(http.MethodGet, "/docs", ""))
	if page.status != http.StatusOK || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
		t.Fatalf("%d %s", page.status, page.header.Get("Content-Type"))
	}
	loads := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(string(page.body), -1)
	if len(loads) < 3 {
		t.Fatalf("the page loads nothing: %v", loads)
	}
	for _, l := range loads {
		if !strings.HasPrefix(l[1], "/docs/") {
			t.Errorf("the page loads %s", l[1])
			continue
		}
		if a := f.do(t, request(http.MethodGet, l[1], "")); a.status != http.StatusOK || len(a.body) == 0 {
			t.Errorf("%s: %d", l[1], a.status)
		}
	}
	// What scripts would load at run time is refused by the browser.
	policy := page.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "http") || strings.Contains(policy, "*") {
		t.Errorf("policy: %s", policy)
	}
	if !bytes.Contains(page.body, []byte("validatorUrl: null")) {
		t.Error("the page would ask a validator elsewhere")
	}
	spec := f.do(t, request(http.MethodGet, "/openapi.yaml", ""))
	if !bytes.Equal(spec.body, api.Specification()) {
		t.Error("/openapi.yaml isn't the document")
	}
}
