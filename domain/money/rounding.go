package money

import (
	"math/bits"

	"github.com/shopspring/decimal"

	"paysaga/domain/fault"
)

// Rounding names what happens to a part of a minor unit. The name stands in contracts and campaign rules.
type Rounding string

const (
	HalfEven Rounding = "half_even" // to the nearest, ties to the even digit
	HalfUp   Rounding = "half_up"   // to the nearest, ties away from zero
	Down     Rounding = "down"      // towards zero
	Up       Rounding = "up"        // away from zero
)

// ParseRounding reads a rounding's name, or returns Invalid "rounding_invalid".
func ParseRounding(text string) (Rounding, error) {
	switch r := Rounding(text); r {
	case HalfEven, HalfUp, Down, Up:
		return r, nil
	}
	return "", fault.Invalid("rounding_invalid", "", "a rounding is half_even, half_up, down or up")
}

// BpsPerWhole is how many basis points the whole has.
const BpsPerWhole = 10_000

// Bps returns bps basis points of a, rounded once, by name: 290 of CNY 12.34 is 0.36 (half_even). It returns Invalid
// "amount_overflow" or "rounding_invalid". Several shares of one amount may sum to more or less than it: see Split.
func Bps(a Amount, bps int64, r Rounding) (Amount, error) {
	if minor, ok := bpsOf(a.Minor, bps, r); ok {
		return Amount{minor, a.Currency}, nil
	}
	exact := decimal.NewFromInt(a.Minor).Mul(decimal.New(bps, -4))
	return fromMinor(exact, a.Currency, r)
}

// bpsOf is Bps of what isn't negative, in whole numbers, since rules ask for many; a test holds it against the decimals. ok is false
// where it doesn't answer.
func bpsOf(minor, bps int64, r Rounding) (share int64, ok bool) {
	if minor < 0 || bps < 0 || bps > BpsPerWhole {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(minor), uint64(bps))
	whole, rest := bits.Div64(hi, lo, BpsPerWhole) // hi is below: the whole fits
	const half = BpsPerWhole / 2
	switch {
	case r == Up && rest > 0, r == HalfUp && rest >= half, r == HalfEven && (rest > half || rest == half && whole%2 == 1):
		whole++
	case r != Up && r != Down && r != HalfUp && r != HalfEven:
		return 0, false
	}
	return int64(whole), true
}

// Share returns part/whole of a, rounded by name. whole is positive.
func Share(a Amount, part, whole int64, r Rounding) (Amount, error) {
	if whole <= 0 {
		return Amount{}, invalidWeights()
	}
	// 24 places tell each fraction of an int64 from its neighbours, and from a half.
	exact := decimal.NewFromInt(a.Minor).Mul(decimal.NewFromInt(part)).DivRound(decimal.NewFromInt(whole), 24)
	return fromMinor(exact, a.Currency, r)
}

// Major returns the exact amount in major units, for rates and rules; Round is the way back.
func (a Amount) Major() decimal.Decimal {
	digits, _ := a.Currency.Exponent()
	return decimal.New(a.Minor, -int32(digits))
}

// Round returns the amount nearest to major units of cur, rounded by name to its minor unit.
func Round(major decimal.Decimal, cur Currency, r Rounding) (Amount, error) {
	digits, ok := cur.Exponent()
	if !ok {
		return Amount{}, fault.Invalid("currency_unsupported", "", "this is not a currency that we know")
	}
	return fromMinor(major.Shift(int32(digits)), cur, r)
}

func fromMinor(exact decimal.Decimal, cur Currency, r Rounding) (Amount, error) {
	var whole decimal.Decimal
	switch r {
	case HalfEven:
		whole = exact.RoundBank(0)
	case HalfUp:
		whole = exact.Round(0)
	case Down:
		whole = exact.RoundDown(0)
	case Up:
		whole = exact.RoundUp(0)
	default:
		return Amount{}, fault.Invalid("rounding_invalid", "", "a rounding is half_even, half_up, down or up")
	}
	minor := whole.BigInt() // IntPart would wrap silently beyond int64
	if !minor.IsInt64() {
		return Amount{}, overflow()
	}
	return Amount{minor.Int64(), cur}, nil
}
