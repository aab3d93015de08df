package store

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// accountRef is what never changes of an account.
type accountRef struct {
	no     int64
	normal ledger.Side
	kind   ledger.Kind
}

type accountKey struct {
	book     id.Book
	code     string
	currency money.Currency
}

// accountCache knows accounts by name. They are never removed, so what it knows stays true.
type accountCache struct {
	mu   sync.RWMutex
	refs map[accountKey]accountRef
}

func (c *accountCache) get(k accountKey) (accountRef, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	r, ok := c.refs[k]
	return r, ok
}

func (c *accountCache) put(k accountKey, r accountRef) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refs == nil || len(c.refs) >= maxCached {
		c.refs = map[accountKey]accountRef{}
	}
	c.refs[k] = r
}

const sqlOpenAccounts = `
	INSERT INTO accounts (book, id, code, currency, owner, kind, normal, floor, opened_at)
	SELECT @book, a.id, a.code, a.currency, nullif(a.owner, ''), a.kind, a.normal, CASE WHEN a.floored THEN a.floor END, @at
	FROM unnest(@ids::text[], @codes::text[], @currencies::text[], @owners::text[], @kinds::text[], @normals::text[],
		@floored::boolean[], @floors::bigint[]) AS a(id, code, currency, owner, kind, normal, floored, floor)
	ORDER BY a.code, a.currency
	ON CONFLICT DO NOTHING`

const sqlReadAccounts = `
	SELECT code, currency, no, normal, kind
	FROM accounts WHERE book = $1 AND (code, currency) IN (SELECT * FROM unnest($2::text[], $3::text[]))`

// resolveAccounts finds the numbers of the Step's accounts. One that was never posted to is opened first, in a transaction
// of its own: an account without entries means nothing, and opening it here keeps the Step's locks short.
func (w *work) resolveAccounts(ctx context.Context) error {
	var missing []ledger.Account
	for _, j := range w.step.Journals {
		for _, e := range j.Entries() {
			if _, ok := w.db.accounts.get(keyOf(e.Account)); !ok {
				missing = append(missing, e.Account)
			}
		}
	}
	if len(missing) > 0 {
		if err := w.openAccounts(ctx, missing); err != nil {
			return err
		}
	}
	for _, j := range w.step.Journals {
		for _, e := range j.Entries() {
			r, _ := w.db.accounts.get(keyOf(e.Account))
			if r.no == 0 || r.kind != e.Account.Kind || r.normal != e.Account.Normal {
				return fault.Internal("an account stands with another kind or side than the chart's: "+e.Account.Code, nil)
			}
			w.refs = append(w.refs, r)
		}
	}
	return nil
}

func keyOf(a ledger.Account) accountKey { return accountKey{a.Book, a.Code, a.Currency} }

func (w *work) openAccounts(ctx context.Context, list []ledger.Account) error {
	var ids, codes, currencies, owners, kinds, normals []string
	var floored []bool
	var floors []int64
	for _, a := range list {
		ids, codes, currencies = append(ids, mint(id.Account, w.at)), append(codes, a.Code), append(currencies, string(a.Currency))
		owners, kinds, normals = append(owners, a.Owner), append(kinds, string(a.Kind)), append(normals, string(a.Normal))
		floored, floors = append(floored, a.Floored), append(floors, a.Floor)
	}
	b := &pgx.Batch{}
	b.Queue(sqlOpenAccounts, pgx.NamedArgs{"book": w.step.Book, "at": w.at, "ids": ids, "codes": codes, "currencies": currencies,
		"owners": owners, "kinds": kinds, "normals": normals, "floored": floored, "floors": floors})
	b.Queue(sqlReadAccounts, w.step.Book, codes, currencies).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			k := accountKey{book: w.step.Book}
			var r accountRef
			if err := rows.Scan(&k.code, &k.currency, &r.no, &r.normal, &r.kind); err != nil {
				return err
			}
			w.db.accounts.put(k, r)
		}
		return rows.Err()
	})
	return failure(w.db.pool.SendBatch(ctx, b).Close())
}

// reversedJournal is a journal that the Step reverses.
type reversedJournal struct {
	no   int64
	legs map[int64]int64 // account → amount
}

const sqlReversed = `
	SELECT c.cause, e.journal, e.account, e.amount
	FROM causes c JOIN entries e ON e.journal = c.journal
	WHERE c.book = $1 AND c.cause = ANY($2)`

func (w *work) queueReversed(b *pgx.Batch) {
	var causes []string
	for _, j := range w.step.Journals {
		if j.Reverses() != "" {
			causes = append(causes, j.Reverses())
		}
	}
	if causes == nil {
		return
	}
	b.Queue(sqlReversed, w.step.Book, causes).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var cause string
			var no, account, amount int64
			if err := rows.Scan(&cause, &no, &account, &amount); err != nil {
				return err
			}
			r := w.found.reversed[cause]
			if r.legs == nil {
				r = reversedJournal{no, map[int64]int64{}}
			}
			r.legs[account] = amount
			w.found.reversed[cause] = r
		}
		return rows.Err()
	})
}

type journalRow struct {
	no          int64
	cause, kind string
	legs        int
	reverses    *int64
	effectiveAt time.Time
}

