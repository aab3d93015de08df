package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
)

// MonthProof is what a month's journals are: the same before it is detached and after it is attached again.
type MonthProof struct {
	Journals, Entries int64
	Digest            [32]byte
}

// MonthJudge reads the journals from low on, below high, in tx, holds them against their blocks, and says in words what is
// wrong. audit.Month is one.
type MonthJudge func(ctx context.Context, tx pgx.Tx, low, high ledger.Number) (proof MonthProof, broken string, err error)

// movingMonth is a month on its way out of a database, or back.
type movingMonth struct {
	tx        pgx.Tx
	month     time.Time
	low, high ledger.Number
	judge     MonthJudge
}

// name is the end of its partitions' names.
func (m *movingMonth) name() string { return m.month.Format("2006_01") }

// DetachMonth takes a month's journals and entries out of the books of ownerURL's database. The month must be over and final,
// and must be what its blocks say. Its two tables stay beside the others, insert-only, to be dumped and dropped; what later
// balances need of it is kept. Only the owner can. A month that isn't attached is Conflict "month_detached", one that isn't
// final "month_not_final", one that a payment in doubt needs "month_in_use", and one whose blocks don't fit "month_broken".
func DetachMonth(ctx context.Context, ownerURL string, month time.Time, judge MonthJudge) (MonthProof, error) {
	var p MonthProof
	return p, moveMonth(ctx, ownerURL, month, judge, func(m *movingMonth) (err error) {
		p, err = m.detach(ctx)
		return err
	})
}

// AttachMonth brings a detached month back, from the two tables that DetachMonth left, or a dump of them. They must be what
// they were: the same journals, which the blocks still know, and the same balances. Else it is Conflict "month_broken".
func AttachMonth(ctx context.Context, ownerURL string, month time.Time, judge MonthJudge) (MonthProof, error) {
	var p MonthProof
	return p, moveMonth(ctx, ownerURL, month, judge, func(m *movingMonth) (err error) {
		p, err = m.attach(ctx)
		return err
	})
}

const sqlLockMonths = `SELECT pg_advisory_xact_lock(hashtext('paysaga months'))`

// A move may read for long; it waits for nobody for long, because others would wait behind it.
const sqlPatience = `SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '3s'; SET LOCAL timezone = 'UTC'`

func moveMonth(ctx context.Context, ownerURL string, month time.Time, judge MonthJudge, do func(*movingMonth) error) error {
	conn, err := pgx.Connect(ctx, ownerURL)
	if err != nil {
		return fault.Unavailable("store_unreachable", "the database can't be reached", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	year, in, _ := month.UTC().Date()
	first := time.Date(year, in, 1, 0, 0, 0, 0, time.UTC)
	m := &movingMonth{month: first, low: ledger.From(first), high: ledger.From(first.AddDate(0, 1, 0)), judge: judge}
	return failure(pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		m.tx = tx
		for _, sql := range []string{sqlPatience, sqlLockMonths} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return do(m)
	}))
}

const sqlMonthStands = `
	SELECT count(*) FROM pg_inherits WHERE inhrelid IN (to_regclass('journals_' || $1), to_regclass('entries_' || $1))`

// Everything booked before the start of the oldest transaction that runs is final. The owner may not see those of others, so
// it waits an hour in any case.
const sqlMonthFinal = `
	SELECT $1 <= first_number(least(now() - interval '1 hour', min(xact_start) - interval '1 second'))
	FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`

// What is in doubt will be reversed, and that reads the journal.
const sqlMonthInUse = `
	SELECT p.id FROM payments p
	WHERE p.in_doubt AND EXISTS (SELECT FROM causes c WHERE c.book = p.book AND c.cause >= p.id || ':' AND c.cause < p.id || ';'
		AND c.journal >= $1 AND c.journal < $2)
	LIMIT 1`

// Hot accounts get a fold at both ends of the month, so that nobody needs its entries to go on.
const sqlMonthFolds = `
	INSERT INTO folds (account, upto, balance, entries)
	SELECT a.no, p.upto, b.balance + coalesce(s.total, 0), b.entries + s.n
	FROM accounts a
	CROSS JOIN (VALUES ($1::bigint), ($2::bigint)) AS p(upto)
	CROSS JOIN LATERAL (SELECT upto, balance, entries FROM folds WHERE account = a.no AND upto <= p.upto ORDER BY upto DESC LIMIT 1) b
	CROSS JOIN LATERAL (SELECT sum(amount) AS total, count(*) AS n FROM entries
		WHERE account = a.no AND journal >= b.upto AND journal < p.upto) s
	WHERE a.hot AND b.upto < p.upto
	ON CONFLICT DO NOTHING`

const sqlMonthBalances = `
	INSERT INTO month_balances (month, account, entries, total, last, balance)
	SELECT $1, account, count(*), sum(amount), max(journal), (array_agg(balance_after ORDER BY journal DESC))[1]
	FROM entries WHERE journal >= $2 AND journal < $3 GROUP BY account`

const sqlNoteMonth = `
	INSERT INTO months (month, low, high, journals, entries, digest) VALUES ($1, $2, $3, $4, $5, $6)`

