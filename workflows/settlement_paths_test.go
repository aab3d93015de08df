package workflows_test

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"paysaga/domain/accrual"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/rebate"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// settlementPath is one way through a settlement, on real parts.
type settlementPath struct {
	name   string
	run    func(t *testing.T, p *stage.Promises, order string) accrual.Run
	status accrual.RunStatus
	done   accrual.Tally
}

var by = workflows.Steering{Actor: "ada", Reason: "the books are being checked"}

func steer(t *testing.T, p *stage.Promises, r accrual.Run, update string) {
	t.Helper()
	stage.Eventually(t, update+" reaches the saga", func() bool {
		return p.Stage.UpdateWorkflow(workflows.SettlementID(r), update, by) == nil
	})
}

// promiseMany promises n users 3.00 each, in three rebates.
func promiseMany(t *testing.T, p *stage.Promises, order string, n int) (users []string) {
	for range n {
		user := p.NewUser(t)
		for range 3 {
			p.Promise(t, order, user, 100)
		}
		users = append(users, user)
	}
	return users
}

var settlementPaths = []settlementPath{
	{name: "paid", status: accrual.Completed, done: accrual.Tally{Rebates: 60, Paid: 6000},
		run: func(t *testing.T, p *stage.Promises, order string) accrual.Run {
			promiseMany(t, p, order, 20) // more than a page
			return p.Settle(t)
		}},
	{name: "wallets_refuse", status: accrual.Completed, done: accrual.Tally{Rebates: 9, Paid: 300, Released: 600},
		run: func(t *testing.T, p *stage.Promises, order string) accrual.Run {
			users := promiseMany(t, p, order, 3)
			p.Stage.Exec(t, `UPDATE users SET status = 'frozen' WHERE id = $1`, users[0])
			p.Stage.Exec(t, `UPDATE users SET status = 'closed' WHERE id = $1`, users[2])
			return p.Settle(t)
		}},
	{name: "paused_and_resumed", status: accrual.Completed, done: accrual.Tally{Rebates: 3, Paid: 300},
		run: func(t *testing.T, p *stage.Promises, order string) accrual.Run {
			promiseMany(t, p, order, 1)
			r := p.SettlePaused(t)
			p.Stage.UntilDetailsOf(t, workflows.SettlementID(r), "paused; 0 of 3 rebates, CNY 0.00 of CNY 3.00")
			steer(t, p, r, workflows.UpdateResume)
			return r
		}},
	{name: "canceled", status: accrual.Canceled,
		run: func(t *testing.T, p *stage.Promises, order string) accrual.Run {
			promiseMany(t, p, order, 1)
			r := p.SettlePaused(t)
			steer(t, p, r, workflows.UpdateCancel)
			return r
		}},
}

func walkSettlement(t *testing.T, s *stage.Stage, path settlementPath) {
	m := s.Merchant(t, payment.Terms{})
	p := m.Promises(t, 100_000)
	order := m.Receive(t, payment.Method{Type: payment.MethodCardToken, Token: "tok_ok"}, time.Hour).OrderID
	r := p.UntilSettled(t, path.run(t, p, order))
	if r.Status != path.status || r.Done != path.done {
		t.Errorf("the settlement is %s with %+v, want %s with %+v", r.Status, r.Done, path.status, path.done)
	}
	if left := 100_000 - path.done.Paid - r.Total.Paid + path.done.Paid + path.done.Released; -s.Balance(t, "campaign/"+p.Campaign+"/budget") != left {
		t.Errorf("the budget holds %d, want %d", -s.Balance(t, "campaign/"+p.Campaign+"/budget"), left)
	}
	if *record {
		write(t, filepath.Join(histories, "settlement", path.name+".json"), historyOfWorkflow(t, s, workflows.SettlementID(r)))
	}
}

// settlementBehaviours are what several sagas come to together.
var settlementBehaviours = map[string]func(*testing.T, *stage.Stage){
	"a paid order earns its buyer a rebate, which a settlement pays": func(t *testing.T, s *stage.Stage) {
		m := s.Merchant(t, payment.Terms{})
		p := m.Promises(t, 1000)
		p.Rules(t, rebate.Definition{Rules: []rebate.Rule{{Name: "all", Strategy: rebate.Strategy{Type: rebate.Percentage, RateBps: 500}}}})
		a := m.Pay(t, stage.Card("tok_ok"), map[string]any{"customer": map[string]any{"reference": "ada"}})
		var earned []accrual.Accrual
		stage.Eventually(t, "the order has earned", func() bool {
			f, err := s.Store.OrderFile(context.Background(), id.Test, m.Get(t, a.ID).OrderID)
			earned = f.Rebates
			return err == nil && len(earned) == 1
		})
		if earned[0].Accrued != 61 { // 5 % of 12.34, rounded down
			t.Errorf("it earned %d", earned[0].Accrued)
		}
		p.UntilSettled(t, p.Settle(t))
		if n := p.Wallet(t, earned[0].Beneficiary); n != 61 {
			t.Errorf("the wallet holds %d", n)
		}
	},
	"wallets are paid out after a settlement, where somebody wants it": paidOutByItself,
	"a refund takes its share of the order's rebates back": func(t *testing.T, s *stage.Stage) {
		m := s.Merchant(t, payment.Terms{})
		p := m.Promises(t, 1000)
		a := m.Pay(t, stage.Card("tok_ok"), nil)
		order, user := m.Get(t, a.ID).OrderID, p.NewUser(t)
		early := p.Promise(t, order, user, 101)
		p.UntilSettled(t, p.Settle(t))
		late := p.Promise(t, order, user, 50)
		total := m.Get(t, a.ID).Amount
		m.Refund(t, a.ID, "all", total)
		p.UntilRebate(t, early.ID, "clawed back", func(a accrual.Accrual) bool { return a.FromWallet == 101 })
		p.UntilRebate(t, late.ID, "clawed back", func(a accrual.Accrual) bool { return a.FromPending == 50 })
		if n := p.Wallet(t, user); n != 0 {
			t.Errorf("the wallet holds %d", n)
		}
	},
}

