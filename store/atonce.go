package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// atOnce runs a batch of reads in one round trip, and in one snapshot: all of them see the same Steps. Else each would see what was committed
// before it alone, and an object from before a Step would come with its attempts from after it.
func (db *database) atOnce(ctx context.Context, reads *pgx.Batch) error {
	b := &pgx.Batch{}
	b.Queue(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`)
	b.QueuedQueries = append(b.QueuedQueries, reads.QueuedQueries...)
	b.Queue(`COMMIT`)
	return db.pool.SendBatch(ctx, b).Close()
}
