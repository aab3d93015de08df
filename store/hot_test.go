package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store"
)

// till12 is two tills, of which the first is hot, two processes that post from one to the other, and what is heard of them meanwhile.
type till12 struct {
	*desk
	other      *store.Store
	hot, plain string
	sum        atomic.Int64
	heard      []heard
}

type heard struct {
	at         time.Time
	hot, plain int64
}

// balance is asked of the other process; debits are positive.
func (d *till12) balance(account string, at time.Time) int64 {
	b, err := d.other.Balance(d.t.Context(), id.Test, "", account, at, ledger.ByBooking)
	if err != nil {
		d.t.Error(err)
	}
	return b.Minor
}

func (d *till12) write(w int) {
	s := []*store.Store{d.s, d.other}[w%2]
	for i := range 150 {
		amount := int64(1 + rand.IntN(1000))
		if _, err := s.Commit(d.t.Context(), d.move(fmt.Sprintf("w%d:s%d", w, i), till(1), till(2), amount)); err != nil {
			d.t.Error(err)
			return
		}
		d.sum.Add(amount)
	}
}

// fold folds until done ends, and is cut off at any point.
func (d *till12) fold(done context.Context) {
	for done.Err() == nil {
		ctx, cancel := context.WithTimeout(d.t.Context(), time.Duration(rand.IntN(8000))*time.Microsecond)
		_, _ = d.s.Fold(ctx, id.Test, 20)
		cancel()
	}
}

// listen asks what was final just now, until done ends.
func (d *till12) listen(done context.Context) {
	for done.Err() == nil {
		at, err := d.other.Horizon(d.t.Context(), id.Test)
		if err != nil {
			d.t.Error(err)
			return
		}
		one := heard{at, d.balance(d.hot, at), d.balance(d.plain, at)}
		if one.hot != -one.plain {
			d.t.Errorf("at %s the hot account holds %d, the other %d", at, one.hot, one.plain)
		}
		d.heard = append(d.heard, one)
	}
}

// TestWhatIsFinalStays: while two processes post to a hot and to an ordinary account, and others fold and are killed at it, what was told of
// a final instant is told again at the end, and the balances now are the sums.
func TestWhatIsFinalStays(t *testing.T) {
	t.Parallel()
	d := &till12{desk: newDesk(t)}
	var err error
	d.other, err = store.Open(t.Context(), d.db.Config)
	require.NoError(t, err)
	defer d.other.Close()
	d.commit(d.move("open:o1", till(1), till(2), 7))
	d.hot, d.plain = d.account(till(1)), d.account(till(2))
	require.NoError(t, d.s.MarkHot(t.Context(), d.hot, ledger.Service("test")))
	require.NoError(t, d.s.MarkHot(t.Context(), d.hot, ledger.Service("test")), "again changes nothing")

	var writers, others sync.WaitGroup
	done, stop := context.WithCancel(t.Context())
	defer stop()
	for w := range 4 {
		writers.Go(func() { d.write(w) })
	}
	others.Go(func() { d.fold(done) })
	others.Go(func() { d.fold(done) })
	others.Go(func() { d.listen(done) })
	writers.Wait()
	require.Equal(t, 7+d.sum.Load(), d.balance(d.hot, time.Time{}))
	ended := time.Now()
	require.Eventually(t, func() bool {
		at, err := d.other.Horizon(t.Context(), id.Test)
		return err == nil && at.After(ended)
	}, 20*time.Second, 10*time.Millisecond)
	stop()
	others.Wait()
	for more := true; more; {
		more, err = d.s.Fold(t.Context(), id.Test, 20)
		require.NoError(t, err)
	}
	for _, one := range d.heard {
		require.Equal(t, one.hot, d.balance(d.hot, one.at), "at %s", one.at)
		require.Equal(t, one.plain, d.balance(d.plain, one.at), "at %s", one.at)
	}
	require.Equal(t, 7+d.sum.Load(), d.balance(d.hot, ended))
	require.Greater(t, d.number("SELECT count(*) FROM folds"), int64(20))
	require.NotEmpty(t, d.heard)
}