// tickBegins has a tick begin the settlements of a whole book.
func tickBegins(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	p := m.Promises(t, 1000)
	order := m.Receive(t, payment.Method{Type: payment.MethodCardToken, Token: "tok_ok"}, time.Hour).OrderID
	promiseMany(t, p, order, 1)
	for i := range 2 {
		tick, err := s.Client.ExecuteWorkflow(context.Background(), s.Starter.TickOptions(id.Test), workflows.SettlementTick, workflows.TickInput{Book: id.Test})
		if err != nil || tick.Get(context.Background(), nil) != nil {
			t.Fatal(err)
		}
		if *record && i == 0 {
			write(t, filepath.Join(histories, "settlement", "tick.json"), historyOfWorkflow(t, s, tick.GetID()))
		}
	}
	list, _, err := s.Store.Settlements(context.Background(), accrual.RunFilter{Book: id.Test, CampaignID: p.Campaign, Limit: 10})
	if err != nil || len(list) != 1 {
		t.Fatalf("there are %d settlements: %v", len(list), err)
	}
	if r := p.UntilSettled(t, list[0]); r.Done.Paid != 300 {
		t.Errorf("it came to %+v", r.Done)
	}
}

// paidOutByItself: the merchant wants wallets paid out from 1.00 on; users say otherwise. Each is promised 3.00. The sandbox's book judges.
func paidOutByItself(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	p := m.Promises(t, 100_000)
	if err := s.Store.SetAutoWithdraw(context.Background(), id.Test, m.ID, money.New(100, "CNY")); err != nil {
		t.Fatal(err)
	}
	order := m.Receive(t, payment.Method{Type: payment.MethodCardToken, Token: "tok_ok"}, time.Hour).OrderID
	users := promiseMany(t, p, order, 5)
	keeps := func(user string) string {
		a := m.Do(t, http.MethodPost, "/v1/users/"+user+"/destinations", "", stage.To("dest_ok"))
		var d struct{ ID string }
		if err := json.Unmarshal(a.Raw, &d); a.Code != http.StatusCreated || err != nil {
			t.Fatalf("%d %s", a.Code, a.Raw)
		}
		return d.ID
	}
	wants := func(user string, what map[string]any) {
		if a := m.Do(t, http.MethodPatch, "/v1/users/"+user, "", map[string]any{"auto_withdraw": what}); a.Code != http.StatusOK {
			t.Fatalf("%d %s", a.Code, a.Raw)
		}
	}
	outcomes := map[string]string{users[4]: "no_destination"}
	for i, want := range []struct {
		what    map[string]any
		outcome string
	}{
		{map[string]any{"currency": "CNY", "at_least": "2.00"}, "ordered"},
		{map[string]any{"currency": "CNY", "at_least": "3.01"}, "insufficient_balance"},
		{nil, "ordered"}, // as the merchant says
		{map[string]any{"off": true}, "not_wanted"},
	} {
		d := keeps(users[i])
		if want.what != nil && want.what["off"] == nil {
			want.what["destination_id"] = d
		}
		if want.what != nil {
			wants(users[i], want.what)
		}
		outcomes[users[i]] = want.outcome
	}
	if r := p.UntilSettled(t, p.Settle(t)); r.Done.Paid != 1500 {
		t.Errorf("it came to %+v", r.Done)
	}
	came := func() bool {
		return s.Count(t, `SELECT count(*) FROM settlement_withdrawals WHERE outcome IS NOT NULL AND user_id = ANY($1)`, users) == int64(len(users))
	}
	stage.Eventually(t, "each wallet was looked at", came)
	for user, want := range outcomes {
		if n := s.Count(t, `SELECT count(*) FROM settlement_withdrawals WHERE user_id = $1 AND outcome = $2`, user, want); n != 1 {
			t.Errorf("%s isn't %s", user, want)
		}
	}
	// Asked again, as after a worker that was gone before it could say so.
	s.Exec(t, `UPDATE settlement_withdrawals SET outcome = NULL, due_at = now() WHERE user_id = ANY($1)`, users)
	stage.Eventually(t, "each wallet was looked at again", came)
	stage.Eventually(t, "the channel has paid", func() bool { return m.Sandboxes[0].Summarize().PaidOut["CNY"] >= 600 })
	for i, left := range []int64{0, 300, 0, 300, 300} {
		if n := p.Wallet(t, users[i]); n != left {
			t.Errorf("the wallet of user %d holds %d, want %d", i, n, left)
		}
	}
	if sum := m.Sandboxes[0].Summarize(); sum.PaidOut["CNY"] != 600 {
		t.Errorf("the sandbox has paid out %v", sum.PaidOut)
	}
}
