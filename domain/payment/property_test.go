package payment

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/exception"
	"paysaga/domain/money"
)

// hostile are the values that a channel may come up with.
func drawOutcome(t *rapid.T) Outcome {
	if rapid.IntRange(0, 2).Draw(t, "plain") > 0 {
		o := outcomes[rapid.IntRange(0, len(outcomes)-1).Draw(t, "outcome")].Outcome
		if rapid.Bool().Draw(t, "another charge") {
			o.ChannelID = "tx_2"
		}
		return o
	}
	o := Outcome{
		Verdict:     rapid.SampledFrom([]Verdict{Succeeded, Authorized, Declined, Pending, Unknown, Absent, Closed, "", "paid"}).Draw(t, "verdict"),
		AmountMinor: rapid.OneOf(rapid.SampledFrom([]int64{0, -1, 1, meant, -meant, maxCredible, maxCredible + 1, 1<<63 - 1, -1 << 63}), rapid.Int64()).Draw(t, "amount"),
		Currency:    rapid.SampledFrom([]string{"CNY", "USD", "JPY", "cny", "", "C\x00Y", "XXX", "\xff\xfe", "HRK"}).Draw(t, "currency"),
		ChannelID:   rapid.SampledFrom([]string{"", "tx_1", "tx_2", "a\x00b", "\xff"}).Draw(t, "channel id"),
		Dead:        rapid.Bool().Draw(t, "dead"),
		Reason:      rapid.String().Draw(t, "reason"),
		EffectiveAt: drawTime(t, "effective"),
		ExpiresAt:   drawTime(t, "expires"),
	}
	if rapid.Bool().Draw(t, "decline") {
		o.Decline = &Decline{Code: rapid.SampledFrom([]string{"", "stolen_card", "A B", "\x00"}).Draw(t, "code"), Channel: rapid.String().Draw(t, "channel code")}
	}
	if rapid.Bool().Draw(t, "action") {
		o.Action = &Action{Type: rapid.SampledFrom([]ActionType{ActionQR, ActionRedirect, ActionSDK, ActionBankTransfer, "dance"}).Draw(t, "type"),
			URL:        rapid.SampledFrom([]string{"", "https://x.example/1", "javascript:alert(1)", "weixin://1", "a\nb"}).Draw(t, "url"),
			Parameters: rapid.SampledFrom([]map[string]string{nil, {}, {"prepayid": "wx1"}, {"a\x00": "b"}}).Draw(t, "parameters")}
	}
	return o
}

func drawTime(t *rapid.T, name string) time.Time {
	return rapid.SampledFrom([]time.Time{{}, at(noon), time.Unix(0, 0), time.Unix(1<<60, 0), time.Unix(-1<<60, 0), at("2026-11-20T18:00:00Z"), at("9999-12-31T23:59:59Z")}).Draw(t, name)
}

func drawTerms(t *rapid.T) Terms {
	return Terms{MerchantID: "mer_1", FeeBasisPoints: rapid.SampledFrom([]int64{0, 1, 60, 10_000}).Draw(t, "basis points"),
		FeeFixed:       map[money.Currency]int64{"CNY": rapid.SampledFrom([]int64{0, 10, meant, 1<<63 - 1, -5}).Draw(t, "fixed")},
		SettlementDays: rapid.IntRange(0, 2).Draw(t, "days"), Zone: zone("Asia/Shanghai"), DayCut: 4 * time.Hour}
}

// Whatever channels, callbacks and people say, in any order and however often:
// the world's checks hold at each commit, everything gets a ruling, a repeat
// is quiet, and the same case gets the same ruling.
func TestAnySequenceOfOutcomesKeepsTheInvariants(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := splitWorld(t, rapid.SampledFrom([]int64{0, 0, 1, 500, 100_000}).Draw(t, "of a wallet"))
		w.terms = drawTerms(t)
		w.open()
		for range rapid.IntRange(1, 25).Draw(t, "length") {
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "seconds")) * time.Second)
			switch n := len(w.attempts); {
			case rapid.IntRange(0, 9).Draw(t, "person") == 0:
				_, _ = w.decide(n, rapid.SampledFrom([]Decision{Accept, Reject, MarkSucceeded, MarkFailed}).Draw(t, "decision"))
			case len(w.cases) > 0 && rapid.IntRange(0, 4).Draw(t, "a case is decided") == 0:
				about := rapid.IntRange(0, len(w.cases)-1).Draw(t, "case")
				_, _ = w.resolve(w.cases[about].ID, rapid.SampledFrom([]exception.Decision{exception.Accept, exception.Wait, exception.Return,
					exception.WriteOff, exception.Dismiss}).Draw(t, "decision of a case"), rapid.Bool().Draw(t, "knowing"))
			case w.attempts[n-1].Dead && !w.payment.Status.Terminal() && n < 4 && rapid.Bool().Draw(t, "next channel"):
				w.open()
			case w.attempts[n-1].Dead && !w.payment.Status.Terminal() && rapid.IntRange(0, 4).Draw(t, "cancel between") == 0:
				w.settle(0, closed, ends(Canceled))
			default:
				w.step(t, rapid.IntRange(1, n).Draw(t, "attempt"))
			}
		}
		w.accounted()
	})
}

