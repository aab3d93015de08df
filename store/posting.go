package store

import (
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
)

// Hot accounts have no row that everybody updates, so there is none to lock; which is why "hot" is read under the lock.
const sqlLockAccounts = `
	SELECT a.*
	FROM unnest($1::bigint[]) AS n(no) CROSS JOIN LATERAL (
		SELECT no, normal, kind, hot, balance, last, floor, closed_at IS NOT NULL FROM accounts WHERE no = n.no FOR UPDATE) a`

const sqlReadAccountRows = `
	SELECT a.*
	FROM unnest($1::bigint[]) AS n(no) CROSS JOIN LATERAL (
		SELECT no, normal, kind, hot, balance, last, floor, closed_at IS NOT NULL FROM accounts WHERE no = n.no OFFSET 0) a`

func (b *batch) queueAccounts(m *pgx.Batch) {
	var list []int64
	for _, w := range b.works {
		for _, r := range w.refs {
			if r.hot {
				b.found.accounts.find(r.no, accountState{accountRef: r})
			} else {
				list = append(list, r.no)
			}
		}
	}
	sql := sqlLockAccounts
	if !b.locked {
		sql, list = sqlReadAccountRows, b.l.c.known.missing(list)
	}
	if list = unique(list); list == nil {
		return
	}
	b.read = make(map[int64]accountState, len(list))
	m.Queue(sql, list).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var a accountState
			if err := rows.Scan(&a.no, &a.normal, &a.kind, &a.hot, &a.balance, &a.last, &a.floor, &a.closed); err != nil {
				return err
			}
			a.was = a.last
			b.read[a.no] = a
		}
		return rows.Err()
	})
}

const sqlReversed = `
	SELECT c.cause, c.journal, coalesce(e.account, 0), coalesce(e.amount, 0), EXISTS (SELECT FROM causes r WHERE r.reverses = c.journal)
	FROM unnest($2::text[]) AS n(cause)
	CROSS JOIN LATERAL (SELECT cause, journal FROM causes WHERE book = $1 AND cause = n.cause AND journal IS NOT NULL OFFSET 0) c
	LEFT JOIN LATERAL (SELECT account, amount FROM entries WHERE journal = c.journal OFFSET 0) e ON true`

func (b *batch) queueReversed(m *pgx.Batch) {
	var list []string
	for _, w := range b.works {
		list = append(list, w.reverses()...)
	}
	if list == nil {
		return
	}
	for _, cause := range list {
		b.found.reversed[cause] = &reversedJournal{legs: map[int64]int64{}}
	}
	m.Queue(sqlReversed, b.book(), unique(list)).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var cause string
			var account, amount int64
			var number ledger.Number
			var by bool
			if err := rows.Scan(&cause, &number, &account, &amount, &by); err != nil {
				return err
			}
			r := b.found.reversed[cause]
			if r.number, r.by = number, by; account != 0 {
				r.legs[account] = amount
			}
		}
		return rows.Err()
	})
}

// acceptReversals lets a later Step of the batch reverse what an accepted one has booked, and only once.
func (b *batch) acceptReversals(w *work) {
	if len(b.found.reversed) == 0 {
		return
	}
	entries := w.out.entries
	for _, j := range w.out.journals {
		if r := b.found.reversed[j.cause]; r != nil {
			r.number = j.number
			for _, e := range entries[:j.legs] {
				r.legs[e.account] = e.amount
			}
		}
		entries = entries[j.legs:]
	}
	for _, j := range w.journals() {
		if j.Reverses() != "" {
			b.found.reversed[j.Reverses()].by = true
		}
	}
}

type journalRow struct {
	number      ledger.Number
	cause, kind string
	legs        int
	reverses    ledger.Number // 0: none
	effectiveAt time.Time
	displaced   bool
}

type entryRow struct {
	journal         ledger.Number
	account, amount int64
	after           *int64 // nil on hot accounts
	leg             int16
}

