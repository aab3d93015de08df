package activities

import (
	"context"
	"maps"
	"sync"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/rebate"
)

// ReratingRuns reads runs and their orders, and keeps how far a run is. A
// missing row is fault.NotFound.
type ReratingRuns interface {
	Rerating(ctx context.Context, book id.Book, merchantID, runID string) (accrual.Rerating, error)
	Reratings(ctx context.Context, f accrual.RunFilter) (page []accrual.Rerating, more bool, err error)
	ReratingPage(ctx context.Context, r accrual.Rerating, limit int) (orders []string, next string, over bool, err error)
	// Correction reads what rating one order again is judged by. in: the run is
	// about it; left says why it is left alone all the same.
	Correction(ctx context.Context, r accrual.Rerating, orderID string) (c accrual.Correct, in bool, left string, err error)
	// ReratingWent keeps how far a run has come.
	ReratingWent(ctx context.Context, r accrual.Rerating) error
}

// Reratings reads what rating orders again needs: runs, and what was counted and
// spent.
type Reratings interface {
	ReratingRuns
	RebateCounters(ctx context.Context, book id.Book, keys []string) (map[string]int64, error)
	CampaignSpend(ctx context.Context, book id.Book, campaignID string) (rebate.Spend, error)
}

const (
	// ratedAtOnce is how many orders of a page are rated beside each other, so
	// that their Steps are committed together.
	ratedAtOnce = 32
	reratePage  = 256
)

// BeginRerating brings a run into being; a relay does its pages. Its errors are
// faults: a campaign that has an open one is fault.Conflict "rerating_open".
func (s *Steps) BeginRerating(ctx context.Context, b accrual.BeginRerating, by ledger.Principal) (accrual.Rerating, error) {
	receipt, err := s.c.Committer.Commit(ctx, ledger.Step{Book: b.Run.Book, Cause: id.Key(b.Run.ID, id.Step{Code: id.Receive, Ordinal: 1}),
		Business: b.Run.ID, By: by, Changes: []ledger.Change{b}})
	if err != nil {
		return b.Run, err
	}
	if receipt.Object != "" {
		b.Run.ID = receipt.Object
	}
	return s.c.Reratings.Rerating(ctx, b.Run.Book, b.Run.MerchantID, b.Run.ID)
}

// CancelRerating ends a run after the page under way; what it has corrected
// stays. One that was cancelled is left as it is.
func (s *Steps) CancelRerating(ctx context.Context, book id.Book, merchantID, runID string, by ledger.Principal) (accrual.Rerating, error) {
	r, err := s.c.Reratings.Rerating(ctx, book, merchantID, runID)
	if err != nil || r.Status == accrual.Canceled {
		return r, err
	}
	return s.endRerating(ctx, r, accrual.Canceled, id.Step{Code: id.Act, Ordinal: 1}, by)
}

func (s *Steps) endRerating(ctx context.Context, r accrual.Rerating, to accrual.RunStatus, step id.Step, by ledger.Principal) (accrual.Rerating, error) {
	_, err := s.c.Committer.Commit(ctx, ledger.Step{Book: r.Book, Cause: id.Key(r.ID, step), Business: r.ID, By: by,
		Changes: []ledger.Change{accrual.EndRerating{RunID: r.ID, To: to, Done: r.Done}}})
	if err != nil {
		return r, err
	}
	return s.c.Reratings.Rerating(ctx, r.Book, "", r.ID)
}

