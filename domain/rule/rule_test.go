package rule

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

var shanghai = time.FixedZone("UTC+8", 8*3600)

func facts() Facts {
	at := time.Date(2026, 11, 22, 17, 30, 0, 0, time.UTC) // Monday, 01:30 in Shanghai
	return Facts{PaymentID: "pay_1", MerchantID: "mer_1", Method: payment.MethodQR, Capture: payment.CaptureAutomatic, Currency: "CNY",
		AmountMinor: 1234, OrderType: "goods", OrderRef: "42", CustomerID: "usr_1", CustomerRef: "c-7", CustomerSince: at.Add(-48 * time.Hour),
		Country: "CN", Metadata: map[string]string{"tier": "gold", "n": "7"}, CreatedAt: at, Zone: shanghai}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	e := testEnv(t)
	for source, want := range map[string]bool{
		"": true, "  \n": true, `true`: true, `amount == 1234`: true, `amount_text == "12.34"`: true, `amount > 1234`: false,
		`currency in ["CNY", "USD"]`: true, `method == "qr" && capture == "automatic"`: true, `channel == ""`: true,
		`merchant_id.startsWith("mer_")`: true, `order_type == "goods" && order_reference == "42"`: true, `customer_id != ""`: true,
		`customer_reference.endsWith("-7")`: true, `customer_age >= duration("48h")`: true, `customer_age < duration("24h")`: false,
		`country == "CN"`: true, `metadata["tier"] == "gold"`: true, `metadata.tier == "gold"`: true, `has(metadata.none)`: false,
		`"none" in metadata && metadata["none"] == "x"`: false, `size(metadata) == 2`: true, `int(metadata["n"]) > 6`: true,
		`created_at < timestamp("2026-11-23T00:00:00Z")`: true, `hour == 1 && weekday == 1 && day == 23`: true,
		`card == "f1"`: true, `amount % 100 == 34`: true, `amount > 5000 ? false : true`: true, `"金" + currency == "金CNY"`: true,
	} {
		c, err := e.Compile("when", source)
		require.NoError(t, err, source)
		holds, failed := c.Holds(NewView(facts(), map[string]string{"card": "f1"}))
		require.Empty(t, failed, source)
		require.Equal(t, want, holds, source)
	}
}

func TestConditionsFailWithoutQuoting(t *testing.T) {
	t.Parallel()
	e := testEnv(t)
	f := facts()
	f.AmountMinor = math.MaxInt64
	for source, want := range map[string]Failure{
		`metadata["none"] == "x"`: NoSuchKey, `metadata.none == "x"`: NoSuchKey, `int(metadata["tier"]) == 1`: Evaluation,
		`amount / (amount - amount) == 1`: Evaluation, `1 / 0 == 1`: Evaluation, `amount + 1 > 0`: Evaluation, `amount * 2 > 0`: Evaluation, `-amount - 2 < 0`: Evaluation,
		`timestamp(metadata["tier"]) > created_at`: Evaluation, `duration(metadata["tier"]) > customer_age`: Evaluation,
	} {
		c, err := e.Compile("when", source)
		require.NoError(t, err, source)
		holds, failed := c.Holds(NewView(f, nil))
		require.False(t, holds, source)
		require.Equal(t, want, failed, source)
	}
}

func TestFactsAreDocumented(t *testing.T) {
	t.Parallel()
	e := testEnv(t)
	for _, f := range Known() {
		require.NotEmpty(t, f.Text)
		_, ok := (&activation{view: NewView(Facts{}, nil), env: e}).ResolveName(f.Name)
		require.True(t, ok, "%s has a value even where nothing is known", f.Name)
	}
	_, ok := (&activation{view: NewView(Facts{}, nil), env: e}).ResolveName("payment_id")
	require.False(t, ok)
}

func TestNames(t *testing.T) {
	t.Parallel()
	require.NoError(t, CheckName("big-eur_1"))
	for _, name := range []string{"", "A", "a b", "a@1", "é", long("a", 65), "a\n"} {
		require.True(t, fault.Is(CheckName(name), fault.KindInvalid, "name_invalid"), name)
	}
}
