package stripe

import (
	"strings"

	sdk "github.com/stripe/stripe-go/v85"

	"paysaga/domain/fault"
	"paysaga/domain/money"
)

// exponents is where Stripe's unit isn't ISO's minor unit: ISK and UGX are sent as if they had two decimals, MGA as if
// it had none.
var exponents = money.Exponents{"ISK": 2, "UGX": 2, "MGA": 0}

// maxUnits is Stripe's limit of eight digits.
const maxUnits = 99_999_999

// currencies are those that Stripe takes payments in.
var currencies = strings.Fields("AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BWP BYN BZD " +
	"CAD CDF CHF CLP CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG " +
	"HUF IDR ILS INR ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP " +
	"MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR " +
	"SEK SGD SHP SLE SOS SRD STN SZL THB TJS TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XCG XOF " +
	"XPF YER ZAR ZMW")

// toUnits is an amount in Stripe's units. Least amounts depend on the account's settlement currency, so they are left
// to Stripe's answer.
func toUnits(minor int64, currency string) (int64, error) {
	cur, err := money.ParseCurrency(currency)
	if err != nil {
		return 0, fault.Under("currency", err)
	}
	units, err := exponents.ToUnits(money.Amount{Minor: minor, Currency: cur})
	if err != nil {
		return 0, fault.Under("amount", err)
	}
	switch digits, _ := cur.Exponent(); {
	case units <= 0:
		return 0, fault.Invalid("amount_invalid", "amount", "the amount must be more than zero")
	case units > maxUnits:
		return 0, fault.Invalid("amount_too_large", "amount", "stripe takes at most eight digits")
	case digits == 3 && units%10 != 0:
		return 0, fault.Invalid("amount_not_representable", "amount", "stripe takes no third decimal other than 0")
	}
	return units, nil
}

// fromUnits is what Stripe says it moved. What isn't an amount of a currency makes the whole answer unreadable.
func fromUnits(units int64, currency sdk.Currency) (money.Amount, error) {
	cur, err := money.ParseCurrency(strings.ToUpper(string(currency)))
	if err != nil || units < 0 {
		return money.Amount{}, unreadable()
	}
	amount, err := exponents.FromUnits(units, cur)
	if err != nil {
		return money.Amount{}, unreadable()
	}
	return amount, nil
}
