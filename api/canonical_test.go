package api_test

import (
	"encoding/json"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gowebpki/jcs"
	"pgregory.net/rapid"
)

// TestCanonicalFormHasTwoWitnesses: the hash that decides whether a request is the same (I-20) rests on one library; another
// that knows RFC 8785 must write the same bytes, whatever order and escapes the caller chose.
func TestCanonicalFormHasTwoWitnesses(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		v := map[string]any{
			"metadata":   rapid.MapOfN(rapid.String(), rapid.String(), 0, 8).Draw(rt, "metadata"),
			"quantity":   rapid.Int64Range(-1<<53, 1<<53).Draw(rt, "quantity"),
			"fraction":   rapid.Float64().Draw(rt, "fraction"),
			"allow":      rapid.Bool().Draw(rt, "allow"),
			"lines":      rapid.SliceOfN(rapid.String(), 0, 4).Draw(rt, "lines"),
			"expires_in": rapid.SampledFrom([]json.Number{"1e3", "1000", "1000.0", "0.1e4"}).Draw(rt, "expires"),
		}
		raw, err := json.MarshalIndent(v, "", rapid.SampledFrom([]string{"", " ", "\t"}).Draw(rt, "indent"))
		if err != nil {
			rt.Fatal(err)
		}
		got, err := jcs.Transform(raw)
		if err != nil {
			rt.Fatal(err)
		}
		want := jsontext.Value(raw)
		if err := want.Canonicalize(); err != nil {
			rt.Fatal(err)
		}
		if string(got) != string(want) {
			rt.Fatalf("jcs  %s\njson %s\nof   %s", got, want, raw)
		}
	})
}
