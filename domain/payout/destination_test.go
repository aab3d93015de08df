package payout

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
)

func TestDestinationsAreChecked(t *testing.T) {
	t.Parallel()
	for text, want := range map[Destination]string{
		{Type: IBAN, Account: "DE89 3704 0044 0532 0130 00"}:               "DE89370400440532013000",
		{Type: IBAN, Account: "gb82 west 1234 5698 7654 32"}:               "GB82WEST12345698765432",
		{Type: IBAN, Account: "FR1420041010050500013M02606", Name: "Zoë"}:  "FR1420041010050500013M02606",
		{Type: IBAN, Account: "NO9386011117947"}:                           "NO9386011117947",
		{Type: IBAN, Account: "MT84MALT011000012345MTLCAST001S"}:           "MT84MALT011000012345MTLCAST001S",
		{Type: Card, Account: "4111-1111 1111 1111"}:                       "4111111111111111",
		{Type: Card, Account: "378282246310005"}:                           "378282246310005",
		{Type: Wallet, Account: "dest_ok"}:                                 "dest_ok",
		{Type: Wallet, Account: "ada@example.com"}:                         "ada@example.com",
		{Type: Wallet, Account: strings.Repeat("x", 128), Name: "张" + "三"}: strings.Repeat("x", 128),
	} {
		got, err := text.Checked()
		require.NoError(t, err, "%+v", text)
		require.Equal(t, want, got.Account)
		again, err := got.Checked()
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
	for d, param := range map[Destination]string{
		{Type: IBAN, Account: "DE88370400440532013000"}:        "destination.account", // check digits
		{Type: IBAN, Account: "DE8937040044053201300"}:         "destination.account", // length
		{Type: IBAN, Account: "ZZ89370400440532013000"}:        "destination.account", // no such country
		{Type: IBAN, Account: ""}:                              "destination.account",
		{Type: IBAN, Account: "DE"}:                            "destination.account",
		{Type: IBAN, Account: "DE89370400440532013ß0"}:         "destination.account",
		{Type: IBAN, Account: "DE89 3704 0044 0532 0130 00\n"}: "destination.account",
		{Type: Card, Account: "4111111111111112"}:              "destination.account",
		{Type: Card, Account: "0000000000000000"}:              "destination.account",
		{Type: Card, Account: "42"}:                            "destination.account",
		{Type: Card, Account: strings.Repeat("4", 20)}:         "destination.account",
		{Type: Card, Account: "４１１１１１１１１１１１１１１１"}:              "destination.account",
		{Type: Wallet}:                                               "destination.account",
		{Type: Wallet, Account: "a b"}:                               "destination.account",
		{Type: Wallet, Account: strings.Repeat("x", 129)}:            "destination.account",
		{Type: "bank", Account: "x"}:                                 "destination.type",
		{Account: "x"}:                                               "destination.type",
		{Type: Wallet, Account: "x", Name: "a\x00b"}:                 "destination.name",
		{Type: Wallet, Account: "x", Name: strings.Repeat("ä", 141)}: "destination.name",
	} {
		_, err := d.Checked()
		require.True(t, fault.Is(err, fault.KindInvalid, "destination_invalid"), "%+v: %v", d, err)
		require.Equal(t, param, fault.As(err).Param, "%+v", d)
		if d.Account != "" && len(d.Account) > 5 {
			require.NotContains(t, err.Error(), d.Account, "a refusal quotes nothing (I-26)")
		}
	}
}

// One wrong digit, and two neighbours that changed places, are always seen.
func TestChecksumsSeeSlips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom([]Destination{{Type: IBAN, Account: "DE89370400440532013000"}, {Type: Card, Account: "4111111111111111"},
			{Type: IBAN, Account: "GB82WEST12345698765432"}, {Type: Card, Account: "5555555555554444"}}).Draw(t, "right")
		b := []byte(d.Account)
		at := rapid.IntRange(4, len(b)-1).Draw(t, "at")
		if b[at] < '0' || b[at] > '9' {
			return
		}
		b[at] = '0' + (b[at]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "by")))%10
		d.Account = string(b)
		_, err := d.Checked()
		require.Error(t, err, d.Account)
	})
}

// What is shown is never enough to pay to.
func TestMasked(t *testing.T) {
	t.Parallel()
	for d, last := range map[Destination]string{{Type: IBAN, Account: "DE89370400440532013000"}: "3000", {Type: Card, Account: "4111111111111111"}: "1111",
		{Type: Wallet, Account: "x"}: "", {Type: Wallet, Account: "abcdef"}: "ef"} {
		require.Equal(t, Masked{d.Type, last}, d.Masked())
	}
	require.Equal(t, "iban:DE89370400440532013000", Destination{Type: IBAN, Account: "DE89370400440532013000"}.Token())
}
