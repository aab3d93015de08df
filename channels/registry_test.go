package channels_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
	"paysaga/domain/routing"
)

func named(name string, currencies ...string) *told {
	c := offering(channels.OpCharge)
	c.describe.Name, c.describe.Currencies = name, currencies
	c.describe.Methods = []payment.MethodType{payment.MethodQR}
	return c
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	r := channels.NewRegistry(named("stripe"), named("sandbox"))
	require.Equal(t, []string{"sandbox", "stripe"}, r.Names())
	require.Empty(t, channels.NewRegistry().Names())
	for _, unknown := range []string{"", "paypal", "Stripe"} {
		_, err := r.Get(unknown)
		require.True(t, fault.Is(err, fault.KindNotFound, ""), unknown)
	}
	c, err := r.Get("stripe")
	require.NoError(t, err)
	_, err = do(c, channels.OpRefund, at(0))
	require.True(t, fault.Is(err, fault.KindInvalid, "operation_unsupported"), "each channel stands behind Guard")
	require.Panics(t, func() { channels.NewRegistry(named("a"), named("a")) })
	require.Panics(t, func() { channels.NewRegistry(named("")) })
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	r := channels.NewRegistry(named("any"), named("few", "CNY", "USD", "JPY"))
	methods := []payment.MethodType{payment.MethodQR}
	for name, c := range map[string]struct {
		account channels.OpenAccount
		want    []string
	}{
		"neither narrows":          {channels.OpenAccount{Channel: "any"}, nil},
		"the account narrows":      {channels.OpenAccount{Channel: "any", Currencies: []string{"CNY"}}, []string{"CNY"}},
		"the channel narrows":      {channels.OpenAccount{Channel: "few"}, []string{"CNY", "USD", "JPY"}},
		"both narrow":              {channels.OpenAccount{Channel: "few", Currencies: []string{"JPY", "EUR", "CNY"}}, []string{"CNY", "JPY"}},
		"nothing is left":          {channels.OpenAccount{Channel: "few", Currencies: []string{"EUR"}}, []string{}},
		"an account for nothing":   {channels.OpenAccount{Channel: "any", Currencies: []string{}}, []string{}},
		"both, one is for nothing": {channels.OpenAccount{Channel: "few", Currencies: []string{}}, []string{}},
	} {
		c.account.ID, c.account.Lane, c.account.Priority = "cha_1", payment.Express, 7
		got := r.Candidates([]channels.OpenAccount{{ID: "cha_0", Channel: "gone"}, c.account}, "CNY")
		require.Equal(t, []routing.Candidate{{ChannelAccount: "cha_1", Channel: c.account.Channel, Lane: payment.Express, Priority: 7,
			Methods: methods, Currencies: c.want}}, got, name)
	}
	require.Empty(t, r.Candidates(nil, "CNY"))
}

func TestDescription(t *testing.T) {
	t.Parallel()
	d := named("few", "CNY").Describe()
	require.True(t, d.Can(channels.OpCharge))
	require.False(t, d.Can(channels.OpRefund))
	require.True(t, d.Takes(payment.MethodQR, "CNY"))
	require.False(t, d.Takes(payment.MethodQR, "USD"))
	require.False(t, d.Takes(payment.MethodRedirect, "CNY"))
	d.Currencies = nil
	require.True(t, d.Takes(payment.MethodQR, "USD"), "nil is every currency")
	d.Currencies = []string{}
	require.False(t, d.Takes(payment.MethodQR, "USD"), "an empty list is none")
}

func TestNewKey(t *testing.T) {
	t.Parallel()
	k, err := channels.NewKey("pay_01hx3v6wq2k8m4n0p7r9s5t1ab:ch1", "00", born)
	require.NoError(t, err)
	require.Equal(t, channels.Key{ID: "pay_01hx3v6wq2k8m4n0p7r9s5t1ab:ch1", Reference: "p01hx3v6wq2k8m4n0p7r9s5t1abch1", BodyHash: "00", BornAt: born}, k)
	for _, bad := range []string{"", "pay_1:ch1", "pay_01hx3v6wq2k8m4n0p7r9s5t1ab", "ord_01hx3v6wq2k8m4n0p7r9s5t1ab:ch1", "pay_01hx3v6wq2k8m4n0p7r9s5t1ab:ch100"} {
		_, err := channels.NewKey(bad, "00", time.Time{})
		require.Equal(t, fault.KindInvalid, fault.Of(err), bad)
	}
}
