// Package money computes with exact amounts: int64 minor units of an ISO 4217 currency, overflow checked, no floats.
package money

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	"paysaga/domain/fault"
)

// Amount is a number of minor units of a currency: {1234, "CNY"} is CNY 12.34. It may be negative; whoever needs it
// positive checks. It has no JSON form of its own on the wire, where amount (Decimal) and currency are two fields.
type Amount struct {
	Minor    int64    `json:"minor"`
	Currency Currency `json:"currency"`
}

// New returns an amount of minor units. It doesn't check the currency.
func New(minor int64, cur Currency) Amount { return Amount{Minor: minor, Currency: cur} }

// Zero returns nothing of a currency.
func Zero(cur Currency) Amount { return Amount{Currency: cur} }

// Decimal returns the amount in major units with all its decimals and no currency: "12.34", "100" (JPY), "-0.05".
// Parse reads it back unless it is negative. An amount in an unknown currency shows its minor units.
func (a Amount) Decimal() string {
	digits, _ := a.Currency.Exponent()
	text := strconv.FormatInt(a.Minor, 10)
	if digits == 0 {
		return text
	}
	sign := ""
	if text[0] == '-' {
		sign, text = "-", text[1:]
	}
	if missing := digits + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	point := len(text) - digits
	return sign + text[:point] + "." + text[point:]
}

// String is Decimal.
func (a Amount) String() string { return a.Decimal() }

// Text is for people: "CNY 12.34".
func (a Amount) Text() string { return string(a.Currency) + " " + a.Decimal() }

// IsZero reports whether there are no minor units, whatever the currency.
func (a Amount) IsZero() bool { return a.Minor == 0 }

// Sign returns -1, 0 or 1.
func (a Amount) Sign() int {
	switch {
	case a.Minor < 0:
		return -1
	case a.Minor > 0:
		return 1
	}
	return 0
}

// Cmp returns -1, 0 or 1 as a is below, equal to or above b; amounts of two currencies can't be compared.
func (a Amount) Cmp(b Amount) (int, error) {
	if err := sameCurrency(a, b); err != nil {
		return 0, err
	}
	switch {
	case a.Minor < b.Minor:
		return -1, nil
	case a.Minor > b.Minor:
		return 1, nil
	}
	return 0, nil
}

// Add returns a + b; Invalid "amount_overflow" beyond int64, Internal "currency_mismatch" for two currencies.
func (a Amount) Add(b Amount) (Amount, error) {
	if err := sameCurrency(a, b); err != nil {
		return Amount{}, err
	}
	if (b.Minor > 0 && a.Minor > math.MaxInt64-b.Minor) || (b.Minor < 0 && a.Minor < math.MinInt64-b.Minor) {
		return Amount{}, overflow()
	}
	return Amount{a.Minor + b.Minor, a.Currency}, nil
}

// Sub returns a - b, with the errors of Add.
func (a Amount) Sub(b Amount) (Amount, error) {
	if err := sameCurrency(a, b); err != nil {
		return Amount{}, err
	}
	if (b.Minor < 0 && a.Minor > math.MaxInt64+b.Minor) || (b.Minor > 0 && a.Minor < math.MinInt64+b.Minor) {
		return Amount{}, overflow()
	}
	return Amount{a.Minor - b.Minor, a.Currency}, nil
}

// Neg returns -a; the one int64 without a negative overflows.
func (a Amount) Neg() (Amount, error) {
	if a.Minor == math.MinInt64 {
		return Amount{}, overflow()
	}
	return Amount{-a.Minor, a.Currency}, nil
}

// Mul returns a times n.
func (a Amount) Mul(n int64) (Amount, error) {
	minor, ok := mul(a.Minor, n)
	if !ok {
		return Amount{}, overflow()
	}
	return Amount{minor, a.Currency}, nil
}

// Sum adds amounts of one currency; of none it is zero.
func Sum(cur Currency, amounts ...Amount) (Amount, error) {
	total := Zero(cur)
	for _, a := range amounts {
		var err error
		if total, err = total.Add(a); err != nil {
			return Amount{}, err
		}
	}
	return total, nil
}

// mul multiplies magnitudes in 128 bits, since a product that wrapped can look right.
func mul(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	if hi != 0 {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(lo), lo <= 1<<63
	}
	return int64(lo), lo <= math.MaxInt64
}

// magnitude returns |n|, also for the one int64 whose negative is no int64.
func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

func sameCurrency(a, b Amount) error {
	if a.Currency != b.Currency {
		return fault.New(fault.KindInternal, "currency_mismatch",
			"amounts in "+string(a.Currency)+" and "+string(b.Currency)+" don't mix")
	}
	return nil
}

func overflow() error {
	return fault.Invalid("amount_overflow", "", "the amount is larger than we can hold")
}
