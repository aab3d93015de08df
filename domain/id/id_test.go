package id

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
)

const sample = "pay_01hx3v6wq2k8m4n0p7r9s5t1ab"

func drawEntropy(t *rapid.T) (e [10]byte) {
	copy(e[:], rapid.SliceOfN(rapid.Byte(), 10, 10).Draw(t, "entropy"))
	return e
}

func drawID(t *rapid.T, prefixes ...Prefix) string {
	return New(rapid.SampledFrom(prefixes).Draw(t, "prefix"), rapid.Uint64Range(0, 1<<48-1).Draw(t, "ms"), drawEntropy(t))
}

func TestIDsRoundTripAndSortByTime(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}$`)
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(Prefixes()).Draw(t, "prefix")
		a, b := rapid.Uint64Range(0, 1<<48-1).Draw(t, "a"), rapid.Uint64Range(0, 1<<48-1).Draw(t, "b")
		first, second := New(p, a, drawEntropy(t)), New(p, b, drawEntropy(t))
		require.Regexp(t, shape, first)
		require.True(t, Is(p, first))
		if a < b {
			require.Less(t, first, second)
		}
		at, err := Time(first)
		require.NoError(t, err)
		require.Equal(t, int64(a), at.UnixMilli())
		require.Equal(t, time.UTC, at.Location())
	})
}

func TestNewIsAFunctionOfItsArguments(t *testing.T) {
	t.Parallel()
	require.Equal(t, "pay_00000000000000000000000000", New(Payment, 0, [10]byte{}))
	require.Equal(t, New(Payment, 7, [10]byte{1}), New(Payment, 7, [10]byte{1}))
	require.Equal(t, New(Payment, 7, [10]byte{}), New(Payment, 1<<48+7, [10]byte{}), "only the low 48 bits count")
}

func TestPrefixesAreDistinct(t *testing.T) {
	t.Parallel()
	seen, letters := map[Prefix]bool{}, map[byte]bool{}
	for _, p := range Prefixes() {
		require.Len(t, string(p), prefixLen)
		require.False(t, seen[p])
		seen[p] = true
		if letter, ok := letterOf(p); ok {
			require.False(t, letters[letter], "two kinds share a letter: references would collide")
			letters[letter] = true
		}
	}
}

func TestIDHasOneSpelling(t *testing.T) {
	t.Parallel()
	require.True(t, Is(Payment, sample))
	require.False(t, Is(Order, sample))
	for _, bad := range []string{
		"", "pay_", "pay", sample[4:], strings.ToUpper(sample), "pay_" + strings.ToUpper(sample[4:]),
		"xyz" + sample[3:], "pay-" + sample[4:], sample + "0", sample[:29], " " + sample, sample + "\n",
		"pay_81hx3v6wq2k8m4n0p7r9s5t1ab", // more than 128 bits
		"pay_01hx3v6wq2k8m4n0p7r9s5t1ai", "pay_01hx3v6wq2k8m4n0p7r9s5t1al",
		"pay_01hx3v6wq2k8m4n0p7r9s5t1ao", "pay_01hx3v6wq2k8m4n0p7r9s5t1au",
		"pay_01hx3v6wq2k8m4n0p7r9s5t1a\x00", "pay_01hx3v6wq2k8m4n0p7r9s5t1é",
	} {
		_, err := Parse(bad)
		require.True(t, fault.Is(err, fault.KindInvalid, "id_invalid"), "%q", bad)
		_, err = Time(bad)
		require.Error(t, err, "%q", bad)
	}
}

func TestSteps(t *testing.T) {
	t.Parallel()
	seen := map[Code]bool{}
	for _, code := range Codes() {
		require.Len(t, string(code), 2)
		require.False(t, seen[code])
		seen[code] = true
		for _, n := range []int{1, 9, 10, 99} {
			s := Step{code, n}
			back, err := ParseStep(s.String())
			require.NoError(t, err)
			require.Equal(t, s, back)
		}
	}
	require.Equal(t, "ch1", Step{Charge, 1}.String())
	for _, bad := range []string{"", "ch", "ch0", "ch01", "ch+1", "ch-1", "ch100", "ch 1", "CH1", "xx1", "1ch", "ch1 ", "c1", "ch١"} {
		_, err := ParseStep(bad)
		require.True(t, fault.Is(err, fault.KindInvalid, "step_invalid"), "%q", bad)
	}
	next, err := Step{Charge, 98}.Next()
	require.NoError(t, err)
	require.Equal(t, Step{Charge, 99}, next)
	_, err = next.Next()
	require.True(t, fault.Is(err, fault.KindConflict, "steps_exhausted"))
}

func drawKey(t *rapid.T, prefixes ...Prefix) string {
	return Key(drawID(t, prefixes...), Step{rapid.SampledFrom(Codes()).Draw(t, "code"), rapid.IntRange(1, MaxOrdinal).Draw(t, "ordinal")})
}

func TestKeysRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := drawKey(t, Prefixes()...)
		business, step, err := ParseKey(key)
		require.NoError(t, err)
		require.Equal(t, key, Key(business, step))
	})
	for _, bad := range []string{"", ":", sample, sample + ":", ":ch1", sample + ":ch0", sample + ":ch1:ch1", "pay_x:ch1", sample + "ch1"} {
		_, _, err := ParseKey(bad)
		require.True(t, fault.Is(err, fault.KindInvalid, "key_invalid"), "%q", bad)
		_, err = Reference(bad)
		require.Error(t, err, "%q", bad)
	}
}

func TestReferencesFitEveryChannelAndAreInjective(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^[0-9a-z]{30,31}$`)
	sent := []Prefix{Payment, Refund, Payout, Transfer, TopUp, Rebate}
	rapid.Check(t, func(t *rapid.T) {
		key := drawKey(t, sent...)
		ref, err := Reference(key)
		require.NoError(t, err)
		require.Regexp(t, shape, ref)
		business, step, err := ParseReference(ref)
		require.NoError(t, err)
		require.Equal(t, key, Key(business, step), "a reference that reads back as its key can't be another key's")
	})
	ref, err := Reference(sample + ":ch1")
	require.NoError(t, err)
	require.Equal(t, "p01hx3v6wq2k8m4n0p7r9s5t1abch1", ref)

	_, err = Reference(New(Order, 1, [10]byte{}) + ":rc1")
	require.True(t, fault.Is(err, fault.KindInvalid, "reference_invalid"), "an order reaches no channel")
	for _, bad := range []string{"", "p", ref[:27], ref + "00", ref[:28] + "0" + ref[28:], "q" + ref[1:], strings.ToUpper(ref), sample, "é" + ref[1:]} {
		_, _, err := ParseReference(bad)
		require.True(t, fault.Is(err, fault.KindInvalid, "reference_invalid"), "%q", bad)
	}
}

func TestBooks(t *testing.T) {
	t.Parallel()
	for _, b := range Books() {
		back, err := ParseBook(string(b))
		require.NoError(t, err)
		require.Equal(t, b, back)
		require.Equal(t, b == Live, b.Livemode())
	}
	require.Equal(t, "sk_test_", Test.KeyPrefix())
	for _, bad := range []string{"", "LIVE", "prod", "live "} {
		_, err := ParseBook(bad)
		require.True(t, fault.Is(err, fault.KindInvalid, "book_invalid"))
	}
}

// Whatever a callback carries as a reference, reading it never panics, and what is accepted is ours letter by letter.
func FuzzParseReference(f *testing.F) {
	f.Add("p01hx3v6wq2k8m4n0p7r9s5t1abch1")
	f.Add("p")
	f.Fuzz(func(t *testing.T, text string) {
		business, step, err := ParseReference(text)
		if err != nil {
			return
		}
		back, err := Reference(Key(business, step))
		require.NoError(t, err)
		require.Equal(t, text, back)
	})
}
