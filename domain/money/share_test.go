package money

import (
	"math"
	"math/big"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
)

func TestBpsRoundsByName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		minor, bps int64
		r          Rounding
		want       int64
	}{
		{1234, 290, HalfEven, 36}, // 35.786
		{100, 50, HalfEven, 0}, {300, 50, HalfEven, 2}, {100, 50, HalfUp, 1}, {-100, 50, HalfUp, -1}, {-300, 50, HalfEven, -2},
		{101, 50, HalfEven, 1}, {199, 50, Down, 0}, {1, 1, Up, 1}, {-1, 1, Up, -1}, {-199, 50, Down, 0},
		{100, 10_000, Up, 100}, {0, 290, Up, 0}, {100, 0, Up, 0}, {math.MaxInt64, 10_000, HalfEven, math.MaxInt64}, {200, -50, HalfUp, -1},
	} {
		got, err := Bps(New(c.minor, "CNY"), c.bps, c.r)
		require.NoError(t, err)
		require.Equal(t, c.want, got.Minor, "%+v", c)
	}
	_, err := Bps(New(math.MaxInt64, "CNY"), 10_001, HalfEven)
	require.True(t, fault.Is(err, fault.KindInvalid, "amount_overflow"))
	_, err = Bps(New(1, "CNY"), 1, "nearest")
	require.True(t, fault.Is(err, fault.KindInvalid, "rounding_invalid"))
	_, err = ParseRounding("HALF_UP")
	require.True(t, fault.Is(err, fault.KindInvalid, "rounding_invalid"))
	r, err := ParseRounding("half_up")
	require.NoError(t, err)
	require.Equal(t, HalfUp, r)
}

func TestRoundingsStayWithinAMinorUnit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := New(rapid.Int64Range(-1<<50, 1<<50).Draw(t, "minor"), anyCurrency().Draw(t, "cur"))
		bps := rapid.Int64Range(-20_000, 20_000).Draw(t, "bps")
		exact := decimal.NewFromInt(a.Minor).Mul(decimal.New(bps, -4))
		down, err := Bps(a, bps, Down)
		require.NoError(t, err)
		up, err := Bps(a, bps, Up)
		require.NoError(t, err)
		require.LessOrEqual(t, magnitude(down.Minor), magnitude(up.Minor))
		require.LessOrEqual(t, magnitude(up.Minor)-magnitude(down.Minor), uint64(1))
		for _, r := range []Rounding{HalfEven, HalfUp} {
			near, err := Bps(a, bps, r)
			require.NoError(t, err)
			require.True(t, decimal.NewFromInt(near.Minor).Sub(exact).Abs().LessThanOrEqual(decimal.New(5, -1)))
		}
	})
}

func TestRoundTakesMajorUnits(t *testing.T) {
	t.Parallel()
	a, err := Round(decimal.RequireFromString("12.345"), "CNY", HalfEven)
	require.NoError(t, err)
	require.Equal(t, New(1234, "CNY"), a)
	a, err = Round(decimal.RequireFromString("12.5"), "JPY", HalfUp)
	require.NoError(t, err)
	require.Equal(t, New(13, "JPY"), a)
	_, err = Round(decimal.New(1, 30), "CNY", HalfUp)
	require.True(t, fault.Is(err, fault.KindInvalid, "amount_overflow"))
	_, err = Round(decimal.New(1, 0), "XXX", HalfUp)
	require.True(t, fault.Is(err, fault.KindInvalid, "currency_unsupported"))
}

func minors(parts []Amount) (out []int64) {
	for _, p := range parts {
		out = append(out, p.Minor)
	}
	return out
}

func TestSplitTable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		minor         int64
		weights, want []int64
	}{
		{100, []int64{1, 2, 297}, []int64{0, 1, 99}},
		{100, []int64{1, 1, 1}, []int64{34, 33, 33}},
		{-100, []int64{1, 1, 1}, []int64{-34, -33, -33}},
		{0, []int64{1, 2}, []int64{0, 0}},
		{5, []int64{0, 1, 0}, []int64{0, 5, 0}},
		{math.MinInt64, []int64{1}, []int64{math.MinInt64}},
		{math.MaxInt64, []int64{math.MaxInt64, math.MaxInt64}, []int64{math.MaxInt64/2 + 1, math.MaxInt64 / 2}},
	} {
		parts, err := Split(New(c.minor, "CNY"), c.weights)
		require.NoError(t, err)
		require.Equal(t, c.want, minors(parts))
	}
	for _, weights := range [][]int64{nil, {}, {0}, {0, 0}, {-1, 2}} {
		_, err := Split(New(1, "CNY"), weights)
		require.True(t, fault.Is(err, fault.KindInvalid, "weights_invalid"), "%v", weights)
	}
	parts, err := SplitEven(New(10, "CNY"), 4)
	require.NoError(t, err)
	require.Equal(t, []int64{3, 3, 2, 2}, minors(parts))
	for _, n := range []int{0, -1, maxParts + 1} {
		_, err := SplitEven(New(1, "CNY"), n)
		require.True(t, fault.Is(err, fault.KindInvalid, "weights_invalid"))
	}
}

