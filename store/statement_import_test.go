package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/reconcile"
	"paysaga/store/storetest"
)

// bill is a statement of one account, as a parser hands it out.
type bill struct {
	stored reconcile.Stored
	lines  []reconcile.Line
	broken int // the row at which the file turns out to be broken; 0: nowhere
}

func aBill(seed storetest.Seed, hash string, lines ...reconcile.Line) bill {
	b := bill{stored: reconcile.Stored{File: reconcile.File{Name: hash + ".csv", Kind: "moves", Account: seed.ChannelAccount, Book: seed.Book,
		Hash: strings.Repeat(hash, 64/len(hash))}, Channel: "sandbox", Bytes: 100}, lines: lines}
	for i := range b.lines {
		shared := b.stored.Line(i + 2)
		b.lines[i].Account, b.lines[i].Book, b.lines[i].FileHash, b.lines[i].Row = shared.Account, shared.Book, shared.FileHash, shared.Row
	}
	return b
}

// charged is a charge's line.
func charged(name string, gross, fee int64) reconcile.Line {
	return reconcile.Line{Kind: reconcile.Charge, Detail: "charge", Currency: "CNY", ChannelID: name, Identity: name, Gross: gross, Fee: fee, Net: gross - fee,
		OccurredAt: time.Date(2026, 10, 31, 23, 0, 0, 0, time.UTC), SettledOn: reconcile.Date{Year: 2026, Month: 11, Day: 1}}
}

func (b bill) read(each func(*reconcile.Line) error) (sum reconcile.Control, err error) {
	for i := range b.lines {
		l := b.lines[i]
		if b.broken == l.Row {
			return reconcile.Control{}, b.stored.Broken(l.Row, "the line is broken")
		}
		if reason := sum.Add(&l); reason != "" {
			return reconcile.Control{}, b.stored.Broken(l.Row, reason)
		}
		if err := each(&l); err != nil {
			return reconcile.Control{}, err
		}
	}
	sum.Declared = true
	return sum, nil
}

func kept(t *testing.T, d *storetest.Database, f reconcile.Stored) (list []reconcile.Line) {
	t.Helper()
	require.NoError(t, d.Store.StatementLines(t.Context(), f, func(l *reconcile.Line) error { list = append(list, *l); return nil }))
	return list
}

func TestAStatementIsKeptOnce(t *testing.T) {
	t.Parallel()
	d := storetest.Open(t)
	seed := storetest.Plant(t, d.Store, id.Test)
	b := aBill(seed, "a1", charged("c1", 1000, 6), charged("c2", 500, 3))
	b.lines[1].Settled = reconcile.Exchanged{Currency: "USD", Minor: 70, Rate: "0.14"}
	b.lines[1].Reference, b.lines[1].OriginalID, b.lines[1].Batch = "pnothing", "o1", "po_1"
	f, err := d.Store.ImportStatement(t.Context(), b.stored, b.read, nil)
	require.NoError(t, err)
	require.Equal(t, reconcile.Imported, f.Status)
	require.Equal(t, [3]int64{2, 2, 2}, [3]int64{f.Lines, f.Done, f.Kept})
	require.True(t, f.Declared)
	require.Equal(t, b.lines, kept(t, d, f), "what is read back is what was kept")

	again, err := d.Store.ImportStatement(t.Context(), b.stored, func(func(*reconcile.Line) error) (reconcile.Control, error) {
		return reconcile.Control{}, errors.New("the same file isn't even read")
	}, nil)
	require.NoError(t, err)
	require.Equal(t, f.No, again.No)

	got, sums, findings, err := d.Store.StatementFile(t.Context(), id.Test, f.No, 10)
	require.NoError(t, err)
	require.Equal(t, f.Hash, got.Hash)
	require.Empty(t, findings)
	require.Equal(t, []reconcile.Sum{{Group: reconcile.Group{Currency: "CNY", Kind: reconcile.Charge}, Total: reconcile.Total{Lines: 2, Gross: 1500, Fee: 9, Net: 1491}}}, sums)
	_, _, _, err = d.Store.StatementFile(t.Context(), id.Live, f.No, 10)
	require.Equal(t, fault.KindNotFound, fault.Of(err), "I-25")
}

func TestRowsThatWereThereBeforeAreToldApart(t *testing.T) {
	t.Parallel()
	d := storetest.Open(t)
	seed := storetest.Plant(t, d.Store, id.Test)
	first := aBill(seed, "a1", charged("c1", 1000, 6), charged("c2", 500, 3))
	f, err := d.Store.ImportStatement(t.Context(), first.stored, first.read, nil)
	require.NoError(t, err)

	changed := charged("c2", 400, 3)
	second := aBill(seed, "b2", charged("c1", 1000, 6), changed, charged("c3", 10, 0), charged("c3", 10, 0))
	g, err := d.Store.ImportStatement(t.Context(), second.stored, second.read, nil)
	require.NoError(t, err)
	require.Equal(t, [3]int64{4, 4, 1}, [3]int64{g.Lines, g.Done, g.Kept})
	_, sums, findings, err := d.Store.StatementFile(t.Context(), id.Test, g.No, 10)
	require.NoError(t, err)
	require.Equal(t, reconcile.Total{Lines: 3, Gross: 1410, Fee: 9, Net: 1401}, sums[0].Again)
	require.Len(t, findings, 2, "an overlapping file's same row is no finding")
	assert.Equal(t, reconcile.Finding{What: reconcile.Changed, Row: 3, FirstFile: f.No, FirstRow: 3, Identity: "c2", Currency: "CNY", Gross: 400, Fee: 3, Net: 397}, findings[0])
	assert.Equal(t, reconcile.Finding{What: reconcile.Twice, Row: 5, FirstFile: g.No, FirstRow: 4, Identity: "c3", Currency: "CNY", Gross: 10, Net: 10}, findings[1])
	require.Equal(t, int64(1000), kept(t, d, f)[0].Gross)
}

