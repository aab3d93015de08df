package export

import (
	"context"
	"encoding/csv"
	"io"
	"strconv"
	"time"

	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// Entries writes a book as CSV, a row per entry in booking order. amount and balance are in major units, a debit positive; balance is
// empty for hot accounts.
func Entries(ctx context.Context, out io.Writer, source Source, o Options) error {
	r, err := start(ctx, source, o)
	if err != nil {
		return err
	}
	w := csv.NewWriter(out)
	_ = w.Write([]string{"number", "journal", "kind", "reverses", "booked_at", "effective_at", "leg", "account", "code", "account_kind", "currency", "amount", "balance"})
	err = r.journals(func(j ledger.Posted) error {
		for _, l := range j.Legs {
			balance := ""
			if l.Balance != nil {
				balance = money.New(*l.Balance, l.Account.Currency).Decimal()
			}
			// A failed write shows at the end, and in each further one.
			err := w.Write([]string{strconv.FormatInt(int64(j.Number), 10), j.Cause, j.Kind, j.Reverses, j.Number.BookedAt().Format(ledger.InstantFormat),
				j.EffectiveAt.Format(time.RFC3339Nano), strconv.Itoa(l.Leg), l.ID, l.Account.Code, string(l.Account.Kind), string(l.Account.Currency),
				money.New(l.Amount, l.Account.Currency).Decimal(), balance})
			if err != nil {
				return err
			}
		}
		return nil
	})
	w.Flush()
	if err != nil {
		return err
	}
	return w.Error()
}

// Balances writes a book's accounts as CSV with what each holds at To: the trial balance, account by account. A balance stands in one of
// the columns debit and credit. From is not looked at.
func Balances(ctx context.Context, out io.Writer, source Source, o Options) error {
	o.From = time.Time{}
	r, err := start(ctx, source, o)
	if err != nil {
		return err
	}
	w := csv.NewWriter(out)
	_ = w.Write([]string{"account", "code", "account_kind", "owner", "currency", "debit", "credit", "at"})
	err = r.accounts(r.To, func(b ledger.Balance) error {
		debit, credit := "", ""
		switch {
		case b.Minor < 0:
			credit = money.New(-b.Minor, b.Currency).Decimal()
		default:
			debit = money.New(b.Minor, b.Currency).Decimal()
		}
		return w.Write([]string{b.ID, b.Code, string(b.Kind), b.Owner, string(b.Currency), debit, credit, r.To.Format(ledger.InstantFormat)})
	})
	w.Flush()
	if err != nil {
		return err
	}
	return w.Error()
}
