package workflows_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/exception"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
	"paysaga/domain/remit"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// payoutBehaviours are promises about more than one way through the payout's
// saga.
var payoutBehaviours = map[string]func(*testing.T, *stage.Stage){
	"Temporal down at the payout: 202, and the relay starts it":      payoutTemporalDown,
	"a payout that a Step of ours orders is started by the relay":    payoutOrdered,
	"a reset of a payout to any workflow task changes no book":       payoutReset,
	"a payout that comes back after its success is a case":           payoutReturned,
	"a payout made after it was given back is a case":                payoutPaidAfterAll,
	"forty payouts at once never take more than the wallet has":      fortyPayouts,
	"twenty equal payouts at once are one":                           twentyEqualPayouts,
	"an operator's decision about a payout is refused unless parked": payoutDecisionRefused,
	"nobody pays out of a wallet that isn't theirs, or is frozen":    payoutOfStrangers,
	"what comes back to a merchant pays its debt first":              payoutPaysDebt,
}

// wealthy is a merchant with a user whose wallet has 12.34.
func wealthy(t *testing.T, s *stage.Stage, accounts ...stage.AccountSpec) (*stage.Merchant, string) {
	t.Helper()
	m := s.Merchant(t, payment.Terms{}, accounts...)
	user := m.Earn(t, "12.34")
	m.Give(t, user, 1234)
	return m, user
}

func walletOf(t *testing.T, s *stage.Stage, user string) int64 {
	return -s.Balance(t, "user/"+user+"/wallet")
}

func payoutTemporalDown(t *testing.T, s *stage.Stage) {
	m, user := wealthy(t, s)
	down := *m
	down.Stage = s.WithoutTemporal(t)
	p := down.Withdraw(t, "down", user, "1.00", stage.To("dest_ok"))
	if p.Code != 202 || p.Status != payout.Processing {
		t.Fatalf("with Temporal down the API answered %d %s", p.Code, p.Raw)
	}
	m.UntilPayout(t, p.ID, "done by the relay (I-19)", func(a stage.PayoutAnswer) bool { return a.Status == payout.Succeeded })
	if again := m.Withdraw(t, "down", user, "1.00", stage.To("dest_ok")); again.Code != 201 || again.ID != p.ID {
		t.Errorf("the repeat answered %d %s", again.Code, again.Raw)
	}
}

func payoutOrdered(t *testing.T, s *stage.Stage) {
	m, user := wealthy(t, s)
	order := func(atLeast int64) (string, error) {
		d, err := payout.Destination{Type: payout.IBAN, Account: "DE89 3704 0044 0532 0130 00", Name: "Ada Lovelace"}.Checked()
		if err != nil {
			t.Fatal(err)
		}
		p := payout.Payout{ID: s.Store.Mint(id.Payout), MerchantID: m.ID, UserID: user, Amount: money.Zero("CNY"), Channel: "sandbox",
			ChannelAccount: m.Sandboxes[0].Account, Lane: payment.Standard}
		_, err = s.Store.Commit(context.Background(), ledger.Step{Book: id.Test, Cause: id.Key(p.ID, id.Step{Code: id.Open, Ordinal: 99}), Business: p.ID,
			By: ledger.Service("stage"), Changes: []ledger.Change{payout.Receive{Payout: p, Destination: d, All: true, AtLeast: atLeast}}})
		return p.ID, err
	}
	if _, err := order(1235); err == nil {
		t.Error("less than what is worth a payout was paid out")
	}
	ordered, err := order(1234)
	if err != nil {
		t.Fatal(err)
	}
	got := m.UntilPayout(t, ordered, "done by the relay", func(a stage.PayoutAnswer) bool { return a.Status == payout.Succeeded })
	if got.Amount != "12.34" || got.Destination.Last != "3000" || walletOf(t, s, user) != 0 {
		t.Errorf("it came to %s, and the wallet has %d", got.Raw, walletOf(t, s, user))
	}
	if sent := m.Sandboxes[0].Lookup(ordered).Payouts; len(sent) != 1 || sent[0].Destination != "DE89370400440532013000" {
		t.Errorf("the sandbox shows %+v", sent)
	}
}

