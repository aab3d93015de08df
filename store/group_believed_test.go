package store_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store"
)

// A cause is believed to be new until its key says otherwise, so a repeat is judged first as if it were none. Whatever comes of that, a
// process that has never seen the cause answers it with the first receipt, and its neighbours are none the worse.
func TestARepeatIsFoundThoughCausesAreBelievedToBeNew(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fund(1, 100)
	emptied := d.move("pay:p1", purse(1), till(1), 100) // by now it would fall below the floor
	moved := d.move("pay:p2", till(1), till(2), 5)      // it would be booked again
	reversed := ledger.Step{Book: id.Test, Cause: "pay:p3", Business: "pay:p3", By: ledger.Service("test")}
	j, err := moved.Journals[0].Reverse("pay:p3", moved.Journals[0].EffectiveAt())
	require.NoError(t, err)
	reversed.Journals = []ledger.Journal{j} // it is reversed already
	first := map[string]ledger.Receipt{}
	for _, step := range []ledger.Step{emptied, moved, reversed} {
		first[step.Cause] = d.commit(step)
	}
	journals := d.number(`SELECT count(*) FROM journals`)
	for n, step := range []ledger.Step{emptied, moved, reversed} {
		other, err := store.Open(t.Context(), d.db.Config) // nothing makes it careful yet
		require.NoError(t, err)
		alone := &desk{t: t, db: d.db, s: other, n: 100 * (n + 1)}
		list := alone.batch(
			alone.move(fresh("before", n), till(3), till(4), 1),
			step,
			alone.move(step.Cause, till(3), till(4), 9), // its cause with other content
			alone.move(fresh("short", n), purse(1), till(1), 1),
			alone.move(fresh("after", n), till(3), till(4), 1))
		d.fresh(list[0])
		require.NoError(t, list[1].err)
		require.True(t, list[1].receipt.Replayed)
		require.Equal(t, first[step.Cause].BookedAt, list[1].receipt.BookedAt, "of the first one")
		d.refused(list[2], fault.KindConflict, "cause_conflict")
		d.refused(list[3], fault.KindConflict, "insufficient_balance")
		d.fresh(list[4])
		other.Close()
		require.Equal(t, journals+3*int64(n+1), d.number(`SELECT count(*) FROM journals`), "a plug, and two that were new")
	}
	require.Zero(t, d.holds(purse(1)))
	require.Zero(t, d.causes("short:0", "short:1", "short:2"), "a refused Step leaves no cause")
	d.chain()
	d.db.Audit(t)
}

func fresh(what string, n int) string { return what + ":" + string(rune('0'+n)) }

// A Step that is refused is refused for what stands: alone, and by a process that has believed its cause to be new.
func TestARefusalStandsOnWhatStands(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, err := d.s.Commit(context.Background(), d.move("pay:p1", purse(1), till(1), 1))
	d.refused(told{err: err}, fault.KindConflict, "insufficient_balance")
	d.fund(1, 1)
	d.commit(d.move("pay:p1", purse(1), till(1), 1)) // refused, it left no cause
	require.Zero(t, d.holds(purse(1)))
}
