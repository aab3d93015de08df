package story_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/activities"
	"paysaga/domain/access"
	"paysaga/domain/accrual"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/notice"
	"paysaga/domain/payment"
	"paysaga/domain/rebate"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

var orders = flag.Int("orders", 40, "how many orders the story has")

// story is one telling.
type story struct {
	*testing.T
	*stage.Merchant
	s        *stage.Stage
	chance   *rand.Rand
	campaign string
	people   []string
	buyers   []string // who buys now: the last of the people stops when they are frozen
	orders   []order
	days     int // that have passed
}

type order struct {
	payment, buyer string
	minor          int64
	declined       bool
}

// The story holds at each of its turns that payments, refunds, payouts and rebates add up to what the accounts hold, and at the end that the
// audit finds nothing.
func TestWhereEveryCentWent(t *testing.T) {
	t.Parallel()
	s := stage.New(t, stage.Options{Notices: true})
	m := s.Merchant(t, payment.Terms{})
	m.Tells(t, func(v *notice.Settings) { v.Sender = "Lantern Books" })
	x := &story{T: t, Merchant: m, s: s, chance: rand.New(rand.NewPCG(2026, 11))}
	x.launch()
	x.meet(max(6, *orders/25))
	x.shop(*orders)
	x.giveBack("early", "goods come back before anything is paid out", 10, 15)
	x.untilRated()
	x.account("what is promised")
	x.goOn(8)
	x.freeze()
	x.settle()
	x.account("after the first settlement")
	x.spend()
	x.giveBack("late", "goods come back late", 12, 5)
	x.untilAdjusted()
	x.account("after the late returns")
	x.shop(*orders / 4)
	x.untilRated()
	x.goOn(8)
	x.settle()
	x.withdraw()
	x.account("at the end")
	x.told()
	s.Audit(t)
	if !t.Failed() {
		x.say("paysaga audit: every invariant holds.")
	}
}

func (x *story) say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func (x *story) chapter(format string, args ...any) { x.say("\n── "+format, args...) }

// until waits for what a thousand orders take longer for than a stage's patience.
func (x *story) until(what string, ok func() bool) {
	x.Helper()
	ctx, stop := context.WithTimeout(x.Context(), 10*time.Minute)
	defer stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			x.Fatalf("it never came to this: %s", what)
		}
	}
}

func cny(minor int64) money.Amount { return money.New(minor, "CNY") }

func (x *story) commit(step ledger.Step) {
	x.Helper()
	step.Book, step.By = id.Test, ledger.Service("story")
	_, err := x.s.Store.Commit(x.Context(), step)
	require.NoError(x, err)
}

// launch sells something big, and puts a part of that into the budget of a campaign.
func (x *story) launch() {
	const budget = 3_000_00
	x.chapter("Lantern Books begins a campaign: 3 %% for who buys, 1 %% and 0.5 %% for who brought them, paid a week after the purchase; budget CNY %s", cny(budget).Decimal())
	a := x.Pay(x.T, stage.Card("tok_ok"), map[string]any{"amount": "5000.00"})
	require.EqualValues(x, "succeeded", a.Status, string(a.Raw))
	x.orders = append(x.orders, order{payment: a.ID, minor: 5_000_00})
	x.campaign = x.s.Store.Mint(id.Campaign)
	key := func(operation string) access.Idempotency {
		return access.Idempotency{MerchantID: x.ID, Operation: operation, Key: x.campaign, RequestHash: fmt.Sprintf("%064d", 0)}
	}
	act := func(business string, code id.Code, change ledger.Change) {
		x.commit(ledger.Step{Cause: id.Key(business, id.Step{Code: code, Ordinal: 1}), Business: business, Changes: []ledger.Change{change}})
	}
	act(x.campaign, id.Receive, rebate.Create{Idempotency: key("campaign"), Campaign: rebate.Campaign{ID: x.campaign, MerchantID: x.ID, Name: "Autumn", Currency: "CNY",
		Terms: rebate.Terms{StartsAt: time.Now().Add(-time.Hour), EndsAt: time.Now().AddDate(0, 2, 0)}}})
	act(x.s.Store.Mint(id.Request), id.Act, rebate.SaveVersion{MerchantID: x.ID, Version: rebate.Version{CampaignID: x.campaign, Number: 1, Note: "autumn",
		Definition: rebate.Definition{Vest: &rebate.Vest{Days: 7}, Rules: []rebate.Rule{{Name: "friends",
			Strategy: rebate.Strategy{Type: rebate.Referral, Levels: []int64{300, 100, 50}}}}}}})
	one := 1
	act(x.s.Store.Mint(id.Request), id.Act, rebate.Revise{CampaignID: x.campaign, MerchantID: x.ID, Revision: rebate.Revision{Version: &one}})
	trf := x.s.Store.Mint(id.Transfer)
	act(trf, id.Move, rebate.Fund{ID: trf, CampaignID: x.campaign, MerchantID: x.ID, Amount: cny(budget), Idempotency: key("fund")})
}

