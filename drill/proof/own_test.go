package proof

import (
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/sandbox/server"
	"paysaga/domain/dispute"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/drill/stage"
)

// What a merchant's own account takes never becomes ours, whatever happens to it: it stands on memo accounts that agree with the
// channel's book, and only our fee is booked, as owed, and paid out of what the merchant has with us (I-10, I-16).
func TestOwnFunds(t *testing.T) {
	t.Parallel()
	s := stage.New(t, stage.Options{})
	m := s.Merchant(t, payment.Terms{FeeBasisPoints: 100}, stage.AccountSpec{FundsHolder: "merchant"}, stage.AccountSpec{Lane: payment.Standard})
	own, ours := m.Sandboxes[0], m.Sandboxes[1]
	memo, mine := "memo/own_funds/"+own.Account, "merchant/"+m.ID+"/"
	books := func(want map[string]int64) {
		t.Helper()
		for code, minor := range want {
			if credit := code != memo && code != mine+"fees_due"; credit {
				minor = -minor
			}
			require.Equal(t, minor, s.Balance(t, code), code)
		}
		require.Zero(t, s.Count(t, "SELECT count(*) FROM accounts WHERE code = $1", "channel/"+own.Account+"/clearing"), "its money isn't ours")
	}
	pay := func(token, amount string) string {
		t.Helper()
		paid := m.Pay(t, stage.Card(token), map[string]any{"amount": amount}).ID
		m.UntilStatus(t, paid, payment.Paid)
		return paid
	}
	give := func(paid, key, amount string, to refund.Status) {
		t.Helper()
		r := m.Refund(t, paid, key, amount)
		require.Less(t, r.Code, 300, "%s", r.Raw)
		m.UntilRefund(t, r.ID, string(to), func(a stage.RefundAnswer) bool { return a.Status == to })
	}

	paid := pay("tok_timeout_after", "100.00") // in doubt for a while
	books(map[string]int64{memo: 10000, memo + "/merchant": 10000, mine + "fees_due": 100, "income/fees": 100, mine + "available": 0, mine + "pending": 0})
	give(paid, "some", "40.00", refund.Succeeded)
	books(map[string]int64{memo: 6000, memo + "/merchant": 6000, memo + "/refunding": 0, mine + "fees_due": 60, "income/fees": 60, mine + "refunding": 0})
	refused := pay("tok_refund_declined", "10.00")
	give(refused, "refused", "", refund.Failed)
	books(map[string]int64{memo: 7000, memo + "/merchant": 7000, memo + "/refunding": 0, mine + "fees_due": 70, "income/fees": 70})
	sum := own.Summarize()
	require.Equal(t, int64(4000), sum.Refunded["CNY"])

	// Its own account is halted: the platform's takes the next one, and the fees that are owed are paid out of it.
	_, err := s.Store.ActOnAccount(t.Context(), own.Account, channels.Pause, ledger.Principal{Kind: ledger.ByOperator, ID: "opr_1", Reason: "a test"})
	require.NoError(t, err)
	pay("tok_ok", "50.00")
	require.NotEmpty(t, ours.Summarize().Charges[server.Succeeded])
	books(map[string]int64{mine + "fees_due": 0, mine + "available": 5000 - 50 - 70, "income/fees": 120, memo: 7000})
	// What is open or was charged at a halted account goes on: a refund of it leaves there.
	give(paid, "rest", "", refund.Succeeded)
	books(map[string]int64{memo: 1000, memo + "/merchant": 1000, mine + "fees_due": -60, "income/fees": 60})
	// A bank takes back what the merchant has, and a fee; nobody owes us anything for it.
	act(t, m, refused, "open", map[string]any{"fee_minor": 500})
	disputeOf(t, m, refused, dispute.Open)
	books(map[string]int64{memo: -500, memo + "/merchant": 0, mine + "debt": 0, mine + "available": 5000 - 50 - 70})
	s.Audit(t)
}