// I-08: nothing is lost, nobody gets more than a minor unit beside the exact share, the weightless get nothing.
func TestSplitLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := New(rapid.Int64().Draw(t, "minor"), anyCurrency().Draw(t, "cur"))
		weights := rapid.SliceOfN(rapid.OneOf(rapid.Int64Range(0, 10), rapid.Int64Range(0, math.MaxInt64)), 1, 40).Draw(t, "weights")
		weights[0] = max(weights[0], 1)
		parts, err := Split(a, weights)
		require.NoError(t, err)

		sum, whole := new(big.Int), new(big.Int)
		for _, w := range weights {
			whole.Add(whole, big.NewInt(w))
		}
		for i, p := range parts {
			require.Equal(t, a.Currency, p.Currency)
			sum.Add(sum, big.NewInt(p.Minor))
			if weights[i] == 0 {
				require.Zero(t, p.Minor)
			}
			// |part × whole − a × weight| < whole
			off := new(big.Int).Mul(big.NewInt(p.Minor), whole)
			off.Sub(off, new(big.Int).Mul(big.NewInt(a.Minor), big.NewInt(weights[i])))
			require.Negative(t, off.Abs(off).Cmp(whole))
		}
		require.Equal(t, big.NewInt(a.Minor).String(), sum.String())
	})
}

func TestUnits(t *testing.T) {
	t.Parallel()
	stripe := Exponents{"ISK": 2, "UGX": 2, "MGA": 0}
	for _, c := range []struct {
		a     Amount
		units int64
	}{
		{New(100, "ISK"), 10_000}, {New(5, "UGX"), 500}, {New(1200, "MGA"), 12}, {New(1234, "CNY"), 1234}, {New(7, "JPY"), 7}, {New(-100, "ISK"), -10_000},
	} {
		units, err := stripe.ToUnits(c.a)
		require.NoError(t, err)
		require.Equal(t, c.units, units)
		back, err := stripe.FromUnits(units, c.a.Currency)
		require.NoError(t, err)
		require.Equal(t, c.a, back)
	}
	_, err := stripe.ToUnits(New(1234, "MGA"))
	require.True(t, fault.Is(err, fault.KindInvalid, "amount_not_representable"))
	_, err = stripe.FromUnits(150, "ISK")
	require.True(t, fault.Is(err, fault.KindInvalid, "amount_not_representable"))
	_, err = stripe.ToUnits(New(math.MaxInt64/50, "ISK"))
	require.True(t, fault.Is(err, fault.KindInvalid, "amount_overflow"))
	_, err = stripe.ToUnits(New(1, "XXX"))
	require.True(t, fault.Is(err, fault.KindInvalid, "currency_unsupported"))
	_, err = Exponents(nil).FromUnits(1, "XXX")
	require.True(t, fault.Is(err, fault.KindInvalid, "currency_unsupported"))
	_, err = ToUnits(New(1, "CNY"), 9)
	require.Equal(t, fault.KindInternal, fault.Of(err))
	_, err = FromUnits(1, "CNY", -1)
	require.Equal(t, fault.KindInternal, fault.Of(err))
}

// The whole numbers say what the decimals say.
func TestBpsIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		minor, bps := rapid.Int64Range(0, math.MaxInt64).Draw(t, "minor"), rapid.Int64Range(0, BpsPerWhole).Draw(t, "bps")
		if rapid.Bool().Draw(t, "tie") {
			minor, bps = rapid.Int64Range(0, 1<<20).Draw(t, "small")*100, 50*rapid.Int64Range(0, 200).Draw(t, "halves")
		}
		r := rapid.SampledFrom([]Rounding{HalfEven, HalfUp, Down, Up}).Draw(t, "rounding")
		got, ok := bpsOf(minor, bps, r)
		require.True(t, ok)
		want, err := fromMinor(decimal.NewFromInt(minor).Mul(decimal.New(bps, -4)), "CNY", r)
		require.NoError(t, err)
		require.Equal(t, want.Minor, got)
	})
}
