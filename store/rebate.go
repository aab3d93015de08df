package store

import (
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
)

const rebateColumns = `
	r.book::text, r.id, r.merchant_id, r.campaign_id, r.version, r.rule, r.order_id, r.line, r.beneficiary, r.level, r.currency, r.why,
	r.vests_on, r.receipt_days, r.created_at, r.status, r.accrued, r.settled, r.released, r.from_pending, r.from_wallet, r.debt, coalesce(r.run_id, ''),
	r.settled_at, r.sequence, r.updated_at, r.rated, r.clawed, r.restored, r.recovered, r.retaken`

func scanRebate(row pgx.CollectableRow) (accrual.Accrual, error) {
	var a accrual.Accrual
	var settled *time.Time
	var receipt *int
	err := row.Scan(&a.Book, &a.ID, &a.MerchantID, &a.CampaignID, &a.Version, &a.Rule, &a.OrderID, &a.Line, &a.Beneficiary, &a.Level,
		&a.Currency, &a.Why, &a.VestsOn, &receipt, &a.CreatedAt, &a.Status, &a.Accrued, &a.Settled, &a.Released, &a.FromPending, &a.FromWallet,
		&a.Debt, &a.RunID, &settled, &a.Sequence, &a.UpdatedAt, &a.Ordinals.Rated, &a.Ordinals.Clawed, &a.Ordinals.Restored,
		&a.Ordinals.Recovered, &a.Retaken)
	a.SettledAt = value(settled)
	if receipt != nil {
		a.FromReceipt, a.ReceiptDays = true, *receipt
	}
	return a, err
}

const sqlLockRebates = `
	SELECT` + rebateColumns + `
	FROM unnest($2::text[]) AS n(id) CROSS JOIN LATERAL (SELECT * FROM rebates WHERE book = $1 AND id = n.id FOR UPDATE) r`

func (b *batch) queueRebates(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.rebates })
	if list == nil {
		return
	}
	m.Queue(sqlLockRebates, b.book(), list).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, scanRebate)
		for _, a := range found {
			b.found.rebates.find(a.ID, a)
		}
		return err
	})
}

// rebateOf is a rebate under lock as its Step read it; one that has moved since is Conflict "stale_state".
func (w *work) rebateOf(r accrual.Ref) (*accrual.Accrual, error) {
	a := w.b.found.rebates.get(r.ID)
	switch {
	case a == nil || a.CampaignID != r.CampaignID:
		return nil, fault.NotFound("rebate")
	case a.Sequence != r.Sequence:
		return nil, fault.Conflict("stale_state", "the rebate has moved since it was read")
	}
	return a, nil
}

var setRebate = updating("rebates", `id text, status text, accrued bigint, settled bigint, released bigint, from_pending bigint,
	from_wallet bigint, debt bigint, run_id text, settled_at timestamptz, sequence bigint, updated_at timestamptz, rated smallint,
	clawed smallint, restored smallint, recovered smallint, version integer, why text, retaken bigint`, `id = n.id`, `
		status = n.status, accrued = n.accrued, settled = n.settled, released = n.released, from_pending = n.from_pending,
		from_wallet = n.from_wallet, debt = n.debt, run_id = n.run_id, settled_at = n.settled_at, sequence = n.sequence,
		updated_at = n.updated_at, rated = n.rated, clawed = n.clawed, restored = n.restored, recovered = n.recovered,
		version = n.version, why = n.why, retaken = n.retaken`)

// What a settlement moves of a rebate is written by itself: there are many.
var settleRebate = updating("rebates", `id text, status text, settled bigint, released bigint, run_id text, settled_at timestamptz, sequence bigint,
	updated_at timestamptz`, `id = n.id`, `
		status = n.status, settled = n.settled, released = n.released, run_id = n.run_id, settled_at = n.settled_at, sequence = n.sequence,
		updated_at = n.updated_at`)

// settledRebate is moveRebate of one that a settlement has paid or released.
func (w *work) settledRebate(stands *accrual.Accrual, after accrual.Accrual, event string) {
	after.SettledAt, after.UpdatedAt = kept(after.SettledAt), kept(after.UpdatedAt)
	w.write(settleRebate, after.ID, after.ID, after.Status, after.Settled, after.Released, after.RunID, after.SettledAt, after.Sequence, after.UpdatedAt)
	w.movedRebate(stands, after, event)
}

