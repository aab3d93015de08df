package rebates

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"paysaga/activities"
	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/rebate"
	"paysaga/domain/refund"
	"paysaga/domain/transfer"
	"paysaga/domain/user"
)

// bought is an order of a sequence, and what the sequence knows of it.
type bought struct {
	paymentID, orderID string
	total              int64
	gone               int64    // refunded, and not come back
	refunds            []string // that got through
	told               bool     // its rebates were brought to what its refunds say
	fresh, waits       bool     // just now; and something of them had to wait
}

// walk is one sequence under way in a shop.
type walk struct {
	*Shop
	people [users]string
	orders []*bought
	funded int64
	spent  map[string]int64
	sink   string // who gets what is spent
	begin  stand
	done   map[string]int // what happened, and what was refused
	judged int
}

// Walk does everything of a sequence, and holds the promises after each act. Its error says which promise was broken, or what couldn't
// be done.
func (s *Shop) Walk(ctx context.Context, seq Sequence) (done map[string]int, judged int, err error) {
	w := &walk{Shop: s, spent: map[string]int64{}, done: map[string]int{}}
	if err := w.meet(ctx); err != nil {
		return nil, 0, err
	}
	if w.begin, err = w.look(ctx); err != nil {
		return nil, 0, err
	}
	acts := append([]Act{{Kind: FundMore, Part: seq.Budget}}, seq.Acts...)
	for i, a := range append(acts, Act{Kind: Relay}, Act{Kind: Settle}) {
		err := w.do(ctx, a)
		if err == nil {
			err = w.judge(ctx)
		}
		if err != nil {
			return w.done, w.judged, fmt.Errorf("%w: at act %d (%s) of %s", err, i, a, seq)
		}
		w.done[string(a.Kind)]++
	}
	return w.done, w.judged, w.over(ctx)
}

const sqlMeet = `
	INSERT INTO users (book, id, merchant_id, referrer_id, created_at)
	SELECT $1, n.id, $2, nullif(n.referrer, ''), now() FROM unnest($3::text[], $4::text[]) AS n(id, referrer)`

// meet makes the buyer, the referrer, that one's, and somebody to spend at.
func (w *walk) meet(ctx context.Context) error {
	for i := range w.people {
		w.people[i] = w.Store.Mint(id.User)
	}
	w.sink = w.Store.Mint(id.User)
	_, err := w.Owner.Exec(ctx, sqlMeet, book, w.merchant, []string{w.people[2], w.people[1], w.people[0], w.sink},
		[]string{"", w.people[2], w.people[1], ""})
	return err
}

// refused counts what may be refused, and lets everything else be an error.
func (w *walk) refused(a Act, err error) error {
	if kind := fault.Of(err); kind == fault.KindConflict || kind == fault.KindInvalid {
		w.done["refused_"+string(a.Kind)+"_"+fault.As(err).Code]++
		return nil
	}
	return err
}

func (w *walk) do(ctx context.Context, a Act) error {
	switch a.Kind {
	case Pay:
		return w.pay(ctx, a)
	case Refund:
		return w.refund(ctx, a)
	case Return:
		return w.comeBack(ctx, a)
	case Relay:
		return w.relay(ctx, w.orders...)
	case Settle:
		return w.settle(ctx, a.Twice)
	case Spend:
		return w.spend(ctx, a)
	case Rerate:
		return w.rerate(ctx, a)
	case Plant:
		_, err := w.Owner.Exec(ctx, "SET session_replication_role = replica; "+a.Plant+"; SET session_replication_role = DEFAULT")
		return err
	case FundMore:
		w.funded += a.Part
		return w.fund(ctx, a.Part)
	}
	return w.turn(ctx, a)
}

func (w *walk) pay(ctx context.Context, a Act) error {
	p, o, err := w.buy(ctx, w.people[0], a.Lines)
	if err != nil {
		return w.refused(a, err)
	}
	b := &bought{paymentID: p, orderID: o}
	for _, minor := range a.Lines {
		b.total += minor
	}
	w.orders = append(w.orders, b)
	if a.Late {
		return nil
	}
	return w.relay(ctx, b)
}

// which is an order by its number, or none.
func (w *walk) which(n int) *bought {
	if len(w.orders) == 0 {
		return nil
	}
	return w.orders[n%len(w.orders)]
}

