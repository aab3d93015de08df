package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/id"
	"paysaga/domain/reconcile"
)

// settled is what a statement says of one of our intents.
type settled struct {
	id      string
	ordinal int
	day     *time.Time
	batch   string
}

// intents are the tables whose rows a channel's reference names: the kind of line that is about them, the step of their key, and how
// they are found.
var intents = []struct {
	kind  reconcile.Kind
	step  id.Code
	table string
	on    string
}{ // in the lock order of all writers
	{reconcile.Charge, id.Charge, "attempts", "payment_id = u.id AND ordinal = u.ordinal"},
	{reconcile.Charge, id.CaptureOut, "captures", "id = u.id"},
	{reconcile.Refund, id.RefundOut, "refund_attempts", "refund_id = u.id AND ordinal = u.ordinal"},
	{reconcile.Payout, id.PayoutOut, "payout_attempts", "payout_id = u.id AND ordinal = u.ordinal"},
}

const settling = ` FROM unnest(@ids::text[], @ordinals::smallint[], @days::date[], @batches::text[]) WITH ORDINALITY u(id, ordinal, day, batch, nth)
	CROSS JOIN LATERAL (SELECT ctid FROM `

// A row is what it is from the first statement on that says so; another account's is never touched (I-25).
const settleable = ` AND channel_account = @account
		AND (settled_on IS NULL AND u.day IS NOT NULL OR batch IS NULL AND u.batch <> '')`

// match notes on our intents when they counted at the channel, and what they were paid out with. Each table is a transaction of its own.
// Lines without a reference of ours are left to reconciliation, which joins lines with lines by the channel's ids.
func (in *statementImport) match(ctx context.Context) error {
	for _, t := range intents {
		list := in.settledBy(t.kind, t.step)
		if len(list) == 0 {
			continue
		}
		args := pgx.NamedArgs{"book": in.file.Book, "account": in.file.Account}
		var ids, batches []string
		var ordinals []int
		var days []*time.Time
		for _, s := range list {
			ids, ordinals, days, batches = append(ids, s.id), append(ordinals, s.ordinal), append(days, s.day), append(batches, s.batch)
		}
		args["ids"], args["ordinals"], args["days"], args["batches"] = ids, ordinals, days, batches
		found := settling + t.table + ` WHERE book = @book AND ` + t.on + settleable
		err := pgx.BeginFunc(ctx, in.conn, func(tx pgx.Tx) error {
			// First all locks, by key as everybody takes them, then what has become of the rows meanwhile.
			_, err := tx.Exec(ctx, `SELECT 1`+found+` OFFSET 0 FOR UPDATE) l ORDER BY u.nth`, args)
			if err == nil {
				_, err = tx.Exec(ctx, `UPDATE `+t.table+` t SET settled_on = coalesce(t.settled_on, n.day), batch = coalesce(t.batch, nullif(n.batch, ''))
					FROM (SELECT u.day, u.batch, l.ctid AS place`+found+` OFFSET 0) l) n WHERE t.ctid = n.place`, args)
			}
			return err
		})
		if err != nil {
			return failure(err)
		}
	}
	return nil
}

// settledBy are the batch's lines about one kind of intent, each intent once, by key.
func (in *statementImport) settledBy(kind reconcile.Kind, step id.Code) (list []settled) {
	for i := range in.batch {
		l := &in.batch[i]
		if l.Kind != kind || l.Reference == "" || l.SettledOn.IsZero() && l.Batch == "" {
			continue
		}
		business, s, err := id.ParseReference(l.Reference)
		if err == nil && s.Code == step && (step != id.CaptureOut || id.Is(id.Capture, business)) {
			list = append(list, settled{business, s.Ordinal, civil(l.SettledOn), l.Batch})
		}
	}
	slices.SortStableFunc(list, func(a, b settled) int { return cmp.Or(strings.Compare(a.id, b.id), cmp.Compare(a.ordinal, b.ordinal)) })
	return slices.CompactFunc(list, func(a, b settled) bool { return a.id == b.id && a.ordinal == b.ordinal })
}
