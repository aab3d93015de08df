package payment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/money"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	channel, wallet := func(n int64) Part { return Part{Source: FromChannel, Amount: cny(n)} }, func(n int64) Part { return Part{Source: FromWallet, Amount: cny(n)} }
	for name, c := range map[string]struct {
		parts []Part
		want  []int64
		code  string
	}{
		"none is one over a channel": {nil, []int64{100}, ""},
		"a wallet alone":             {[]Part{wallet(0)}, []int64{100}, ""},
		"the channel takes the rest": {[]Part{wallet(30), channel(0)}, []int64{30, 70}, ""},
		"the wallet takes the rest":  {[]Part{channel(99), wallet(0)}, []int64{99, 1}, ""},
		"both are said":              {[]Part{wallet(40), channel(60)}, []int64{40, 60}, ""},
		"nothing is left":            {[]Part{wallet(100), channel(0)}, nil, "parts_differ"},
		"too little":                 {[]Part{wallet(40), channel(59)}, nil, "parts_differ"},
		"too much":                   {[]Part{wallet(41), channel(60)}, nil, "parts_differ"},
		"more than the amount":       {[]Part{wallet(101), channel(0)}, nil, "parts_differ"},
		"so much that it would wrap": {[]Part{wallet(1<<63 - 1), channel(1<<63 - 1)}, nil, "parts_differ"},
		"below nothing":              {[]Part{wallet(-1), channel(101)}, nil, "parts_differ"},
		"none says how much":         {[]Part{wallet(0), channel(0)}, nil, "parts_differ"},
		"two wallets":                {[]Part{wallet(50), wallet(50)}, nil, "parts_invalid"},
		"three":                      {[]Part{wallet(50), channel(25), channel(25)}, nil, "parts_invalid"},
		"from somewhere else":        {[]Part{{Source: "air", Amount: cny(100)}}, nil, "parts_invalid"},
	} {
		got, err := Split(c.parts, cny(100))
		if c.code != "" {
			require.True(t, fault.Is(err, fault.KindInvalid, c.code), "%s: %v", name, err)
			continue
		}
		require.NoError(t, err, name)
		for i, part := range got {
			require.Equal(t, i+1, part.Ordinal, name)
			require.Equal(t, cny(c.want[i]), part.Amount, name)
		}
	}
}

// The fee of a payment in parts is the fee on its amount: a fixed fee counts once, and rounding adds nothing up (I-08).
func TestAFeeOnTwoPartsIsOneFee(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := splitWorld(t, rapid.Int64Range(1, 1_000_000).Draw(t, "wallet"))
		w.terms = drawTerms(t)
		w.open()
		w.settle(1, succeeded)
		want, err := w.terms.Fee(w.payment.Amount)
		require.NoError(t, err)
		require.Equal(t, Paid, w.payment.Status)
		require.LessOrEqual(t, w.payment.Fee.Minor, want.Minor)
		if alone, _ := w.terms.Fee(cny(meant)); alone.Minor < meant { // else the fee has eaten the channel's part whole
			require.Equal(t, want, w.payment.Fee)
		}
	})
}

func TestPayFromWallet(t *testing.T) {
	t.Parallel()
	w := splitWorld(t, 500)
	_, err := PayFromWallet(w.about(0, Outcome{}))
	require.Error(t, err, "a part over a channel is waited for")
	w.payment.Parts = w.payment.Parts[1:]
	w.payment.Parts[0].Ordinal, w.payment.Amount = 1, cny(500)
	for days, want := range map[int]string{0: "captured+matured", 2: "captured"} {
		c := w.about(0, Outcome{})
		c.Terms.SettlementDays = days
		r, err := PayFromWallet(c)
		require.NoError(t, err)
		require.Equal(t, want, kindsOf(r))
		require.Equal(t, Paid, r.After.Status)
		require.Equal(t, cny(500), r.After.Captured)
		require.Equal(t, "op1", r.Step.String())
		require.Equal(t, int64(500), r.Order.Paid)
		require.Equal(t, days > 0, !r.MaturesAt.IsZero())
		require.NotNil(t, r.Changes(c.Payment, nil))
		m, err := MaturityOf(Dossier{Payment: r.After}, w.now)
		require.NoError(t, err)
		require.Equal(t, payID+":mt1", m.Cause)
	}
}

// What was captured in steps matures step by step, and the wallet's part, taken with the last of them, in its own time.
func TestAWalletsPartMaturesByItself(t *testing.T) {
	t.Parallel()
	w := splitWorld(t, 500)
	w.terms.SettlementDays = 2
	w.open()
	w.settle(1, authorized)
	p := w.payment
	p.Captured, p.Fee, p.Pending = cny(234), cny(11), cny(223)
	p.Parts = append([]Part(nil), p.Parts...)
	p.Parts[0].Captured = cny(234)
	early := Capture{ID: "cap_1", Status: CaptureSucceeded, Amount: cny(234), Fee: cny(11), MaturesAt: w.now.Add(time.Hour)}
	c := w.about(1, closed)
	c.Payment, c.Captures = p, []Capture{early}
	r, err := Settle(c)
	require.NoError(t, err)
	require.Equal(t, Paid, r.After.Status)
	require.Equal(t, cny(734), r.After.Captured)
	require.Equal(t, early.MaturesAt, r.MaturesAt, "the first that is due")
	part := r.After.WalletPart()
	require.Equal(t, w.terms.MaturesAt(w.now), part.MaturesAt)
	net := 500 - (r.After.Fee.Minor - 11)
	require.Equal(t, 223+net, r.After.Pending.Minor)

	attempt := *c.Attempt
	attempt.Verdict = Succeeded
	d := Dossier{Payment: r.After, Captures: []Capture{early}, Attempts: []Attempt{attempt}}
	m, err := MaturityOf(d, early.MaturesAt)
	require.NoError(t, err)
	require.Equal(t, Maturity{Cause: "cap_1:mt1", Later: net, Next: part.MaturesAt}, m)
	m, err = MaturityOf(d, part.MaturesAt)
	require.NoError(t, err)
	require.Equal(t, Maturity{Cause: payID + ":mt1"}, m)
	require.Equal(t, money.Zero("CNY"), r.After.WalletPart().Refunded)
}