// meet makes people; each but the first was brought by one before them.
func (x *story) meet(n int) {
	for i := range n {
		body := map[string]any{"reference": fmt.Sprintf("c-%d", i), "email": fmt.Sprintf("c-%d@people.example", i), "language": notice.Languages()[i%2]}
		if i > 0 {
			body["referrer"] = x.people[x.chance.IntN(i)]
		}
		a := x.Do(x.T, http.MethodPost, "/v1/users", fmt.Sprintf("user-%d", i), body)
		require.Equal(x, http.StatusCreated, a.Code, string(a.Raw))
		x.people = append(x.people, a.ID)
	}
	x.buyers = x.people
	x.say("   %d people, each brought by another but the first", n)
}

// atOnce does something n times, some at once.
func (x *story) atOnce(n int, do func(i int)) {
	var all sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() { defer func() { <-slots }(); do(i) })
	}
	all.Wait()
}

// shop has people buy over the API; one card in twenty is declined.
func (x *story) shop(n int) {
	first := len(x.orders)
	began := time.Now()
	for range n {
		x.orders = append(x.orders, order{buyer: x.buyers[x.chance.IntN(len(x.buyers))], minor: 1_00 + x.chance.Int64N(199_00), declined: x.chance.IntN(20) == 0})
	}
	x.atOnce(n, func(i int) {
		o := &x.orders[first+i]
		token := "tok_ok"
		if o.declined {
			token = "tok_insufficient_funds"
		}
		key := fmt.Sprintf("order-%d", first+i)
		a := x.Do(x.T, http.MethodPost, "/v1/payments", key, map[string]any{"order": map[string]any{"reference": key, "type": "purchase"},
			"amount": cny(o.minor).Decimal(), "currency": "CNY", "method": stage.Card(token), "customer": map[string]any{"id": o.buyer}})
		if a.Code == http.StatusAccepted { // a busy machine: the promise is kept later
			a = x.Until(x.T, a.ID, "through", func(a stage.Answer) bool { return a.Status != payment.Processing })
		}
		o.payment = a.ID
		if want := map[bool]string{false: "succeeded", true: "failed"}[o.declined]; string(a.Status) != want {
			x.Errorf("%s is %s instead of %s: %s", key, a.Status, want, a.Raw)
		}
	})
	paid, sum := 0, int64(0)
	for _, o := range x.orders[first:] {
		if !o.declined {
			paid, sum = paid+1, sum+o.minor
		}
	}
	x.chapter("%d orders, %d paid: CNY %s (%d declined), in %s", n, paid, cny(sum).Decimal(), n-paid, time.Since(began).Round(100*time.Millisecond))
}

// giveBack refunds some of the orders in a hundred whole, and some in part.
func (x *story) giveBack(key, why string, whole, parts int) {
	type back struct {
		payment, amount string
		minor           int64
	}
	var list []back
	for _, o := range x.orders[1:] {
		switch n := x.chance.IntN(100); {
		case o.declined || n >= whole+parts:
		case n < whole:
			list = append(list, back{o.payment, "", 0})
		default:
			part := 1 + x.chance.Int64N(o.minor/2)
			list = append(list, back{o.payment, cny(part).Decimal(), part})
		}
	}
	var mu sync.Mutex
	count, refused, sum := 0, 0, int64(0)
	x.atOnce(len(list), func(i int) {
		a := x.Refund(x.T, list[i].payment, key+"-"+list[i].payment, list[i].amount)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case a.Problem == "refund_exceeds_payment": // what was given back before leaves less
			refused++
			return
		case a.Code >= 400:
			x.Errorf("a refund: %s", a.Raw)
			return
		}
		got, err := money.Parse(a.Amount, "CNY")
		if err != nil {
			x.Error(err)
		}
		count, sum = count+1, sum+got.Minor
	})
	x.chapter("%s: %d refunds, CNY %s (%d refused: more than is left)", why, count, cny(sum).Decimal(), refused)
}