func (w *world) step(t *rapid.T, n int) {
	o := drawOutcome(t)
	end := rapid.SampledFrom([]Status{"", "", Canceled, Expired, Failed}).Draw(t, "end")
	isLast := rapid.Bool().Draw(t, "last")
	c := func(c *Case) { c.End, c.Last = end, isLast }

	once, twice := w.about(n, o), w.about(n, o)
	c(&once)
	c(&twice)
	first, err := Settle(once)
	second, again := Settle(twice)
	require.Equal(w.t, err, again)
	require.Equal(w.t, first, second, "the same case, another ruling")
	require.Equal(w.t, w.about(n, o).Payment, once.Payment, "Settle changed what it was given")

	ended, before := w.payment.Status.Terminal(), w.payment
	w.settle(n, o, c)
	if ended {
		require.Equal(w.t, before, w.payment, "a terminal payment moved")
	}
	repeat := w.settle(n, o, c)
	require.True(w.t, repeat.Quiet || (repeat.Case != nil && repeat.Event == ""), "a repeat did something: %+v", repeat)
}

// accounted: what channels were given stands on clearing, once per posting, and
// the other side is the merchant's, ours, or on suspense under a case.
func (w *world) accounted() {
	sums := map[string]int64{}
	for account, balance := range w.balances() {
		group := account[:slices.Index([]byte(account+"/"), '/')]
		sums[group+account[len(account)-4:]] += balance
	}
	for _, cur := range []string{" CNY", " USD", " JPY"} {
		require.Zero(w.t, sums["channel"+cur]+sums["merchant"+cur]+sums["income"+cur]+sums["suspense"+cur]+sums["user"+cur])
	}
	if sums["suspense CNY"] != 0 || sums["suspense USD"] != 0 {
		require.NotEmpty(w.t, w.cases, "suspense without a case")
	}
	require.False(w.t, w.payment.Status.Terminal() && sums["memo CNY"] != 0, "in doubt for ever")
}

// Any order of the same true facts ends the same (I-21): what a channel told
// about one charge, as it went from pending to its end, arrives shuffled and
// repeated.
func TestAnyOrderEndsTheSame(t *testing.T) {
	t.Parallel()
	for name, story := range map[string][]Outcome{
		"paid":       {waiting, toScan, succeeded},
		"captured":   {waiting, authorized, succeeded},
		"retried":    {toScan, aliveNo, succeeded},
		"voided":     {authorized, closed},
		"closed":     {toScan, closed},
		"paid twice": {toScan, succeeded, second(succeeded)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			end := func(t require.TestingT, list []Outcome) *world {
				w := newWorld(t)
				w.open()
				for _, o := range list {
					w.settle(1, o, ends(Canceled))
				}
				return w
			}
			want := end(t, story)
			rapid.Check(t, func(t *rapid.T) {
				// The saga hears the end in the end: it polls until it knows.
				noise := rapid.SliceOfN(rapid.SampledFrom(story[:len(story)-1]), 0, 6).Draw(t, "noise")
				late := rapid.SliceOfN(rapid.SampledFrom(story), 0, 6).Draw(t, "late")
				if name == "paid twice" { // which of two charges is the second is for the order to say
					noise = nil
				}
				got := end(t, append(append(append(noise, story[:len(story)-1]...), story[len(story)-1]), late...))
				require.Equal(t, want.payment.Status, got.payment.Status)
				require.Equal(t, want.payment.Captured, got.payment.Captured)
				require.Equal(t, want.balances(), got.balances())
				require.Equal(t, want.cases, got.cases)
			})
		})
	}
}
