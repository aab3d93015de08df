package risk_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/risk"
	"paysaga/domain/routing"
	"paysaga/domain/rule"
)

// What a merchant's engineer copies from the pages works, and the pages name
// every fact.
func TestThePagesExamplesCompile(t *testing.T) {
	t.Parallel()
	read := func(page string, into any) string {
		text, err := os.ReadFile("../../docs/" + page)
		require.NoError(t, err)
		_, block, ok := strings.Cut(string(text), "```json\n")
		require.True(t, ok)
		block, _, _ = strings.Cut(block, "```")
		strict := json.NewDecoder(bytes.NewReader([]byte(block)))
		strict.DisallowUnknownFields()
		require.NoError(t, strict.Decode(into))
		return string(text)
	}
	var routes routing.Definition
	page := read("routing.md", &routes)
	_, err := routing.Compile(routes)
	require.NoError(t, err)
	for _, f := range rule.Known() {
		require.Contains(t, page, "`"+f.Name+"`")
	}
	var risks risk.Definition
	read("risk.md", &risks)
	_, err = risk.Compile(risks)
	require.NoError(t, err)
}
