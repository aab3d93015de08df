package store_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store"
	"paysaga/store/storetest"
)

// I-04: what was booked can't be changed, by the application's role for want of a privilege, by the owner for the triggers.
func TestWhatWasBookedNeverChanges(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	h.paid("A-1", cny(100))
	app, err := pgx.Connect(t.Context(), h.db.Config.URL)
	require.NoError(t, err)
	defer app.Close(t.Context())
	month := time.Now().UTC().Format("2006_01")
	for table, column := range map[string]string{"journals": "kind", "entries": "amount", "causes": "by_id", "acts": "actor", "channel_calls": "note",
		"blocks": "root", "folds": "balance", "displaced": "amount", "closings": "reason", "journals_" + month: "kind", "entries_" + month: "amount"} {
		for _, sql := range []string{"UPDATE " + table + " SET " + column + " = " + column, "DELETE FROM " + table, "TRUNCATE " + table} {
			refuses(t, app, "42501", "", sql)
			if table != "channel_calls" { // lines for people: no trigger
				refuses(t, h.db.Owner, "", "insert_only", sql)
			}
		}
	}
	for _, sql := range []string{
		"UPDATE attempts SET request_sealed = ''", "UPDATE payments SET amount = 1", "UPDATE orders SET total = 1", "DELETE FROM payments",
		"UPDATE idempotency SET object = ''", "UPDATE accounts SET floor = NULL", "UPDATE events SET data = '{}'", "UPDATE lanes SET book = 'live'",
		"CREATE TABLE mine ()", "ALTER TABLE entries DISABLE TRIGGER entries_balance", "INSERT INTO entries_" + month + " TABLE entries",
		"INSERT INTO months VALUES ('2026-01-01')", "DELETE FROM lanes", "SELECT make_month('2020-01-01')", "ALTER TABLE journals DETACH PARTITION journals_" + month,
	} {
		refuses(t, app, "42501", "", sql)
	}
	// A lane's head moves one block at a time, for its newest holder.
	for _, sql := range []string{"epoch = epoch - 1", "number = number + 2, last = last + 1", "number = number + 1", "number = number - 1, last = last - 1",
		"hash = decode(repeat('11', 32), 'hex')", "epoch = epoch + 1, number = number + 1, last = last + 1"} {
		refuses(t, app, "", "lane_fenced", "UPDATE lanes SET "+sql+" WHERE lane IN (SELECT lane FROM lanes WHERE number > 0)")
	}
}

// executes is a connection or a pool.
type executes interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
}

// refuses holds that the database refuses sql by a code, a constraint's name, or both.
func refuses(t *testing.T, db executes, code, constraint, sql string, args ...any) {
	t.Helper()
	_, err := db.Exec(t.Context(), sql, args...)
	var pg *pgconn.PgError
	require.ErrorAs(t, err, &pg, sql)
	if code != "" {
		require.Equal(t, code, pg.Code, "%s: %s", sql, pg.Message)
	}
	if constraint != "" {
		require.Equal(t, constraint, pg.ConstraintName, "%s: %s", sql, pg.Message)
	}
}