func (w *walk) refund(ctx context.Context, a Act) error {
	b := w.which(a.Which)
	if b == nil {
		return nil
	}
	minor := b.total * a.Part / 100
	if rest := b.total - b.gone; minor == 0 || minor > rest {
		minor = rest
	}
	if minor == 0 {
		return nil
	}
	refundID, err := w.giveBack(ctx, b.paymentID, minor, a.Fails)
	if err != nil {
		return w.refused(a, err)
	}
	if !a.Fails {
		b.gone, b.told = b.gone+minor, false
		b.refunds = append(b.refunds, refundID)
	}
	if a.Late {
		return nil
	}
	return w.relay(ctx, b)
}

// comeBack has the channel take back its word about a refund that had got through: what it took stays the merchant's under a case.
func (w *walk) comeBack(ctx context.Context, a Act) error {
	b := w.which(a.Which)
	if b == nil || len(b.refunds) == 0 {
		return nil
	}
	refundID := b.refunds[0]
	d, err := w.Store.RefundDossier(ctx, book, refundID)
	if err != nil {
		return err
	}
	m := refund.Move{Refund: d.Refund, Ordinal: 1, Contradicts: true, Now: time.Now(),
		Outcome: payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: "account_closed"}}}
	err = w.commit(ctx, ledger.Step{Book: book, Cause: id.Key(refundID, m.Step()), Business: refundID, By: ledger.Service("drill"), Changes: []ledger.Change{m}})
	if err != nil {
		return w.refused(a, err)
	}
	b.refunds, b.gone, b.told = b.refunds[1:], b.gone-d.Refund.Amount.Minor, false
	if a.Late {
		return nil
	}
	return w.relay(ctx, b)
}

// relay does what the relay of rebates does for orders; twice, since what one order gives back to the budget another may have waited for.
func (w *walk) relay(ctx context.Context, orders ...*bought) error {
	for range min(len(orders), 2) {
		for _, b := range orders {
			if err := w.Steps.Rebate(ctx, accrual.Due{Book: book, OrderID: b.orderID}); err != nil {
				return fmt.Errorf("rebates of %s: %w", b.orderID, err)
			}
			b.told, b.fresh, b.waits = true, true, false
		}
	}
	return nil
}

// settle pays all that is open, whenever it vests; twice: two workers have the same page at once.
func (w *walk) settle(ctx context.Context, twice bool) error {
	run, err := w.Steps.Begin(ctx, accrual.Begin{Run: accrual.Run{Book: book, CampaignID: w.campaign, MerchantID: w.merchant, Currency: currency,
		BusinessDate: accrual.Day(time.Now().UTC()).AddDate(2, 0, 0)}}, ledger.Service("drill"))
	if err != nil {
		return fmt.Errorf("the settlement: %w", err)
	}
	in := activities.SettlePageInput{SettlementRef: activities.SettlementRef{Book: book, RunID: run.ID}, Limit: 5}
	for {
		var page activities.SettledPage
		var other sync.WaitGroup
		var err, second error
		if twice {
			other.Go(func() { _, second = w.Steps.SettlePage(ctx, in) })
		}
		page, err = w.Steps.SettlePage(ctx, in)
		other.Wait()
		switch {
		case err != nil || second != nil:
			return fmt.Errorf("a page of the settlement: %w", errors.Join(err, second))
		case page.Over:
			_, err := w.Steps.Steer(ctx, book, "", run.ID, accrual.Completed, ledger.Service("drill"))
			return err
		}
		in.After = page.Next
	}
}