func TestNothingOfABrokenFileIsKept(t *testing.T) {
	t.Parallel()
	d := storetest.Open(t)
	seed := storetest.Plant(t, d.Store, id.Test)
	for name, spoil := range map[string]func(*bill){
		"broken at its end":       func(b *bill) { b.broken = 12_001 },
		"another account's line":  func(b *bill) { b.lines[11_999].Account = "cha_other" },
		"a line without a day":    func(b *bill) { b.lines[11_999].SettledOn, b.lines[11_999].OccurredAt = reconcile.Date{}, time.Time{} },
		"a line of long ago":      func(b *bill) { b.lines[11_999].SettledOn.Year = 1987 },
		"a line without a name":   func(b *bill) { b.lines[11_999].Identity = "" },
		"a text that is none":     func(b *bill) { b.lines[11_999].ChannelID = "a\x00b" },
		"a kind that isn't there": func(b *bill) { b.lines[11_999].Kind = "gift" },
		"a currency that is none": func(b *bill) { b.lines[11_999].Currency = "XXX" },
		"lines of too many months": func(b *bill) {
			for i := range 40 {
				b.lines[i].SettledOn = reconcile.Date{Year: 2010 + i/12, Month: time.Month(i%12 + 1), Day: 1}
			}
		},
	} {
		lines := make([]reconcile.Line, 12_000)
		for i := range lines {
			lines[i] = charged(fmt.Sprintf("%s %d", name, i), 100, 0)
		}
		b := aBill(seed, fmt.Sprintf("%02x", len(name)*7%256), lines...)
		spoil(&b)
		f, err := d.Store.ImportStatement(t.Context(), b.stored, b.read, nil)
		require.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%s: %v", name, err)
		require.Equal(t, reconcile.Refused, f.Status, name)
		require.Contains(t, f.Reason, b.stored.Name, name)
		require.Equal(t, fault.KindConflict, fault.Of(d.Store.StatementLines(t.Context(), f, nil)), name)
		var n int
		require.NoError(t, d.Owner.QueryRow(t.Context(), `SELECT count(*) FROM statement_lines`).Scan(&n))
		require.Zero(t, n, name)
	}
}

// A kill between two batches, at each of them: the next call goes on, and the sums are those of one that was never killed.
func TestAnImportThatWasKilledGoesOn(t *testing.T) {
	t.Parallel()
	d := storetest.Open(t)
	seed := storetest.Plant(t, d.Store, id.Test)
	lines := make([]reconcile.Line, 35_000)
	for i := range lines {
		lines[i] = charged(fmt.Sprintf("c%d", i%34_000), int64(i%34_000)+1, 0)
	}
	b := aBill(seed, "c3", lines...)
	for batch := int64(1); batch <= 3; batch++ {
		ctx, kill := context.WithCancel(t.Context())
		f, err := d.Store.ImportStatement(ctx, b.stored, b.read, func(done, of int64) {
			if of > 0 && done == batch*10_000 {
				kill()
			}
		})
		require.Error(t, err)
		require.Equal(t, reconcile.Importing, f.Status)
		require.Equal(t, batch*10_000, f.Done)
		require.Equal(t, fault.KindConflict, fault.Of(d.Store.StatementLines(t.Context(), f, nil)), "what isn't whole isn't shown")
	}
	f, err := d.Store.ImportStatement(t.Context(), b.stored, b.read, nil)
	require.NoError(t, err)
	require.Equal(t, [3]int64{35_000, 35_000, 34_000}, [3]int64{f.Lines, f.Done, f.Kept})
	_, _, findings, err := d.Store.StatementFile(t.Context(), id.Test, f.No, 2_000)
	require.NoError(t, err)
	require.Len(t, findings, 1_000)
}

func TestTwoImportsOfAnAccountWaitForNobody(t *testing.T) {
	t.Parallel()
	d := storetest.Open(t)
	seed := storetest.Plant(t, d.Store, id.Test)
	one, other := aBill(seed, "a1", charged("c1", 1, 0)), aBill(seed, "b2", charged("c2", 1, 0))
	_, err := d.Store.ImportStatement(t.Context(), one.stored, func(each func(*reconcile.Line) error) (reconcile.Control, error) {
		_, err := d.Store.ImportStatement(t.Context(), other.stored, other.read, nil)
		require.True(t, fault.Is(err, fault.KindConflict, "statement_busy"), "%v", err)
		return one.read(each)
	}, nil)
	require.NoError(t, err)
	_, err = d.Store.ImportStatement(t.Context(), other.stored, other.read, nil)
	require.NoError(t, err)
}
