package payment

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/trade"
)

const (
	payID = "pay_01hx3v6wq2k8m4n0p7r9s5t1ab"
	meant = int64(1234) // CNY 12.34
	noon  = "2026-11-21T12:00:00Z"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

func cny(minor int64) money.Amount { return money.New(minor, "CNY") }

// world keeps one payment as the store would: it commits rulings under their
// causes, by compare-and-swap, and refuses what the store refuses. Every
// invariant that a single payment can show is checked at each commit.
type world struct {
	t        require.TestingT
	payment  Payment
	attempts []Attempt
	order    trade.Order
	terms    Terms
	now      time.Time
	hashes   map[string]string // cause → the hash of its Step
	journals []ledger.Journal
	events   []string
	cases    []OpenCase
	decided  map[string]exception.Case // cases by id, as they are now
	acts     int
}

func newWorld(t require.TestingT) *world {
	w := &world{t: t, now: at(noon), hashes: map[string]string{}, decided: map[string]exception.Case{},
		terms: Terms{MerchantID: "mer_1", FeeBasisPoints: 60, FeeFixed: map[money.Currency]int64{"CNY": 10}}}
	zero := money.Zero("CNY")
	w.payment = Payment{Book: id.Test, ID: payID, MerchantID: "mer_1", OrderID: "ord_1", Amount: cny(meant), Method: MethodQR,
		Capture: CaptureAutomatic, CreatedAt: w.now.Add(-time.Minute), ExpiresAt: w.now.Add(time.Hour), Status: Processing, Sequence: 1,
		Captured: zero, Refunded: zero, Fee: zero,
		Parts: []Part{{Ordinal: 1, Source: FromChannel, Amount: cny(meant), Authorized: zero, Captured: zero, Refunded: zero}}}
	var err error
	w.order, err = trade.New(trade.Order{Reference: "A", Type: trade.Purchase, Currency: "CNY"}, cny(meant))
	require.NoError(t, err)
	return w
}

// splitWorld is a world whose payment has a second part, from its customer's wallet, which is set aside.
func splitWorld(t require.TestingT, wallet int64) *world {
	w := newWorld(t)
	if wallet == 0 {
		return w
	}
	zero := money.Zero("CNY")
	w.payment.Amount, w.payment.CustomerID = cny(meant+wallet), "usr_1"
	w.payment.Parts = append(w.payment.Parts, Part{Ordinal: 2, Source: FromWallet, Amount: cny(wallet), Authorized: zero, Captured: zero,
		Refunded: zero, Refunding: zero})
	var err error
	w.order, err = trade.New(trade.Order{Reference: "A", Type: trade.Purchase, Currency: "CNY"}, w.payment.Amount)
	require.NoError(t, err)
	j, err := w.payment.SetAside()
	require.NoError(t, err)
	w.post(j, payID+":rc1")
	return w
}

// held holds what was set aside of the wallet against the state of the payment: it stands while the payment is under way, is the
// merchant's once it succeeded, and is back else (I-16, I-17).
func (w *world) held() {
	part := w.payment.WalletPart()
	if part == nil {
		return
	}
	aside, spent, all := int64(0), int64(0), w.balances()
	switch p := w.payment; {
	case !p.Status.Terminal():
		aside, spent = part.Amount.Minor, part.Amount.Minor
	case part.Captured.Minor > 0:
		require.Equal(w.t, Paid, p.Status)
		require.Equal(w.t, part.Amount, part.Captured, "a wallet's part is taken whole")
		spent = part.Amount.Minor
	case p.Status == Paid:
		require.NotEmpty(w.t, w.cases, "a payment that succeeds takes both parts, unless money came after its end")
	}
	require.Equal(w.t, -aside, all["user/usr_1/held CNY"])
	require.Equal(w.t, spent, all["user/usr_1/wallet CNY"])
}

// open commits the next intent; an attempt before it must be dead (I-09).
func (w *world) open() {
	n := len(w.attempts) + 1
	if n > 1 {
		require.True(w.t, w.attempts[n-2].Dead, "an attempt before may still succeed")
	}
	require.False(w.t, w.payment.Status.Terminal())
	key := id.Key(payID, id.Step{Code: id.Charge, Ordinal: n})
	w.attempts = append(w.attempts, Attempt{Book: id.Test, PaymentID: payID, Part: 1, Ordinal: n, Key: key,
		Channel: "sandbox", ChannelAccount: fmt.Sprintf("cha_%d", n), BornAt: w.now})
}

// about makes the case of attempt n; 0 is none.
func (w *world) about(n int, o Outcome) Case {
	c := Case{Payment: w.payment, Terms: w.terms, Now: w.now, Outcome: o, Followed: n > 0 && n < len(w.attempts)}
	if n > 0 {
		a := w.attempts[n-1]
		c.Attempt = &a
	}
	return c
}

// settle carries an outcome of attempt n through, as activities do: what
// contradicts opens a case.
func (w *world) settle(n int, o Outcome, more ...func(*Case)) Ruling {
	c := w.about(n, o)
	for _, m := range more {
		m(&c)
	}
	r, err := Settle(c)
	if fault.Is(err, fault.KindConflict, "contradicts_state") {
		before := w.payment
		r, err = Contradict(c)
		require.NoError(w.t, err)
		w.commit(r, c.Attempt, r.Step, true)
		require.Equal(w.t, before, w.payment, "a contradiction moves nothing")
		return r
	}
	require.NoError(w.t, err)
	if !r.Quiet {
		w.commit(r, c.Attempt, r.Step, false)
	}
	return r
}

func last(c *Case)                 { c.Last = true }
func ends(s Status) func(*Case)    { return func(c *Case) { c.End = s } }
func failing(c string) func(*Case) { return func(x *Case) { x.End, x.EndCode = Failed, c } }

// decide carries a person's decision through.
func (w *world) decide(n int, d Decision) (Ruling, error) {
	c := w.about(n, Outcome{})
	c.Last = true
	k := w.mismatched()
	r, err := Decide(c, k, d)
	if err == nil {
		if k != nil && d == Accept {
			w.conclude(*k, exception.Accept)
		} else if k != nil && d == Reject && k.OnSuspense() {
			w.conclude(*k, exception.Return)
		} else if k != nil && d == Reject {
			w.conclude(*k, exception.Dismiss)
		}
		w.acts++
		w.commit(r, c.Attempt, id.Step{Code: id.Act, Ordinal: w.acts}, false)
	}
	return r, err
}

// mismatched is the open case of what was taken instead of what was meant.
func (w *world) mismatched() *exception.Case {
	for _, o := range w.cases {
		if k := w.decided[o.ID]; k.State() == exception.Open && k.Holds() {
			return &k
		}
	}
	return nil
}

// conclude moves a case's row.
func (w *world) conclude(k exception.Case, d exception.Decision) {
	m, err := k.Decide(d, exception.By{Actor: "ada", Reason: "seen"}, "rfd_1", w.now)
	require.NoError(w.t, err)
	w.decided[k.ID] = m.After
}

// resolve carries the decision of a case through, as its own saga does.
func (w *world) resolve(caseID string, d exception.Decision, knowing bool) (Ruling, error) {
	k := w.decided[caseID]
	if err := k.Check(d); err != nil {
		return Ruling{}, err
	}
	c := w.about(k.Attempt, Outcome{})
	r, err := Conclude(c, k, d, knowing)
	if err != nil {
		return r, err
	}
	w.conclude(k, d)
	if !r.Quiet {
		w.acts++
		w.commit(r, c.Attempt, id.Step{Code: id.Decide, Ordinal: w.acts}, false)
	}
	return r, nil
}

// commit applies a ruling under a cause. A cause that stands with other content
// would be refused for ever, so it fails the test, unless again allows it: a
// second contradiction adds nothing to the first one's case.
func (w *world) commit(r Ruling, attempt *Attempt, at id.Step, again bool) {
	step := ledger.Step{Book: id.Test, Cause: id.Key(payID, at), Business: payID, By: ledger.Service("test"),
		Changes: r.Changes(w.payment, attempt), Journals: r.Journals}
	require.True(w.t, at.Valid(), "step %v", at)
	require.NotEmpty(w.t, step.Changes, "an empty Step")
	if hash, stands := w.hashes[step.Cause]; stands {
		if !again {
			require.Equal(w.t, hash, step.ContentHash(), "two Steps share the cause %s", step.Cause)
		}
		return
	}
	w.hashes[step.Cause] = step.ContentHash()
	for _, c := range step.Changes {
		w.apply(c)
	}
	for _, j := range r.Journals {
		w.post(j, step.Cause)
	}
	w.storable()
}

func (w *world) apply(change ledger.Change) {
	switch c := change.(type) {
	case Update:
		require.Equal(w.t, w.payment, c.Before)
		require.NotEmpty(w.t, c.Event)
		require.Equal(w.t, c.Before.Sequence+1, c.After.Sequence, "an event counts one (I-23)")
		if c.Case == "" {
			require.False(w.t, c.Before.Status.Terminal(), "a terminal payment was moved")
			require.True(w.t, c.Before.Status.CanBecome(c.After.Status), "%s → %s (I-15)", c.Before.Status, c.After.Status)
		} else {
			require.True(w.t, c.Before.Status.CanBecomeByCase(c.After.Status), "%s → %s (I-15)", c.Before.Status, c.After.Status)
		}
		w.payment = c.After
		w.events = append(w.events, c.Event)
	case AttemptUpdate:
		a := &w.attempts[c.After.Ordinal-1]
		require.Equal(w.t, a.Verdict, c.Before)
		require.False(w.t, a.Verdict.Known() && !c.After.Verdict.Known(), "%s became %s", a.Verdict, c.After.Verdict)
		require.False(w.t, a.Dead && !c.After.Dead, "a dead attempt came back")
		*a = c.After
	case trade.Move:
		var err error
		w.order, err = w.order.Apply(c.Change)
		require.NoError(w.t, err)
	case PayOrder:
		w.apply(c.Move)
		if w.order.Excess(c.Change) > 0 {
			w.apply(c.Excess)
		}
	case MatureAt:
		require.True(w.t, c.At.After(w.now) && w.terms.SettlementDays > 0, "money waits that is available")
	case OpenCase:
		for _, k := range w.cases {
			require.NotEqual(w.t, k.ID, c.ID, "this case stands already")
		}
		require.NotEmpty(w.t, c.Reason)
		w.cases = append(w.cases, c)
		w.decided[c.ID] = exception.Case{Book: c.Book, ID: c.ID, MerchantID: c.MerchantID, PaymentID: c.PaymentID, ChannelAccount: c.ChannelAccount,
			Kind: c.Kind, Amount: c.Amount, Reason: c.Reason, OpenedAt: w.now, Attempt: c.Attempt, ChannelID: c.ChannelID,
			EffectiveAt: c.EffectiveAt, Booked: c.Booked, Policy: c.Policy, Sequence: 1}
	default:
		require.Fail(w.t, "an unknown change", "%T", change)
	}
}

// post books a journal: its cause is new, save that it may be its Step's.
func (w *world) post(j ledger.Journal, step string) {
	sum := int64(0)
	for _, e := range j.Entries() {
		sum += e.Amount
	}
	require.Zero(w.t, sum, "%s doesn't balance (I-01)", j.Cause())
	for _, before := range w.journals {
		require.NotEqual(w.t, before.Cause(), j.Cause(), "one cause, one journal (I-05)")
	}
	if j.Cause() != step {
		require.NotContains(w.t, w.hashes, j.Cause(), "a journal takes a Step's cause (I-05)")
		w.hashes[j.Cause()] = "journal of " + step
	}
	w.journals = append(w.journals, j)
	for account, balance := range w.balances() {
		require.False(w.t, strings.HasPrefix(account, "merchant/") && !strings.Contains(account, "/fees_due") && balance > 0, "%s is below its floor (I-06)", account)
		require.False(w.t, strings.HasPrefix(account, "suspense/") && balance > 0, "%s gave more than it got", account)
	}
}

// balances are per account and currency; a debit is positive.
func (w *world) balances() map[string]int64 {
	all := map[string]int64{}
	for _, j := range w.journals {
		for _, e := range j.Entries() {
			all[e.Account.Code+" "+string(e.Account.Currency)] += e.Amount
		}
	}
	return all
}

// kinds counts journals of a kind.
func (w *world) kinds(kind string) (n int, debits int64) {
	for _, j := range w.journals {
		if j.Kind() == kind {
			n++
			for _, e := range j.Entries() {
				debits += max(0, e.Amount)
			}
		}
	}
	return n, debits
}

// storable holds what stands against the constraints of the tables, and
// against the ledger (I-07, I-09, I-16).
func (w *world) storable() {
	t, p := w.t, w.payment
	part := p.Parts[0]
	require.Equal(t, p.Status == Paid, p.Captured.Minor > 0)
	require.Equal(t, p.Status == Paid, p.BusinessDate != "")
	require.True(t, p.Fee.Minor >= 0 && p.Fee.Minor <= p.Captured.Minor)
	require.False(t, p.Status == Failed && p.DeclineCode == "", "failed for no reason")
	require.False(t, p.InDoubt && p.Status != Processing && p.Status != RequiresAction)
	require.Equal(t, p.Status == RequiresAction, p.NextAction != nil, "the customer is asked to do what can't be done")
	require.True(t, part.Authorized.Minor >= part.Captured.Minor)
	require.False(t, p.Status.Terminal() && p.Parked != "", "nobody is needed any more")

	want, authorized, taken := 0, int64(0), int64(0)
	for _, part := range p.Parts {
		if part.Captured.Minor > 0 {
			want++
		}
		authorized, taken = authorized+part.Authorized.Minor, taken+part.Captured.Minor
	}
	captures, captured := w.kinds("captured")
	require.Equal(t, want, captures, "one capture journal for each part that was taken (I-10)")
	w.held()
	require.Equal(t, p.Captured.Minor, captured, "captured is the sum of the capture journals (I-16)")
	require.Equal(t, p.Captured.Minor, taken)
	require.Equal(t, p.Captured.Minor, w.order.Paid.Minor)
	require.Equal(t, authorized-taken, w.order.Authorized.Minor)

	doubts, _ := w.kinds("unknown")
	undone, _ := w.kinds("unknown_reversed")
	require.Equal(t, p.InDoubt, doubts-undone == 1, "the memo posting stands while in doubt (I-07)")
	require.LessOrEqual(t, undone, doubts)
	_, err := json.Marshal(p.Public())
	require.NoError(t, err)
	for _, a := range w.attempts {
		for _, text := range []string{a.ChannelID, a.Currency, a.DeclineCode, p.Parked, p.DeclineCode} {
			require.True(t, plain(text, 300), "%q can't be stored", text)
		}
	}
	require.Len(t, w.events, int(p.Sequence-1), "sequence counts the events")
}

// written is a journal as a page of a book.
func written(j ledger.Journal) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  effective %s", strings.TrimPrefix(j.Cause(), payID+":"), j.Kind(), j.EffectiveAt().UTC().Format("2006-01-02 15:04"))
	if j.Reverses() != "" {
		fmt.Fprintf(&b, "  reverses %s", strings.TrimPrefix(j.Reverses(), payID+":"))
	}
	b.WriteByte('\n')
	for _, e := range j.Entries() {
		side, amount := "  Dr %-38s %s %12s\n", e.Amount
		if e.Amount < 0 {
			side, amount = "     Cr %-35s %s %25s\n", -e.Amount
		}
		fmt.Fprintf(&b, side, e.Account.Code, e.Account.Currency, money.New(amount, e.Account.Currency).Decimal())
	}
	return b.String()
}

// kindsOf are the journals of a ruling in one line.
func kindsOf(r Ruling) string {
	var list []string
	for _, j := range r.Journals {
		list = append(list, j.Kind())
	}
	slices.Sort(list)
	return strings.Join(list, "+")
}

func sortedKeys(m map[string]int64) []string {
	return slices.Sorted(maps.Keys(m))
}
