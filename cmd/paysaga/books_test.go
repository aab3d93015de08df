package main

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store"
	"paysaga/store/storetest"
)

// books is a database with a few journals, two months old and of today, and settings for it.
type books struct {
	t    *testing.T
	db   *storetest.Database
	s    *storetest.Scribe
	old  time.Time
	dir  string
	n    int
	keys string
	env  map[string]string
}

func newBooks(t *testing.T) *books {
	t.Helper()
	b := &books{t: t, db: storetest.Open(t), dir: t.TempDir()}
	operator, private, err := b.db.Store.CreateOperator(t.Context(), "Mei")
	require.NoError(t, err)
	b.keys = filepath.Join(b.dir, "mei.key")
	require.NoError(t, writeKey(b.keys, operator, private))
	b.env = map[string]string{"PAYSAGA_DATABASE_URL": b.db.Config.URL, "PAYSAGA_OWNER_URL": b.db.OwnerURL, "PAYSAGA_SEAL_KEYS": goodKey,
		"PAYSAGA_CHECKPOINT_KEY": b.keys}
	b.s = b.db.Scribe(t, id.Test)
	y, m, _ := time.Now().UTC().Date()
	b.old = time.Date(y, m-2, 3, 0, 0, 0, 0, time.UTC)
	b.write(b.old)
	b.write(time.Now())
	return b
}

func (b *books) write(at time.Time) {
	b.t.Helper()
	b.n++
	chart := ledger.Chart{Book: id.Test, Currency: "CNY"}
	b.s.Block(at, b.s.Transfer(fmt.Sprintf("pay_%d:ch1", b.n), chart.Clearing("cha_1"), chart.Fees(), 5))
}

func (b *books) run(args ...string) (code int, out, errs string) {
	b.t.Helper()
	return paysagaIn(b.t.Context(), b.env, args...)
}

func (b *books) does(says string, args ...string) string {
	b.t.Helper()
	code, out, errs := b.run(args...)
	require.Zero(b.t, code, "%v: %s%s", args, out, errs)
	require.Contains(b.t, out, says)
	return out
}

func (b *books) fails(says string, args ...string) {
	b.t.Helper()
	code, out, errs := b.run(args...)
	require.Equal(b.t, 1, code, out)
	require.Contains(b.t, out+errs, says)
}

