package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"paysaga/audit"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/store"
	"paysaga/store/storetest"
)

// months is a book that spans three whole months and this one, with a hot account from the second on.
type months struct {
	t        *testing.T
	db       *storetest.Database
	clearing ledger.Account
	suspense ledger.Account
	hot      ledger.Account
	first    time.Time // the first day of the oldest month
	spoken   int       // how many journals were written
	last     ledger.Journal
}

func newMonths(t *testing.T) *months {
	t.Helper()
	chart := ledger.Chart{Book: id.Test, Currency: "CNY"}
	y, m, _ := time.Now().UTC().Date()
	b := &months{t: t, db: storetest.Open(t), clearing: chart.Clearing("cha_1"), suspense: chart.Clearing("cha_2"), hot: chart.Fees(),
		first: time.Date(y, m-3, 1, 0, 0, 0, 0, time.UTC)}
	lanes := []*storetest.Scribe{b.db.Scribe(t, id.Test), b.db.Scribe(t, id.Test)}
	for month := range 3 {
		for day := range 4 {
			b.write(lanes[day%2], b.month(month).AddDate(0, 0, 7*day).Add(time.Duration(day)*time.Minute))
		}
		if month == 0 {
			b.exec(`WITH a AS (UPDATE accounts SET hot = true WHERE code = 'income/fees' RETURNING no, last, balance)
				INSERT INTO folds (account, upto, balance, entries) SELECT no, last + 1, balance, 0 FROM a`)
		}
	}
	b.write(lanes[0], time.Now().Add(-time.Minute))
	return b
}

func (b *months) month(n int) time.Time { return b.first.AddDate(0, n, 0) }

// write books a block of three journals, one of them dated the day before, and one a reversal of the block before.
func (b *months) write(s *storetest.Scribe, at time.Time) {
	b.t.Helper()
	one := s.Transfer(b.cause(), b.clearing, b.suspense, int64(100+b.spoken))
	late, err := ledger.Post(ledger.Posting{Cause: b.cause(), Kind: "late", EffectiveAt: at.Add(-24 * time.Hour)},
		ledger.Dr(b.suspense, cny(7)), ledger.Cr(b.hot, cny(7)))
	require.NoError(b.t, err)
	list := []ledger.Journal{one, late}
	if b.spoken > 2 {
		undo, err := b.last.Reverse(b.cause(), time.Time{})
		require.NoError(b.t, err)
		list = append(list, undo)
	}
	b.last = one
	s.Block(at, list...)
}

func (b *months) cause() string {
	b.spoken++
	return fmt.Sprintf("pay_%d:ch1", b.spoken)
}

func (b *months) exec(sql string, args ...any) {
	b.t.Helper()
	_, err := b.db.Owner.Exec(b.t.Context(), sql, args...)
	require.NoError(b.t, err)
}

func (b *months) detach(n int) (store.MonthProof, error) {
	return store.DetachMonth(b.t.Context(), b.db.OwnerURL, b.month(n), judgeMonth)
}

func (b *months) attach(n int) (store.MonthProof, error) {
	return store.AttachMonth(b.t.Context(), b.db.OwnerURL, b.month(n), judgeMonth)
}

// judgeMonth is audit.Month, as cmd/paysaga wires it.
func judgeMonth(ctx context.Context, tx pgx.Tx, low, high ledger.Number) (store.MonthProof, string, error) {
	p, breaks, err := audit.Month(ctx, tx, low, high)
	broken := ""
	if len(breaks) > 0 {
		broken = breaks[0].String()
	}
	return store.MonthProof(p), broken, err
}

// inOrder holds that every invariant stands, and the chain.
func (b *months) inOrder(away int64) {
	b.t.Helper()
	b.db.Audit(b.t)
	r, err := audit.Chain(b.t.Context(), audit.ChainOptions{Connect: func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, b.db.Config.URL) }})
	require.NoError(b.t, err)
	require.Empty(b.t, r.Breaks)
	require.Equal(b.t, away, r.Away)
}

func refusedAs(t *testing.T, code string, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, fault.As(err).Code, "%v", err)
}

