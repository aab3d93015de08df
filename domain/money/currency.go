package money

import (
	"sort"
	"strings"

	"paysaga/domain/fault"
)

// Currency is an alphabetic ISO 4217 code in upper case. Only ParseCurrency judges whether it is one.
type Currency string

// ParseCurrency takes the code of a currency in use, in upper case only, or returns Invalid "currency_unsupported".
// Funds codes other than CLF, UYI and UYW, metals, units of account and test codes are refused, and so are ended ones.
func ParseCurrency(text string) (Currency, error) {
	if _, ok := exponents[Currency(text)]; !ok {
		return "", fault.Invalid("currency_unsupported", "", "this is not a currency that we know")
	}
	return Currency(text), nil
}

// Exponent returns how many decimals the currency's minor unit has by ISO 4217: 2 for CNY, 0 for JPY. It knows ended
// currencies too, because old amounts stay readable; ok is false for whatever never was one.
func (c Currency) Exponent() (digits int, ok bool) {
	if digits, ok = exponents[c]; ok {
		return digits, true
	}
	digits, ok = ended[c]
	return digits, ok
}

// Currencies returns the codes that ParseCurrency takes, sorted.
func Currencies() []Currency {
	all := make([]Currency, 0, len(exponents))
	for c := range exponents {
		all = append(all, c)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return all
}

// exponents is ISO 4217 list one as published 2024-06-25 (the XML in npm currency-codes 2.2.0, compared with JDK 17),
// amended by hand:
//
//	in   ZWG from 2024-06-25, beside ZWL until 2024-08-31 · XCG from 2025-03-31, for ANG
//	out  CUC (2021-06-30) · ANG (2025-03-31) · BGN (2025-12-31, Bulgaria has the euro)
//	kept SLE (2022-04-01), VED (2021-10-01) beside VES, MRU and STN (2018-01-01): missing from many display tables
//
// Funds codes are left out (BOV CHE CHW COU MXV USN), but not the indexed units that people do invoice in: CLF UYI UYW.
var exponents = table(map[int]string{
	0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
	2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY " +
		"COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF " +
		"IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR " +
		"MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG " +
		"SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES " +
		"WST XCD XCG YER ZAR ZMW ZWG",
	3: "BHD IQD JOD KWD LYD OMR TND",
	4: "CLF UYW",
})

// ended codes can't be paid in any more. A code moves here from the table above and is never given another exponent.
var ended = map[Currency]int{
	"HRK": 2, // until 2022-12-31, then EUR
	"SLL": 2, // until 2023-12-31, then SLE
	"CUC": 2, // until 2021-06-30, then CUP
	"ZWL": 2, // until 2024-08-31, then ZWG
	"ANG": 2, // until 2025-03-31, then XCG
	"BGN": 2, // until 2025-12-31, then EUR
}

func table(byExponent map[int]string) map[Currency]int {
	all := map[Currency]int{}
	for exponent, codes := range byExponent {
		for _, code := range strings.Fields(codes) {
			all[Currency(code)] = exponent
		}
	}
	return all
}
