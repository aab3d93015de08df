package fake_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels/stripe/fake"
)

// spec is Stripe's own OpenAPI, as the module of stripe-mock carries it.
type spec struct {
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type schema struct {
	Ref        string            `json:"$ref"`
	Type       string            `json:"type"`
	Nullable   bool              `json:"nullable"`
	Required   []string          `json:"required"`
	Properties map[string]schema `json:"properties"`
	Items      *schema           `json:"items"`
	AnyOf      []schema          `json:"anyOf"`
	Enum       []any             `json:"enum"`
	MaxLength  int               `json:"maxLength"`
	// false, true or a schema; only its presence matters here
	Additional json.RawMessage `json:"additionalProperties"`
}

func loadSpec(t *testing.T) *spec {
	t.Helper()
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	require.NoError(t, err)
	tools := filepath.Join(filepath.Dir(strings.TrimSpace(string(mod))), "tools.mod")
	dir, err := exec.Command("go", "list", "-modfile="+tools, "-m", "-f", "{{.Dir}}", "github.com/stripe/stripe-mock").Output()
	require.NoError(t, err)
	raw, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "embedded", "openapi", "spec3.json"))
	require.NoError(t, err)
	var s spec
	require.NoError(t, json.Unmarshal(raw, &s))
	return &s
}

// check lists what a value has against a schema: missing and unknown properties, wrong types, values outside of an enum.
func (s *spec) check(at string, sc schema, v any) []string {
	if sc.Ref != "" {
		return s.check(at, s.Components.Schemas[strings.TrimPrefix(sc.Ref, "#/components/schemas/")], v)
	}
	if v == nil {
		if sc.Nullable {
			return nil
		}
		return []string{at + ": null"}
	}
	if len(sc.AnyOf) > 0 {
		// Expandable fields are an id or the object: what has the value's shape is meant.
		_, object := v.(map[string]any)
		best, found := []string{at + ": of no shape"}, false
		for _, each := range sc.AnyOf {
			if object != (each.Ref != "" || each.Type == "object") {
				continue
			}
			if wrong := s.check(at, each, v); !found || len(wrong) < len(best) {
				best, found = wrong, true
			}
		}
		return best
	}
	var wrong []string
	if len(sc.Enum) > 0 && !slices.Contains(sc.Enum, v) {
		wrong = append(wrong, fmt.Sprintf("%s: %v is not of the enum", at, v))
	}
	switch v := v.(type) {
	case map[string]any:
		return append(wrong, s.checkObject(at, sc, v)...)
	case []any:
		if sc.Type != "array" {
			return append(wrong, at+": an array")
		}
		for n, each := range v {
			wrong = append(wrong, s.check(fmt.Sprintf("%s[%d]", at, n), *sc.Items, each)...)
		}
	case string:
		if sc.Type != "string" || sc.MaxLength > 0 && len(v) > sc.MaxLength {
			wrong = append(wrong, at+": a string")
		}
	case bool:
		if sc.Type != "boolean" {
			wrong = append(wrong, at+": a boolean")
		}
	case float64:
		if sc.Type != "integer" && sc.Type != "number" {
			wrong = append(wrong, at+": a number")
		}
	}
	return wrong
}

func (s *spec) checkObject(at string, sc schema, v map[string]any) []string {
	if sc.Type != "object" {
		return []string{at + ": an object"}
	}
	var wrong []string
	for _, name := range sc.Required {
		if _, ok := v[name]; !ok {
			wrong = append(wrong, at+"."+name+": missing")
		}
	}
	for name, each := range v {
		p, known := sc.Properties[name]
		switch {
		case known:
			wrong = append(wrong, s.check(at+"."+name, p, each)...)
		case len(sc.Additional) == 0 && len(sc.Properties) > 0:
			wrong = append(wrong, at+"."+name+": unknown")
		}
	}
	return wrong
}

