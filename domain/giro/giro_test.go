package giro

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The standard's own example, and one of the Finnish banks' association.
func TestReferencesOfTheStandard(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]string{
		"539007547034":          "RF18539007547034",
		"2348236":               "RF332348236",
		"000000000539007547034": "RF18000000000539007547034",
	} {
		got, ok := Reference(payload)
		require.True(t, ok)
		assert.Equal(t, want, got)
		again, ok := ParseReference(" " + strings.ToLower(Grouped(got)) + " ")
		require.True(t, ok)
		assert.Equal(t, want, again)
	}
	for _, payload := range []string{"", "a", "A-1", "Ä", strings.Repeat("1", 22)} {
		_, ok := Reference(payload)
		assert.False(t, ok, payload)
	}
	for _, text := range []string{"", "RF", "RF18", "RF19539007547034", "RF1853900754703４", "XF18539007547034", "RF00539007547034", strings.Repeat("RF18 ", 100)} {
		_, ok := ParseReference(text)
		assert.False(t, ok, text)
	}
}

func TestAReferenceIsFoundInWhatPeopleWrite(t *testing.T) {
	t.Parallel()
	const want = "RF18539007547034"
	for _, text := range []string{want, "invoice 12 " + want, "ref: rf18 5390 0754 7034", "RF18 5390 0754 7034 thank you", want + "," + want,
		"/RFB/" + want, "RF RF18539007547034"} {
		got, ok := FindReference(text)
		assert.True(t, ok, text)
		assert.Equal(t, want, got)
	}
	for _, text := range []string{"", "RF", "RF19539007547034", want + " RF332348236", "x" + want, strings.Repeat("y ", 600) + want} {
		_, ok := FindReference(text)
		assert.False(t, ok, text)
	}
}

// One wrong character, and two neighbours that changed places, are always seen.
func TestOurReferencesSeeSlips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`p[0-9a-z]{26}ch[1-9]`).Draw(t, "key")
		r := ReferenceFor(key, 0)
		got, ok := ParseReference(r)
		if !ok || got != r || len(r) != 24 || ReferenceFor(key, 0) != r || ReferenceFor(key, 1) == r || ReferenceFor(key+"0", 0) == r {
			t.Fatalf("%s makes %s", key, r)
		}
		b := []byte(r)
		at := rapid.IntRange(4, len(b)-1).Draw(t, "at")
		if other := rapid.SampledFrom([]byte("0123456789")).Draw(t, "other"); other != b[at] {
			b[at] = other
			if _, ok := ParseReference(string(b)); ok {
				t.Fatalf("%s for %s isn't seen", b, r)
			}
		}
		b = []byte(r)
		if at+1 < len(b) && b[at] != b[at+1] {
			b[at], b[at+1] = b[at+1], b[at]
			if _, ok := ParseReference(string(b)); ok {
				t.Fatalf("%s for %s isn't seen", b, r)
			}
		}
	})
}

func TestBICs(t *testing.T) {
	t.Parallel()
	for _, ok := range []string{"DEUTDEFF", "DEUTDEFF500", "ESSEFIHX"} {
		assert.True(t, IsBIC(ok), ok)
	}
	for _, no := range []string{"", "DEUTDEF", "DEUTDEFF5", "DEUT1EFF", "deutdeff", "DEUTDEFF5Ö"} {
		assert.False(t, IsBIC(no), no)
	}
}
