package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

const reratingColumns = `
	r.book::text, r.id, r.merchant_id, r.campaign_id, r.version, r.corrects, r.currency, r.status, r.by_kind, r.by_id, r.reason, r.after, r.looked,
	r.left_alone, r.sequence, r.created_at, r.updated_at, r.ended_at, r.due_at`

func scanRerating(row pgx.CollectableRow) (accrual.Rerating, error) { return scanReratingAnd(row) }

func scanReratingAnd(row pgx.CollectableRow, more ...any) (accrual.Rerating, error) {
	var r accrual.Rerating
	var ended, due *time.Time
	var left []byte
	err := row.Scan(append([]any{&r.Book, &r.ID, &r.MerchantID, &r.CampaignID, &r.Version, &r.Corrects, &r.Currency, &r.Status, &r.By.Kind, &r.By.ID,
		&r.By.Reason, &r.After, &r.Looked, &left, &r.Sequence, &r.CreatedAt, &r.UpdatedAt, &ended, &due}, more...)...)
	if err != nil {
		return r, err
	}
	r.EndedAt, r.Lease = value(ended), value(due)
	return r, json.Unmarshal(left, &r.Left)
}

const sqlLockReratings = `
	SELECT` + reratingColumns + `
	FROM (
		SELECT unnest($2::text[]) AS id UNION
		SELECT o.id FROM unnest($3::text[]) AS c(id) CROSS JOIN LATERAL (
			SELECT id FROM reratings WHERE book = $1 AND campaign_id = c.id AND ended_at IS NULL OFFSET 0) o
		ORDER BY id) n
	CROSS JOIN LATERAL (SELECT * FROM reratings WHERE book = $1 AND id = n.id FOR UPDATE) r`

func (b *batch) queueReratings(m *pgx.Batch) {
	ids, campaigns := b.claimed(func(l *locks) []string { return l.reratings }), b.claimed(func(l *locks) []string { return l.reratingsOf })
	if ids == nil && campaigns == nil {
		return
	}
	m.Queue(sqlLockReratings, b.book(), ids, campaigns).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, scanRerating)
		for _, r := range list {
			b.found.reratings.find(r.ID, r)
			if !r.Status.Terminal() {
				b.found.rerated.find(r.CampaignID, r.ID)
			}
		}
		return err
	})
}

// beginRerating brings a run into being, under the lock of its campaign: so there is one.
type beginRerating struct {
	accrual.BeginRerating
	book id.Book
}

func (s beginRerating) claim(l *locks) {
	l.claimKey(s.Idempotency, s.Run.ID)
	l.campaigns = append(l.campaigns, s.Run.CampaignID)
	l.reratingsOf = append(l.reratingsOf, s.Run.CampaignID)
}

var insertRerating = inserting("reratings", `id text, merchant_id text, campaign_id text, version integer, corrects integer, currency text,
	status text, reason text, by_kind text, by_id text, sequence bigint, created_at timestamptz, updated_at timestamptz, due_at timestamptz`)

func (s beginRerating) judge(w *work) error {
	r := s.Run
	c, err := w.campaignOf(r.MerchantID, r.CampaignID)
	switch {
	case err != nil:
		return err
	case !id.Is(id.Rerating, r.ID):
		return fault.Internal("a re-rating begins under an id of its own", nil)
	case r.Version < 1 || r.Version > c.Latest:
		return fault.NotFound("campaign version")
	}
	if open := w.b.found.rerated.get(r.CampaignID); open != nil {
		if stands := w.b.found.reratings.get(*open); stands != nil && !stands.Status.Terminal() {
			return fault.Conflict("rerating_open", "the campaign has an open re-rating already: "+stands.ID)
		}
	}
	r.Book, r.MerchantID, r.Currency, r.Status, r.Sequence, r.By = s.book, c.MerchantID, c.Currency, accrual.Running, 1, w.step.By
	r.CreatedAt = kept(w.at)
	r.UpdatedAt = r.CreatedAt
	w.write(insertRerating, r.ID, r.ID, r.MerchantID, r.CampaignID, int32(r.Version), int32(r.Corrects), r.Currency, r.Status, r.By.Reason,
		r.By.Kind, r.By.ID, r.Sequence, r.CreatedAt, r.UpdatedAt, r.CreatedAt)
	w.b.found.reratings.put(r.ID, r)
	w.b.found.rerated.put(r.CampaignID, r.ID)
	w.emitRerating("rerating.created", r)
	return nil
}

func (w *work) emitRerating(kind string, r accrual.Rerating) {
	w.out.events = append(w.out.events, event{kind: kind, merchant: r.MerchantID, object: "rerating", id: r.ID, sequence: r.Sequence, data: r.Public()})
}

// endRerating ends a run; what it has corrected stays.
type endRerating struct{ accrual.EndRerating }

func (s endRerating) claim(l *locks) { l.reratings = append(l.reratings, s.RunID) }