// entryRow is a leg. later and behind are what follows on the same account in this Step: its balance after the leg is the
// account's after the Step, less that.
type entryRow struct{ journal, leg, account, amount, later, behind int64 }

// moved is what a Step does to an account.
type moved struct{ amount, entries int64 }

// post gathers the journals. Their balances are computed where they are kept, under the row's lock, by the last
// statements before COMMIT: nobody waits for an account while a message is on its way. The floors and the width of a
// balance are therefore judged by the database alone (I-06).
func (w *work) post() error {
	w.out.moved = map[int64]*moved{}
	next := 0
	for _, j := range w.step.Journals {
		no := *w.found.causes[j.Cause()]
		refs := w.refs[next : next+len(j.Entries())]
		next += len(refs)
		row := journalRow{no: no, cause: j.Cause(), kind: j.Kind(), legs: len(refs), effectiveAt: j.EffectiveAt()}
		if j.Reverses() != "" {
			r, err := w.reverse(j, refs)
			if err != nil {
				return err
			}
			row.reverses = &r
		}
		if row.effectiveAt.IsZero() {
			row.effectiveAt = w.at
		}
		for i, e := range j.Entries() {
			w.out.entries = append(w.out.entries, entryRow{journal: no, leg: int64(i + 1), account: refs[i].no, amount: e.Amount})
		}
		w.out.journals = append(w.out.journals, row)
	}
	for i := len(w.out.entries) - 1; i >= 0; i-- {
		e := &w.out.entries[i]
		m := w.out.moved[e.account]
		if m == nil {
			m = &moved{}
			w.out.moved[e.account] = m
		}
		e.later, e.behind = m.amount, m.entries
		sum, ok := add(m.amount, e.amount)
		if !ok {
			return overflow()
		}
		m.amount, m.entries = sum, m.entries+1
	}
	return nil
}

func add(a, b int64) (int64, bool) {
	if (b > 0 && a > math.MaxInt64-b) || (b < 0 && a < math.MinInt64-b) {
		return 0, false
	}
	return a + b, true
}

func (w *work) reverse(j ledger.Journal, refs []accountRef) (int64, error) {
	first, ok := w.found.reversed[j.Reverses()]
	if !ok {
		return 0, fault.Conflict("reversal_of_nothing", "the journal to reverse doesn't stand")
	}
	if len(first.legs) != len(refs) {
		return 0, fault.Conflict("reversal_differs", "a reversal is the exact opposite")
	}
	for i, e := range j.Entries() {
		if amount, ok := first.legs[refs[i].no]; !ok || amount != -e.Amount {
			return 0, fault.Conflict("reversal_differs", "a reversal is the exact opposite")
		}
	}
	return first.no, nil
}

const sqlInsertJournals = `
	INSERT INTO journals (no, book, cause, kind, legs, reverses, effective_at, booked_at)
	SELECT j.no, @book, j.cause, j.kind, j.legs, j.reverses, j.effective_at, @at
	FROM unnest(@nos::bigint[], @causes::text[], @kinds::text[], @legs::smallint[], @reverses::bigint[], @effective::timestamptz[])
		AS j(no, cause, kind, legs, reverses, effective_at)`

// One statement per account, by number: that is the lock order.
const sqlMoveBalance = `UPDATE accounts SET balance = balance + $2, version = version + $3 WHERE no = $1`

// OFFSET 0 keeps it a look-up by key, whatever the tables' sizes when it was planned.
const sqlInsertEntries = `
	INSERT INTO entries (journal, leg, account, amount, balance_after, seq)
	SELECT e.journal, e.leg, e.account, e.amount, a.balance - e.later, a.version - e.behind
	FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
		AS e(journal, leg, account, amount, later, behind)
	CROSS JOIN LATERAL (SELECT balance, version FROM accounts WHERE no = e.account OFFSET 0) a`

func (o *writes) queueJournals(b *pgx.Batch, w *work) {
	if len(o.journals) == 0 {
		return
	}
	n := len(o.journals)
	nos, causes, kinds := make([]int64, n), make([]string, n), make([]string, n)
	legs, reverses, effective := make([]int16, n), make([]*int64, n), make([]time.Time, n)
	for i, j := range o.journals {
		nos[i], causes[i], kinds[i] = j.no, j.cause, j.kind
		legs[i], reverses[i], effective[i] = int16(j.legs), j.reverses, j.effectiveAt
	}
	b.Queue(sqlInsertJournals, pgx.NamedArgs{"book": w.step.Book, "at": w.at, "nos": nos, "causes": causes, "kinds": kinds,
		"legs": legs, "reverses": reverses, "effective": effective})

	var accounts []int64
	for no := range o.moved {
		accounts = append(accounts, no)
	}
	slices.Sort(accounts)
	for _, no := range accounts {
		b.Queue(sqlMoveBalance, no, o.moved[no].amount, o.moved[no].entries)
	}

	m := len(o.entries)
	cols := [5][]int64{}
	for i := range cols {
		cols[i] = make([]int64, m)
	}
	leg := make([]int16, m)
	for i, e := range o.entries {
		cols[0][i], leg[i], cols[1][i], cols[2][i], cols[3][i], cols[4][i] = e.journal, int16(e.leg), e.account, e.amount, e.later, e.behind
	}
	b.Queue(sqlInsertEntries, cols[0], leg, cols[1], cols[2], cols[3], cols[4])
}