// rerate saves other rules as the campaign's next version, and rates by it what the sequence has bought: shops before it are over.
func (w *walk) rerate(ctx context.Context, a Act) error {
	if len(w.orders) == 0 {
		return nil
	}
	c, err := w.Store.Campaign(ctx, book, w.merchant, w.campaign)
	if err != nil {
		return err
	}
	if err := w.commit(ctx, w.step(w.Store.Mint(id.Request), id.Act, 1, rebate.SaveVersion{MerchantID: w.merchant, Version: rebate.Version{
		CampaignID: w.campaign, Number: c.Latest + 1, Note: "corrected", Definition: rulebooks()[a.Rules]}})); err != nil {
		return err
	}
	run, err := w.Steps.BeginRerating(ctx, accrual.BeginRerating{Idempotency: w.idempotency("rerate", w.Store.Mint(id.Request)), Run: accrual.Rerating{
		Book: book, ID: w.Store.Mint(id.Rerating), MerchantID: w.merchant, CampaignID: w.campaign, Version: c.Latest + 1}}, ledger.Service("drill"))
	if err != nil {
		return fmt.Errorf("the re-rating: %w", err)
	}
	first := w.orders[0].orderID
	run.After = first[:len(first)-1]
	spend, err := w.Store.CampaignSpend(ctx, book, w.campaign)
	if err != nil {
		return err
	}
	foreseen, err := w.Steps.TotalRerating(ctx, run, 1000)
	if err != nil {
		return err
	}
	for !run.Status.Terminal() {
		var other sync.WaitGroup
		var second error
		if a.Twice {
			other.Go(func() { second = w.Steps.Rerate(ctx, run) })
		}
		err := w.Steps.Rerate(ctx, run)
		other.Wait()
		if err != nil || second != nil {
			return fmt.Errorf("a page of the re-rating: %w", errors.Join(err, second))
		}
		if run, err = w.Store.Rerating(ctx, book, w.merchant, run.ID); err != nil {
			return err
		}
	}
	w.done["rerated_orders"] += int(run.Done.Orders)
	// A run waits for claw-backs under way, and corrects orders side by side: which of them gets the last of a budget isn't foreseen.
	still := foreseen.Done.More < spend.Left.Minor && !slices.ContainsFunc(w.orders, func(b *bought) bool { return !b.told || b.waits })
	switch {
	case a.Twice:
	case !foreseen.Complete || foreseen.Looked != run.Looked:
		return fmt.Errorf("the preview of the re-rating has looked at %d orders, and the run at %d", foreseen.Looked, run.Looked)
	case still && (foreseen.Done != run.Done || !maps.Equal(foreseen.Left, run.Left)):
		return fmt.Errorf("the preview of the re-rating comes to %+v and leaves %v, and the run to %+v and leaves %v", foreseen.Done, foreseen.Left, run.Done, run.Left)
	case still:
		w.done["rerated_as_foreseen"]++
	}
	for why, n := range run.Left {
		w.done["left_"+why] += int(n)
	}
	return w.retold(ctx, a.Late)
}

// retold has the relay look at the orders whose rebates were as their refunds say: what is promised anew is to be, too.
func (w *walk) retold(ctx context.Context, late bool) error {
	var list []*bought
	for _, b := range w.orders {
		if b.told {
			b.told = false
			list = append(list, b)
		}
	}
	if late {
		return nil
	}
	return w.relay(ctx, list...)
}

// spend moves a part of a wallet to somebody else.
func (w *walk) spend(ctx context.Context, a Act) error {
	who := w.people[a.Which]
	s, err := w.look(ctx)
	if err != nil {
		return err
	}
	chart := ledger.Chart{Book: book, Currency: currency}
	minor := s.accounts[chart.Wallet(who).Code] * a.Part / 100
	if minor <= 0 {
		return nil
	}
	t := transfer.Transfer{Book: book, ID: w.Store.Mint(id.Transfer), MerchantID: w.merchant, From: who, To: w.sink, Amount: cny(minor)}
	if err := w.commit(ctx, w.step(t.ID, id.Receive, 1, transfer.Receive{Transfer: t, Idempotency: w.idempotency("POST /v1/transfers", t.ID)})); err != nil {
		return w.refused(a, err)
	}
	moved, err := w.Steps.MoveTransfer(ctx, activities.TransferRef{Book: book, TransferID: t.ID})
	if err != nil {
		return err
	}
	if moved.Status == transfer.Succeeded {
		w.spent[who] += minor
	}
	return nil
}

// turn freezes, frees or closes a user. Who has money in the wallet can't be closed, and a closed one stays closed.
func (w *walk) turn(ctx context.Context, a Act) error {
	act := map[Kind]user.Act{Freeze: user.Freeze, Unfreeze: user.Unfreeze, Close: user.Close}[a.Kind]
	_, err := w.Store.DoUser(ctx, user.Ref{Book: book, MerchantID: w.merchant, ID: w.people[a.Which]}, ledger.Service("drill"),
		user.Doing{Act: act, GiveUpRebates: true})
	if err != nil {
		return w.refused(a, err)
	}
	return nil
}