func (m *movingMonth) detach(ctx context.Context) (MonthProof, error) {
	var tables int
	if err := m.tx.QueryRow(ctx, sqlMonthStands, m.name()).Scan(&tables); err != nil {
		return MonthProof{}, err
	}
	if tables != 2 {
		return MonthProof{}, monthGone(m.month, "isn't attached")
	}
	var final bool
	if err := m.tx.QueryRow(ctx, sqlMonthFinal, m.high).Scan(&final); err != nil {
		return MonthProof{}, err
	}
	if !final {
		return MonthProof{}, fault.Conflict("month_not_final", "the month "+m.month.Format("2006-01")+" isn't over, or something that began in it still runs")
	}
	var doubted string
	if err := m.tx.QueryRow(ctx, sqlMonthInUse, m.low, m.high).Scan(&doubted); noRows(err) != nil {
		return MonthProof{}, err
	} else if doubted != "" {
		return MonthProof{}, fault.Conflict("month_in_use", "the payment "+doubted+" has journals in the month "+m.month.Format("2006-01")+" and is still in doubt")
	}
	p, err := m.proof(ctx)
	if err != nil {
		return p, err
	}
	b := &pgx.Batch{}
	b.Queue(sqlMonthFolds, m.low, m.high)
	b.Queue(`DELETE FROM month_balances WHERE month = $1`, m.month) // of the last time it was away
	b.Queue(sqlMonthBalances, m.month, m.low, m.high)
	b.Queue(sqlNoteMonth, m.month, m.low, m.high, p.Journals, p.Entries, p.Digest[:])
	b.Queue(`LOCK TABLE journals, entries IN ACCESS EXCLUSIVE MODE`)
	for _, table := range []string{"journals", "entries"} {
		b.Queue(`ALTER TABLE ` + table + ` DETACH PARTITION ` + table + `_` + m.name())
	}
	return p, m.tx.SendBatch(ctx, b).Close()
}

func (m *movingMonth) proof(ctx context.Context) (MonthProof, error) {
	p, broken, err := m.judge(ctx, m.tx, m.low, m.high)
	if err == nil && broken != "" {
		err = m.broken(broken)
	}
	return p, err
}

func (m *movingMonth) broken(what string) error {
	return fault.Conflict("month_broken", "the month "+m.month.Format("2006-01")+" isn't what was booked: "+what)
}

const sqlAwayMonth = `SELECT journals, entries, digest FROM months WHERE month = $1 AND attached_at IS NULL FOR UPDATE`

const sqlTablesStand = `SELECT to_regclass('journals_' || $1) IS NOT NULL AND to_regclass('entries_' || $1) IS NOT NULL`

// The balances that its entries tell and its accounts' sums are no part of the chain.
const sqlBalancesDiffer = `
	SELECT count(*) FROM (SELECT * FROM month_balances WHERE month = $1) b FULL JOIN (
		SELECT account, count(*) AS entries, sum(amount) AS total, max(journal) AS last, (array_agg(balance_after ORDER BY journal DESC))[1] AS balance
		FROM entries WHERE journal >= $2 AND journal < $3 GROUP BY account) e USING (account)
	WHERE (b.entries, b.total, b.last, b.balance) IS DISTINCT FROM (e.entries, e.total, e.last, e.balance)`

// A dump made of the tables alone brings their triggers along; one that was made otherwise may not.
const sqlGuardMonth = `CREATE OR REPLACE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON `

func (m *movingMonth) attach(ctx context.Context) (MonthProof, error) {
	var was MonthProof
	var digest []byte
	err := m.tx.QueryRow(ctx, sqlAwayMonth, m.month).Scan(&was.Journals, &was.Entries, &digest)
	if err == pgx.ErrNoRows {
		return was, fault.Conflict("month_attached", "the month "+m.month.Format("2006-01")+" isn't detached")
	} else if err != nil {
		return was, err
	}
	copy(was.Digest[:], digest)
	var stand bool
	if err := m.tx.QueryRow(ctx, sqlTablesStand, m.name()).Scan(&stand); err != nil {
		return was, err
	}
	if !stand {
		return was, monthGone(m.month, "has no tables here: restore journals_"+m.name()+" and entries_"+m.name()+" first")
	}
	b := &pgx.Batch{}
	b.Queue(`UPDATE months SET attached_at = now() WHERE month = $1 AND attached_at IS NULL`, m.month)
	for _, table := range []string{"journals", "entries"} {
		part := table + "_" + m.name()
		b.Queue(`LOCK TABLE ` + part + ` IN ACCESS EXCLUSIVE MODE`)
		b.Queue(sqlGuardMonth + part + ` FOR EACH STATEMENT EXECUTE FUNCTION insert_only()`)
		b.Queue(`ALTER TABLE ` + table + ` ATTACH PARTITION ` + part + fmt.Sprintf(` FOR VALUES FROM (%d) TO (%d)`, m.low, m.high))
	}
	if err := m.tx.SendBatch(ctx, b).Close(); err != nil {
		return was, err
	}
	p, err := m.proof(ctx)
	if err != nil {
		return p, err
	}
	if p != was {
		return p, m.broken("it has other journals than those that left")
	}
	var differ int
	if err := m.tx.QueryRow(ctx, sqlBalancesDiffer, m.month, m.low, m.high).Scan(&differ); err != nil {
		return p, err
	}
	if differ > 0 {
		return p, m.broken("its accounts have other balances than those that left")
	}
	return p, nil
}
