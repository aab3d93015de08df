package storetest

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// PastJournal is a journal that was booked at some time of the past, which Commit can't do.
type PastJournal struct {
	Booked    time.Time // not before the one before it
	Effective time.Time // zero: as Booked
	Legs      []ledger.Entry
	// Set by PlantPast.
	Number ledger.Number
	Cause  string
}

// Past is what PlantPast plants.
type Past struct {
	Book     id.Book
	Accounts []ledger.Account     // all that the journals post to, and may be more
	HotFrom  map[string]time.Time // by code: when these became hot; zero: from the beginning
	Journals []*PastJournal
}

// PlantPast writes a history as if it had been booked before there were lanes, past the triggers, and returns the accounts' ids by code
// and currency. Amounts must balance; audit.Check judges the rest. A database takes one Past per book.
func (d *Database) PlantPast(t testing.TB, p Past) map[string]string {
	t.Helper()
	ctx := t.Context()
	ids := map[string]string{}
	tx, err := d.Owner.Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	opened := time.Now()
	if len(p.Journals) > 0 {
		opened = p.Journals[0].Booked
	}
	for m := opened.UTC(); m.Before(time.Now()); m = m.AddDate(0, 0, 1) {
		_, err := tx.Exec(ctx, "SELECT make_month($1::date)", m)
		require.NoError(t, err)
	}
	_, err = tx.Exec(ctx, "SET LOCAL session_replication_role = replica")
	require.NoError(t, err)
	nos := map[string]int64{}
	for i, a := range p.Accounts {
		key := a.Code + " " + string(a.Currency)
		from, hot := p.HotFrom[a.Code]
		ids[key] = id.New(id.Account, uint64(opened.UnixMilli()), entropy(string(p.Book), uint64(i)))
		var floor *int64
		if a.Floored {
			floor = &a.Floor
		}
		var no int64
		err := tx.QueryRow(ctx, `INSERT INTO accounts (book, id, code, currency, owner, kind, normal, floor, hot, opened_at)
			VALUES ($1, $2, $3, $4, nullif($5, ''), $6, $7, $8, $9, $10) RETURNING no`, p.Book, ids[key], a.Code, a.Currency, a.Owner, a.Kind,
			a.Normal, floor, hot, opened).Scan(&no)
		require.NoError(t, err)
		nos[key] = no
		if hot && from.IsZero() {
			_, err := tx.Exec(ctx, "INSERT INTO folds VALUES ($1, 1, 0, 0)", no)
			require.NoError(t, err)
		}
	}
	p.plant(t, tx, nos)
	require.NoError(t, tx.Commit(ctx))
	_, err = d.Owner.Exec(ctx, "ANALYZE")
	require.NoError(t, err)
	return ids
}

func entropy(text string, n uint64) (e [10]byte) {
	copy(e[:2], text)
	binary.BigEndian.PutUint64(e[2:], n)
	return e
}

// name gives journals their numbers, causes and dates.
func (p Past) name(t testing.TB) {
	var place ledger.Number
	for i, j := range p.Journals {
		if place++; i == 0 || p.Journals[i-1].Booked.UnixMilli() != j.Booked.UnixMilli() {
			place = 0
		}
		require.Less(t, place, ledger.Number(ledger.MaxBlock), "too many journals in a millisecond")
		j.Number = ledger.First(j.Booked, ledger.MaxLane) + place
		j.Cause = id.New(id.Payment, uint64(j.Booked.UnixMilli()), entropy(string(p.Book), uint64(i))) + ":ch1"
		if j.Effective.IsZero() {
			j.Effective = j.Number.BookedAt()
		}
		j.Effective = j.Effective.UTC().Truncate(time.Microsecond)
	}
}

// plant writes journals and entries, and what the accounts hold after them.
func (p Past) plant(t testing.TB, tx pgx.Tx, nos map[string]int64) {
	ctx := t.Context()
	var journals, entries, causes, displaced [][]any
	balance, last, folded := map[string]int64{}, map[string]ledger.Number{}, map[string]bool{}
	p.name(t)
	for _, j := range p.Journals {
		journals = append(journals, []any{int64(j.Number), j.Effective, string(p.Book), int16(len(j.Legs)), j.Cause, "planted"})
		causes = append(causes, []any{string(p.Book), j.Cause, make([]byte, 32), int64(j.Number), j.Booked, "service", "past"})
		off := j.Effective.Before(j.Number.BookedAt().Add(-ledger.Displaced)) || j.Effective.After(j.Number.BookedAt())
		for leg, e := range j.Legs {
			key := e.Account.Code + " " + string(e.Account.Currency)
			from, hot := p.HotFrom[e.Account.Code]
			if hot && !from.IsZero() && !folded[key] && !j.Booked.Before(from) {
				_, err := tx.Exec(ctx, "INSERT INTO folds VALUES ($1, $2, $3, 0)", nos[key], int64(ledger.From(from)), balance[key])
				require.NoError(t, err)
				folded[key] = true
			}
			balance[key] += e.Amount
			after := new(int64)
			if *after = balance[key]; hot && !j.Booked.Before(from) {
				after = nil
			} else {
				last[key] = j.Number
			}
			require.NotZero(t, nos[key], "account %s", key)
			entries = append(entries, []any{int64(j.Number), nos[key], e.Amount, after, int16(leg + 1)})
			if off {
				displaced = append(displaced, []any{nos[key], j.Effective, int64(j.Number), e.Amount})
			}
		}
	}
	for _, c := range []struct {
		table   string
		columns []string
		rows    [][]any
	}{
		{"causes", []string{"book", "cause", "hash", "journal", "at", "by_kind", "by_id"}, causes},
		{"journals", []string{"no", "effective_at", "book", "legs", "cause", "kind"}, journals},
		{"entries", []string{"journal", "account", "amount", "balance_after", "leg"}, entries},
		{"displaced", []string{"account", "effective_at", "journal", "amount"}, displaced},
	} {
		_, err := tx.CopyFrom(ctx, pgx.Identifier{c.table}, c.columns, pgx.CopyFromRows(c.rows))
		require.NoError(t, err, c.table)
	}
	for _, a := range p.Accounts { // nothing came after they were made hot
		key := a.Code + " " + string(a.Currency)
		if from := p.HotFrom[a.Code]; !from.IsZero() && !folded[key] {
			_, err := tx.Exec(ctx, "INSERT INTO folds VALUES ($1, $2, $3, 0)", nos[key], int64(ledger.From(from)), balance[key])
			require.NoError(t, err)
		}
	}
	for key, no := range nos {
		_, err := tx.Exec(ctx, "UPDATE accounts SET balance = CASE WHEN hot THEN 0 ELSE $2 END, last = $3 WHERE no = $1", no, balance[key], int64(last[key]))
		require.NoError(t, err, fmt.Sprint(key))
	}
}