// bad are journals that domain/ledger can't even build, with the name of the check that refuses them. Legs are written
// leg:account:amount:balance, the accounts by the end of their code.
var bad = map[string]struct{ journal, legs, constraint string }{
	"unbalanced":           {"", "1:clearing:5:105,2:income/fees:-4:-4", "entries_balance"},
	"empty":                {"", "", "blocks_whole"},
	"one leg":              {"", "1:clearing:5:105", "entries_balance"},
	"a leg skipped":        {"", "1:clearing:5:105,3:income/fees:-5:-5", "entries_balance"},
	"a leg of nothing":     {"", "1:clearing:5:105,2:income/fees:-5:-5,3:x/asset:0:0", "entries_amount_check%"},
	"an account twice":     {"", "1:clearing:5:105,2:clearing:-5:100", "entries_2%pkey"},
	"two currencies":       {"", "1:clearing:5:105,2:x/eur:-5:-5", "entries_balance"},
	"two books":            {"", "1:clearing:5:105,2:x/live:-5:-5", "entries_balance"},
	"another book":         {"book = 'live'", "1:clearing:5:105,2:income/fees:-5:-5", "entries_balance"},
	"memo beside others":   {"", "1:clearing:5:105,2:x/memo:-5:-5", "entries_balance"},
	"no such account":      {"", "1:clearing:5:105,2:x/none:-5:-5", "entries_balance"},
	"no such journal":      {"no = no + 1", "1:clearing:5:105,2:income/fees:-5:-5", "entries_balance"},
	"below a floor":        {"", "1:available:200:101,2:income/fees:-200:-200", "accounts_floor"},
	"a closed account":     {"", "1:x/closed:5:5,2:income/fees:-5:-5", "accounts_closed"},
	"told on a hot one":    {"", "1:x/hot:5:5,2:income/fees:-5:-5", "entries_balance"},
	"untold":               {"", "1:clearing:5:,2:income/fees:-5:-5", "entries_balance"},
	"too large":            {"", "1:clearing:9223372036854775807:105,2:x/asset:9223372036854775807:1,3:income/fees:-9223372036854775808:1", "entries_balance"},
	"from the future":      {"effective_at = booked_at(no) + interval '6 minutes'", "1:clearing:5:105,2:income/fees:-5:-5", "journals_dated"},
	"from long ago":        {"effective_at = booked_at(no) - interval '367 days'", "1:clearing:5:105,2:income/fees:-5:-5", "journals_dated"},
	"into a closed period": {"effective_at = booked_at(no) - interval '3 days'", "1:clearing:5:105,2:income/fees:-5:-5", "period_closed"},
	"of no month":          {"no = first_number(now() + interval '40 years')", "", "no partition"},
}

// I-01, I-06, I-25: the database refuses what domain/ledger can't even build, each by its name, and nothing changes.
func TestTheDatabaseRefusesBrokenJournals(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	h.paid("A-1", cny(100))
	_, err := h.db.Owner.Exec(t.Context(), `INSERT INTO accounts (book, id, code, currency, kind, normal, hot, opened_at, closed_at) VALUES
		('test', 'acc_eur', 'x/eur', 'EUR', 'asset', 'debit', false, now(), NULL), ('live', 'acc_live', 'x/live', 'CNY', 'asset', 'debit', false, now(), NULL),
		('test', 'acc_memo', 'x/memo', 'CNY', 'memo', 'debit', false, now(), NULL), ('test', 'acc_hot', 'x/hot', 'CNY', 'asset', 'debit', true, now(), NULL),
		('test', 'acc_closed', 'x/closed', 'CNY', 'asset', 'debit', false, now(), now()), ('test', 'acc_asset', 'x/asset', 'CNY', 'asset', 'debit', false, now(), NULL),
		('test', 'acc_fees', 'income/fees', 'CNY', 'income', 'credit', false, now(), NULL) ON CONFLICT DO NOTHING`)
	require.NoError(t, err)
	_, err = h.s.ClosePeriod(t.Context(), id.Test, time.Now().AddDate(0, 0, -2), ledger.Principal{Kind: ledger.ByService, ID: "test", Reason: "the month is reported"})
	require.NoError(t, err)
	var before, after string
	const all = `SELECT md5(string_agg(r, '' ORDER BY r)) FROM (SELECT j::text r FROM journals j UNION ALL SELECT e::text FROM entries e UNION ALL SELECT a::text FROM accounts a) r`
	require.NoError(t, h.db.Owner.QueryRow(t.Context(), all).Scan(&before))
	for name, c := range bad {
		plantJournal(t, h.db, name, c.journal, c.legs, c.constraint)
	}
	// To a journal that stands, nothing is added.
	refuses(t, h.db.Owner, "", "entries_balance", `INSERT INTO entries (journal, account, amount, balance_after, leg)
		SELECT j.no, a.no, n.amount, n.amount, j.legs + n.leg FROM (SELECT no, legs FROM journals LIMIT 1) j, accounts a
		JOIN (VALUES ('x/asset', 5, 1), ('income/fees', -5, 2)) AS n(code, amount, leg) USING (code) WHERE a.book = 'test'`)
	for sql, constraint := range map[string]string{
		`UPDATE accounts SET balance = 1 WHERE code LIKE '%/available'`:                                                                            "accounts_floor",
		`UPDATE accounts SET hot = true WHERE code LIKE '%/available'`:                                                                             "accounts_hot",
		`UPDATE accounts SET closed_at = now() WHERE code LIKE '%/clearing'`:                                                                       "accounts_closed",
		`UPDATE accounts SET code = 'income/other' WHERE code = 'income/fees'`:                                                                     "insert_only",
		`UPDATE accounts SET currency = 'USD' WHERE no = 1`:                                                                                        "insert_only",
		`UPDATE accounts SET balance = 9223372036854775807 + 1 WHERE no = 1`:                                                                       "",
		`INSERT INTO accounts (book, id, code, currency, kind, normal, opened_at) VALUES ('test', 'acc_1', 'X//', 'CNY', 'asset', 'debit', now())`: "accounts_code_check",
		`INSERT INTO accounts (book, id, code, currency, kind, normal, opened_at) VALUES ('test', 'acc_1', 'x', 'CNY', 'hope', 'debit', now())`:    "accounts_kind_check",
		`INSERT INTO accounts (book, id, code, currency, kind, normal, opened_at) VALUES ('test', 'acc_1', 'x', 'cny', 'asset', 'debit', now())`:   "accounts_currency_check",
		`INSERT INTO accounts (book, id, code, currency, kind, normal, opened_at) VALUES ('test', 'acc_1', 'x', 'CNY', 'asset', 'left', now())`:    "accounts_normal_check",
	} {
		refuses(t, h.db.Owner, "", constraint, sql)
	}
	require.NoError(t, h.db.Owner.QueryRow(t.Context(), all).Scan(&after))
	require.Equal(t, before, after, "nothing changed")
}