// TestAnswersAreStripes holds what the fake answers and tells against Stripe's OpenAPI.
func TestAnswersAreStripes(t *testing.T) {
	t.Parallel()
	s := loadSpec(t)
	f := fake.New(fake.Config{})
	t.Cleanup(f.Close)
	n := 0
	call := func(method, path, params, of string) map[string]any {
		t.Helper()
		n++
		body, err := url.ParseQuery(params)
		require.NoError(t, err)
		target := f.URL() + path
		if method == http.MethodGet {
			target += "?" + body.Encode()
		}
		req, err := http.NewRequest(method, target, strings.NewReader(body.Encode()))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer sk_test_1")
		req.Header.Set("Idempotency-Key", fmt.Sprint(n))
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		var v map[string]any
		require.NoError(t, json.Unmarshal(raw, &v))
		assert.Equal(t, of == "error", res.StatusCode >= 400, "%s", raw)
		if v["object"] == "list" {
			for _, each := range v["data"].([]any) {
				assert.Empty(t, s.check(path, s.Components.Schemas[of], each))
			}
			return v
		}
		assert.Empty(t, s.check(path, s.Components.Schemas[of], v))
		return v
	}
	const base, all = "amount=1234&currency=eur&confirm=true&return_url=https://a.test&metadata[a]=b", "&expand[0]=latest_charge.balance_transaction"
	create := func(params, of string) string {
		t.Helper()
		id, _ := call("POST", "/v1/payment_intents", base+params, of)["id"].(string)
		return id
	}
	const types = "&payment_method_types[0]="
	paid := create(types+"card&payment_method=pm_card_visa", "payment_intent")
	held := create(types+"card&capture_method=manual&payment_method=pm_card_visa"+all, "payment_intent")
	create(types+"card&payment_method=pm_card_visa_chargeDeclinedStolenCard", "error")
	create(types+"card&payment_method=pm_nonesuch", "error")
	create("&amount=x", "error")
	create("&bogus=1", "error")
	create(types+"wechat_pay&payment_method_data[type]=wechat_pay", "payment_intent")
	create(types+"alipay&payment_method_data[type]=alipay", "payment_intent")
	create(types+"ideal&payment_method_data[type]=ideal", "payment_intent")
	open := create(types+"card&payment_method=pm_card_threeDSecure2Required", "payment_intent")
	require.True(t, f.Refuse(open))
	call("GET", "/v1/payment_intents/"+open, "", "payment_intent")
	call("POST", "/v1/payment_intents/"+open+"/cancel", "", "payment_intent")
	call("POST", "/v1/payment_intents/"+open+"/cancel", "", "error")
	call("POST", "/v1/payment_intents/"+held+"/capture", "amount_to_capture=1000"+all, "payment_intent")
	call("GET", "/v1/payment_intents/pi_nonesuch", "", "error")
	call("GET", "/v1/payment_intents", "limit=3", "payment_intent")
	re := call("POST", "/v1/refunds", "payment_intent="+paid+"&amount=34&reason=duplicate&metadata[a]=b", "refund")["id"].(string)
	call("POST", "/v1/refunds", "payment_intent="+paid+"&amount=9999", "error")
	require.True(t, f.FinishRefund(re, "failed", "lost_or_stolen_card"))
	call("GET", "/v1/refunds/"+re, "", "refund")
	call("GET", "/v1/refunds", "payment_intent="+paid, "refund")

	for _, e := range f.Events() {
		var v map[string]any
		require.NoError(t, json.Unmarshal(e.Body, &v))
		assert.Empty(t, s.check(e.Type, s.Components.Schemas["event"], v))
		object := v["data"].(map[string]any)["object"].(map[string]any)
		assert.Empty(t, s.check(e.Type, s.Components.Schemas[object["object"].(string)], object))
	}

	// The judge does judge.
	assert.NotEmpty(t, s.check("", s.Components.Schemas["refund"], map[string]any{"id": 1.0, "object": "refund", "bogus": true}))
}