// untilRated waits until the relay has rated what was paid, and brought rebates to what went back.
func (x *story) untilRated() {
	x.until("every paid order is rated", func() bool {
		return x.s.Count(x.T, `SELECT count(*) FROM rebate_orders WHERE rated_at IS NULL`) == 0
	})
	x.untilAdjusted()
}

func (x *story) untilAdjusted() {
	x.until("refunds are through, and rebates stand as they say", func() bool {
		return x.s.Count(x.T, `SELECT count(*) FROM refunds WHERE status = 'processing'`)+x.s.Count(x.T, `SELECT count(*) FROM rebate_orders WHERE due_at IS NOT NULL`) == 0
	})
}

// goOn lets days pass: for what asks for the time, and nothing else does here.
func (x *story) goOn(days int) {
	x.days += days
	x.chapter("%d days pass", days)
}

// freeze freezes the last one's wallets, and the next orders are the others'.
func (x *story) freeze() {
	last := len(x.people) - 1
	a := x.Do(x.T, http.MethodPost, "/v1/users/"+x.people[last]+"/freeze", "freeze", map[string]any{"reason": "the story"})
	require.Less(x, a.Code, 300, string(a.Raw))
	x.buyers = x.people[:last]
	x.chapter("one person's wallets are frozen")
}

// settle lets the schedule tick, and waits for the settlement's saga.
func (x *story) settle() {
	ticked, err := x.s.Steps.BeginDue(x.Context(), activities.TickInput{Book: id.Test, At: time.Now().AddDate(0, 0, x.days)})
	require.NoError(x, err)
	require.Len(x, ticked.Begun, 1)
	began := time.Now()
	var run accrual.Run
	x.until("the settlement has ended", func() bool {
		run, err = x.s.Store.Settlement(x.Context(), id.Test, x.ID, ticked.Begun[0])
		require.NoError(x, err)
		return run.Status.Terminal()
	})
	require.Equal(x, accrual.Completed, run.Status)
	d := run.Done
	x.chapter("%s: %d rebates in %s: CNY %s into wallets, %s of that for old debts", workflows.SettlementID(run), d.Rebates,
		time.Since(began).Round(100*time.Millisecond), cny(d.Paid).Decimal(), cny(d.Recovered).Decimal())
	if d.Released > 0 {
		x.say("   CNY %s back to the budget, since a wallet is frozen; a case says so", cny(d.Released).Decimal())
	}
}

// spend empties two wallets, so that what is taken back from their owners later is owed.
func (x *story) spend() {
	sum := int64(0)
	for _, user := range x.people[:2] {
		sum += x.payOut(user, "spend-"+user, "dest_ada")
	}
	x.chapter("two people take out all they have: CNY %s", cny(sum).Decimal())
}

// payOut takes out what a user has, and returns what arrived.
func (x *story) payOut(user, key, to string) int64 {
	x.Helper()
	has := -x.s.Balance(x.T, ledger.Chart{Book: id.Test, Currency: "CNY"}.Wallet(user).Code)
	if has <= 0 {
		return 0
	}
	p := x.Withdraw(x.T, key, user, cny(has).Decimal(), stage.To(to))
	require.Less(x, p.Code, 300, string(p.Raw))
	p = x.UntilPayout(x.T, p.ID, "through", func(a stage.PayoutAnswer) bool { return a.Status != "processing" })
	if p.Status == "succeeded" {
		return has
	}
	return 0
}

// withdraw has everybody take out what they have; one account is closed, and its money comes back.
func (x *story) withdraw() {
	var mu sync.Mutex
	count, sum := 0, int64(0)
	x.atOnce(len(x.people)-1, func(i int) {
		to := "dest_ada"
		if i == 2 {
			to = "dest_closed"
		}
		if got := x.payOut(x.people[i], "all-"+x.people[i], to); got > 0 {
			mu.Lock()
			defer mu.Unlock()
			count, sum = count+1, sum+got
		}
	})
	x.chapter("%d people withdraw CNY %s; one account is closed, so that money is in its wallet again", count, cny(sum).Decimal())
}
