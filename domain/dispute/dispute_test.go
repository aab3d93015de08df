package dispute

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

var born = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func cny(minor int64) money.Amount { return money.New(minor, "CNY") }

// world is what a dispute moves.
type world struct {
	d                              Dispute
	p                              payment.Payment
	available, debt, limit, wallet int64
	clearing, suspense, fees       int64
	cases                          int
}

func newWorld(prefix id.Prefix, captured int64) *world {
	w := &world{available: captured, wallet: captured, clearing: captured}
	w.p = payment.Payment{Book: id.Test, ID: id.New(prefix, uint64(born.UnixMilli()), [10]byte{1}), MerchantID: "mer_1", CustomerID: "usr_1",
		Amount: cny(captured), Status: payment.Paid, Captured: cny(captured), Refunded: cny(0), Refunding: cny(0), Disputed: cny(0)}
	did, err := ID(w.p.ID, "cha_1", "d1")
	if err != nil {
		panic(err)
	}
	w.d = Dispute{Book: id.Test, ID: did, PaymentID: w.p.ID, MerchantID: "mer_1", Charge: 1, ChannelAccount: "cha_1", ChannelID: "d1"}
	if w.p.TopUp() {
		w.d.UserID = "usr_1"
	}
	return w
}

func word(s Status, minute int, minor int64) Word {
	return Word{ID: "d1", Status: s, AmountMinor: minor, Currency: "CNY", At: born.Add(time.Duration(minute) * time.Minute)}
}

// hear applies a word as the store does.
func (w *world) hear(said Word) error {
	r, err := Hearing{Hear: Hear{Dispute: w.d, Word: said}, Payment: w.p, Available: w.available, Debt: w.debt, DebtLimit: w.limit, Wallet: w.wallet,
		Now: born}.Rule()
	if err != nil {
		return err
	}
	w.d, w.p = r.After, r.Payment
	if r.Case != nil {
		w.cases++
	}
	for _, j := range r.Journals {
		for _, e := range j.Entries() {
			switch e.Account.Code {
			case "merchant/mer_1/available":
				w.available -= e.Amount
			case "merchant/mer_1/debt":
				w.debt += e.Amount
			case "user/usr_1/wallet":
				w.wallet -= e.Amount
			case "channel/cha_1/clearing":
				w.clearing += e.Amount
			case "suspense/cha_1/" + ledger.ChargebackSuspense:
				w.suspense += e.Amount
			case "expense/channel_fees/cha_1":
				w.fees += e.Amount
			default:
				panic(e.Account.Code)
			}
		}
	}
	back := min(w.debt, w.available) // the store pays a debt back in the same Step
	w.debt, w.available = w.debt-back, w.available-back
	return nil
}

// Whatever order its words come in, and however often, a dispute ends the same, and so does the money (I-21).
func TestWordsInAnyOrderEndTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.SampledFrom([]id.Prefix{id.Payment, id.TopUp}).Draw(t, "of")
		var said []Word
		for i := range rapid.IntRange(1, 6).Draw(t, "words") {
			one := word(rapid.SampledFrom(statuses).Draw(t, "status"), rapid.IntRange(0, 4).Draw(t, "at"), int64(rapid.IntRange(1, 150).Draw(t, "amount")))
			one.FeeMinor = int64(rapid.IntRange(0, 3).Draw(t, "fee"+strconv.Itoa(i)))
			said = append(said, one)
		}
		ends := map[string]bool{}
		for range 4 {
			w := newWorld(prefix, 100)
			for _, one := range rapid.Permutation(append(said, said...)).Draw(t, "order") {
				require.NoError(t, w.hear(one))
				require.Equal(t, int64(100)-w.clearing, w.d.Taken.sum()+w.d.Taken.Fee)
				require.LessOrEqual(t, w.p.Disputed.Minor, w.p.Captured.Minor) // I-12
				require.Equal(t, w.p.Disputed.Minor, w.d.Taken.Counted())
			}
			// How it got there differs: how many moves there were, and who was told.
			w.d.Sequence, w.d.UpdatedAt = 0, born
			ends[fmt.Sprintf("%+v", []any{w.d, w.available - w.debt, w.wallet, w.clearing, w.suspense, w.fees})] = true
		}
		require.Len(t, ends, 1, "%v", ends)
	})
}

func TestWhoBearsIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prefix id.Prefix
		with   func(*world)
		said   Word
		want   Taken
		debt   int64
		cases  int
	}{
		"the merchant, of what it has": {prefix: id.Payment, said: word(Open, 1, 60), want: Taken{Merchant: 60}},
		"else it owes it":              {prefix: id.Payment, with: func(w *world) { w.available, w.limit = 10, 50 }, said: word(Open, 1, 60), want: Taken{Merchant: 60}, debt: 50},
		"beyond its limit, too, and a person sees it": {prefix: id.Payment, with: func(w *world) { w.available, w.limit = 10, 49 }, said: word(Open, 1, 60),
			want: Taken{Merchant: 60}, debt: 50, cases: 1},
		"a pay-in that was refunded can't lose it again": {prefix: id.Payment, with: func(w *world) { w.p.Refunded, w.p.Refunding = cny(50), cny(20) },
			said: word(Open, 1, 60), want: Taken{Merchant: 30, Suspense: 30}, cases: 1},
		"nor one of another currency": {prefix: id.Payment, said: Word{ID: "d1", Status: Lost, AmountMinor: 60, Currency: "USD", At: born},
			want: Taken{Suspense: 60}, cases: 1},
		"a part of the wallet isn't the channel's": {prefix: id.Payment, with: func(w *world) {
			w.p.Parts = []payment.Part{{Ordinal: 1, Source: payment.FromWallet, Amount: cny(70), Captured: cny(70), Refunded: cny(0), Refunding: cny(0)},
				{Ordinal: 2, Source: payment.FromChannel, Amount: cny(30), Captured: cny(30), Refunded: cny(0)}}
		}, said: word(Open, 1, 40), want: Taken{Merchant: 30, Suspense: 10}, cases: 1},
		"the wallet that was topped up":         {prefix: id.TopUp, said: word(Open, 1, 60), want: Taken{Wallet: 60}},
		"the merchant for what was spent of it": {prefix: id.TopUp, with: func(w *world) { w.wallet = 25 }, said: word(Open, 1, 60), want: Taken{Wallet: 25, Merchant: 35}},
		"the fee is ours":                       {prefix: id.Payment, said: Word{ID: "d1", Status: Open, AmountMinor: 60, Currency: "CNY", FeeMinor: 15, At: born}, want: Taken{Merchant: 60, Fee: 15}},
		"nobody, of one that was won at once":   {prefix: id.Payment, said: word(Won, 1, 60)},
	} {
		w := newWorld(c.prefix, 100)
		if c.with != nil {
			c.with(w)
		}
		before := w.available + w.wallet - w.debt
		require.NoError(t, w.hear(c.said), name)
		require.Equal(t, c.want, w.d.Taken, name)
		require.Equal(t, c.debt, w.debt, name)
		require.Equal(t, c.cases, w.cases, name)
		require.Equal(t, c.want.Counted(), w.p.Disputed.Minor, name)
		require.NoError(t, w.hear(Word{ID: "d1", Status: Won, AmountMinor: 60, Currency: c.said.Currency, At: born.Add(time.Hour)}), name)
		require.Zero(t, w.d.Taken, name)
		require.Equal(t, before, w.available+w.wallet-w.debt, name)
		require.Zero(t, w.suspense+w.fees, name)
	}
}

func TestWordsThatCantBe(t *testing.T) {
	t.Parallel()
	good := word(Open, 1, 60)
	require.NoError(t, good.Check())
	for name, spoil := range map[string]func(*Word){
		"no id": func(w *Word) { w.ID = "" }, "no status": func(w *Word) { w.Status = "" }, "another status": func(w *Word) { w.Status = "lapsed" },
		"nothing": func(w *Word) { w.AmountMinor = 0 }, "less": func(w *Word) { w.AmountMinor = -1 }, "beyond all measure": func(w *Word) { w.AmountMinor = 1 << 62 },
		"no currency": func(w *Word) { w.Currency = "" }, "no such currency": func(w *Word) { w.Currency = "ABC" },
		"a fee that gives": func(w *Word) { w.FeeMinor = -1 }, "a fee without measure": func(w *Word) { w.FeeMinor = 1 << 40 }, "no time": func(w *Word) { w.At = time.Time{} },
	} {
		bad := good
		spoil(&bad)
		require.Equal(t, fault.KindInvalid, fault.Of(bad.Check()), name)
	}
	w := newWorld(id.Payment, 100)
	require.NoError(t, w.hear(good))
	err := w.hear(Word{ID: "d1", Status: Lost, AmountMinor: 60, Currency: "USD", At: born.Add(time.Hour)})
	require.True(t, fault.Is(err, fault.KindConflict, "contradicts_state"), "%v", err)
	require.Contains(t, exception.Kinds(), exception.Chargeback)
}
