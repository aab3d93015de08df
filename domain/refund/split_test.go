package refund

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// combined is a payment that was paid over a channel and out of a wallet.
func combined(channel, wallet, fee int64) Payment {
	p := paid(channel+wallet, fee, 0)
	p.CustomerID = "usr_1"
	for i, n := range []int64{channel, wallet} {
		p.Parts = append(p.Parts, payment.Part{Ordinal: i + 1, Source: []payment.Source{payment.FromChannel, payment.FromWallet}[i],
			Amount: cny(n), Authorized: cny(n), Captured: cny(n), Refunded: cny(0), Refunding: cny(0)})
	}
	return p
}

func TestARefundIsDividedByPolicy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy          string
		amount, channel int64
	}{
		{"", 500, 500}, {ChannelFirst, 700, 700}, {ChannelFirst, 701, 700}, {ChannelFirst, 1000, 700},
		{ProRata, 500, 350}, {ProRata, 1, 1}, {ProRata, 5, 3}, {ProRata, 1000, 700},
	} {
		o, err := Open(Opening{Refund: Refund{ID: "rfd_1", Part: 1, Charge: 1, Channel: "sandbox", ChannelAccount: "cha_1", Amount: cny(c.amount)},
			Payment: combined(700, 300, 0), Terms: payment.Terms{RefundParts: c.policy}, Available: 1000})
		require.NoError(t, err)
		require.Equal(t, c.channel, o.Refund.OverChannel(), "%s of %d", c.policy, c.amount)
		require.Equal(t, c.amount-c.channel, o.Payment.WalletPart().Refunding.Minor)
		require.Equal(t, "usr_1", o.Refund.User)
		require.True(t, o.Refund.Combined)
	}
}

// However a payment of two parts is refunded, each gets back no more than it brought, and all of it once the payment is refunded whole;
// what failed leaves no trace (I-07, I-08, I-12).
func TestRefundsOfTwoPartsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		channel, wallet := rapid.Int64Range(1, 100_000).Draw(t, "channel"), rapid.Int64Range(1, 100_000).Draw(t, "wallet")
		p := combined(channel, wallet, rapid.Int64Range(0, channel+wallet).Draw(t, "fee"))
		terms := payment.Terms{RefundParts: rapid.SampledFrom([]string{"", ChannelFirst, ProRata}).Draw(t, "policy")}
		given, back := int64(0), int64(0) // at the channel, and to the wallet
		var open []Refund
		for p.Left().Minor > 0 || len(open) > 0 {
			if len(open) == 0 || (p.Left().Minor > 0 && rapid.Bool().Draw(t, "another")) {
				if rapid.IntRange(0, 9).Draw(t, "other policy") == 0 {
					terms.RefundParts = ProRata
				}
				o, err := Open(Opening{Refund: Refund{ID: "rfd_1", Part: 1, Charge: 1, Channel: "sandbox", ChannelAccount: "cha_1",
					Amount: cny(rapid.Int64Range(1, p.Left().Minor).Draw(t, "amount"))}, Payment: p, Terms: terms, Available: channel + wallet})
				require.NoError(t, err)
				require.Equal(t, o.Refund.OverChannel() == 0, o.Refund.Charge == 0)
				p, open = o.Payment, append(open, o.Refund)
			} else {
				i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
				r := open[i]
				open = append(open[:i], open[i+1:]...)
				p = ends(t, r, p, &given, &back)
			}
			w := p.WalletPart()
			require.True(t, w.Left() >= 0 && p.Left().Minor-w.Left() >= 0, "a part gave more than it brought (I-12)")
			require.Equal(t, p.Refunded.Minor, p.Parts[0].Refunded.Minor+w.Refunded.Minor)
		}
		require.Equal(t, channel, p.Parts[0].Refunded.Minor)
		require.Equal(t, wallet, p.WalletPart().Refunded.Minor)
		require.Zero(t, p.WalletPart().Refunding.Minor)
		require.Equal(t, channel+wallet, given+back, "what was given back is what was paid (I-17)")
	})
}

// ends brings a refund to an end: at its channel, or by a person after the channel has refused for good.
func ends(t *rapid.T, r Refund, p Payment, given, back *int64) Payment {
	s := Settling{Refund: r, Payment: p, Ordinal: 1, Now: noon, Outcome: payment.Outcome{Verdict: payment.Succeeded, AmountMinor: r.OverChannel(), Currency: "CNY"}}
	if r.OverChannel() == 0 || rapid.IntRange(0, 2).Draw(t, "refused") > 0 {
		ruling, err := Settle(s)
		require.NoError(t, err)
		require.Equal(t, Succeeded, ruling.After.Status)
		*given += -legs(ruling.Journals)["channel/cha_1/clearing"]
		*back += -legs(ruling.Journals)["user/usr_1/wallet"]
		return ruling.Payment
	}
	s.Outcome = payment.Outcome{Verdict: payment.Declined, Dead: true}
	ruling, err := Settle(s)
	require.NoError(t, err)
	require.NotEmpty(t, ruling.After.Parked, "a wallet may take it: a person decides")
	s.Refund = ruling.After
	d := rapid.SampledFrom([]Decision{ToWallet, WriteOff}).Draw(t, "decision")
	ruling, err = Decide(s, d, 2)
	require.NoError(t, err)
	if d == ToWallet {
		require.Equal(t, Succeeded, ruling.After.Status)
		require.Equal(t, -r.Amount.Minor, legs(ruling.Journals)["user/usr_1/wallet"])
		*back += r.Amount.Minor
	}
	return ruling.Payment
}

func TestToWallet(t *testing.T) {
	t.Parallel()
	s := parked(t)
	_, err := Decide(s, ToWallet, 2)
	require.True(t, fault.Is(err, fault.KindConflict, "decision_refused"), "a payment without a customer has no wallet: %v", err)
	s.Refund.User = "usr_1"
	r, err := Decide(s, ToWallet, 2)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"merchant/mer_1/refunding": 100, "user/usr_1/wallet": -100}, legs(r.Journals))
	late := Settling{Refund: r.After, Payment: r.Payment, Ordinal: 1, Now: noon, Outcome: payment.Outcome{Verdict: payment.Declined, Dead: true}}
	quiet, err := Settle(late)
	require.NoError(t, err)
	require.True(t, quiet.Quiet, "its channel had refused it")
	late.Outcome = payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 100, Currency: "CNY"}
	_, err = Settle(late)
	require.True(t, fault.Is(err, fault.KindConflict, "contradicts_state"), "paid twice, a case: %v", err)
	s.Refund.InDoubt = true
	_, err = Decide(s, ToWallet, 2)
	require.True(t, fault.Is(err, fault.KindConflict, "decision_refused"), "unknown is not failed (I-14): %v", err)
}