// post judges the Step's journals against the balances that the Steps before it have left: dates, closed accounts, floors
// (I-06), reversals (I-07), and the width of a balance.
func (w *work) post() error {
	b, next := w.b, 0
	number := b.first + ledger.Number(len(b.out.journals))
	journals := w.journals()
	if len(b.out.journals)+len(journals) > ledger.MaxBlock {
		return fault.Unavailable("store_block_full", "too many journals at once; try again", nil)
	}
	for i, j := range journals {
		var refs []accountRef
		if i < len(w.step.Journals) {
			refs = w.refs[next : next+len(j.Entries())]
			next += len(refs)
		} else {
			var err error
			if refs, err = w.refsOf(j); err != nil {
				return err
			}
		}
		row := journalRow{number: number, cause: j.Cause(), kind: j.Kind(), legs: len(refs)}
		var err error
		if row.effectiveAt, err = b.calendar.Date(j, b.at); err != nil {
			return err
		}
		row.displaced = row.effectiveAt.After(b.at) || row.effectiveAt.Before(b.at.Add(-ledger.Displaced))
		if j.Reverses() != "" {
			if row.reverses, err = w.reverse(j, refs); err != nil {
				return err
			}
		}
		booked := ledger.Booked{Number: number, Book: w.step.Book, Cause: row.cause, Kind: row.kind, Reverses: row.reverses,
			EffectiveAt: row.effectiveAt, Step: w.hash, Legs: make([]ledger.BookedLeg, len(refs))}
		for i, e := range j.Entries() {
			after, err := w.move(refs[i].no, e.Amount, number)
			if err != nil {
				return err
			}
			w.out.entries = append(w.out.entries, entryRow{number, refs[i].no, e.Amount, after, int16(i + 1)})
			booked.Legs[i] = ledger.BookedLeg{Code: e.Account.Code, Currency: string(e.Account.Currency), Amount: e.Amount}
		}
		w.out.journals = append(w.out.journals, row)
		w.out.leaves = append(w.out.leaves, booked.Leaf())
		number++
	}
	return nil
}

// refsOf are the accounts of a journal that a poster has made.
func (w *work) refsOf(j ledger.Journal) ([]accountRef, error) {
	if !slices.Contains(w.causes, j.Cause()) || j.Book() != w.step.Book || len(j.Entries()) == 0 {
		return nil, fault.Internal("a poster's journal has a cause that wasn't named", nil)
	}
	refs := make([]accountRef, 0, len(j.Entries()))
	for _, e := range j.Entries() {
		r, ok := w.named[keyOf(e.Account)]
		if !ok {
			return nil, fault.Internal("a poster's journal moves an account that wasn't named: "+e.Account.Code, nil)
		}
		refs = append(refs, r)
	}
	return refs, nil
}

// maxHotLeg bounds an amount on a hot account, whose sum nobody knows when it is posted: 2.8 trillion units of two decimals.
const maxHotLeg = 1 << 48

// move adds to an account, and returns its new balance unless it is hot.
func (w *work) move(no, amount int64, by ledger.Number) (*int64, error) {
	a := w.b.found.accounts.get(no)
	switch {
	case a == nil:
		return nil, fault.Internal("an account that isn't there", nil)
	case a.closed:
		return nil, accountClosed()
	case a.hot && (amount > maxHotLeg || amount < -maxHotLeg):
		return nil, overflow()
	case a.hot:
		return nil, nil
	}
	after, ok := add(a.balance, amount)
	if !ok || after == math.MinInt64 {
		w.short = true
		return nil, overflow()
	}
	side := after
	if a.normal == ledger.Credit {
		side = -after
	}
	if a.floor != nil && side < *a.floor {
		w.short = true
		return nil, belowFloor()
	}
	a.balance, a.last = after, by
	return &after, nil
}

func add(a, b int64) (int64, bool) {
	if (b > 0 && a > math.MaxInt64-b) || (b < 0 && a < math.MinInt64-b) {
		return 0, false
	}
	return a + b, true
}

