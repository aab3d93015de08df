package activities

import (
	"context"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Rebates reads what the steps of rebates need. A missing row is
// fault.NotFound.
type Rebates interface {
	// Earning reads what a paid order is rated by, and what it would earn now.
	Earning(ctx context.Context, book id.Book, orderID string) (accrual.Earn, error)
	OrderFile(ctx context.Context, book id.Book, orderID string) (accrual.OrderFile, error)
	// RebateOrderDone notes that nothing is left to do about an order, unless it
	// has moved since it was claimed.
	RebateOrderDone(ctx context.Context, d accrual.Due) error
}

// Rebate brings an order's rebates to what its payments and refunds say: what it
// earns is accrued, vests sooner once its goods were received, and what went back is
// taken back in proportion (I-22).
// Repeated, it changes nothing. What can't move yet stays due. Its errors are
// faults.
func (s *Steps) Rebate(ctx context.Context, d accrual.Due) error {
	if err := s.earn(ctx, d); err != nil {
		return err
	}
	if err := s.receive(ctx, d); err != nil {
		return err
	}
	waits, err := s.adjustAll(ctx, d)
	if err != nil || waits {
		return err
	}
	return s.c.Rebates.RebateOrderDone(ctx, d)
}

// earn accrues what the order earns, once: its cause is the order's own.
func (s *Steps) earn(ctx context.Context, d accrual.Due) error {
	for try := 1; ; try++ {
		f, err := s.c.Rebates.OrderFile(ctx, d.Book, d.OrderID)
		if err != nil || f.Rated {
			return err
		}
		e, err := s.c.Rebates.Earning(ctx, d.Book, d.OrderID)
		if err != nil {
			return err
		}
		_, err = s.c.Committer.Commit(ctx, ledger.Step{Book: d.Book, Cause: e.Cause(), Business: d.OrderID, By: ledger.Service("rebate-relay"),
			Changes: []ledger.Change{e}})
		if !overtaken(err) || try == staleTries {
			return err
		}
	}
}

// receive brings forward what vests after the receipt of an order's goods, once somebody has confirmed it. What is promised later finds it confirmed.
func (s *Steps) receive(ctx context.Context, d accrual.Due) error {
	for try := 1; ; try++ {
		f, err := s.c.Rebates.OrderFile(ctx, d.Book, d.OrderID)
		if err != nil || f.Received.IsZero() {
			return err
		}
		stale := false
		for _, r := range f.Rebates {
			if _, moves := r.Received(f.Received, f.Received); !moves {
				continue
			}
			c := accrual.Receipt{Rebate: r, Day: f.Received}
			_, err := s.c.Committer.Commit(ctx, ledger.Step{Book: r.Book, Cause: c.Cause(), Business: r.OrderID, By: ledger.Service("rebate-relay"),
				Changes: []ledger.Change{c}})
			if stale = stale || overtaken(err); err != nil && !overtaken(err) {
				return err
			}
		}
		if !stale || try == staleTries {
			return nil
		}
	}
}

// adjustTries bounds how often an order's rebates are read anew: each time fewer of them have to move.
const adjustTries = 8

func (s *Steps) adjustAll(ctx context.Context, d accrual.Due) (waits bool, err error) {
	for range adjustTries {
		f, err := s.c.Rebates.OrderFile(ctx, d.Book, d.OrderID)
		if err != nil {
			return false, err
		}
		waiting, moved := false, false
		for _, r := range f.Rebates {
			step, err := r.Step(f.Share)
			if err != nil {
				return false, err
			}
			if step.Code == "" {
				continue
			}
			switch err := s.adjust(ctx, f.Share, step, r); {
			case fault.Is(err, fault.KindConflict, "rebate_waits"):
				waiting = true
			case err == nil, overtaken(err): // what moved in part may have to move again
				moved = true
			default:
				return false, err
			}
		}
		if !moved {
			return waiting, nil
		}
	}
	return true, nil
}

// adjust moves one rebate.
func (s *Steps) adjust(ctx context.Context, share accrual.Share, step id.Step, r accrual.Accrual) error {
	_, err := s.c.Committer.Commit(ctx, ledger.Step{Book: r.Book, Cause: r.Cause(step.Code, step.Ordinal), Business: r.OrderID,
		By: ledger.Service("rebate-relay"), Changes: []ledger.Change{accrual.Adjust{Share: share, Rebate: r}}})
	return err
}