func TestTheBooksStayInOrderWhileMonthsLeaveAndComeBack(t *testing.T) {
	t.Parallel()
	b := newMonths(t)
	b.inOrder(0)
	_, err := b.attach(0)
	refusedAs(t, "month_attached", err)
	_, err = b.detach(3)
	refusedAs(t, "month_not_final", err)
	_, err = b.detach(-7)
	refusedAs(t, "month_detached", err)

	gone, err := b.detach(0)
	require.NoError(t, err)
	require.EqualValues(t, 2+3*3, gone.Journals)
	require.Equal(t, gone.Journals*2, gone.Entries)
	b.inOrder(4)
	_, err = b.detach(0)
	refusedAs(t, "month_detached", err)
	_, err = b.detach(2)
	require.NoError(t, err, "a month in the middle")
	b.inOrder(8)
	_, err = b.detach(1)
	require.NoError(t, err)
	b.inOrder(12)

	for _, n := range []int{1, 0, 2} {
		_, err = b.attach(n)
		require.NoError(t, err)
		b.inOrder(map[int]int64{1: 8, 0: 4, 2: 0}[n])
	}
	again, err := b.detach(0)
	require.NoError(t, err)
	require.Equal(t, gone, again)
	b.inOrder(4)
	list, err := b.db.Store.ListMonths(t.Context())
	require.NoError(t, err)
	require.Equal(t, b.month(0), list[0].Month.UTC())
	require.False(t, list[0].Attached)
	require.Equal(t, gone.Journals, list[0].Journals)
	require.True(t, list[1].Attached)
	made, err := b.db.Store.MakeMonths(t.Context(), 6)
	require.NoError(t, err)
	require.Equal(t, 3, made)
}

func TestADetachedMonthComesBackOnlyAsItWas(t *testing.T) {
	t.Parallel()
	b := newMonths(t)
	_, err := b.detach(0)
	require.NoError(t, err)
	name := b.month(0).Format("2006_01")
	for what, sql := range map[string]string{
		"an amount":    `UPDATE entries_%[1]s SET amount = amount * 2`,
		"a balance":    `UPDATE entries_%[1]s SET balance_after = balance_after + 1`,
		"a date":       `UPDATE journals_%[1]s SET effective_at = effective_at + interval '1 second'`,
		"a journal":    `DELETE FROM journals_%[1]s WHERE kind = 'late'`,
		"an entry":     `DELETE FROM entries_%[1]s WHERE leg = 2`,
		"one more":     `INSERT INTO journals_%[1]s SELECT no + 50, effective_at, reverses, book, legs, cause || '1', kind FROM journals_%[1]s LIMIT 1`,
		"one elsewhen": `INSERT INTO journals_%[1]s SELECT no + (1 << 20), effective_at, reverses, book, legs, cause || '1', kind FROM journals_%[1]s LIMIT 1`,
	} {
		b.exec(fmt.Sprintf(`CREATE TABLE kept_journals AS TABLE journals_%[1]s; CREATE TABLE kept_entries AS TABLE entries_%[1]s;
			ALTER TABLE journals_%[1]s DISABLE TRIGGER insert_only; ALTER TABLE entries_%[1]s DISABLE TRIGGER insert_only; `+sql, name))
		_, err = b.attach(0)
		refusedAs(t, "month_broken", err)
		b.exec(fmt.Sprintf(`DELETE FROM journals_%[1]s; DELETE FROM entries_%[1]s; INSERT INTO journals_%[1]s TABLE kept_journals;
			INSERT INTO entries_%[1]s TABLE kept_entries; DROP TABLE kept_journals, kept_entries;
			ALTER TABLE journals_%[1]s ENABLE TRIGGER insert_only; ALTER TABLE entries_%[1]s ENABLE TRIGGER insert_only`, name))
		require.NotEmpty(t, what)
	}
	b.exec(`ALTER TABLE journals_` + name + ` RENAME TO elsewhere`)
	_, err = b.attach(0)
	refusedAs(t, "month_detached", err)
	b.exec(`ALTER TABLE elsewhere RENAME TO journals_` + name)
	_, err = b.attach(0)
	require.NoError(t, err)
	b.inOrder(0)
}

// A payment that is in doubt since a month keeps the month here: what ends the doubt reverses its journal.
func TestAMonthStaysWhileAPaymentOfItIsInDoubt(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	doubted := h.pay("A-1", cny(100))
	chart := ledger.Chart{Book: h.Book, Currency: "CNY"}
	y, m, _ := time.Now().UTC().Date()
	old := time.Date(y, m-2, 1, 0, 0, 0, 0, time.UTC)
	s := h.db.Scribe(t, h.Book)
	s.Block(old, s.Transfer(id.Key(doubted, id.Step{Code: id.Case, Ordinal: 1}), chart.Clearing("cha_1"), chart.Clearing("cha_2"), 5))
	h.commit(h.open(doubted, 1))
	h.commit(h.settle(doubted, 1, payment.Outcome{Verdict: payment.Unknown}))
	_, err := store.DetachMonth(t.Context(), h.db.OwnerURL, old, judgeMonth)
	refusedAs(t, "month_in_use", err)
	h.commit(h.settle(doubted, 1, h.succeeded(doubted)))
	_, err = store.DetachMonth(t.Context(), h.db.OwnerURL, old, judgeMonth)
	require.NoError(t, err)
}