func TestWhatBecomesOfAccounts(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fund(1, 100)
	refusedAs := func(err error, kind fault.Kind, code string) {
		t.Helper()
		require.True(t, fault.Is(err, kind, code), "%v", err)
	}
	person := ledger.Principal{Kind: ledger.ByOperator, ID: d.s.Mint(id.Operator)}
	till0, purse1 := d.account(till(0)), d.account(purse(1))
	refusedAs(d.s.MarkHot(t.Context(), till0, person), fault.KindInvalid, "reason_required")
	person.Reason = "every payment posts to it"
	refusedAs(d.s.MarkHot(t.Context(), purse1, person), fault.KindConflict, "account_floored")
	refusedAs(d.s.MarkHot(t.Context(), d.s.Mint(id.Account), person), fault.KindNotFound, "")
	refusedAs(d.s.CloseAccount(t.Context(), purse1, person), fault.KindConflict, "account_not_empty")
	require.NoError(t, d.s.MarkHot(t.Context(), till0, person))
	refusedAs(d.s.CloseAccount(t.Context(), till0, person), fault.KindConflict, "account_not_empty")

	d.commit(d.move("back:b1", purse(1), till(0), 100))
	for _, account := range []string{purse1, till0} {
		require.NoError(t, d.s.CloseAccount(t.Context(), account, person))
		require.NoError(t, d.s.CloseAccount(t.Context(), account, person), "again changes nothing")
		a, err := d.s.LedgerAccount(t.Context(), id.Test, "", account)
		require.NoError(t, err)
		require.False(t, a.ClosedAt.IsZero())
	}
	for i, pair := range [][2]ledger.Account{{till(2), purse(1)}, {till(0), till(2)}} {
		_, err := d.s.Commit(t.Context(), d.move(fmt.Sprintf("late:l%d", i), pair[0], pair[1], 5))
		require.Equal(t, fault.KindConflict, fault.Of(err), "%v", err)
		require.Equal(t, "account_closed", fault.As(err).Code)
	}
	var acts int
	require.NoError(t, d.db.Owner.QueryRow(t.Context(), "SELECT count(*) FROM causes WHERE by_id = $1 AND reason = $2", person.ID, person.Reason).Scan(&acts))
	require.Equal(t, 3, acts, "who did it, and why")
}

// TestBooksOfOthers (I-25): an owner sees its own accounts, and of a journal its own legs.
func TestBooksOfOthers(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.paid("A-1", cny(100))
	list, more, err := h.s.LedgerAccounts(t.Context(), ledger.AccountFilter{Book: h.Book, Owner: h.MerchantID, Limit: 10})
	require.NoError(t, err)
	require.False(t, more)
	require.Len(t, list, 2, "pending and available")
	all, _, err := h.s.LedgerAccounts(t.Context(), ledger.AccountFilter{Book: h.Book, Limit: 100})
	require.NoError(t, err)
	require.Greater(t, len(all), 2)
	var paged []string
	for f := (ledger.AccountFilter{Book: h.Book, Limit: 1}); ; {
		page, more, err := h.s.LedgerAccounts(t.Context(), f)
		require.NoError(t, err)
		paged = append(paged, page[0].ID)
		if f.After = page[0].ID; !more {
			break
		}
	}
	require.Len(t, paged, len(all))
	for i, a := range all {
		require.Equal(t, a.ID, paged[i])
		if a.Owner == h.MerchantID {
			continue
		}
		_, err := h.s.LedgerAccount(t.Context(), h.Book, h.MerchantID, a.ID)
		require.Equal(t, fault.KindNotFound, fault.Of(err), a.Code)
		_, err = h.s.Balance(t.Context(), h.Book, h.MerchantID, a.ID, time.Time{}, ledger.ByBooking)
		require.Equal(t, fault.KindNotFound, fault.Of(err), a.Code)
		_, err = h.s.Statement(t.Context(), ledger.StatementFilter{Book: h.Book, Owner: h.MerchantID, Account: a.ID})
		require.Equal(t, fault.KindNotFound, fault.Of(err), a.Code)
	}
	_, err = h.s.LedgerAccount(t.Context(), id.Live, "", all[0].ID)
	require.Equal(t, fault.KindNotFound, fault.Of(err), "another book")

	whole, err := h.s.Journal(t.Context(), h.Book, "", p+":ch1")
	require.NoError(t, err)
	require.Len(t, whole.Legs, whole.Count)
	mine, err := h.s.Journal(t.Context(), h.Book, h.MerchantID, p+":ch1")
	require.NoError(t, err)
	require.Equal(t, whole.Count, mine.Count)
	require.Len(t, mine.Legs, 1)
	for _, owner := range []string{h.s.Mint(id.Merchant)} {
		_, err = h.s.Journal(t.Context(), h.Book, owner, p+":ch1")
		require.Equal(t, fault.KindNotFound, fault.Of(err))
	}
	for _, cause := range []string{p + ":rc1", "pay_x:ch1"} {
		_, err = h.s.Journal(t.Context(), h.Book, "", cause)
		require.Equal(t, fault.KindNotFound, fault.Of(err), "a cause without a journal, or none")
	}
	_, _, err = h.s.LedgerAccounts(t.Context(), ledger.AccountFilter{Book: h.Book, After: h.s.Mint(id.Account)})
	require.True(t, fault.Is(err, fault.KindInvalid, "cursor_unknown"))
}
