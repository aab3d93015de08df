package rebates

import (
	"context"
	"fmt"
	"math/big"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/accrual"
	"paysaga/domain/ledger"
)

// stand is what the database holds of a walk's people and its campaign: rebates as rows, and accounts by code, on their normal side.
type stand struct {
	rows     []row
	accounts map[string]int64
	shut     map[string]bool // by user
}

// row is a rebate, read past all of paysaga's own reading.
type row struct {
	id, order, user, status, rule                                  string
	accrued, settled, released, fromPending, fromWallet, debt, low int64
}

func (r row) clawed() int64 { return r.fromPending + r.fromWallet + r.debt }

// open is what may still be paid.
func (r row) open() int64 {
	if r.status == string(accrual.Pending) {
		return r.accrued - r.fromPending
	}
	return 0
}

// out is what the campaign's budget has given for it, and not got back.
func (r row) out() int64 { return r.accrued - r.released - r.fromPending - r.fromWallet }

const (
	sqlRows = `SELECT id, order_id, beneficiary, status, rule, accrued, settled, released, from_pending, from_wallet, debt,
			least(accrued, settled, released, from_pending, from_wallet, debt)
		FROM rebates WHERE book = $1 AND beneficiary = ANY($2) ORDER BY id`
	sqlAccounts = `SELECT code, CASE normal WHEN 'debit' THEN balance ELSE -balance END FROM accounts WHERE owner = ANY($2) AND book = $1 AND currency = 'CNY'`
	sqlShut     = `SELECT id FROM users WHERE book = $1 AND id = ANY($2) AND status <> 'active'`
)

// look reads what there is. Nobody else moves it meanwhile: a shop's sequences come one after the other.
func (w *walk) look(ctx context.Context) (stand, error) {
	s := stand{accounts: map[string]int64{}, shut: map[string]bool{}}
	b := &pgx.Batch{}
	b.Queue(sqlRows, book, w.people[:]).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var r row
			if err := rows.Scan(&r.id, &r.order, &r.user, &r.status, &r.rule, &r.accrued, &r.settled, &r.released, &r.fromPending, &r.fromWallet, &r.debt, &r.low); err != nil {
				return err
			}
			s.rows = append(s.rows, r)
		}
		return rows.Err()
	})
	b.Queue(sqlAccounts, book, append(w.people[:], w.campaign)).Query(func(rows pgx.Rows) error {
		var code string
		var balance int64
		_, err := pgx.ForEachRow(rows, []any{&code, &balance}, func() error { s.accounts[code] = balance; return nil })
		return err
	})
	b.Queue(sqlShut, book, w.people[:]).Query(func(rows pgx.Rows) error {
		var user string
		_, err := pgx.ForEachRow(rows, []any{&user}, func() error { s.shut[user] = true; return nil })
		return err
	})
	return s, w.Owner.SendBatch(ctx, b).Close()
}

// Broken is a promise that doesn't hold.
type Broken struct{ Promise, What string }

// Error names the promise.
func (b Broken) Error() string { return b.Promise + ": " + b.What }

func broken(promise, format string, args ...any) error {
	return Broken{promise, fmt.Sprintf(format, args...)}
}

// judge holds the promises over what there is now.
func (w *walk) judge(ctx context.Context) error {
	s, err := w.look(ctx)
	if err != nil {
		return err
	}
	w.judged++
	for _, hold := range []func(stand) error{w.floors, w.sums, w.books, w.shares} {
		if err := hold(s); err != nil {
			return err
		}
	}
	return nil
}

// floors: no wallet, no promise and no budget is below zero (I-06).
func (w *walk) floors(s stand) error {
	for code, balance := range s.accounts {
		if balance < 0 {
			return broken("I-06", "%s holds %d", code, balance)
		}
	}
	return nil
}

// sums: of each rebate, what was paid + open + clawed back + released is what was accrued (I-22).
func (w *walk) sums(s stand) error {
	for _, r := range s.rows {
		if paid := r.settled - r.fromWallet - r.debt; paid < 0 || r.low < 0 || paid+r.open()+r.clawed()+r.released != r.accrued {
			return broken("I-22", "%+v", r)
		}
	}
	return nil
}

// books: what the accounts hold is what the rebates say, to the cent (I-22).
func (w *walk) books(s stand) error {
	chart := ledger.Chart{Book: book, Currency: currency}
	out, debts := int64(0), int64(0)
	for _, user := range w.people {
		open, wallet, debt := int64(0), -w.spent[user], int64(0)
		for _, r := range s.rows {
			if r.user == user {
				open, wallet, debt = open+r.open(), wallet+r.settled-r.fromWallet, debt+r.debt
				out += r.out()
			}
		}
		debts += debt
		for code, want := range map[string]int64{chart.RebatePending(user).Code: open, chart.Wallet(user).Code: wallet, chart.RebateDebt(user).Code: debt} {
			if s.accounts[code] != want {
				return broken("I-22", "%s holds %d, and the rebates say %d", code, s.accounts[code], want)
			}
		}
	}
	budget, owed := chart.Budget(w.campaign).Code, chart.Recoverable(w.campaign).Code
	if want := w.begin.accounts[budget] + w.funded - out; s.accounts[budget] != want {
		return broken("I-22", "the budget holds %d, and %d + %d - %d was to be left", s.accounts[budget], w.begin.accounts[budget], w.funded, out)
	}
	if want := w.begin.accounts[owed] + debts; s.accounts[owed] != want {
		return broken("I-22", "%d can be recovered, and the rebates say %d", s.accounts[owed], want)
	}
	return nil
}

// shares: what went back of an order takes back the same part of each of its rebates, and the whole takes the whole: nothing is lost in
// between, however it was divided (I-08). Only what was to be restored may wait, for a budget that is empty or a wallet that is shut.
func (w *walk) shares(s stand) error {
	budget := s.accounts[ledger.Chart{Book: book, Currency: currency}.Budget(w.campaign).Code]
	for _, b := range w.orders {
		if !b.told {
			continue
		}
		for _, r := range s.rows {
			if r.order != b.orderID || r.status == string(accrual.Released) {
				continue
			}
			due := new(big.Int).Div(new(big.Int).Mul(big.NewInt(r.accrued), big.NewInt(b.gone)), big.NewInt(b.total)).Int64()
			b.waits = b.waits || b.fresh && r.clawed() > due && (s.shut[r.user] || budget == 0)
			if r.clawed() < due || r.clawed() > due && !b.waits {
				return broken("I-08", "%d of %d of the order went back, so %d of the rebate was to, with %d in the budget: %+v", b.gone, b.total, due, budget, r)
			}
		}
		b.fresh = false
	}
	return nil
}

// over: at the end nothing is open any more, and so nothing of this sequence moves in the next.
func (w *walk) over(ctx context.Context) error {
	s, err := w.look(ctx)
	if err != nil {
		return err
	}
	for _, r := range s.rows {
		if r.open() != 0 {
			return broken("I-22", "after the last settlement %+v is open", r)
		}
	}
	return nil
}
