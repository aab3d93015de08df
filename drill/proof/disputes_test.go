package proof

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/accrual"
	"paysaga/domain/dispute"
	"paysaga/domain/exception"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
)

// disputes holds chargebacks to their promises on real parts: a customer's bank takes money back, and gives it again.
func disputes(t *testing.T, c *callbacks) {
	t.Run("in any order", func(t *testing.T) { t.Parallel(); disputesInAnyOrder(t, c) })
	t.Run("of a payment", func(t *testing.T) { t.Parallel(); disputedPayment(t, c) })
	t.Run("of a top-up", func(t *testing.T) { t.Parallel(); disputedTopUp(t, c) })
	t.Run("beyond what is there", func(t *testing.T) { t.Parallel(); disputedBeyond(t, c) })
}

// act lets a bank act over the sandbox, which calls back by itself.
func act(t *testing.T, m *stage.Merchant, of, what string, more map[string]any) {
	t.Helper()
	body := map[string]any{"reference": of, "act": what}
	for k, v := range more {
		body[k] = v
	}
	m.Sandboxes[0].Admin(t, "dispute", body)
}

// disputeOf waits until the only dispute of a payment is in a status.
func disputeOf(t *testing.T, m *stage.Merchant, of string, s dispute.Status) (d dispute.Public) {
	t.Helper()
	stage.Eventually(t, "the dispute of "+of+" is "+string(s), func() bool {
		a := m.Do(t, http.MethodGet, "/v1/disputes?payment_id="+of, "", nil)
		var list struct{ Data []dispute.Public }
		require.NoError(t, json.Unmarshal(a.Raw, &list), "%s", a.Raw)
		if len(list.Data) > 0 {
			d = list.Data[0]
		}
		return len(list.Data) == 1 && d.Status == s
	})
	return d
}

// Three words of one dispute, one of them twice, end the same in each of their orders (I-21).
func disputesInAnyOrder(t *testing.T, c *callbacks) {
	m := c.Merchant(t, payment.Terms{}, deaf)
	for _, order := range permutations(4) {
		p := m.Pay(t, stage.Card("tok_ok"), nil).ID
		m.UntilStatus(t, p, payment.Paid)
		var told [][]byte
		for _, what := range []string{"open", "lose", "win"} {
			body, _, err := m.Sandboxes[0].Dispute(p, server.Disputing{Act: what})
			require.NoError(t, err)
			told = append(told, body)
		}
		told = append(told, told[1])
		for _, i := range order {
			code, err := c.post(in(m.Sandboxes[0].Account), told[i], http.Header{"Sandbox-Signature": {sign(time.Now(), told[i])}})
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, code)
			require.NoError(t, c.placed(p))
		}
		disputeOf(t, m, p, dispute.Won)
		if got := m.Get(t, p); got.Refundable != "12.34" {
			t.Errorf("%v: %s", order, got.Raw)
		}
	}
	if n := c.Balance(t, "merchant/"+m.ID+"/available"); n != -24*1234 {
		t.Errorf("the merchant has %d", -n)
	}
}

