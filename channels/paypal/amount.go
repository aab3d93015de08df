package paypal

import (
	"strings"

	"paysaga/domain/fault"
	"paysaga/domain/money"
)

// exponents is where PayPal's decimals aren't ISO's.
var exponents = money.Exponents{"HUF": 0, "TWD": 0}

// currencies are those in which PayPal takes payments. BRL, CNY and MYR work only within their countries.
var currencies = strings.Fields("AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD USD")

// amount is money as PayPal writes it.
type amount struct {
	Currency string `json:"currency_code"`
	Value    string `json:"value"`
}

// toAmount writes an amount: a decimal text with the currency's decimals at PayPal.
func toAmount(minor int64, currency string) (amount, error) {
	cur, err := money.ParseCurrency(currency)
	if err != nil {
		return amount{}, fault.Under("currency", err)
	}
	if minor <= 0 {
		return amount{}, fault.Invalid("amount_invalid", "amount", "the amount must be more than zero")
	}
	units, err := exponents.ToUnits(money.Amount{Minor: minor, Currency: cur})
	if err != nil {
		return amount{}, fault.Under("amount", err)
	}
	digits, err := exponents.Of(cur)
	if err != nil {
		return amount{}, fault.Under("currency", err)
	}
	whole, _ := cur.Exponent()
	if digits == whole {
		return amount{currency, money.Amount{Minor: units, Currency: cur}.Decimal()}, nil
	}
	return amount{currency, decimal(units)}, nil
}

// decimal writes units that have no decimals.
func decimal(units int64) string { return money.Amount{Minor: units, Currency: "JPY"}.Decimal() }

// read reads what PayPal says it moved. Zeros beyond the currency's decimals are its habit ("10.00" yen); anything else
// that isn't an amount makes the whole answer unreadable.
func (a amount) read() (money.Amount, error) {
	cur, err := money.ParseCurrency(a.Currency)
	if err != nil {
		return money.Amount{}, unreadable("an amount in no currency")
	}
	text := a.Value
	if digits, _ := cur.Exponent(); strings.Contains(text, ".") {
		whole, fraction, _ := strings.Cut(text, ".")
		for len(fraction) > digits && strings.HasSuffix(fraction, "0") {
			fraction = fraction[:len(fraction)-1]
		}
		if text = whole; fraction != "" {
			text += "." + fraction
		}
	}
	m, err := money.Parse(text, cur)
	if err != nil {
		return money.Amount{}, unreadable("an amount that can't be read")
	}
	return m, nil
}
