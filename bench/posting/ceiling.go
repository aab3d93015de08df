package posting

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/ledger"
)

// The ceiling, L2: what PostgreSQL takes in when nobody asks anything.
const (
	ceilingConns = 2
	ceilingBatch = 500
)

// ceiling writes into a database of its own, made as any other: the same tables
// and indexes, their triggers off.
type ceiling struct {
	p     *place
	conns []*pgx.Conn
	last  []ledger.Number
}

func newCeiling(ctx context.Context, p *place) (*ceiling, error) {
	for _, table := range []string{"causes", "journals", "entries"} {
		if err := p.exec(ctx, "ALTER TABLE "+table+" DISABLE TRIGGER USER"); err != nil {
			return nil, err
		}
	}
	c := &ceiling{p: p, last: make([]ledger.Number, ceilingConns)}
	for range ceilingConns {
		conn, err := pgx.Connect(ctx, p.ownerURL)
		if err != nil {
			return nil, err
		}
		c.conns = append(c.conns, conn)
	}
	return c, nil
}

func (c *ceiling) close() {
	for _, conn := range c.conns {
		_ = conn.Close(context.Background())
	}
}

func (c *ceiling) shape() shape {
	return shape{"l2", []int{ceilingConns}, 40, c.prepare}
}

// block is one transaction's rows, but for the journals' numbers, which tell
// when they are booked.
type block struct {
	causes   []string
	hashes   [][]byte
	accounts []int64
	amounts  []int64
}

func newBlock() (b block) {
	for range ceilingBatch {
		_, cause := newCause()
		hash := sha256.Sum256([]byte(cause))
		from := rand.Int64N(others)
		to := (from + 1 + rand.Int64N(others-1)) % others
		minor := amount()
		b.causes, b.hashes = append(b.causes, cause), append(b.hashes, hash[:])
		b.accounts, b.amounts = append(b.accounts, 1+from, 1+to), append(b.amounts, minor, -minor)
	}
	return b
}

func (c *ceiling) prepare(_ context.Context, _, n int) (measured, error) {
	blocks := make([]block, n)
	var wg sync.WaitGroup
	for part := range 2 {
		wg.Go(func() {
			for i := part; i < n; i += 2 {
				blocks[i] = newBlock()
			}
		})
	}
	wg.Wait()
	return func(ctx context.Context, t clock) (sample, error) {
		s, done, err := drive(ctx, calls{n: n, journals: ceilingBatch, do: func(ctx context.Context, client, i int) error {
			return c.insert(ctx, client, blocks[i])
		}}, ceilingConns, t)
		var sum sums
		for _, i := range done {
			sum.Journals += ceilingBatch
			for _, cause := range blocks[i].causes {
				sum.Steps++
				sum.cause(cause)
			}
		}
		c.p.tally.merge(sum)
		return s, err
	}, nil
}

const sqlCeilingCauses = `
	INSERT INTO causes (book, cause, hash, journal, at, by_kind, by_id)
	SELECT $1, c.cause, c.hash, c.journal, now(), 'service', 'bench'
	FROM unnest($2::text[], $3::bytea[], $4::bigint[]) AS c(cause, hash, journal)`

const sqlCeilingJournals = `
	INSERT INTO journals (no, effective_at, book, legs, cause, kind)
	SELECT j.no, now(), $1, 2, j.cause, 'transfer' FROM unnest($2::bigint[], $3::text[]) AS j(no, cause)`

const sqlCeilingEntries = `
	INSERT INTO entries (journal, account, amount, balance_after, leg)
	SELECT e.journal, e.account, e.amount, e.amount, e.leg
	FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[]) AS e(journal, account, amount, leg)`

// insert is one transaction, sent as one message.
func (c *ceiling) insert(ctx context.Context, client int, b block) error {
	first := max(ledger.First(time.Now(), client), ledger.First(c.last[client].BookedAt().Add(time.Millisecond), client))
	c.last[client] = first
	n := len(b.causes)
	numbers, journals, legs := make([]int64, n), make([]int64, 2*n), make([]int16, 2*n)
	for i := range n {
		no := int64(first) + int64(i)
		numbers[i], journals[2*i], journals[2*i+1], legs[2*i], legs[2*i+1] = no, no, no, 1, 2
	}
	batch := &pgx.Batch{}
	batch.Queue("begin")
	batch.Queue(sqlCeilingCauses, book, b.causes, b.hashes, numbers)
	batch.Queue(sqlCeilingJournals, book, numbers, b.causes)
	batch.Queue(sqlCeilingEntries, journals, b.accounts, b.amounts, legs)
	batch.Queue("commit")
	if err := c.conns[client].SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("the ceiling's transaction: %w", err)
	}
	return nil
}