// movedRebate lists and tells what was written.
func (w *work) movedRebate(stands *accrual.Accrual, after accrual.Accrual, event string) {
	w.listRebate(*stands, after)
	*stands = after
	w.emitRebate(event, after)
}

// moveRebate writes what a Step makes of a rebate, keeps what can be settled and what is owed in their tables, and tells it.
func (w *work) moveRebate(stands *accrual.Accrual, after accrual.Accrual, event string) {
	after.SettledAt, after.UpdatedAt = kept(after.SettledAt), kept(after.UpdatedAt)
	o := after.Ordinals
	w.write(setRebate, after.ID, after.ID, after.Status, after.Accrued, after.Settled, after.Released, after.FromPending, after.FromWallet,
		after.Debt, orNull(after.RunID), optional(after.SettledAt), after.Sequence, after.UpdatedAt, int16(o.Rated), int16(o.Clawed),
		int16(o.Restored), int16(o.Recovered), int32(after.Version), after.Why, after.Retaken)
	w.movedRebate(stands, after, event)
}

func (w *work) emitRebate(kind string, a accrual.Accrual) {
	w.out.events = append(w.out.events, event{kind: kind, merchant: a.MerchantID, object: "rebate", id: a.ID, sequence: a.Sequence, data: a.Public()})
}

var (
	insertOpenRebate = inserting("rebates_open", `campaign_id text, beneficiary text, rebate_id text, vests_on date`)
	deleteOpenRebate = newWriter("rebates_open", `campaign_id text, beneficiary text, rebate_id text`, `
		DELETE FROM rebates_open t USING (SELECT l.ctid AS place FROM n CROSS JOIN LATERAL (
			SELECT ctid FROM rebates_open WHERE book = $1 AND campaign_id = n.campaign_id AND beneficiary = n.beneficiary
				AND rebate_id = n.rebate_id OFFSET 0) l) d
		WHERE t.ctid = d.place`)
	insertRebateDebt = inserting("rebate_debts", `beneficiary text, rebate_id text`)
	deleteRebateDebt = newWriter("rebate_debts", `beneficiary text, rebate_id text`, `
		DELETE FROM rebate_debts t USING (SELECT l.ctid AS place FROM n CROSS JOIN LATERAL (
			SELECT ctid FROM rebate_debts WHERE book = $1 AND beneficiary = n.beneficiary AND rebate_id = n.rebate_id OFFSET 0) l) d
		WHERE t.ctid = d.place`)
)

// listRebate keeps the two tables that say what can be settled and what is owed. Their rows are written by who holds the rebate's.
func (w *work) listRebate(before, after accrual.Accrual) {
	switch was, is := before.Open() > 0, after.Open() > 0; {
	case is && !was:
		w.write(insertOpenRebate, after.ID, after.CampaignID, after.Beneficiary, after.ID, after.VestsOn)
	case was && !is:
		w.write(deleteOpenRebate, after.ID, after.CampaignID, after.Beneficiary, after.ID)
	}
	switch was, is := before.Debt > 0, after.Debt > 0; {
	case is && !was:
		w.write(insertRebateDebt, after.ID, after.Beneficiary, after.ID)
	case was && !is:
		w.write(deleteRebateDebt, after.ID, after.Beneficiary, after.ID)
	}
}

var insertRebate = inserting("rebates", `id text, merchant_id text, campaign_id text, version integer, rule text, order_id text, line smallint,
	beneficiary text, level smallint, currency text, why text, vests_on date, receipt_days smallint, created_at timestamptz, status text, accrued bigint,
	sequence bigint, updated_at timestamptz`)

// newRebate writes a promise that was made just now.
func (w *work) newRebate(a accrual.Accrual) {
	a.CreatedAt, a.UpdatedAt = kept(a.CreatedAt), kept(a.UpdatedAt)
	var receipt *int16
	if days := int16(a.ReceiptDays); a.FromReceipt {
		receipt = &days
	}
	w.write(insertRebate, a.ID, a.ID, a.MerchantID, a.CampaignID, int32(a.Version), a.Rule, a.OrderID, int16(a.Line), a.Beneficiary,
		int16(a.Level), a.Currency, a.Why, a.VestsOn, receipt, a.CreatedAt, a.Status, a.Accrued, a.Sequence, a.UpdatedAt)
	w.b.found.rebates.put(a.ID, a)
	w.listRebate(accrual.Accrual{}, a)
	w.emitRebate("rebate.accrued", a)
}