// plantJournal writes a journal and its block by hand, and holds that one of the statements is refused by a constraint, whose name may
// have '%' where the month stands.
func plantJournal(t *testing.T, db *storetest.Database, name, change, legs, constraint string) {
	t.Helper()
	tx, err := db.Owner.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	if change == "" {
		change = "no = no"
	}
	column, value, _ := strings.Cut(change, " = ")
	columns := map[string]string{"no": "no", "effective_at": "booked_at(no)", "book": "'test'::book"}
	columns[column] = value
	_, err = tx.Exec(t.Context(), `INSERT INTO journals (no, effective_at, book, legs, cause, kind)
		SELECT `+columns["no"]+`, `+columns["effective_at"]+`, `+columns["book"]+`, $1, 'x:cs1', 'x' FROM (SELECT first_number(now()) AS no) n`, max(2, strings.Count(legs, ",")+1))
	if err == nil {
		_, err = tx.Exec(t.Context(), `INSERT INTO entries (journal, account, amount, balance_after, leg)
			SELECT first_number(now()), coalesce(a.no, 99999), split_part(l, ':', 3)::bigint, nullif(split_part(l, ':', 4), '')::bigint, split_part(l, ':', 1)::smallint
			FROM unnest(string_to_array(nullif($1, ''), ',')) l LEFT JOIN accounts a ON a.code LIKE '%' || split_part(l, ':', 2)`, legs)
	}
	if err == nil {
		_, err = tx.Exec(t.Context(), `INSERT INTO blocks (lane, number, first, journals, previous, root, leaves)
			SELECT 9, 1, first_number(now()), 1, decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'), decode(repeat('00', 8), 'hex')`)
	}
	var pg *pgconn.PgError
	require.ErrorAs(t, err, &pg, name)
	before, after, _ := strings.Cut(constraint, "%")
	require.True(t, strings.HasPrefix(pg.ConstraintName, before) && strings.HasSuffix(pg.ConstraintName, after) || strings.HasPrefix(pg.Message, constraint),
		"%s: %s %s", name, pg.ConstraintName, pg.Message)
}

