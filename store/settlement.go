package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

const runColumns = `
	r.book::text, r.id, r.merchant_id, r.campaign_id, r.business_date, r.n, r.currency, r.status, r.total, r.total_amount, r.sequence,
	r.created_at, r.updated_at, r.ended_at`

func scanRun(row pgx.CollectableRow) (accrual.Run, error) { return scanRunAnd(row) }

func scanRunAnd(row pgx.CollectableRow, more ...any) (accrual.Run, error) {
	var r accrual.Run
	var ended *time.Time
	err := row.Scan(append([]any{&r.Book, &r.ID, &r.MerchantID, &r.CampaignID, &r.BusinessDate, &r.N, &r.Currency, &r.Status, &r.Total.Rebates,
		&r.Total.Paid, &r.Sequence, &r.CreatedAt, &r.UpdatedAt, &ended}, more...)...)
	r.EndedAt = value(ended)
	return r, err
}

const (
	sqlLockRuns = `
	SELECT` + runColumns + `
	FROM (
		SELECT unnest($2::text[]) AS id UNION
		SELECT o.id FROM unnest($3::text[]) AS c(id) CROSS JOIN LATERAL (
			SELECT id FROM settlements WHERE book = $1 AND campaign_id = c.id AND ended_at IS NULL OFFSET 0) o
		ORDER BY id) n
	CROSS JOIN LATERAL (SELECT * FROM settlements WHERE book = $1 AND id = n.id FOR UPDATE) r`

	sqlLastRuns = `
	SELECT r.* FROM unnest($2::text[]) AS c(id) CROSS JOIN LATERAL (
		SELECT campaign_id, business_date, max(n) FROM settlements WHERE book = $1 AND campaign_id = c.id
		GROUP BY campaign_id, business_date OFFSET 0) r`
)

// queueRuns locks settlements, and of campaigns the open one and what was there before: who begins one takes the next number. Two who
// begin at once are decided by the unique keys.
func (b *batch) queueRuns(m *pgx.Batch) {
	ids, campaigns := b.claimed(func(l *locks) []string { return l.runs }), b.claimed(func(l *locks) []string { return l.runsOf })
	if ids == nil && campaigns == nil {
		return
	}
	m.Queue(sqlLockRuns, b.book(), ids, campaigns).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, scanRun)
		for _, r := range list {
			b.found.runs.find(r.ID, r)
			if !r.Status.Terminal() {
				b.found.openRuns.find(r.CampaignID, r.ID)
			}
		}
		return err
	})
	if campaigns == nil {
		return
	}
	m.Queue(sqlLastRuns, b.book(), campaigns).Query(func(rows pgx.Rows) error {
		var campaign string
		var date time.Time
		var n int
		_, err := pgx.ForEachRow(rows, []any{&campaign, &date, &n}, func() error {
			b.found.lastRuns.find(placeOf(campaign, date.Format(accrual.DateFormat)), n)
			return nil
		})
		return err
	})
}

// beginRun brings a settlement into being.
type beginRun struct{ accrual.Begin }

func (w *work) newBeginRun(c accrual.Begin) (move, error) {
	r := &c.Run
	r.Book = w.step.Book
	if !id.Is(id.Settlement, r.ID) || r.CampaignID == "" || r.MerchantID == "" {
		return nil, fault.Internal("a settlement begins under an id of its own, and of a campaign", nil)
	}
	return beginRun{c}, nil
}

func (s beginRun) claim(l *locks) {
	l.claimKey(s.Idempotency, s.Run.ID)
	l.runsOf = append(l.runsOf, s.Run.CampaignID)
}

var insertRun = inserting("settlements", `id text, merchant_id text, campaign_id text, business_date date, n integer, currency text, status text,
	total bigint, total_amount bigint, sequence bigint, created_at timestamptz, updated_at timestamptz, start_due_at timestamptz`)

func (s beginRun) judge(w *work) error {
	r := s.Run
	if open := w.b.found.openRuns.get(r.CampaignID); open != nil {
		if stands := w.b.found.runs.get(*open); stands != nil && !stands.Status.Terminal() {
			return fault.Conflict("settlement_open", "the campaign has an open settlement already: "+stands.ID)
		}
	}
	date := placeOf(r.CampaignID, r.BusinessDate.Format(accrual.DateFormat))
	r.N = 1
	if last := w.b.found.lastRuns.get(date); last != nil {
		r.N = *last + 1
	}
	r.Status, r.Sequence = accrual.Running, 1
	r.CreatedAt = kept(w.at)
	r.UpdatedAt = r.CreatedAt
	w.write(insertRun, r.ID, r.ID, r.MerchantID, r.CampaignID, r.BusinessDate, int32(r.N), r.Currency, r.Status, r.Total.Rebates, r.Total.Paid,
		r.Sequence, r.CreatedAt, r.UpdatedAt, r.CreatedAt)
	w.b.found.runs.put(r.ID, r)
	w.b.found.openRuns.put(r.CampaignID, r.ID)
	w.b.found.lastRuns.put(date, r.N)
	w.emitRun("settlement.created", r)
	return nil
}

