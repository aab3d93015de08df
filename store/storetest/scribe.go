package storetest

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// Scribe writes journals into a book at times of the test's choosing, past months included, as the committer would have
// then: blocks of a lane of its own, with every check of the database on. What an account has in one book must be written in
// the order of time.
type Scribe struct {
	t    testing.TB
	db   *Database
	book id.Book
	lane int
}

// Scribe makes a lane in a book.
func (d *Database) Scribe(t testing.TB, book id.Book) *Scribe {
	t.Helper()
	s := &Scribe{t: t, db: d, book: book}
	require.NoError(t, d.Owner.QueryRow(t.Context(),
		`INSERT INTO lanes (lane, book) SELECT coalesce(max(lane), -1) + 1, $1 FROM lanes RETURNING lane`, book).Scan(&s.lane))
	return s
}

// Transfer is a journal of two legs, dated when it is booked.
func (s *Scribe) Transfer(cause string, from, to ledger.Account, minor int64) ledger.Journal {
	s.t.Helper()
	amount := money.New(minor, to.Currency)
	j, err := ledger.Post(ledger.Posting{Cause: cause, Kind: "transfer"}, ledger.Dr(from, amount), ledger.Cr(to, amount))
	require.NoError(s.t, err)
	return j
}

// Block books journals at at, which is cut to milliseconds, and returns the number of the first.
func (s *Scribe) Block(at time.Time, journals ...ledger.Journal) ledger.Number {
	s.t.Helper()
	ctx := s.t.Context()
	tx, err := s.db.Owner.Begin(ctx)
	require.NoError(s.t, err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	_, err = tx.Exec(ctx, `SELECT make_month($1)`, at.UTC())
	require.NoError(s.t, err)
	first := ledger.First(at, s.lane)
	var leaves []ledger.Hash
	for i, j := range journals {
		leaves = append(leaves, s.journal(tx, first+ledger.Number(i), j))
	}
	var epoch, number int64
	var previous []byte
	require.NoError(s.t, tx.QueryRow(ctx, `SELECT epoch, number, hash FROM lanes WHERE lane = $1 FOR UPDATE`, s.lane).Scan(&epoch, &number, &previous))
	b := ledger.NewBlock(s.lane, number+1, first, ledger.Hash(previous), leaves)
	hash := b.Hash()
	_, err = tx.Exec(ctx, `INSERT INTO blocks (lane, number, first, journals, previous, root, leaves) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		b.Lane, b.Number, b.First, b.Journals, b.Previous[:], b.Root[:], b.Leaves)
	require.NoError(s.t, err)
	_, err = tx.Exec(ctx, `UPDATE lanes SET number = $2, hash = $3, last = $4 WHERE lane = $1`, s.lane, b.Number, hash[:], int64(first)+int64(len(journals))-1)
	require.NoError(s.t, err)
	require.NoError(s.t, tx.Commit(ctx))
	return first
}

// journal writes one journal with its cause and entries, and returns its leaf.
func (s *Scribe) journal(tx pgx.Tx, no ledger.Number, j ledger.Journal) ledger.Hash {
	s.t.Helper()
	ctx := s.t.Context()
	b := ledger.Booked{Number: no, Book: s.book, Cause: j.Cause(), Kind: j.Kind(), EffectiveAt: j.EffectiveAt().Truncate(time.Microsecond)}
	if j.EffectiveAt().IsZero() {
		b.EffectiveAt = no.BookedAt()
	}
	hash := sha256.Sum256([]byte(j.Cause()))
	b.Step = hash[:]
	if j.Reverses() != "" {
		require.NoError(s.t, tx.QueryRow(ctx, `SELECT journal FROM causes WHERE book = $1 AND cause = $2`, s.book, j.Reverses()).Scan(&b.Reverses))
	}
	for _, e := range j.Entries() {
		b.Legs = append(b.Legs, ledger.BookedLeg{Code: e.Account.Code, Currency: string(e.Account.Currency), Amount: e.Amount})
	}
	_, err := tx.Exec(ctx, `INSERT INTO causes (book, cause, hash, journal, reverses, at, by_kind, by_id) VALUES ($1, $2, $3, $4, nullif($5::bigint, 0), $6, 'service', 'scribe')`,
		b.Book, b.Cause, b.Step, b.Number, int64(b.Reverses), no.BookedAt())
	require.NoError(s.t, err)
	_, err = tx.Exec(ctx, `INSERT INTO journals (no, effective_at, reverses, book, legs, cause, kind) VALUES ($1, $2, nullif($3::bigint, 0), $4, $5, $6, $7)`,
		b.Number, b.EffectiveAt, int64(b.Reverses), b.Book, len(b.Legs), b.Cause, b.Kind)
	require.NoError(s.t, err)
	s.entries(tx, b, j.Entries())
	return b.Leaf()
}

const sqlScribeEntries = `
	INSERT INTO entries (journal, account, amount, balance_after, leg)
	SELECT $1, n.account, n.amount, CASE WHEN NOT a.hot THEN a.balance END, n.leg
	FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS n(account, amount, leg) JOIN accounts a ON a.no = n.account`

// entries writes the legs, and an account's row first if it has none.
func (s *Scribe) entries(tx pgx.Tx, b ledger.Booked, legs []ledger.Entry) {
	s.t.Helper()
	ctx := s.t.Context()
	var accounts, amounts []int64
	for _, e := range legs {
		a, no := e.Account, int64(0)
		_, err := tx.Exec(ctx, `INSERT INTO accounts (book, id, code, currency, owner, kind, normal, floor, opened_at)
			VALUES ($1, $2, $3, $4, nullif($5, ''), $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
			a.Book, s.db.Store.Mint(id.Account), a.Code, a.Currency, a.Owner, a.Kind, a.Normal, floor(a), b.Number.BookedAt())
		require.NoError(s.t, err)
		require.NoError(s.t, tx.QueryRow(ctx, `UPDATE accounts SET balance = CASE WHEN hot THEN balance ELSE balance + $4 END,
			last = CASE WHEN hot THEN last ELSE $5 END WHERE book = $1 AND code = $2 AND currency = $3 AND (hot OR last < $5) RETURNING no`,
			a.Book, a.Code, a.Currency, e.Amount, b.Number).Scan(&no), "an account's journals come in the order of time")
		accounts, amounts = append(accounts, no), append(amounts, e.Amount)
	}
	_, err := tx.Exec(ctx, sqlScribeEntries, b.Number, accounts, amounts)
	require.NoError(s.t, err)
	_, err = tx.Exec(ctx, `INSERT INTO displaced (account, effective_at, journal, amount) SELECT account, $2, journal, amount FROM entries
		WHERE journal = $1 AND NOT ($2 > $3::timestamptz - interval '1 minute' AND $2 <= $3)`, b.Number, b.EffectiveAt, b.Number.BookedAt())
	require.NoError(s.t, err)
}

func floor(a ledger.Account) *int64 {
	if !a.Floored {
		return nil
	}
	return &a.Floor
}
