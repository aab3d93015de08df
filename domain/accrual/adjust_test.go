package accrual

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/id"
)

// A rebate goes back and comes again as often as its order's refunds say: its moves have causes of their own beyond the 99 that a reference to a
// channel could hold, and the first ones are what they always were.
func TestARebateMovesAsOftenAsItsOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := Accrual{Book: id.Test, ID: "reb_1", CampaignID: "cmp_1", Beneficiary: "usr_1", Currency: "CNY", Status: Pending, Accrued: 1000}
		if rapid.Bool().Draw(t, "settled") {
			a.Status, a.Settled = Settled, 1000
		}
		wallet, budget := int64(rapid.IntRange(0, 2000).Draw(t, "wallet")), int64(2000)
		causes := map[string]bool{}
		for n := range 250 {
			share := Share{Refunded: int64(rapid.IntRange(0, 500).Draw(t, "refunded")), Total: 500}
			r, err := a.Bring(share, Purse{Wallet: wallet, Budget: budget}, time.Unix(int64(n), 0))
			require.NoError(t, err)
			if !r.Moved {
				continue
			}
			require.False(t, causes[r.Journal.Cause()], "%s came twice (I-05)", r.Journal.Cause())
			causes[r.Journal.Cause()] = true
			for _, e := range r.Journal.Entries() {
				switch {
				case strings.HasSuffix(e.Account.Code, "/wallet"):
					wallet -= e.Amount
				case strings.HasSuffix(e.Account.Code, "/budget"):
					budget -= e.Amount
				}
			}
			a = r.After
			due, err := a.Due(share)
			require.NoError(t, err)
			require.Equal(t, due, a.ClawedBack(), "the budget holds it all")
			require.Equal(t, a.Accrued, a.Paid()+a.Open()+a.ClawedBack()) // I-22
		}
		require.Equal(t, len(causes), a.Ordinals.Clawed+a.Ordinals.Restored)
	})
}

func TestTheCausesOfClawBacksStandAsTheyWere(t *testing.T) {
	t.Parallel()
	a := Accrual{ID: "reb_1", Currency: "CNY", Status: Pending, Accrued: 100, Ordinals: Ordinals{Clawed: 98}}
	for _, want := range []string{"reb_1:rb99", "reb_1:rb100"} {
		step, err := a.Step(Share{Refunded: 1, Total: 2})
		require.NoError(t, err)
		require.Equal(t, want, a.Cause(step.Code, step.Ordinal))
		a.Ordinals.Clawed++
	}
	a.Ordinals.Clawed = MaxMoves
	_, err := a.Step(Share{Refunded: 1, Total: 2})
	require.ErrorContains(t, err, "no ordinal")
}