func (w *work) reverse(j ledger.Journal, refs []accountRef) (ledger.Number, error) {
	first := w.b.found.reversed[j.Reverses()]
	switch {
	case first == nil || first.number == 0:
		return 0, fault.Conflict("reversal_of_nothing", "the journal to reverse doesn't stand")
	case first.by, slices.ContainsFunc(w.out.journals, func(r journalRow) bool { return r.reverses == first.number }):
		return 0, alreadyReversed()
	case len(first.legs) == 0:
		return 0, fault.Conflict("month_detached", "the journal to reverse is of a month that is kept elsewhere: attach it again first")
	case len(first.legs) != len(refs):
		return 0, fault.Conflict("reversal_differs", "a reversal is the exact opposite")
	}
	for i, e := range j.Entries() {
		if amount, ok := first.legs[refs[i].no]; !ok || amount != -e.Amount {
			return 0, fault.Conflict("reversal_differs", "a reversal is the exact opposite")
		}
	}
	return first.number, nil
}

const sqlInsertJournals = `
	INSERT INTO journals (no, effective_at, reverses, book, legs, cause, kind)
	SELECT n.no, n.effective_at, nullif(n.reverses, 0), $1, n.legs, n.cause, n.kind
	FROM (SELECT unnest($2::bigint[]) AS no, unnest($3::timestamptz[]) AS effective_at, unnest($4::bigint[]) AS reverses,
		unnest($5::smallint[]) AS legs, unnest($6::text[]) AS cause, unnest($7::text[]) AS kind) n`

// The rows are locked here, in the order of their numbers, unless they are already; all_moved refuses what isn't as believed.
const sqlMoveBalances = `
	WITH moved AS (
		UPDATE accounts a SET balance = n.balance, last = n.last
		FROM (SELECT unnest($1::bigint[]) AS no, unnest($2::bigint[]) AS balance, unnest($3::bigint[]) AS last, unnest($4::bigint[]) AS was) n
		WHERE a.no = n.no AND a.last = n.was AND NOT a.hot AND a.closed_at IS NULL
		RETURNING 1)
	SELECT all_moved(count(*), $5) FROM moved`

const sqlInsertEntries = `
	INSERT INTO entries (journal, account, amount, balance_after, leg)
	SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bigint[]), unnest($5::smallint[])`

const sqlInsertDisplaced = `
	INSERT INTO displaced (account, effective_at, journal, amount)
	SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::bigint[])`

func (b *batch) writeJournals(m *pgx.Batch) {
	n := len(b.out.journals)
	if n == 0 {
		return
	}
	nos, causes, kinds := make([]int64, n), make([]string, n), make([]string, n)
	legs, reverses, effective := make([]int16, n), make([]int64, n), make([]time.Time, n)
	for i, j := range b.out.journals {
		nos[i], causes[i], kinds[i] = int64(j.number), j.cause, j.kind
		legs[i], reverses[i], effective[i] = int16(j.legs), int64(j.reverses), j.effectiveAt
	}
	m.Queue(sqlInsertJournals, b.book(), nos, effective, reverses, legs, causes, kinds)
	e := len(b.out.entries)
	journal, account, amount := make([]int64, e), make([]int64, e), make([]int64, e)
	after, leg := make([]*int64, e), make([]int16, e)
	for i, r := range b.out.entries {
		journal[i], account[i], amount[i], after[i], leg[i] = int64(r.journal), r.account, r.amount, r.after, r.leg
	}
	m.Queue(sqlInsertEntries, journal, account, amount, after, leg)
	b.writeDisplaced(m)
}

func (b *batch) writeBalances(m *pgx.Batch) {
	var list, balances, last, was []int64
	for no, a := range b.found.accounts.base {
		if !a.hot && a.last != a.was {
			list = append(list, no)
		}
	}
	if list == nil {
		return
	}
	slices.Sort(list)
	for _, no := range list {
		a := b.found.accounts.base[no]
		balances, last, was = append(balances, a.balance), append(last, int64(a.last)), append(was, int64(a.was))
	}
	m.Queue(sqlMoveBalances, list, balances, last, was, len(list))
}

func (b *batch) writeDisplaced(m *pgx.Batch) {
	var account, journal, amount []int64
	var at []time.Time
	entries := b.out.entries
	for _, j := range b.out.journals {
		for _, e := range entries[:j.legs] {
			if j.displaced {
				account, at = append(account, e.account), append(at, j.effectiveAt)
				journal, amount = append(journal, int64(e.journal)), append(amount, e.amount)
			}
		}
		entries = entries[j.legs:]
	}
	if account != nil {
		m.Queue(sqlInsertDisplaced, account, at, journal, amount)
	}
}