func (w *work) emitRun(kind string, r accrual.Run) {
	w.out.events = append(w.out.events, event{kind: kind, merchant: r.MerchantID, object: "settlement", id: r.ID, sequence: r.Sequence, data: r.Public()})
}

// steerRun moves a settlement to another status.
type steerRun struct{ accrual.Steer }

func (s steerRun) claim(l *locks) { l.runs = append(l.runs, s.RunID) }

var setRun = updating("settlements", `id text, status text, sequence bigint, updated_at timestamptz, ended_at timestamptz`, `id = n.id`, `
	status = n.status, sequence = n.sequence, updated_at = n.updated_at, ended_at = n.ended_at,
	start_due_at = CASE WHEN n.ended_at IS NULL THEN t.start_due_at END`)

func (s steerRun) judge(w *work) error {
	stands := w.b.found.runs.get(s.RunID)
	if stands == nil {
		return fault.NotFound("settlement")
	}
	after, event, err := stands.Next(s.To, kept(w.at))
	if err != nil {
		return err
	}
	after.Done = s.Done
	w.write(setRun, after.ID, after.ID, after.Status, after.Sequence, after.UpdatedAt, optional(after.EndedAt))
	*stands = after
	w.emitRun(event, after)
	return nil
}

const sqlTally = `
	(SELECT coalesce(sum(l.rebates), 0)::bigint FROM settlement_lines l WHERE l.book = r.book AND l.settlement_id = r.id),
	(SELECT coalesce(sum(l.paid), 0)::bigint FROM settlement_lines l WHERE l.book = r.book AND l.settlement_id = r.id),
	(SELECT coalesce(sum(l.released), 0)::bigint FROM settlement_lines l WHERE l.book = r.book AND l.settlement_id = r.id),
	(SELECT coalesce(sum(l.recovered), 0)::bigint FROM settlement_lines l WHERE l.book = r.book AND l.settlement_id = r.id)`

const sqlRuns = `SELECT` + runColumns + `,` + sqlTally + ` FROM settlements r `

func scanTallied(row pgx.CollectableRow) (accrual.Run, error) {
	var t accrual.Tally
	r, err := scanRunAnd(row, &t.Rebates, &t.Paid, &t.Released, &t.Recovered)
	r.Done = t
	return r, err
}