func TestTheChainIsWalkedAndCheckpointsContinue(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.does("2 journals in 2 blocks, 0 of them in detached months; 0 journals from before the chain: 0 broken\ncheckpoint", "audit", "--chain", "--checkpoint="+b.dir)
	file := checkpointPath(b.dir, id.Test, time.Now())
	b.write(time.Now().Add(time.Second))
	b.does("the book has to continue it\n3 journals", "audit", "--chain", "--verify="+file)
	delete(b.env, "PAYSAGA_CHECKPOINT_KEY")
	b.does("3 journals", "audit", "--chain", "--verify="+file) // with the operator's public key, from the database
	b.fails("PAYSAGA_CHECKPOINT_KEY", "audit", "--chain", "--checkpoint="+b.dir)
	b.fails("--chain", "audit", "--verify="+file)

	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	forged := filepath.Join(b.dir, "forged.json")
	require.NoError(t, os.WriteFile(forged, []byte(strings.Replace(string(raw), `"journals": "2"`, `"journals": "1"`, 1)), 0o600))
	b.fails("isn't signed", "audit", "--chain", "--verify="+forged)

	_, err = b.db.Owner.Exec(t.Context(), `ALTER TABLE blocks DISABLE TRIGGER insert_only; ALTER TABLE lanes DISABLE TRIGGER lane_moves;
		UPDATE blocks SET root = previous WHERE number = 1`)
	require.NoError(t, err)
	b.fails("(pay_1:ch1), block 0/1: the root isn't that", "audit", "--chain", "--verify="+file)
	_, err = b.db.Owner.Exec(t.Context(), `DELETE FROM blocks; UPDATE lanes SET number = 0, last = 0, hash = decode(repeat('00', 32), 'hex')`)
	require.NoError(t, err)
	b.fails("that the checkpoint of", "audit", "--chain", "--verify="+file)

	// Put an end to this book.
	for _, sql := range []string{`ALTER TABLE journals DISABLE TRIGGER insert_only`, `ALTER TABLE entries DISABLE TRIGGER insert_only`, `ALTER TABLE causes DISABLE TRIGGER insert_only`,
		`DO $$ DECLARE p regclass; BEGIN FOR p IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent IN ('journals'::regclass, 'entries'::regclass) LOOP
			EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', p); EXECUTE format('DELETE FROM %s', p); EXECUTE format('ALTER TABLE %s ENABLE TRIGGER USER', p); END LOOP; END $$`,
		`DELETE FROM causes`, `UPDATE accounts SET balance = 0, last = 0`, `ALTER TABLE journals ENABLE TRIGGER insert_only`, `ALTER TABLE entries ENABLE TRIGGER insert_only`,
		`ALTER TABLE causes ENABLE TRIGGER insert_only`, `ALTER TABLE blocks ENABLE TRIGGER insert_only`, `ALTER TABLE lanes ENABLE TRIGGER lane_moves`} {
		_, err = b.db.Owner.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
}

func TestAWorkerLeavesACheckpointEachDay(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	conf := store.Config{URL: b.db.Config.URL}
	metrics := prometheus.NewRegistry()
	c, err := newCheckpoints(workConfig{CheckpointDir: b.dir, checkpointKey: checkpointKey{b.keys}}, conf, metrics, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	now := time.Now()
	require.NoError(t, c.look(t.Context(), conf.URL, now))
	first, err := c.newest(id.Test)
	require.NoError(t, err)
	require.EqualValues(t, 2, first.Lanes[0].Number)
	b.write(now.Add(time.Second))
	require.NoError(t, c.look(t.Context(), conf.URL, now))
	same, err := c.newest(id.Test)
	require.NoError(t, err)
	require.Equal(t, first, same, "one a day")
	require.NoError(t, c.look(t.Context(), conf.URL, now.AddDate(0, 0, 1)))
	next, err := c.newest(id.Test)
	require.NoError(t, err)
	require.EqualValues(t, 3, next.Lanes[0].Number)
	require.Zero(t, testutil.ToFloat64(c.broken))

	_, other, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	c.key = other
	require.ErrorContains(t, c.look(t.Context(), conf.URL, now.AddDate(0, 0, 2)), "isn't signed", "somebody was in the folder")
	none, err := newCheckpoints(workConfig{}, conf, metrics, nil)
	require.NoError(t, err)
	require.Nil(t, none)
}

func TestMonthsLeaveAndComeBack(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	month := b.old.Format("2006-01")
	b.does("0 months made", "months", "make")
	b.does("1 months made", "months", "make", "--ahead=4")
	b.does(month+" is detached: 1 journals, 2 entries", "months", "detach", month)
	b.does("detached at", "months", "list")
	b.does("1 journals in 2 blocks, 1 of them", "audit", "--chain")
	b.does("is back, as it was: 1 journals, 2 entries", "months", "attach", month)
	require.NotContains(t, b.does("attached", "months", "list"), "detached")
	b.fails("isn't over", "months", "detach", time.Now().UTC().Format("2006-01"))
	b.fails("written as", "months", "detach", "May")
	delete(b.env, "PAYSAGA_OWNER_URL")
	b.fails("PAYSAGA_OWNER_URL", "months", "detach", month)
}

func TestAPeriodIsClosedByAnOperator(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	operator, _, err := readKey(b.keys)
	require.NoError(t, err)
	yesterday := time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
	b.does("the test book is closed through "+yesterday, "period", "close", "--through", yesterday, "--operator", operator, "--reason", "the month is reported")
	b.does("by "+operator+"  the month is reported", "period", "list")
	b.fails("already", "period", "close", "--through", yesterday, "--operator", operator, "--reason", "again")
	b.fails("is a date", "period", "close", "--through", "May", "--operator", operator, "--reason", "x")
	b.fails("operator", "period", "close", "--through", yesterday, "--operator", "opr_none", "--reason", "x")
	require.NoError(t, b.db.Store.RevokeOperator(t.Context(), operator))
	b.fails("revoked", "period", "close", "--through", yesterday, "--operator", operator, "--reason", "x")
}