func disputedPayment(t *testing.T, c *callbacks) {
	m := c.Merchant(t, payment.Terms{FeeBasisPoints: 100})
	promises := m.Promises(t, 1000)
	user := promises.NewUser(t)
	paid := m.Pay(t, stage.Card("tok_ok"), nil)
	p := paid.ID
	m.UntilStatus(t, p, payment.Paid)
	rebate := promises.Promise(t, m.Get(t, p).OrderID, user, 100)
	available := c.Balance(t, "merchant/"+m.ID+"/available")
	clearing := c.Balance(t, "channel/"+m.Sandboxes[0].Account+"/clearing")

	act(t, m, p, "open", map[string]any{"amount_minor": 617, "fee_minor": 15})
	d := disputeOf(t, m, p, dispute.Open)
	require.Equal(t, []string{"6.17", "6.17", "fraudulent"}, []string{d.Amount, d.Taken, d.Reason})
	require.Equal(t, available+617, c.Balance(t, "merchant/"+m.ID+"/available"))
	require.Equal(t, clearing-617-15, c.Balance(t, "channel/"+m.Sandboxes[0].Account+"/clearing"))
	require.Equal(t, int64(15), c.Balance(t, "expense/channel_fees/"+m.Sandboxes[0].Account))
	promises.UntilRebate(t, rebate.ID, "taken back in part", func(a accrual.Accrual) bool { return a.ClawedBack() == 50 })
	if r := m.Refund(t, p, "too-much", "6.18"); r.Code != 409 || r.Problem != "refund_exceeds_payment" || r.Refundable != "6.17" {
		t.Errorf("what was charged back could be refunded, too: %d %s (I-12)", r.Code, r.Raw)
	}
	act(t, m, p, "lose", map[string]any{"fee_minor": 15})
	disputeOf(t, m, p, dispute.Lost)
	act(t, m, p, "win", nil)
	disputeOf(t, m, p, dispute.Won)
	require.Equal(t, available, c.Balance(t, "merchant/"+m.ID+"/available"))
	require.Zero(t, c.Balance(t, "expense/channel_fees/"+m.Sandboxes[0].Account))
	promises.UntilRebate(t, rebate.ID, "restored", func(a accrual.Accrual) bool { return a.ClawedBack() == 0 })
	told := m.Do(t, http.MethodGet, "/v1/payments/"+p+"/timeline", "", nil)
	for _, part := range []string{"dispute opened at sandbox: fraudulent", "booked: chargeback", "booked: chargeback_won", "dispute.lost", "dispute.won"} {
		if !strings.Contains(string(told.Raw), part) {
			t.Errorf("the timeline lacks %q", part)
		}
	}
	if n := c.Count(t, "SELECT count(*) FROM cases WHERE payment_id = $1", p); n != 0 {
		t.Errorf("%d cases were opened of what everybody could bear", n)
	}
}

func disputedTopUp(t *testing.T, c *callbacks) {
	m := c.Merchant(t, payment.Terms{})
	ada, bob := m.User(t, 0), m.User(t, 0)
	one := m.TopUp(t, ada, "10.00", stage.Card("tok_ok")).ID
	m.UntilTopUp(t, one, "there", func(a stage.TopUpAnswer) bool { return a.Status == payment.Paid })
	m.UntilTransfer(t, m.Transfer(t, ada, bob, "4.00").ID)
	act(t, m, one, "open", nil)
	d := disputeOf(t, m, one, dispute.Open)
	require.Equal(t, ada, d.UserID)
	require.Zero(t, c.Wallet(t, ada)) // never below its floor (I-06)
	require.Equal(t, int64(400), c.Balance(t, "merchant/"+m.ID+"/debt"))
	m.UntilCaseIs(t, one, exception.Chargeback, exception.Open)
	if r := m.RefundTopUp(t, one, "r", "0.01"); r.Code != 409 || r.Problem != "refund_exceeds_payment" {
		t.Errorf("%d %s", r.Code, r.Raw)
	}
	act(t, m, one, "win", nil)
	disputeOf(t, m, one, dispute.Won)
	require.Equal(t, int64(600), c.Wallet(t, ada))
	require.Zero(t, c.Balance(t, "merchant/"+m.ID+"/debt"))
}

// What was refunded already and is charged back all the same stands on suspense, and a person sees it.
func disputedBeyond(t *testing.T, c *callbacks) {
	m := c.Merchant(t, payment.Terms{})
	p := m.Pay(t, stage.Card("tok_ok"), nil).ID
	m.UntilStatus(t, p, payment.Paid)
	r := m.Refund(t, p, "first", "10.00")
	m.UntilRefund(t, r.ID, "done", func(a stage.RefundAnswer) bool { return a.Status.Terminal() })
	act(t, m, p, "open", nil)
	d := disputeOf(t, m, p, dispute.Open)
	require.Equal(t, []string{"2.34", "10.00"}, []string{d.Taken, d.Suspense})
	require.Equal(t, int64(1000), -m.Suspense(t, 0, exception.Chargeback))
	k := m.UntilCaseIs(t, p, exception.Chargeback, exception.Open)
	require.Equal(t, []exception.Decision{exception.Dismiss}, k.Allowed())
	act(t, m, p, "win", nil)
	disputeOf(t, m, p, dispute.Won)
	require.Zero(t, m.Suspense(t, 0, exception.Chargeback))
}
