package money

import "paysaga/domain/fault"

// Exponents holds where a channel's minor unit differs from ISO 4217, e.g. Stripe's {"ISK": 2, "UGX": 2, "MGA": 0}.
// Currencies that aren't in it have their ISO exponent, so a nil map is ISO.
type Exponents map[Currency]int

// Of returns the channel's exponent of a currency, or Invalid "currency_unsupported".
func (e Exponents) Of(cur Currency) (int, error) {
	if digits, ok := e[cur]; ok {
		return digits, nil
	}
	if digits, ok := cur.Exponent(); ok {
		return digits, nil
	}
	return 0, fault.Invalid("currency_unsupported", "", "this is not a currency that we know")
}

// ToUnits returns a in the channel's units. See the function ToUnits.
func (e Exponents) ToUnits(a Amount) (int64, error) {
	exponent, err := e.Of(a.Currency)
	if err != nil {
		return 0, err
	}
	return ToUnits(a, exponent)
}

// FromUnits returns the amount of a channel's units. See the function FromUnits.
func (e Exponents) FromUnits(units int64, cur Currency) (Amount, error) {
	exponent, err := e.Of(cur)
	if err != nil {
		return Amount{}, err
	}
	return FromUnits(units, cur, exponent)
}

// ToUnits returns a as a number of units of 10^-exponent, exactly: ISK 100 with exponent 2 is 10000. What such units can't
// express (MGA 0.20 with exponent 0) is Invalid "amount_not_representable"; nothing is ever rounded on the way to a channel.
func ToUnits(a Amount, exponent int) (int64, error) {
	digits, ok := a.Currency.Exponent()
	if !ok {
		return 0, fault.Invalid("currency_unsupported", "", "this is not a currency that we know")
	}
	return rescale(a.Minor, digits, exponent)
}

// FromUnits returns the amount of units of 10^-exponent of cur, exactly, with the errors of ToUnits: a channel that
// reports a part of our minor unit reports something that we can't have asked for.
func FromUnits(units int64, cur Currency, exponent int) (Amount, error) {
	digits, ok := cur.Exponent()
	if !ok {
		return Amount{}, fault.Invalid("currency_unsupported", "", "this is not a currency that we know")
	}
	minor, err := rescale(units, exponent, digits)
	if err != nil {
		return Amount{}, err
	}
	return Amount{minor, cur}, nil
}

// maxExponent is more than any currency or channel has, and keeps powers of ten within int64.
const maxExponent = 8

func rescale(n int64, from, to int) (int64, error) {
	if from < 0 || from > maxExponent || to < 0 || to > maxExponent {
		return 0, fault.Internal("exponent out of range", nil)
	}
	if to < from {
		if n%pow10(from-to) != 0 {
			return 0, fault.Invalid("amount_not_representable", "", "the channel has no unit that small for this currency")
		}
		return n / pow10(from-to), nil
	}
	scaled, ok := mul(n, pow10(to-from))
	if !ok {
		return 0, overflow()
	}
	return scaled, nil
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}
