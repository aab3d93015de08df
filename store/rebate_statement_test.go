package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/user"
)

// The sums of a statement are those of its rebates, whatever became of each (I-22).
func TestAStatementSumsItsRebates(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 10_000)
	u := p.user()
	paid := p.promised(u, 1, 600)
	_, err := p.payOut(p.s.Mint(id.Settlement))
	require.NoError(t, err)
	require.NoError(t, p.adjust(p.rebate(paid.ID), 5_000)) // half of it is taken out of the wallet
	pending := p.promised(u, 2, 301)
	require.NoError(t, p.adjust(pending, 2_500))
	p.promised(p.user(), 3, 77)

	ref := user.Ref{Book: p.Book, MerchantID: p.MerchantID, ID: u}
	totals, err := p.s.RebateTotals(t.Context(), ref)
	require.NoError(t, err)
	list, more, err := p.s.Rebates(t.Context(), accrual.Filter{Book: p.Book, MerchantID: p.MerchantID, User: u, Limit: 10})
	require.NoError(t, err)
	require.False(t, more)
	want := accrual.Totals{Currency: "CNY"}
	for _, a := range list {
		want.Accrued += a.Accrued
		want.Open += a.Open()
		want.Settled += a.Settled
		want.ClawedBack += a.ClawedBack()
		want.Debt += a.Debt
		want.Released += a.Released
	}
	require.Equal(t, []accrual.Totals{want}, totals)
	require.EqualValues(t, 901, want.Accrued)
	require.EqualValues(t, 600, want.Settled)
	require.Positive(t, want.ClawedBack)
	_, wallet, _, _, _ := p.balances(u)
	require.Equal(t, want.Accrued, want.Open+want.ClawedBack+want.Released+wallet, "what they have is what the rest leaves")

	ref.MerchantID = p.s.Mint(id.Merchant)
	_, err = p.s.RebateTotals(t.Context(), ref)
	require.True(t, fault.Is(err, fault.KindNotFound, ""), "I-25")
}
