package channeltest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	namedTest = regexp.MustCompile("`(Test\\w+)`")
	namedCase = regexp.MustCompile(`\*([^*|]+)\*[;| (]`)
	declared  = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// What the page names as proof is there: tests of the channels by their names, cases of the suite word for word.
func TestThePageNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(page)
	require.NoError(t, err)
	_, section, found := strings.Cut(string(raw), "### What comes in that isn't as it should be")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	have := map[string]bool{}
	for _, c := range cases() {
		have[c.name] = true
	}
	sources, err := filepath.Glob("../*/*_test.go")
	require.NoError(t, err)
	for _, path := range sources {
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, m := range declared.FindAllStringSubmatch(string(source), -1) {
			have[m[1]] = true
		}
	}
	named := append(namedTest.FindAllStringSubmatch(section, -1), namedCase.FindAllStringSubmatch(section, -1)...)
	require.Greater(t, len(named), 40)
	for _, m := range named {
		assert.True(t, have[m[1]], "%q is named as proof, and isn't there", m[1])
	}
}