// Rerate does the next page of a run: a Step per order, many at once. What was
// done already makes no difference any more, so a repeat goes on where it
// stopped. An order that can't be rated again is counted by why, and never stops
// the others. After the last page the run is complete.
func (s *Steps) Rerate(ctx context.Context, r accrual.Rerating) error {
	orders, next, over, err := s.c.Reratings.ReratingPage(ctx, r, reratePage)
	if err != nil {
		return err
	}
	if r.Left = maps.Clone(r.Left); r.Left == nil {
		r.Left = map[string]int64{}
	}
	if err := s.rerateAll(ctx, &r, orders); err != nil {
		return err
	}
	if next != "" {
		r.After = next
	}
	if err := s.c.Reratings.ReratingWent(ctx, r); err != nil || !over {
		return err
	}
	if r, err = s.c.Reratings.Rerating(ctx, r.Book, "", r.ID); err != nil || r.Status.Terminal() {
		return err
	}
	_, err = s.endRerating(ctx, r, accrual.Completed, id.Step{Code: id.End, Ordinal: 1}, ledger.Service("rerating-relay"))
	if fault.Is(err, fault.KindConflict, "rerating_ended") { // somebody cancelled it just before
		return nil
	}
	return err
}

// rated is what became of an order.
type rated struct {
	in      bool   // the run is about it
	left    string // why it was left alone
	ordered bool   // what the orders before it were given counts (rebate.Rules.Shared), so they are rated in their order
}

// rerateAll rates a page's orders, beside each other unless their order matters.
func (s *Steps) rerateAll(ctx context.Context, r *accrual.Rerating, orders []string) error {
	run := *r // as the page found it: r counts what becomes of its orders
	var mu sync.Mutex
	var wg sync.WaitGroup
	var first error
	ordered := true // as long as no order has said otherwise
	slots := make(chan struct{}, ratedAtOnce)
	for _, order := range orders {
		rate := func() {
			one, err := s.rerate(ctx, run, order)
			mu.Lock()
			defer mu.Unlock()
			ordered = ordered && (one.ordered || !one.in)
			switch kind := fault.Of(err); {
			case err == nil:
			case kind == fault.KindUnavailable, kind == fault.KindUnknown, ctx.Err() != nil:
				first = err
			default:
				one.left = accrual.LeftFailed
			}
			if one.in {
				r.Looked++
			}
			if one.left != "" {
				r.Left[one.left]++
			}
		}
		mu.Lock()
		wait := ordered
		mu.Unlock()
		if wait {
			rate()
			continue
		}
		slots <- struct{}{}
		wg.Go(func() { defer func() { <-slots }(); rate() })
	}
	wg.Wait()
	return first
}

// rerate rates one order again. What can't be, is left alone.
func (s *Steps) rerate(ctx context.Context, r accrual.Rerating, order string) (rated, error) {
	for try := 1; ; try++ {
		c, in, left, err := s.c.Reratings.Correction(ctx, r, order)
		if err != nil || !in {
			return rated{in: in}, err
		}
		one := rated{in, left, c.Rules.Shared()}
		if left == accrual.LeftWaits && try == 1 { // its relay may not have come to it yet
			if _, err := s.adjustAll(ctx, accrual.Due{Book: r.Book, OrderID: order}); err != nil {
				return one, err
			}
			continue
		}
		if left != "" {
			return one, nil
		}
		likely, err := s.correct(ctx, c)
		if err != nil || likely.Nothing() {
			return one, err
		}
		c.Likely = likely.Made
		_, err = s.c.Committer.Commit(ctx, ledger.Step{Book: r.Book, Cause: c.Cause(), Business: order, By: ledger.Service("rerating-relay"),
			Changes: []ledger.Change{c}})
		if !overtaken(err) || try >= rerateTries {
			return one, err
		}
	}
}

// rerateTries bounds how often an order is read anew while it moves.
const rerateTries = 8

// correct is what a correction comes to without locks.
func (s *Steps) correct(ctx context.Context, c accrual.Correct) (accrual.Corrected, error) {
	campaign := c.Rules.Campaign
	counters, err := s.c.Reratings.RebateCounters(ctx, campaign.Book, c.Counters())
	if err != nil {
		return accrual.Corrected{}, err
	}
	spend, err := s.c.Reratings.CampaignSpend(ctx, campaign.Book, campaign.ID)
	if err != nil {
		return accrual.Corrected{}, err
	}
	return c.Rate(counters, max(0, spend.Left.Minor))
}

