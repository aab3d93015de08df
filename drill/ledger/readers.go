package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/ledger"
)

// sqlTotal is one question, so it has one snapshot: all balances, those of hot accounts from their last fold on.
const sqlTotal = `
	SELECT sum(CASE WHEN a.hot THEN coalesce(f.balance, 0) + coalesce(s.amount, 0) ELSE a.balance END)::bigint
	FROM accounts a
	LEFT JOIN LATERAL (SELECT upto, balance FROM folds WHERE account = a.no AND a.hot ORDER BY upto DESC LIMIT 1) f ON true
	LEFT JOIN LATERAL (SELECT sum(amount) AS amount FROM entries
		WHERE account = a.no AND a.hot AND journal >= coalesce(f.upto, 0)) s ON true
	WHERE a.book = 'test' AND a.code >= 'drill/bank/a' AND a.code < 'drill/bank/b'`

// together is how many questions go in one message. Each is a statement of its own, with a snapshot of its own.
const together = 16

// read asks for the total again and again. A connection that a crash took is replaced.
func (b *bank) read(ctx context.Context, _ int) error {
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close(context.Background())
		}
	}()
	for ctx.Err() == nil {
		if conn == nil || conn.IsClosed() {
			var err error
			if conn, err = pgx.Connect(ctx, b.server.app()); err != nil {
				conn = nil
				_ = rest(ctx, 10*time.Millisecond)
				continue
			}
		}
		m := &pgx.Batch{}
		totals := make([]int64, 0, together)
		for range together {
			m.Queue(sqlTotal).QueryRow(func(row pgx.Row) error {
				var total int64
				err := row.Scan(&total)
				if err == nil {
					totals = append(totals, total)
				}
				return err
			})
		}
		err := conn.SendBatch(context.WithoutCancel(ctx), m).Close()
		for _, total := range totals {
			b.reads.Add(1)
			if total != b.total {
				b.notes.broken("a reader saw %d in the bank, which holds %d", total, b.total)
			}
		}
		if err != nil {
			_ = conn.Close(context.Background())
		}
	}
	return nil
}

// sqlFinal is up to when nothing can be booked any more.
const sqlFinal = `
	SELECT least(now(), min(xact_start)) - interval '1 second' FROM pg_stat_activity
	WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL`

// fold keeps the hot accounts' checkpoints near, crash or not.
func (b *bank) fold(ctx context.Context) {
	for rest(ctx, 200*time.Millisecond) == nil {
		if _, err := b.local.store.Fold(ctx, book, 100_000); err == nil { // else the next time
			b.notes.count("folds")
		}
	}
}

// look reads the bank through the store, at instants that are final: the total is the same, and what was said of an instant
// once is said of it for ever.
func (b *bank) look(ctx context.Context) {
	said := map[time.Time]map[string]int64{}
	for rest(ctx, 500*time.Millisecond) == nil {
		var final time.Time
		if b.owner.QueryRow(ctx, sqlFinal).Scan(&final) != nil || final.Before(b.opened) {
			continue
		}
		said[final] = nil
		for at, before := range said {
			now, total, err := b.at(ctx, at)
			if err != nil {
				break
			}
			b.notes.count("reads_at_an_instant")
			if total != b.total {
				b.notes.broken("at %s the bank held %d instead of %d", at, total, b.total)
			}
			for code, minor := range before {
				if now[code] != minor {
					b.notes.broken("%s held %d at %s, and later %d at the same instant", code, minor, at, now[code])
				}
			}
			said[at] = now
			if before != nil && len(said) > 5 {
				delete(said, at)
			}
		}
	}
}

func (b *bank) at(ctx context.Context, at time.Time) (map[string]int64, int64, error) {
	var after *ledger.Opened
	all := map[string]int64{}
	total := int64(0)
	for {
		page, err := b.local.store.Balances(ctx, book, at, after, 100)
		if err != nil {
			return nil, 0, fmt.Errorf("at %s: %w", at, err)
		}
		for _, a := range page {
			if strings.HasPrefix(a.Code, "drill/bank/a") {
				all[a.Code] = a.Minor
				total += a.Minor
			}
		}
		if len(page) < 100 {
			return all, total, nil
		}
		after = &page[len(page)-1].Opened
	}
}
