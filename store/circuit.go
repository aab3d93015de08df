package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/id"
	"paysaga/domain/routing"
)

const sqlCircuits = `
	SELECT c.book::text, c.channel_account, a.channel, c.breaker
	FROM circuits c CROSS JOIN LATERAL (SELECT channel FROM channel_accounts WHERE book = c.book AND id = c.channel_account OFFSET 0) a
	WHERE c.book = ANY($1::text[]::book[]) AND (c.breaker ? 'opened_at' OR c.changed_at >= $2)
	ORDER BY c.book, c.channel_account`

// Circuits lists the circuits of channel accounts that are open, and those that have changed since.
func (s *Store) Circuits(ctx context.Context, since time.Time) ([]routing.Watched, error) {
	var all []routing.Watched
	for _, db := range s.dbs {
		rows, _ := db.pool.Query(ctx, sqlCircuits, bookNames(db.books), since)
		list, err := pgx.CollectRows(rows, scanCircuit)
		if err != nil {
			return nil, failure(err)
		}
		all = append(all, list...)
	}
	return all, nil
}

func scanCircuit(row pgx.CollectableRow) (w routing.Watched, err error) {
	return w, row.Scan(&w.Book, &w.Account, &w.Channel, &w.Breaker)
}

const sqlBeginCircuits = `
	INSERT INTO circuits (book, channel_account, breaker, changed_at)
	SELECT a.book, a.id, '{}', $3
	FROM unnest($2::text[]) n(id) CROSS JOIN LATERAL (SELECT book, id FROM channel_accounts WHERE book = $1 AND id = n.id OFFSET 0) a
	ORDER BY a.id
	ON CONFLICT DO NOTHING`

const sqlLockCircuits = `
	SELECT c.book::text, c.channel_account, a.channel, c.breaker
	FROM circuits c CROSS JOIN LATERAL (SELECT channel FROM channel_accounts WHERE book = c.book AND id = c.channel_account OFFSET 0) a
	WHERE c.book = $1 AND c.channel_account = ANY($2)
	ORDER BY c.channel_account FOR UPDATE OF c`

const sqlMoveCircuits = `
	UPDATE circuits c SET breaker = n.breaker, changed_at = $4
	FROM unnest($2::text[], $3::jsonb[]) n(account, breaker)
	WHERE c.book = $1 AND c.channel_account = n.account`

// MoveCircuits changes the circuits of a book's accounts under their locks, and returns them. move is called once for each; an account
// that doesn't stand in this book is left out. A crash of the database may forget the last moves: it isn't waited for.
func (s *Store) MoveCircuits(ctx context.Context, book id.Book, accounts []string, move func(account string, b routing.Breaker) routing.Breaker) ([]routing.Watched, error) {
	db, err := s.db(book)
	if err != nil {
		return nil, err
	}
	var list []routing.Watched
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = off"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlBeginCircuits, book, accounts, s.clock()); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, sqlLockCircuits, book, accounts)
		if list, err = pgx.CollectRows(rows, scanCircuit); err != nil {
			return err
		}
		names, breakers := make([]string, len(list)), make([]routing.Breaker, len(list))
		for i, w := range list {
			list[i].Breaker = move(w.Account, w.Breaker)
			names[i], breakers[i] = w.Account, list[i].Breaker
		}
		_, err := tx.Exec(ctx, sqlMoveCircuits, book, names, breakers, s.clock())
		return err
	})
	return list, failure(err)
}