// Rerating reads a run with what it has come to.
func (s *Steps) Rerating(ctx context.Context, book id.Book, merchantID, runID string) (accrual.Rerating, error) {
	return s.c.Reratings.Rerating(ctx, book, merchantID, runID)
}

// Reratings lists runs, the newest first; more: there are others.
func (s *Steps) Reratings(ctx context.Context, f accrual.RunFilter) (page []accrual.Rerating, more bool, err error) {
	return s.c.Reratings.Reratings(ctx, f)
}

// foresight is what the orders of a preview leave of the budget and of the
// counters to those after them.
type foresight struct {
	left  int64
	moved map[string]int64
}

func (s *Steps) foresight(ctx context.Context, r accrual.Rerating) (foresight, error) {
	spend, err := s.c.Reratings.CampaignSpend(ctx, r.Book, r.CampaignID)
	return foresight{max(0, spend.Left.Minor), map[string]int64{}}, err
}

// foresee shows what a run would come to at one order; false: it isn't about it.
func (s *Steps) foresee(ctx context.Context, r accrual.Rerating, order string, f *foresight) (accrual.Preview, bool, error) {
	p := accrual.Preview{OrderID: order}
	c, in, why, err := s.c.Reratings.Correction(ctx, r, order)
	if p.Left = why; err != nil || !in || why != "" {
		return p, in, err
	}
	counters, err := s.c.Reratings.RebateCounters(ctx, r.Book, c.Counters())
	if err != nil {
		return p, false, err
	}
	for _, k := range c.Counters() {
		if minor := f.moved[k]; minor != 0 {
			counters[k] += minor
		}
	}
	if p.Corrected, err = c.Rate(counters, f.left); err != nil {
		return p, false, err
	}
	f.left -= p.Costs()
	for k, minor := range p.Takes {
		f.moved[k] += minor
	}
	return p, true, nil
}

// PreviewRerating shows what a run would come to at the next orders, as the
// counters and the budget stand and the orders before them leave both. Nothing is
// kept. It looks at limit orders that the campaign has given on, or may.
func (s *Steps) PreviewRerating(ctx context.Context, r accrual.Rerating, limit int) (list []accrual.Preview, next string, over bool, err error) {
	f, err := s.foresight(ctx, r)
	if err != nil {
		return nil, "", false, err
	}
	orders, next, over, err := s.c.Reratings.ReratingPage(ctx, r, limit)
	if err != nil {
		return nil, "", false, err
	}
	for _, order := range orders {
		p, in, err := s.foresee(ctx, r, order, &f)
		if err != nil {
			return nil, "", false, err
		}
		if in {
			list = append(list, p)
		}
	}
	return list, next, over, nil
}

// TotalRerating sums up what a run would come to at all orders from its After on,
// in one pass, keeping nothing but the sums. It stops after about most of the
// merchant's orders, or when ctx ends: then it isn't complete, and says how far
// it came.
func (s *Steps) TotalRerating(ctx context.Context, r accrual.Rerating, most int) (accrual.Whole, error) {
	w := accrual.Whole{Next: r.After}
	f, err := s.foresight(ctx, r)
	if err != nil {
		return w, err
	}
	for seen := 0; seen < most; {
		orders, next, over, err := s.c.Reratings.ReratingPage(ctx, r, reratePage)
		if ctx.Err() != nil {
			return w, nil
		} else if err != nil {
			return w, err
		}
		for _, order := range orders {
			p, in, err := s.foresee(ctx, r, order, &f)
			switch {
			case ctx.Err() != nil:
				return w, nil
			case err != nil:
				return w, err
			case in:
				w.Add(p)
			}
			w.Next = order
		}
		seen += len(orders)
		if next != "" {
			r.After, w.Next = next, next
		}
		if w.Complete = over; over {
			break
		}
	}
	return w, nil
}