// Dates are closed once they are over, in order, with a reason, for good.
func TestAPeriodIsClosedForGood(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	by := ledger.Principal{Kind: ledger.ByOperator, ID: "opr_1", Reason: "the month is reported"}
	today := time.Now().UTC()
	closing := func(days int, by ledger.Principal) error {
		_, err := h.s.ClosePeriod(t.Context(), id.Test, today.AddDate(0, 0, days), by)
		return err
	}
	refusedAs(t, "period_not_over", closing(0, by))
	refusedAs(t, "period_not_over", closing(1, by))
	refusedAs(t, "reason_required", closing(-2, ledger.Principal{Kind: ledger.ByOperator, ID: "opr_1"}))
	refusedAs(t, "operator_required", closing(-2, ledger.Principal{Kind: ledger.ByMerchant, ID: "key_1", Reason: "x"}))
	require.NoError(t, closing(-3, by))
	refusedAs(t, "period_closed", closing(-3, by))
	refusedAs(t, "period_closed", closing(-4, by))
	require.NoError(t, closing(-2, by))
	list, err := h.s.Closings(t.Context(), id.Test)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, today.AddDate(0, 0, -2).Format(time.DateOnly), list[0].Through.Format(time.DateOnly))
	require.Equal(t, by, list[0].By)
	none, err := h.s.Closings(t.Context(), id.Live)
	require.NoError(t, err)
	require.Empty(t, none)
	h.paid("A-1", cny(100)) // what is dated today goes on
}

func TestMigratingTwiceAtOnceIsFine(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	together(2, func(int) {
		require.NoError(t, store.Migrate(t.Context(), db.OwnerURL, store.AppRole{Name: "paysaga_test_app"}))
	})
	require.Equal(t, fault.KindUnavailable, fault.Of(store.Migrate(t.Context(), "postgres://x@127.0.0.1:1/x", store.AppRole{})))
}

func TestSealing(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	plain := []byte("tok_secret")
	sealed, err := db.Store.Seal(plain)
	require.NoError(t, err)
	require.NotContains(t, string(sealed), "secret")
	other, err := db.Store.Seal(plain)
	require.NoError(t, err)
	require.NotEqual(t, sealed, other, "no two alike")
	back, err := db.Store.OpenSealed(sealed)
	require.NoError(t, err)
	require.Equal(t, plain, back)
	for i := range sealed {
		broken := bytes.Clone(sealed)
		broken[i] ^= 1
		_, err := db.Store.OpenSealed(broken)
		require.Equal(t, fault.KindInternal, fault.Of(err), "byte %d", i)
	}
	for n := range len(sealed) {
		_, err := db.Store.OpenSealed(sealed[:n])
		require.Error(t, err)
	}

	rotated := db.Config
	rotated.SealKeys = store.SealKeys{Current: "new", Keys: map[string][]byte{"new": []byte(strings.Repeat("n", 32)), "test": storetest.SealKeys.Keys["test"]}}
	s, err := store.Open(t.Context(), rotated)
	require.NoError(t, err)
	defer s.Close()
	back, err = s.OpenSealed(sealed)
	require.NoError(t, err, "old secrets open after the rotation")
	require.Equal(t, plain, back)
	fresh, err := s.Seal(plain)
	require.NoError(t, err)
	_, err = db.Store.OpenSealed(fresh)
	require.Error(t, err, "but not the other way round")

	for name, keys := range map[string]store.SealKeys{
		"none": {}, "short": {Current: "a", Keys: map[string][]byte{"a": []byte("short")}}, "no current": {Current: "b", Keys: storetest.SealKeys.Keys},
	} {
		c := db.Config
		c.SealKeys = keys
		_, err := store.Open(t.Context(), c)
		require.Equal(t, fault.KindInvalid, fault.Of(err), name)
	}
}
