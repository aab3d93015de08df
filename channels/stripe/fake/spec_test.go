package fake_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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

// judge calls the fake and holds each answer against the spec.
type judge struct {
	*testing.T
	*spec
	fake *fake.Server
	n    int
}

// call makes a call whose answer has to be of a schema: "error" for a refusal, the items' for a list.
func (j *judge) call(method, path, params, of string) map[string]any {
	j.Helper()
	j.n++
	target := j.fake.URL() + path
	if method == http.MethodGet {
		target += "?" + params
	}
	req, err := http.NewRequest(method, target, strings.NewReader(params))
	require.NoError(j, err)
	req.Header.Set("Authorization", "Bearer sk_test_1")
	req.Header.Set("Idempotency-Key", fmt.Sprint(j.n))
	res, err := http.DefaultClient.Do(req)
	require.NoError(j, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(j, err)
	var v map[string]any
	require.NoError(j, json.Unmarshal(raw, &v))
	assert.Equal(j, of == "error", res.StatusCode >= 400, "%s", raw)
	if v["object"] != "list" {
		j.holds(path, of, v)
		return v
	}
	for _, each := range v["data"].([]any) {
		j.holds(path, of, each)
	}
	return v
}

func (j *judge) holds(at, of string, v any) {
	j.Helper()
	assert.Empty(j, j.check(at, j.Components.Schemas[of], v))
}

// create confirms an intent and returns its id.
func (j *judge) create(params, of string) string {
	j.Helper()
	const base = "amount=1234&currency=eur&confirm=true&return_url=https://a.test&metadata[a]=b&"
	id, _ := j.call("POST", "/v1/payment_intents", base+params, of)["id"].(string)
	return id
}

// TestAnswersAreStripes holds what the fake answers and tells against Stripe's OpenAPI.
func TestAnswersAreStripes(t *testing.T) {
	t.Parallel()
	f := fake.New(fake.Config{})
	t.Cleanup(f.Close)
	j := &judge{T: t, spec: loadSpec(t), fake: f}
	const all, card = "&expand[0]=latest_charge.balance_transaction", "payment_method_types[0]=card&payment_method=pm_card_"
	paid := j.create(card+"visa", "payment_intent")
	held := j.create(card+"visa&capture_method=manual"+all, "payment_intent")
	for _, refused := range []string{card + "visa_chargeDeclinedStolenCard", card + "nonesuch", "amount=x", "bogus=1"} {
		j.create(refused, "error")
	}
	for _, kind := range []string{"wechat_pay", "alipay", "ideal"} {
		j.create("payment_method_types[0]="+kind+"&payment_method_data[type]="+kind, "payment_intent")
	}
	open := j.create(card+"threeDSecure2Required", "payment_intent")
	require.True(t, f.Refuse(open))
	const intents, refunds = "/v1/payment_intents", "/v1/refunds"
	j.call("GET", intents+"/"+open, "", "payment_intent")
	j.call("POST", intents+"/"+open+"/cancel", "", "payment_intent")
	j.call("POST", intents+"/"+open+"/cancel", "", "error")
	j.call("POST", intents+"/"+held+"/capture", "amount_to_capture=1000"+all, "payment_intent")
	j.call("GET", intents+"/pi_nonesuch", "", "error")
	j.call("GET", intents, "limit=3", "payment_intent")
	re := j.call("POST", refunds, "payment_intent="+paid+"&amount=34&reason=duplicate&metadata[a]=b", "refund")["id"].(string)
	j.call("POST", refunds, "payment_intent="+paid+"&amount=9999", "error")
	require.True(t, f.FinishRefund(re, "failed", "lost_or_stolen_card"))
	j.call("GET", refunds+"/"+re, "", "refund")
	j.call("GET", refunds, "payment_intent="+paid, "refund")

	for _, act := range []string{"warn", "open", "lose", "win"} {
		require.True(t, f.Dispute(paid, act))
	}

	for _, e := range f.Events() {
		var v map[string]any
		require.NoError(t, json.Unmarshal(e.Body, &v))
		j.holds(e.Type, "event", v)
		object := v["data"].(map[string]any)["object"].(map[string]any)
		j.holds(e.Type, object["object"].(string), object)
	}
	// The judge does judge.
	assert.NotEmpty(t, j.check("", j.Components.Schemas["refund"], map[string]any{"id": 1.0, "object": "refund", "bogus": true}))
}
