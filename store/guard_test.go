package store_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
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
	for _, table := range []string{"journals", "entries", "causes", "acts", "channel_calls"} {
		column := map[string]string{"journals": "kind", "entries": "amount", "causes": "by_id", "acts": "actor", "channel_calls": "note"}[table]
		for _, sql := range []string{"UPDATE " + table + " SET " + column + " = " + column, "DELETE FROM " + table, "TRUNCATE " + table} {
			_, err := app.Exec(t.Context(), sql)
			var pg *pgconn.PgError
			require.ErrorAs(t, err, &pg, sql)
			require.Equal(t, "42501", pg.Code, sql)
			if table == "channel_calls" {
				continue // lines for people: no trigger
			}
			_, err = h.db.Owner.Exec(t.Context(), sql)
			require.ErrorAs(t, err, &pg, sql)
			require.Equal(t, "insert_only", pg.ConstraintName, sql)
		}
	}
	for _, sql := range []string{
		"UPDATE attempts SET request_sealed = ''", "UPDATE payments SET amount = 1", "UPDATE orders SET total = 1", "DELETE FROM payments",
		"UPDATE idempotency SET object = ''", "UPDATE accounts SET floor = NULL", "UPDATE accounts SET hot = true", "UPDATE events SET data = '{}'",
		"CREATE TABLE mine ()", "ALTER TABLE entries DISABLE TRIGGER entries_balance",
	} {
		_, err := app.Exec(t.Context(), sql)
		var pg *pgconn.PgError
		require.ErrorAs(t, err, &pg, sql)
		require.Equal(t, "42501", pg.Code, sql)
	}
}

// I-01, I-25: the database refuses what domain/ledger can't even build.
func TestTheDatabaseRefusesBrokenJournals(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	h.paid("A-1", cny(100))
	_, err := h.db.Owner.Exec(t.Context(), `INSERT INTO accounts (book, id, code, currency, kind, normal, opened_at) VALUES
		('test', 'acc_eur', 'x/eur', 'EUR', 'asset', 'debit', now()), ('live', 'acc_live', 'x/live', 'CNY', 'asset', 'debit', now())`)
	require.NoError(t, err)
	for name, legs := range map[string]string{
		"unbalanced":          `(900, 1, a('clearing'), 5, 5, 900), (900, 2, a('pending'), -4, -4, 900)`,
		"one leg too few":     `(900, 1, a('clearing'), 5, 5, 900)`,
		"a leg skipped":       `(900, 1, a('clearing'), 5, 5, 900), (900, 3, a('pending'), -5, -5, 900)`,
		"two currencies":      `(900, 1, a('clearing'), 5, 5, 900), (900, 2, a('x/eur'), -5, -5, 900)`,
		"two books":           `(900, 1, a('clearing'), 5, 5, 900), (900, 2, a('x/live'), -5, -5, 900)`,
		"no such account":     `(900, 1, a('clearing'), 5, 5, 900), (900, 2, 999999, -5, -5, 900)`,
		"no such journal":     `(901, 1, a('clearing'), 5, 5, 900), (901, 2, a('pending'), -5, -5, 900)`,
		"added to an old one": `(1, 4, a('clearing'), 5, 5, 900), (1, 5, a('pending'), -5, -5, 900)`,
	} {
		tx, err := h.db.Owner.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `INSERT INTO journals (no, book, cause, kind, legs, effective_at, booked_at) VALUES (900, 'test', 'x:cs1', 'x', 2, now(), now())`)
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `CREATE FUNCTION a(text) RETURNS bigint LANGUAGE sql AS $$SELECT no FROM accounts WHERE code LIKE '%' || $1$$`)
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `INSERT INTO entries VALUES `+legs)
		var pg *pgconn.PgError
		require.ErrorAs(t, err, &pg, name)
		require.Equal(t, "entries_balance", pg.ConstraintName, name)
		require.NoError(t, tx.Rollback(t.Context()))
	}
	_, err = h.db.Owner.Exec(t.Context(), `UPDATE accounts SET balance = 1 WHERE code LIKE '%/available'`)
	require.ErrorContains(t, err, "accounts_floor", "I-06")
	_, err = h.db.Owner.Exec(t.Context(), `UPDATE accounts SET hot = true WHERE code LIKE '%/available'`)
	require.ErrorContains(t, err, "accounts_hot")
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