func payoutReset(t *testing.T, s *stage.Stage) {
	for _, c := range []struct {
		lane payment.Lane
		to   string
		then func(*testing.T, *stage.Merchant, string)
	}{
		{payment.Express, "dest_closed", nil},
		{payment.Standard, "dest_abnormal", asks(payout.Retry)},
	} {
		m, user := wealthy(t, s, stage.AccountSpec{Lane: c.lane})
		p := m.Withdraw(t, "out", user, "10.00", stage.To(c.to)).ID
		if c.then != nil {
			c.then(t, m, p)
		}
		before := m.UntilPayout(t, p, "ended", func(a stage.PayoutAnswer) bool { return a.Status.Terminal() })
		sent, has := len(m.Sandboxes[0].Lookup(p).Payouts), walletOf(t, s, user)
		events := historyOfWorkflow(t, s, workflows.PayoutID(p)).Events
		for i := len(events) - 1; i >= 0; i-- {
			if events[i].EventType != enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
				continue
			}
			ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
			_, err := s.Client.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
				Namespace: s.Dev.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: workflows.PayoutID(p)}, Reason: "test",
				WorkflowTaskFinishEventId: events[i].EventId, RequestId: fmt.Sprintf("%s-%d", p, events[i].EventId),
			})
			if err != nil {
				t.Fatal(err)
			}
			var r workflows.PayoutResult
			if err := s.Client.GetWorkflow(ctx, workflows.PayoutID(p), "").Get(ctx, &r); err != nil || r.Status != before.Status {
				t.Fatalf("after a reset of %s to event %d the saga ended with %v, %v", c.to, events[i].EventId, r, err)
			}
			stop()
		}
		if after := m.GetPayout(t, p); after.Sequence != before.Sequence || walletOf(t, s, user) != has || len(m.Sandboxes[0].Lookup(p).Payouts) != sent {
			t.Errorf("a reset moved the payout from %s to %s", before.Raw, after.Raw)
		}
	}
}

// untilPayoutCase waits for the cases of a kind of a payout's merchant.
func untilPayoutCase(t *testing.T, m *stage.Merchant, kind exception.Kind, n int) (list []exception.Case) {
	t.Helper()
	stage.Eventually(t, fmt.Sprintf("there are %d of %s", n, kind), func() bool {
		var err error
		list, _, err = m.Stage.Store.Cases(context.Background(), exception.Filter{Book: m.Book, MerchantID: m.ID, Kind: kind, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return len(list) == n
	})
	return list
}

func payoutReturned(t *testing.T, s *stage.Stage) {
	m, user := wealthy(t, s)
	p := m.Withdraw(t, "out", user, "10.00", stage.To("dest_returned")).ID
	k := untilPayoutCase(t, m, exception.PayoutReturned, 1)[0]
	if n := walletOf(t, s, user); n != 1234 || !k.Booked {
		t.Errorf("the wallet has %d, and everything came back: %+v", n, k)
	}
	m.Sandboxes[0].Admin(t, "callbacks", map[string]any{"reference": p, "mode": "again"})
	stage.Eventually(t, "the callback said again is settled, too", func() bool {
		return s.Count(t, "SELECT count(*) FROM callbacks WHERE business_id = $1 AND disposition IS NULL", p) == 0
	})
	untilPayoutCase(t, m, exception.PayoutReturned, 1)
	if got := m.GetPayout(t, p); got.Status != payout.Succeeded {
		t.Errorf("it ended twice: %s (I-15)", got.Raw)
	}
	if code, v := m.Decide(t, k, exception.Accept); code != 200 || v.Status != exception.Closed {
		t.Errorf("taking note of it answered %d %+v", code, v)
	}
}

func payoutPaidAfterAll(t *testing.T, s *stage.Stage) {
	m, user := wealthy(t, s)
	for i, d := range []remit.Decision{payout.GiveBack, payout.PayElsewhere} {
		p := m.ReceivePayout(t, user, 100, "dest_abnormal")
		asks(d)(t, m, p)
		m.UntilPayout(t, p, "decided", func(a stage.PayoutAnswer) bool { return a.Status.Terminal() })
		m.Sandboxes[0].Admin(t, "payout", map[string]any{"reference": p, "act": "settle"})
		untilPayoutCase(t, m, exception.PayoutPaidAfterAll, i+1)
	}
	if n := s.Balance(t, "suspense/"+m.Sandboxes[0].Account+"/"+string(exception.PayoutPaidAfterAll)); n != 200 {
		t.Errorf("%d stand on suspense for it", n)
	}
}

// I-06, I-11: what a wallet has is judged under its lock, and leaves once.
func fortyPayouts(t *testing.T, s *stage.Stage) {
	m, user := wealthy(t, s)
	codes := map[int]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			p := m.Withdraw(t, fmt.Sprintf("one-of-many-%d", i), user, "1.00", stage.To("dest_ok"))
			mu.Lock()
			defer mu.Unlock()
			if codes[p.Code]++; p.Code == 409 && (p.Problem != "insufficient_balance" || p.There != "0.34") {
				t.Errorf("refused with %s", p.Raw)
			}
		})
	}
	wg.Wait()
	if codes[201]+codes[202] != 12 || codes[409] != 28 {
		t.Errorf("answered %v; want 12 received and 28 refused", codes)
	}
	stage.Eventually(t, "all of them have ended", func() bool {
		return s.Count(t, "SELECT count(*) FROM payouts WHERE user_id = $1 AND status = 'succeeded'", user) == 12
	})
	if sum := m.Sandboxes[0].Summarize(); sum.Payouts[server.Succeeded] != 12 || sum.PaidOut["CNY"] != 1200 || walletOf(t, s, user) != 34 {
		t.Errorf("the sandbox shows %v, %v paid out, and the wallet has %d", sum.Payouts, sum.PaidOut, walletOf(t, s, user))
	}
}

