package export_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/export"
	"paysaga/store/storetest"
)

// book is a random history in a database, and its account ids.
type book struct {
	storetest.Past
	db  *storetest.Database
	ids map[string]string
}

func newBook(t *testing.T, seed int) book {
	t.Helper()
	b := book{Past: rapid.Custom(func(rt *rapid.T) storetest.Past { return storetest.RandomPast(rt, id.Live) }).Example(seed), db: storetest.Open(t)}
	b.ids = b.db.PlantPast(t, b.Past)
	return b
}

// hledger exports into a file and gives it to hledger.
func (b book) hledger(t *testing.T, o export.Options) func(args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("hledger"); err != nil {
		t.Fatal("hledger is missing: the exports are judged by it. apt-get install hledger")
	}
	o.Book = b.Book
	path := filepath.Join(t.TempDir(), "book.journal")
	file, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, export.Hledger(t.Context(), file, b.db.Store, o))
	require.NoError(t, file.Close())
	return func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "hledger", append([]string{"-f", path}, args...)...)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "hledger %s: %s", strings.Join(args, " "), out)
		return string(out)
	}
}

// balances are what hledger says each account holds, by name and currency.
func balances(t *testing.T, text string) map[string]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	all := map[string]string{}
	for _, row := range rows[1:] {
		all[row[0]+" "+row[1]] = row[2]
	}
	return all
}

// want are what the accounts hold by admits, as hledger writes them.
func (b book) want(admits func(*storetest.PastJournal) bool) map[string]string {
	all := map[string]string{}
	for _, a := range b.Accounts {
		if sum := b.Sum(a, admits); sum != 0 {
			all[export.AccountName(a)+" "+string(a.Currency)] = money.New(sum, a.Currency).Decimal()
		}
	}
	return all
}

var balance = []string{"balance", "--flat", "--no-total", "--layout=bare", "-O", "csv"}

// TestHledgerAgrees: Debian's hledger finds nothing wrong with random books, and the balances that we say they have: at the end, and by
// effective date at several dates.
func TestHledgerAgrees(t *testing.T) {
	t.Parallel()
	for seed := range 4 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			b := newBook(t, seed+100)
			hledger := b.hledger(t, export.Options{})
			hledger("check", "--strict")
			require.Equal(t, b.want(storetest.BookedBy(time.Now())), balances(t, hledger(balance...)))
			for i := 0; i < len(b.Journals); i += 1 + len(b.Journals)/5 {
				day := b.Journals[i].Effective.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
				end := day.Add(-time.Microsecond)
				got := balances(t, hledger(append(balance, "-e", day.Format(time.DateOnly))...))
				require.Equal(t, b.want(storetest.EffectiveBy(end)), got, "through %s", end)
				for _, a := range b.Accounts {
					ours, err := b.db.Store.Balance(t.Context(), b.Book, "", b.ids[a.Code+" "+string(a.Currency)], end, ledger.ByEffective)
					require.NoError(t, err)
					text, has := got[export.AccountName(a)+" "+string(a.Currency)]
					require.Equal(t, ours.Minor != 0, has, a.Code)
					if has {
						require.Equal(t, money.New(ours.Minor, a.Currency).Decimal(), text, a.Code)
					}
				}
			}
			sheet := hledger("balancesheet", "--flat")
			require.NotContains(t, sheet, "memo", "memo accounts are on no balance sheet")
			hledger("incomestatement")
		})
	}
}

// TestHledgerAgreesOnAPart: what stood before a range comes as one transaction; dated by booking, each day's balance is that of the books.
func TestHledgerAgreesOnAPart(t *testing.T) {
	t.Parallel()
	b := newBook(t, 1)
	n := len(b.Journals)
	require.Greater(t, n, 6, "take another seed")
	from, to := b.Journals[n/3].Number.BookedAt(), b.Journals[2*n/3].Number.BookedAt()
	hledger := b.hledger(t, export.Options{From: from, To: to, By: ledger.ByBooking})
	hledger("check", "--strict")
	require.Equal(t, b.want(storetest.BookedBy(to)), balances(t, hledger(balance...)))
	for day := from.Truncate(24*time.Hour).AddDate(0, 0, 1); day.Before(to); day = day.AddDate(0, 0, 9) {
		got := balances(t, hledger(append(balance, "-e", day.Format(time.DateOnly))...))
		require.Equal(t, b.want(storetest.BookedBy(day.Add(-time.Millisecond))), got)
	}
}

func TestCSVHoldsEveryEntry(t *testing.T) {
	t.Parallel()
	b := newBook(t, 11)
	read := func(write func(*bytes.Buffer) error) [][]string {
		var out bytes.Buffer
		require.NoError(t, write(&out))
		rows, err := csv.NewReader(&out).ReadAll()
		require.NoError(t, err)
		return rows[1:]
	}
	var progress []int
	entries := read(func(out *bytes.Buffer) error {
		return export.Entries(t.Context(), out, b.db.Store, export.Options{Book: b.Book, Progress: func(done int) { progress = append(progress, done) }})
	})
	i := 0
	for _, j := range b.Journals {
		for leg, e := range j.Legs {
			row := entries[i]
			require.Equal(t, []string{fmt.Sprint(int64(j.Number)), j.Cause, fmt.Sprint(leg + 1), e.Account.Code, string(e.Account.Currency), money.New(e.Amount, e.Account.Currency).Decimal()},
				[]string{row[0], row[1], row[6], row[8], row[10], row[11]})
			i++
		}
	}
	require.Len(t, entries, i)
	rows := read(func(out *bytes.Buffer) error {
		return export.Balances(t.Context(), out, b.db.Store, export.Options{Book: b.Book})
	})
	require.Len(t, rows, len(b.Accounts))
	for _, row := range rows {
		for _, a := range b.Accounts {
			if b.ids[a.Code+" "+string(a.Currency)] == row[0] {
				sum := money.New(b.Sum(a, storetest.BookedBy(time.Now())), a.Currency)
				require.Equal(t, strings.TrimPrefix(sum.Decimal(), "-"), row[5]+row[6])
				require.Equal(t, sum.Sign() < 0, row[5] == "")
			}
		}
	}
}

func TestWhatIsNotFinalIsNotExported(t *testing.T) {
	t.Parallel()
	b := newBook(t, 3)
	for _, o := range []export.Options{{To: time.Now().Add(time.Minute)}, {From: time.Now().Add(-time.Hour), To: time.Now().Add(-2 * time.Hour)}} {
		o.Book = b.Book
		var out bytes.Buffer
		err := export.Hledger(t.Context(), &out, b.db.Store, o)
		require.Equal(t, fault.KindInvalid, fault.Of(err))
		require.Zero(t, out.Len())
	}
}