// Settlement reads a settlement with what it has come to so far. Another merchant's is NotFound (I-25); an empty merchantID is an
// operator's view of the whole book.
func (s *Store) Settlement(ctx context.Context, book id.Book, merchantID, runID string) (accrual.Run, error) {
	db, err := s.db(book)
	if err != nil {
		return accrual.Run{}, err
	}
	rows, err := db.pool.Query(ctx, sqlRuns+`WHERE r.book = $1 AND r.id = $2 AND ($3 = '' OR r.merchant_id = $3)`, book, runID, merchantID)
	if err != nil {
		return accrual.Run{}, failure(err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanTallied)
	if err == pgx.ErrNoRows {
		return r, fault.NotFound("settlement")
	}
	return r, failure(err)
}

const sqlRunHead = `SELECT` + runColumns + ` FROM settlements r WHERE r.book = $1 AND r.id = $2`

// SettlementHead reads a settlement without what it has come to.
func (s *Store) SettlementHead(ctx context.Context, book id.Book, runID string) (accrual.Run, error) {
	db, err := s.db(book)
	if err != nil {
		return accrual.Run{}, err
	}
	rows, err := db.pool.Query(ctx, sqlRunHead, book, runID)
	if err != nil {
		return accrual.Run{}, failure(err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanRun)
	if err == pgx.ErrNoRows {
		return r, fault.NotFound("settlement")
	}
	return r, failure(err)
}

// Campaigns with open rebates are found one after the other along the key; the date is the merchant's own.
const sqlRunsDue = `
	WITH RECURSIVE open AS (
		(SELECT campaign_id, rebate_id FROM rebates_open WHERE book = $1 AND ($2 = '' OR campaign_id = $2) ORDER BY campaign_id LIMIT 1)
		UNION ALL
		SELECT n.campaign_id, n.rebate_id FROM open CROSS JOIN LATERAL (
			SELECT campaign_id, rebate_id FROM rebates_open
			WHERE book = $1 AND campaign_id > open.campaign_id AND $2 = '' ORDER BY campaign_id LIMIT 1) n)
	SELECT r.merchant_id, r.campaign_id, r.currency, d.day
	FROM open CROSS JOIN LATERAL (SELECT merchant_id, campaign_id, currency FROM rebates WHERE book = $1 AND id = open.rebate_id) r
	JOIN merchants m ON m.book = $1 AND m.id = r.merchant_id
	CROSS JOIN LATERAL (SELECT ($3::timestamptz AT TIME ZONE m.time_zone)::date AS day) d
	WHERE NOT EXISTS (SELECT FROM settlements s WHERE s.book = $1 AND s.campaign_id = r.campaign_id AND s.ended_at IS NULL)
		AND EXISTS (SELECT FROM rebates_open v WHERE v.book = $1 AND v.campaign_id = r.campaign_id AND v.vests_on <= d.day)`

// SettlementsDue are the settlements that could begin now: of each campaign, or of one, without an open settlement that has rebates
// vested by its merchant's date. They come with what there is to settle.
func (s *Store) SettlementsDue(ctx context.Context, book id.Book, campaignID string, now time.Time) ([]accrual.Run, error) {
	db, err := s.db(book)
	if err != nil {
		return nil, err
	}
	rows, err := db.pool.Query(ctx, sqlRunsDue, book, campaignID, now)
	if err != nil {
		return nil, failure(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r accrual.Run, err error) {
		r.Book = book
		return r, row.Scan(&r.MerchantID, &r.CampaignID, &r.Currency, &r.BusinessDate)
	})
	if err != nil {
		return nil, failure(err)
	}
	for i, r := range list {
		if list[i].Total, err = s.VestedTotal(ctx, accrual.PageOf{Book: book, CampaignID: r.CampaignID, Date: r.BusinessDate}); err != nil {
			return nil, err
		}
	}
	return list, nil
}

const sqlListRuns = sqlRuns + `
	WHERE r.book = @book AND (@merchant = '' OR r.merchant_id = @merchant) AND (@campaign = '' OR r.campaign_id = @campaign)
		AND (@status = '' OR r.status = @status) AND (@after = '' OR r.id < @after)
	ORDER BY r.id DESC LIMIT @limit`

// Settlements lists settlements, the newest first; more: there are others.
func (s *Store) Settlements(ctx context.Context, f accrual.RunFilter) (list []accrual.Run, more bool, err error) {
	db, err := s.db(f.Book)
	if err != nil {
		return nil, false, err
	}
	rows, err := db.pool.Query(ctx, sqlListRuns, pgx.NamedArgs{"book": f.Book, "merchant": f.MerchantID, "campaign": f.CampaignID,
		"status": f.Status, "after": f.After, "limit": f.Limit + 1})
	if err != nil {
		return nil, false, failure(err)
	}
	if list, err = pgx.CollectRows(rows, scanTallied); err != nil {
		return nil, false, failure(err)
	}
	if more = len(list) > f.Limit; more {
		list = list[:f.Limit]
	}
	return list, more, nil
}

const sqlClaimRuns = `
	WITH due AS (
		SELECT book, id FROM settlements
		WHERE start_due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY start_due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE settlements r SET start_tries = least(start_tries + 1, 1000),
		start_due_at = $1 + least(interval '60 seconds', interval '2 seconds' * (2 ^ least(start_tries, 5)))
	FROM due WHERE r.book = due.book AND r.id = due.id
	RETURNING` + runColumns

// SettlementsWaiting claims settlements that have no saga as far as is known: whoever claims starts them, and if it can't, they come
// again after 2 s, 4 s, … 60 s (I-19).
func (s *Store) SettlementsWaiting(ctx context.Context, limit int) ([]accrual.Run, error) {
	return claimDue(ctx, s, sqlClaimRuns, s.clock(), limit, scanRun)
}

const sqlRunTaken = `UPDATE settlements SET start_due_at = NULL WHERE book = $1 AND id = $2 AND start_due_at IS NOT NULL`

// SettlementTaken notes that a settlement's saga has it.
func (s *Store) SettlementTaken(ctx context.Context, book id.Book, runID string) error {
	db, err := s.db(book)
	if err != nil {
		return err
	}
	_, err = db.pool.Exec(ctx, sqlRunTaken, book, runID)
	return failure(err)
}

// claimDue runs a claim in every database, and gathers what it returns.
func claimDue[T any](ctx context.Context, s *Store, claim string, due time.Time, limit int, scan pgx.RowToFunc[T]) ([]T, error) {
	var all []T
	for _, db := range s.dbs {
		rows, err := db.pool.Query(ctx, claim, due, limit, bookNames(db.books))
		if err != nil {
			return all, failure(err)
		}
		list, err := pgx.CollectRows(rows, scan)
		if err != nil {
			return all, failure(err)
		}
		all = append(all, list...)
	}
	return all, nil
}