func twentyEqualPayouts(t *testing.T, s *stage.Stage) {
	m, user := wealthy(t, s)
	answers := make([]stage.PayoutAnswer, 20)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = m.Withdraw(t, "one-key", user, "12.34", stage.To("dest_ok")) })
	}
	wg.Wait()
	for _, a := range answers {
		if a.ID == "" || a.ID != answers[0].ID {
			t.Fatalf("two equal payouts were answered differently:\n%s\n%d %s", answers[0].Raw, a.Code, a.Raw)
		}
	}
	if other := m.Withdraw(t, "one-key", user, "1.00", stage.To("dest_ok")); other.Code != 422 || other.Problem != "idempotency_key_reused" {
		t.Errorf("another body under the key answered %d %s", other.Code, other.Raw)
	}
	m.UntilPayout(t, answers[0].ID, "done", func(a stage.PayoutAnswer) bool { return a.Status == payout.Succeeded })
	if n := m.Sandboxes[0].Summarize().Payouts[server.Succeeded]; n != 1 {
		t.Errorf("the sandbox shows %d payouts (I-20)", n)
	}
}

func payoutDecisionRefused(t *testing.T, s *stage.Stage) {
	m, user := wealthy(t, s, silent...)
	p := m.ReceivePayout(t, user, 100, "dest_pending")
	in := workflows.OutResolution{Decision: payout.GiveBack, Actor: "ada", Reason: "no"}
	if err := s.UpdatePayout(p, workflows.UpdateResolve, in); err == nil {
		t.Error("a payout that is on its way was given back")
	}
	in.Decision = "write_off" // a refund's
	if err := s.UpdatePayout(p, workflows.UpdateResolve, in); err == nil {
		t.Error("a payout was written off")
	}
	m.UntilPayout(t, p, "done", func(a stage.PayoutAnswer) bool { return a.Status == payout.Succeeded })
}

func payoutOfStrangers(t *testing.T, s *stage.Stage) {
	m, user := wealthy(t, s)
	other, _ := wealthy(t, s)
	for _, c := range []struct {
		who  *stage.Merchant
		user string
	}{{other, user}, {m, s.Store.Mint(id.User)}} { // I-25
		if a := c.who.Withdraw(t, "stranger", c.user, "1.00", stage.To("dest_ok")); a.Code != 404 {
			t.Errorf("%s: %d %s", c.user, a.Code, a.Raw)
		}
	}
	for _, status := range []string{"frozen", "closed"} {
		s.Exec(t, "UPDATE users SET status = $2 WHERE id = $1", user, status)
		if a := m.Withdraw(t, "when-"+status, user, "1.00", stage.To("dest_ok")); a.Code != 409 || a.Problem != "wallet_"+status {
			t.Errorf("%s: %d %s", status, a.Code, a.Raw)
		}
	}
	if n := walletOf(t, s, user); n != 1234 {
		t.Errorf("the wallet has %d", n)
	}
}

func payoutPaysDebt(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{DebtLimit: 2000})
	paid := paidBy(t, m, "tok_ok")
	p := m.ReceivePayout(t, "", 1234, "dest_abnormal")
	m.UntilPayout(t, p, "parked", func(a stage.PayoutAnswer) bool { return a.NeedsOperator })
	refunds("2.34")(t, m, paid) // nothing is there to take it from
	if n := s.Balance(t, "merchant/"+m.ID+"/debt"); n != 234 {
		t.Fatalf("%d are owed", n)
	}
	decidePayout(t, m, p, payout.GiveBack)
	if d, v := s.Balance(t, "merchant/"+m.ID+"/debt"), -s.Balance(t, "merchant/"+m.ID+"/available"); d != 0 || v != 1000 {
		t.Errorf("%d are owed, and %d available", d, v)
	}
}
