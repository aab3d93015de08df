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
	no      int64
	normal  ledger.Side
	kind    ledger.Kind
	floored bool
	floor   int64
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
	SELECT code, currency, no, normal, kind, floor IS NOT NULL, coalesce(floor, 0)
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
			w.lock.accounts = append(w.lock.accounts, r.no)
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
			if err := rows.Scan(&k.code, &k.currency, &r.no, &r.normal, &r.kind, &r.floored, &r.floor); err != nil {
				return err
			}
			w.db.accounts.put(k, r)
		}
		return rows.Err()
	})
	return failure(w.db.pool.SendBatch(ctx, b).Close())
}

// balance is an account's row under lock.
type balance struct{ amount, version int64 }

const sqlLockBalances = `SELECT no, balance, version FROM accounts WHERE no = ANY($1) ORDER BY no FOR UPDATE`

func (w *work) queueBalances(b *pgx.Batch) {
	if len(w.lock.accounts) == 0 {
		return
	}
	b.Queue(sqlLockBalances, unique(w.lock.accounts)).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var no int64
			bal := &balance{}
			if err := rows.Scan(&no, &bal.amount, &bal.version); err != nil {
				return err
			}
			w.found.balances[no] = bal
		}
		return rows.Err()
	})
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
	no                    int64
	cause, kind           string
	legs                  int
	reverses              *int64
	effectiveAt, bookedAt time.Time
}

type entryRow struct{ journal, leg, account, amount, after, seq int64 }

// post judges the journals against the balances so far: floors (I-06), overflow, reversals (I-07).
func (w *work) post() error {
	w.out.balances = w.found.balances
	next := 0
	for _, j := range w.step.Journals {
		no := *w.found.causes[j.Cause()]
		refs := w.refs[next : next+len(j.Entries())]
		next += len(refs)
		row := journalRow{no: no, cause: j.Cause(), kind: j.Kind(), legs: len(refs), effectiveAt: j.EffectiveAt(), bookedAt: w.at}
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
			entry, err := w.entry(refs[i], e.Amount)
			if err != nil {
				return err
			}
			entry.journal, entry.leg = no, int64(i+1)
			w.out.entries = append(w.out.entries, entry)
		}
		w.out.journals = append(w.out.journals, row)
	}
	return nil
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

func (w *work) entry(r accountRef, amount int64) (entryRow, error) {
	b := w.found.balances[r.no]
	if b == nil {
		return entryRow{}, fault.Internal("an account that was just found is gone", nil)
	}
	if (amount > 0 && b.amount > math.MaxInt64-amount) || (amount < 0 && b.amount < math.MinInt64+1-amount) {
		return entryRow{}, fault.Invalid("balance_overflow", "", "a balance would be larger than we can hold")
	}
	b.amount += amount
	b.version++
	if stands := normal(r.normal, b.amount); r.floored && amount != 0 && stands < r.floor && normal(r.normal, amount) < 0 {
		return entryRow{}, belowFloor()
	}
	return entryRow{account: r.no, amount: amount, after: b.amount, seq: b.version}, nil
}

// normal is an amount as its account's normal side counts it.
func normal(side ledger.Side, amount int64) int64 {
	if side == ledger.Credit {
		return -amount
	}
	return amount
}

const sqlInsertJournals = `
	INSERT INTO journals (no, book, cause, kind, legs, reverses, effective_at, booked_at)
	SELECT j.no, @book, j.cause, j.kind, j.legs, j.reverses, j.effective_at, @at
	FROM unnest(@nos::bigint[], @causes::text[], @kinds::text[], @legs::smallint[], @reverses::bigint[], @effective::timestamptz[])
		AS j(no, cause, kind, legs, reverses, effective_at)`

const sqlInsertEntries = `
	INSERT INTO entries (journal, leg, account, amount, balance_after, seq)
	SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])`

const sqlUpdateBalances = `
	UPDATE accounts a SET balance = b.balance, version = b.version
	FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS b(no, balance, version) WHERE a.no = b.no`

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

	m := len(o.entries)
	cols := [5][]int64{}
	for i := range cols {
		cols[i] = make([]int64, m)
	}
	leg := make([]int16, m)
	for i, e := range o.entries {
		cols[0][i], leg[i], cols[1][i], cols[2][i], cols[3][i], cols[4][i] = e.journal, int16(e.leg), e.account, e.amount, e.after, e.seq
	}
	b.Queue(sqlInsertEntries, cols[0], leg, cols[1], cols[2], cols[3], cols[4])

	var accounts, balances, versions []int64
	for no := range o.balances {
		accounts = append(accounts, no)
	}
	slices.Sort(accounts)
	for _, no := range accounts {
		balances, versions = append(balances, o.balances[no].amount), append(versions, o.balances[no].version)
	}
	b.Queue(sqlUpdateBalances, accounts, balances, versions)
}
