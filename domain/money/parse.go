package money

import (
	"strconv"
	"strings"

	"paysaga/domain/fault"
)

// maxIntegerDigits bounds what is written before the point, so that no text is large enough to cost anything.
const maxIntegerDigits = 15

// Parse reads an amount in major units from the wire. The text must match ^(0|[1-9][0-9]{0,14})(\.[0-9]{1,n})?$ with
// the currency's n, and no point at all where n is 0: no sign, exponent, spaces, leading zeros or extra decimals.
// It returns Invalid "currency_unsupported" or "amount_invalid" without a param; the caller knows the field. Zero is an
// amount; who needs more than zero uses ParsePositive.
func Parse(text string, cur Currency) (Amount, error) {
	if _, err := ParseCurrency(string(cur)); err != nil {
		return Amount{}, err
	}
	digits := exponents[cur]
	whole, fraction, point := strings.Cut(text, ".")
	if !isWhole(whole) || (point && (fraction == "" || len(fraction) > digits || !isDigits(fraction))) {
		return Amount{}, invalidAmount(shapeMessage(cur, digits))
	}
	// 15 digits and 4 decimals are more than an int64 holds (CLF, UYW), so the conversion is checked as well.
	minor, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", digits-len(fraction)), 10, 64)
	if err != nil {
		return Amount{}, invalidAmount("the amount is larger than we can hold")
	}
	return Amount{minor, cur}, nil
}

// ParsePositive is Parse that refuses zero too, as "amount_invalid".
func ParsePositive(text string, cur Currency) (Amount, error) {
	a, err := Parse(text, cur)
	if err == nil && a.IsZero() {
		return Amount{}, invalidAmount("the amount must be more than zero")
	}
	return a, err
}

func isWhole(s string) bool {
	return s != "" && len(s) <= maxIntegerDigits && isDigits(s) && (s[0] != '0' || len(s) == 1)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func shapeMessage(cur Currency, digits int) string {
	if digits == 0 {
		return "an amount in " + string(cur) + " is a decimal string without decimals, such as \"100\""
	}
	return "an amount in " + string(cur) + " is a decimal string with at most " + strconv.Itoa(digits) +
		" decimals, such as \"" + Amount{1234, cur}.Decimal() + "\""
}

func invalidAmount(message string) error { return fault.Invalid("amount_invalid", "", message) }
