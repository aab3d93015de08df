package activities

import (
	"context"

	"paysaga/channels"
	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Withdrawals reads what paying wallets out after a settlement needs. A missing
// row is fault.NotFound.
type Withdrawals interface {
	Withdrawal(ctx context.Context, w accrual.Withdrawal) (accrual.Withdrawal, error)
	// WithdrawalDone keeps what came of one.
	WithdrawalDone(ctx context.Context, w accrual.Withdrawal, outcome, payoutID string) error
	OpenAccounts(ctx context.Context, book id.Book, merchantID string) ([]channels.OpenAccount, error)
}

// Withdraw orders the payout of a wallet that a settlement has paid into, once
// the settlement has ended. Repeated it orders the same one. A refusal (less there
// than wanted, a wallet that doesn't move, no destination) is kept, and is the
// end of it: the next settlement asks again. Its errors are faults.
func (s *Steps) Withdraw(ctx context.Context, w accrual.Withdrawal) error {
	w, err := s.c.Withdrawals.Withdrawal(ctx, w)
	switch {
	case err != nil:
		return err
	case w.EndedAt.IsZero():
		return nil // it comes again
	case !w.Wanted:
		return s.c.Withdrawals.WithdrawalDone(ctx, w, "not_wanted", "")
	case w.Destination.Account == "":
		return s.c.Withdrawals.WithdrawalDone(ctx, w, "no_destination", "")
	}
	err = s.orderWithdrawal(ctx, w)
	switch kind := fault.Of(err); {
	case err == nil, fault.Is(err, fault.KindConflict, "cause_conflict"): // ordered before, by what was wanted then
		return s.c.Withdrawals.WithdrawalDone(ctx, w, "ordered", w.PayoutID())
	case kind == fault.KindConflict, kind == fault.KindInvalid, kind == fault.KindNotFound:
		return s.c.Withdrawals.WithdrawalDone(ctx, w, fault.As(err).Code, "")
	}
	return err
}

func (s *Steps) orderWithdrawal(ctx context.Context, w accrual.Withdrawal) error {
	open, err := s.c.Withdrawals.OpenAccounts(ctx, w.Book, w.MerchantID)
	if err != nil {
		return err
	}
	over, err := s.c.Channels.Payer(open, w.Currency, "")
	if err != nil {
		return err
	}
	order := w.Order()
	p := &order.Payout
	p.Channel, p.ChannelAccount, p.Lane = over.Channel, over.ID, over.Lane
	_, err = s.c.Committer.Commit(ctx, ledger.Step{Book: w.Book, Cause: id.Key(p.ID, id.Step{Code: id.Receive, Ordinal: 1}), Business: p.ID,
		By: ledger.Service("withdrawal-relay"), Changes: []ledger.Change{order}})
	return err
}
