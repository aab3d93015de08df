package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// One look-up by key per account; how many journals there are doesn't matter.
const sqlTrialBalance = `
	SELECT t.currency, t.kind, t.class, count(*), sum(greatest(t.balance, 0))::bigint, -sum(least(t.balance, 0))::bigint
	FROM (SELECT a.currency, a.kind, m.balance, regexp_replace(a.code, '(^|/)[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}(?=/|$)', '\1*', 'g') AS class
		FROM accounts a` + balanceBelow + `
		WHERE a.book = @book AND (@currency = '' OR a.currency = @currency) AND (a.opened_at <= @at OR m.balance <> 0)) t
	GROUP BY t.currency, t.kind, t.class
	ORDER BY t.currency, array_position(ARRAY['asset', 'liability', 'income', 'expense', 'equity', 'memo'], t.kind), t.class`

// TrialBalance reads what all accounts of a book hold at an instant, which has to be final ("at_not_final"), or with a zero at at the
// newest that is. An empty currency is all of them. Debits equal credits (I-02): anything else is Internal.
func (s *Store) TrialBalance(ctx context.Context, book id.Book, at time.Time, currency money.Currency) (ledger.TrialBalance, error) {
	db, err := s.db(book)
	if err != nil {
		return ledger.TrialBalance{}, err
	}
	h, err := db.horizon(ctx)
	if err != nil {
		return ledger.TrialBalance{}, err
	}
	out := ledger.TrialBalance{Book: book, At: since1970(at), FinalUpTo: h.final}
	if at.IsZero() {
		out.At = h.final
	}
	var opened *time.Time
	if err := db.pool.QueryRow(ctx, sqlFirstOpened, book).Scan(&opened); err != nil {
		return ledger.TrialBalance{}, failure(err)
	}
	if opened == nil {
		opened = &h.final
	}
	if err := h.admit("at", out.At, *opened); err != nil {
		return ledger.TrialBalance{}, err
	}
	rows, err := db.pool.Query(ctx, sqlTrialBalance, pgx.NamedArgs{"book": book, "upto": ledger.After(out.At), "at": out.At, "currency": currency})
	if err != nil {
		return ledger.TrialBalance{}, failure(err)
	}
	defer rows.Close()
	for rows.Next() {
		var c money.Currency
		var l ledger.TrialLine
		if err := rows.Scan(&c, &l.Kind, &l.Class, &l.Accounts, &l.Debit, &l.Credit); err != nil {
			return ledger.TrialBalance{}, failure(err)
		}
		if n := len(out.Currencies); n == 0 || out.Currencies[n-1].Currency != c {
			out.Currencies = append(out.Currencies, ledger.TrialCurrency{Currency: c})
		}
		if err := gather(&out.Currencies[len(out.Currencies)-1], l); err != nil {
			return ledger.TrialBalance{}, err
		}
	}
	if err := rows.Err(); err != nil {
		return ledger.TrialBalance{}, failure(err)
	}
	return out, balanced(out)
}

const sqlFirstOpened = `SELECT opened_at FROM accounts WHERE no = (SELECT min(no) FROM accounts WHERE book = $1)`

func gather(c *ledger.TrialCurrency, l ledger.TrialLine) error {
	if l.Kind == ledger.Memo {
		c.Memo = append(c.Memo, l)
		return nil
	}
	c.Lines = append(c.Lines, l)
	debit, ok := add(c.Debit, l.Debit)
	credit, also := add(c.Credit, l.Credit)
	if c.Debit, c.Credit = debit, credit; !ok || !also {
		return overflow()
	}
	return nil
}

// balanced says which currency isn't.
func balanced(t ledger.TrialBalance) error {
	for _, c := range t.Currencies {
		var memo int64
		for _, l := range c.Memo {
			memo += l.Debit - l.Credit
		}
		if c.Debit != c.Credit || memo != 0 {
			return fault.Internal("the trial balance in "+string(c.Currency)+" doesn't balance", nil)
		}
	}
	return nil
}