var setRerating = updating("reratings", `id text, status text, sequence bigint, updated_at timestamptz, ended_at timestamptz`, `id = n.id`,
	`status = n.status, sequence = n.sequence, updated_at = n.updated_at, ended_at = n.ended_at, due_at = NULL`)

func (s endRerating) judge(w *work) error {
	stands := w.b.found.reratings.get(s.RunID)
	if stands == nil {
		return fault.NotFound("rerating")
	}
	after, err := stands.Ended(s.To, kept(w.at))
	if err != nil {
		return err
	}
	after.Done = s.Done
	w.write(setRerating, after.ID, after.ID, after.Status, after.Sequence, after.UpdatedAt, after.EndedAt)
	*stands = after
	w.emitRerating(map[accrual.RunStatus]string{accrual.Completed: "rerating.completed", accrual.Canceled: "rerating.canceled"}[s.To], after)
	return nil
}

const sqlReratings = `SELECT` + reratingColumns + `, d.orders, d.changed, d.made, d.more, d.less FROM reratings r
	CROSS JOIN LATERAL (SELECT count(DISTINCT order_id) FILTER (WHERE changed + made > 0) AS orders, coalesce(sum(changed), 0)::bigint AS changed, coalesce(sum(made), 0)::bigint AS made,
			coalesce(sum(more), 0)::bigint AS more, coalesce(sum(less), 0)::bigint AS less
		FROM rerating_lines l WHERE l.book = r.book AND l.rerating_id = r.id) d `

// Rerating reads a run with what it has come to. Another merchant's is NotFound (I-25); an empty merchantID is an operator's view.
func (s *Store) Rerating(ctx context.Context, book id.Book, merchantID, runID string) (accrual.Rerating, error) {
	db, err := s.db(book)
	if err != nil {
		return accrual.Rerating{}, err
	}
	rows, err := db.pool.Query(ctx, sqlReratings+`WHERE r.book = $1 AND r.id = $2 AND ($3 = '' OR r.merchant_id = $3)`, book, runID, merchantID)
	if err != nil {
		return accrual.Rerating{}, failure(err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanReratingDone)
	if err == pgx.ErrNoRows {
		return r, fault.NotFound("rerating")
	}
	return r, failure(err)
}

func scanReratingDone(row pgx.CollectableRow) (accrual.Rerating, error) {
	var d accrual.Differences
	r, err := scanReratingAnd(row, &d.Orders, &d.Changed, &d.Made, &d.More, &d.Less)
	r.Done = d
	return r, err
}

const sqlListReratings = sqlReratings + `
	WHERE r.book = @book AND (@merchant = '' OR r.merchant_id = @merchant) AND (@campaign = '' OR r.campaign_id = @campaign)
		AND (@status = '' OR r.status = @status) AND (@after = '' OR r.id < @after)
	ORDER BY r.id DESC LIMIT @limit`

// Reratings lists runs, the newest first; more: there are others.
func (s *Store) Reratings(ctx context.Context, f accrual.RunFilter) (list []accrual.Rerating, more bool, err error) {
	db, err := s.db(f.Book)
	if err != nil {
		return nil, false, err
	}
	rows, err := db.pool.Query(ctx, sqlListReratings, pgx.NamedArgs{"book": f.Book, "merchant": f.MerchantID, "campaign": f.CampaignID,
		"status": f.Status, "after": f.After, "limit": f.Limit + 1})
	if err != nil {
		return nil, false, failure(err)
	}
	if list, err = pgx.CollectRows(rows, scanReratingDone); err != nil {
		return nil, false, failure(err)
	}
	if more = len(list) > f.Limit; more {
		list = list[:f.Limit]
	}
	return list, more, nil
}

const sqlClaimReratings = `
	WITH due AS (
		SELECT book, id FROM reratings
		WHERE due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE reratings r SET due_at = $1 + interval '30 seconds'
	FROM due WHERE r.book = due.book AND r.id = due.id
	RETURNING` + reratingColumns

// ReratingsDue claims runs of which the next page is to be done. One whose worker is gone comes again after 30 s.
func (s *Store) ReratingsDue(ctx context.Context, limit int) ([]accrual.Rerating, error) {
	return claimDue(ctx, s, sqlClaimReratings, s.clock(), limit, scanRerating)
}

const sqlReratingWent = `
	UPDATE reratings SET after = $4, looked = $5, left_alone = $6, updated_at = greatest(updated_at, $7), due_at = $7
	WHERE book = $1 AND id = $2 AND due_at = $3 AND ended_at IS NULL`

// ReratingWent keeps how far a run has come, unless somebody else has claimed it meanwhile; it is due again at once.
func (s *Store) ReratingWent(ctx context.Context, r accrual.Rerating) error {
	db, err := s.db(r.Book)
	if err != nil {
		return err
	}
	left, err := json.Marshal(r.Left)
	if err != nil {
		return fault.Internal("counts that are no JSON", err)
	}
	_, err = db.pool.Exec(ctx, sqlReratingWent, r.Book, r.ID, r.Lease, r.After, r.Looked, string(left), kept(s.clock()))
	return failure(err)
}
