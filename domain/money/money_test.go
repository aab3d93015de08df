package money

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
)

func anyCurrency() *rapid.Generator[Currency] { return rapid.SampledFrom(Currencies()) }

func TestParseTable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		cur   Currency
		minor int64
	}{
		{"12.34", "CNY", 1234}, {"12.3", "CNY", 1230}, {"12", "CNY", 1200}, {"0.01", "CNY", 1}, {"0", "CNY", 0}, {"0.0", "CNY", 0},
		{"100", "JPY", 100}, {"1.234", "KWD", 1234}, {"1.2345", "CLF", 12345}, {"1.2345", "UYW", 12345}, {"5", "UGX", 5},
		{"999999999999999.99", "USD", 99999999999999999}, {"922337203685477.5807", "CLF", math.MaxInt64},
	} {
		a, err := Parse(c.text, c.cur)
		require.NoError(t, err, "%s %s", c.text, c.cur)
		require.Equal(t, Amount{c.minor, c.cur}, a)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", " ", "-1", "+1", "-0", "1e2", "1E2", "01", "00", "00.1", ".5", "5.", "1.234", "1,00", "1.0.0", "1 ", " 1", "1\n",
		"NaN", "Infinity", "0x10", "1_000", "١", "１", "1.２", "1\x00", "1000000000000000", "$1", "null", "\"1\"", "1.-1", "1.+1",
		strings.Repeat("9", 10_000),
	} {
		_, err := Parse(text, "CNY")
		require.True(t, fault.Is(err, fault.KindInvalid, "amount_invalid"), "%q", text)
	}
	for text, cur := range map[string]Currency{"1.0": "JPY", "1.": "JPY", "1.2345": "BHD", "1.23456": "CLF", "922337203685477.5808": "CLF", "999999999999999.9999": "UYW"} {
		_, err := Parse(text, cur)
		require.True(t, fault.Is(err, fault.KindInvalid, "amount_invalid"), "%q %s", text, cur)
	}
	for _, cur := range []Currency{"", "cny", "Cny", "CN", "CNYY", "XXX", "XTS", "XAU", "XDR", "BGN", "ANG", "HRK", "ZWL", "SLL", "BTC", "USN", "CNY "} {
		_, err := Parse("1", cur)
		require.True(t, fault.Is(err, fault.KindInvalid, "currency_unsupported"), "%q", cur)
	}
	_, err := ParsePositive("0.00", "CNY")
	require.True(t, fault.Is(err, fault.KindInvalid, "amount_invalid"))
	a, err := ParsePositive("0.01", "CNY")
	require.NoError(t, err)
	require.EqualValues(t, 1, a.Minor)
}

func TestCurrencyTable(t *testing.T) {
	t.Parallel()
	want := map[int]string{
		0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
		3: "BHD IQD JOD KWD LYD OMR TND",
		4: "CLF UYW",
		2: "ZWG SLE VED VES MRU STN XCG CNY USD EUR AFN ALL COP IDR IRR KPW LAK LBP MMK PKR RSD SYP TZS UZS YER",
	}
	for digits, codes := range want {
		for _, code := range strings.Fields(codes) {
			got, ok := Currency(code).Exponent()
			require.True(t, ok, code)
			require.Equal(t, digits, got, code)
		}
	}
	shape := regexp.MustCompile(`^[A-Z]{3}$`)
	zero, three := 0, 0
	for _, cur := range Currencies() {
		require.Regexp(t, shape, string(cur))
		require.NotContains(t, ended, cur)
		switch digits, _ := cur.Exponent(); digits {
		case 0:
			zero++
		case 3:
			three++
		}
	}
	require.Equal(t, 17, zero)
	require.Equal(t, 7, three)
	require.Len(t, Currencies(), len(exponents))
	require.Len(t, Currencies(), 158)
	require.Equal(t, "5.00", New(500, "BGN").Decimal(), "old amounts stay readable")
	_, ok := Currency("XXX").Exponent()
	require.False(t, ok)
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]Amount{
		"12.34": {1234, "CNY"}, "0.05": {5, "CNY"}, "-0.05": {-5, "CNY"}, "0.00": {0, "CNY"}, "100": {100, "JPY"}, "-100": {-100, "JPY"},
		"0.005": {5, "BHD"}, "0.0005": {5, "CLF"}, "7": {7, "???"}, "-92233720368547758.08": {math.MinInt64, "CNY"},
	} {
		require.Equal(t, want, a.Decimal())
		require.Equal(t, want, a.String())
	}
	require.Equal(t, "CNY 12.34", New(1234, "CNY").Text())
}

func TestParseReadsWhatDecimalWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := Amount{rapid.Int64Range(0, 99_999_999_999_999).Draw(t, "minor"), anyCurrency().Draw(t, "cur")}
		back, err := Parse(a.Decimal(), a.Currency)
		require.NoError(t, err)
		require.Equal(t, a, back)
		digits, _ := a.Currency.Exponent()
		require.Equal(t, a.Major().StringFixed(int32(digits)), a.Decimal())
	})
}

// The shape written down twice: as Parse reads it, and as the design states it.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"12.34", "0", "-1", "1e9", "00.1", "999999999999999.9999", "1.", ".1", "٣", "1\x00"} {
		f.Add(seed, "CLF")
		f.Add(seed, "CNY")
		f.Add(seed, "JPY")
	}
	f.Fuzz(func(t *testing.T, text, cur string) {
		a, err := Parse(text, Currency(cur))
		digits, known := exponents[Currency(cur)]
		if !known {
			require.True(t, fault.Is(err, fault.KindInvalid, "currency_unsupported"))
			return
		}
		shape := `^(0|[1-9][0-9]{0,14})\z`
		if digits > 0 {
			shape = `^(0|[1-9][0-9]{0,14})(\.[0-9]{1,` + strconv.Itoa(digits) + `})?\z`
		}
		matches := regexp.MustCompile(shape).MatchString(text)
		if err != nil {
			require.True(t, fault.Is(err, fault.KindInvalid, "amount_invalid"))
			if matches {
				exact, _ := decimal.NewFromString(text)
				require.False(t, exact.Shift(int32(digits)).BigInt().IsInt64(), "refused %q", text)
			}
			return
		}
		require.True(t, matches, "accepted %q", text)
		exact, err := decimal.NewFromString(text)
		require.NoError(t, err)
		require.True(t, exact.Equal(a.Major()))
	})
}

func exactly(t *rapid.T, want *big.Int, got Amount, err error) {
	if want.IsInt64() {
		require.NoError(t, err)
		require.Equal(t, want.Int64(), got.Minor)
		return
	}
	require.True(t, fault.Is(err, fault.KindInvalid, "amount_overflow"))
}

func TestArithmeticIsExactOrRefused(t *testing.T) {
	t.Parallel()
	edge := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{0, 1, -1, 2, math.MaxInt64, math.MinInt64, 1 << 31, 1 << 32}))
	rapid.Check(t, func(t *rapid.T) {
		x, y := edge.Draw(t, "x"), edge.Draw(t, "y")
		a, b := New(x, "CNY"), New(y, "CNY")
		bx, by := big.NewInt(x), big.NewInt(y)

		sum, err := a.Add(b)
		exactly(t, new(big.Int).Add(bx, by), sum, err)
		diff, err := a.Sub(b)
		exactly(t, new(big.Int).Sub(bx, by), diff, err)
		product, err := a.Mul(y)
		exactly(t, new(big.Int).Mul(bx, by), product, err)
		neg, err := a.Neg()
		exactly(t, new(big.Int).Neg(bx), neg, err)

		cmp, err := a.Cmp(b)
		require.NoError(t, err)
		require.Equal(t, bx.Cmp(by), cmp)
		require.Equal(t, bx.Sign(), a.Sign())
		require.Equal(t, x == 0, a.IsZero())
	})
}

func TestCurrenciesDoNotMix(t *testing.T) {
	t.Parallel()
	a, b := New(1, "CNY"), New(1, "USD")
	_, add := a.Add(b)
	_, sub := a.Sub(b)
	_, cmp := a.Cmp(b)
	_, sum := Sum("CNY", a, b)
	for _, err := range []error{add, sub, cmp, sum} {
		require.True(t, fault.Is(err, fault.KindInternal, "currency_mismatch"))
	}
	total, err := Sum("CNY", a, a, a)
	require.NoError(t, err)
	require.Equal(t, New(3, "CNY"), total)
}
