package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store"
)

func TestABatchIsOneBlock(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var steps []ledger.Step
	for i := range 50 {
		steps = append(steps, d.move(fmt.Sprintf("x:a%d", i), till(i%3), till(3+i%4), 1))
	}
	answers := d.batch(steps...)
	for _, a := range answers {
		d.fresh(a)
		require.Equal(t, answers[0].receipt.BookedAt, a.receipt.BookedAt)
	}
	require.Equal(t, int64(50), d.lastBlock())
	d.chain()
}

func TestOneCauseTwiceInABatchHappensOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	s := d.move("x:a1", till(1), purse(1), 10)
	answers := d.batch(s, s, d.move("x:a2", till(1), purse(1), 5))
	d.fresh(answers[0])
	require.NoError(t, answers[1].err)
	require.True(t, answers[1].receipt.Replayed)
	require.Equal(t, answers[0].receipt.BookedAt, answers[1].receipt.BookedAt)
	d.fresh(answers[2])
	require.Equal(t, int64(15), d.holds(purse(1)))
	require.Equal(t, int64(2), d.lastBlock())
	again := d.commit(s)
	require.True(t, again.Replayed)
	require.Equal(t, answers[0].receipt.BookedAt, again.BookedAt, "the first receipt")
}

func TestOtherContentInABatchIsAConflict(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	more := d.move("x:a3", till(1), purse(1), 1)
	more.Journals = append(more.Journals, posting(t, ledger.Posting{Cause: "x:a1", Kind: "test"}, ledger.Dr(till(1), cny(1)), ledger.Cr(purse(1), cny(1))))
	answers := d.batch(d.move("x:a1", till(1), purse(1), 10), d.move("x:a1", till(1), purse(1), 11), d.move("x:a2", till(1), purse(1), 5), more)
	d.fresh(answers[0])
	d.refused(answers[1], fault.KindConflict, "cause_conflict")
	d.fresh(answers[2])
	d.refused(answers[3], fault.KindConflict, "cause_conflict") // a journal's cause is as unique as a Step's
	require.Equal(t, int64(15), d.holds(purse(1)))
	require.Zero(t, d.causes("x:a3"))
}

func TestARefusedStepLeavesNothingInItsBatch(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fund(1, 100)
	take := func(cause string, minor int64) ledger.Step { return d.move(cause, purse(1), till(1), minor) }
	two := take("x:a3", 60) // its first journal alone would pass
	two.Journals = append(two.Journals, posting(t, ledger.Posting{Cause: "x:a3_2", Kind: "test"}, ledger.Dr(purse(1), cny(41)), ledger.Cr(till(1), cny(41))))
	answers := d.batch(take("x:a1", 101), take("x:a2", 1), two, take("x:a4", 99), take("x:a1", 0+1))
	d.refused(answers[0], fault.KindConflict, "insufficient_balance")
	d.fresh(answers[1])
	d.refused(answers[2], fault.KindConflict, "insufficient_balance")
	d.fresh(answers[3])
	d.refused(answers[4], fault.KindConflict, "insufficient_balance")
	require.Zero(t, d.holds(purse(1)))
	require.Zero(t, d.causes("x:a1", "x:a3", "x:a3_2"))

	d.fund(1, 7)
	answers = d.batch(take("x:a1", 8), take("x:a1", 7)) // the cause is free, in the same batch too
	d.refused(answers[0], fault.KindConflict, "insufficient_balance")
	d.fresh(answers[1])
	require.Zero(t, d.holds(purse(1)))
}

// Who came first gets the last money, and money that came before in the batch counts.
func TestArrivalOrderDecides(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fund(1, 100)
	take := func(cause string, minor int64) ledger.Step { return d.move(cause, purse(1), till(1), minor) }
	answers := d.batch(take("x:z", 60), take("x:a", 60), take("x:m", 40))
	d.fresh(answers[0])
	d.refused(answers[1], fault.KindConflict, "insufficient_balance")
	d.fresh(answers[2])

	answers = d.batch(take("x:b1", 60), d.move("x:b2", till(1), purse(1), 60), take("x:b3", 60), take("x:b4", 1))
	d.refused(answers[0], fault.KindConflict, "insufficient_balance")
	d.fresh(answers[1])
	d.fresh(answers[2])
	d.refused(answers[3], fault.KindConflict, "insufficient_balance")
	require.Zero(t, d.holds(purse(1)))
}

// A Step may not take an account below its floor for a moment either, and all entries of a batch follow from each other.
func TestReversalsInABatch(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first := d.move("x:a1", till(1), purse(1), 10)
	undo := func(cause string, of ledger.Journal) ledger.Step {
		j, err := of.Reverse(cause, time.Now())
		require.NoError(t, err)
		return ledger.Step{Book: id.Test, Cause: cause, By: ledger.Service("test"), Journals: []ledger.Journal{j}}
	}
	other := d.move("x:a1", till(1), purse(1), 11).Journals[0]
	answers := d.batch(undo("x:u0", first.Journals[0]), first, undo("x:u1", other), undo("x:u2", first.Journals[0]), undo("x:u3", first.Journals[0]))
	d.refused(answers[0], fault.KindConflict, "reversal_of_nothing")
	d.fresh(answers[1])
	d.refused(answers[2], fault.KindConflict, "reversal_differs")
	d.fresh(answers[3])
	d.refused(answers[4], fault.KindConflict, "already_reversed")
	require.Zero(t, d.holds(purse(1)))
	require.Zero(t, d.causes("x:u0", "x:u1", "x:u3"))
	d.chain()
}

// What only the database refuses is refused to its own caller, and to nobody else.
func TestPoisonSinksNoNeighbour(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const n = 101
	for name, poison := range map[string]func(*ledger.Step){
		"a reason with a NUL":       func(s *ledger.Step) { s.By.Reason = "a\x00b" },
		"a request that isn't text": func(s *ledger.Step) { s.By.RequestID = "\xff\xfe" },
		"a kind with a NUL": func(s *ledger.Step) {
			s.Journals[0] = posting(t, ledger.Posting{Cause: s.Cause, Kind: "a\x00b"}, s.Journals[0].Entries()...)
		},
		"a cause with a NUL": func(s *ledger.Step) {
			s.Cause += "\x00"
			s.Journals[0] = posting(t, ledger.Posting{Cause: s.Cause, Kind: "test"}, s.Journals[0].Entries()...)
		},
		"a principal of no kind": func(s *ledger.Step) { s.By.Kind = "ghost" },
	} {
		var steps []ledger.Step
		for i := range n {
			steps = append(steps, d.move(fmt.Sprintf("%s:a%d", name, i), till(i%3), purse(i%5), int64(1+i)))
		}
		poison(&steps[n/2])
		before := d.number(`SELECT count(*) FROM causes`)
		answers := d.batch(steps...)
		for i, a := range answers {
			if i != n/2 {
				d.fresh(a)
				continue
			}
			require.Error(t, a.err, name)
			require.NotContains(t, []fault.Kind{fault.KindUnavailable, fault.KindUnknown}, fault.Of(a.err), "%s: it can't ever work: %v", name, a.err)
		}
		require.Equal(t, before+n, d.number(`SELECT count(*) FROM causes`), "%s: all others, and what held them up", name)
	}
	d.chain()
}

// What administrators do behind the cache of accounts is seen by the batch that comes after.
func TestAdministratorsAreSeenAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *store.Config) { c.CacheFor = time.Hour })
	d.commit(d.move("x:a1", till(1), till(2), 10))
	d.commit(d.move("x:a2", till(3), till(4), 10))
	d.commit(d.move("x:a3", till(4), till(3), 10))
	other, err := store.Open(t.Context(), d.db.Config) // of another process
	require.NoError(t, err)
	defer other.Close()
	require.NoError(t, other.MarkHot(t.Context(), d.account(till(1)), ledger.Service("test")))
	require.NoError(t, other.CloseAccount(t.Context(), d.account(till(3)), ledger.Service("test")))
	answers := d.batch(d.move("x:b1", till(1), till(2), 1), d.move("x:b2", till(3), till(2), 1), d.move("x:b3", till(2), till(1), 5), d.move("x:b4", till(5), till(2), 5))
	d.fresh(answers[0])
	d.refused(answers[1], fault.KindConflict, "account_closed")
	d.fresh(answers[2])
	d.fresh(answers[3])
	require.Equal(t, int64(6), d.holds(till(1)))
	require.Zero(t, d.number(`SELECT count(*) FROM entries e JOIN accounts a ON a.no = e.account AND a.code = 'till/t1' WHERE e.journal >= (SELECT max(upto) FROM folds) AND e.balance_after IS NOT NULL`))
	d.chain()
}

func TestABatchKnowsWhatIsClosed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.commit(d.move("x:a1", till(1), till(2), 10))
	yesterday := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)
	_, err := d.db.Owner.Exec(t.Context(), `INSERT INTO closings (book, through, at, by_kind, by_id, reason) VALUES ('test', $1, now(), 'service', 'test', 'a test')`, yesterday)
	require.NoError(t, err)
	dated := func(cause string, late ledger.LatePolicy) ledger.Step {
		return ledger.Step{Book: id.Test, Cause: cause, By: ledger.Service("test"), Journals: []ledger.Journal{
			posting(t, ledger.Posting{Cause: cause, Kind: "test", EffectiveAt: yesterday.Add(time.Hour), Late: late}, ledger.Dr(till(1), cny(1)), ledger.Cr(till(2), cny(1)))}}
	}
	answers := d.batch(d.move("x:b1", till(1), till(2), 1), dated("x:b2", ledger.RefuseLate), dated("x:b3", ledger.ToNextOpen))
	d.fresh(answers[0])
	d.refused(answers[1], fault.KindInvalid, "period_closed")
	d.fresh(answers[2])
	require.Equal(t, int64(1), d.number(`SELECT count(*) FROM journals WHERE cause = 'x:b3' AND effective_at = $1`, yesterday.AddDate(0, 0, 1)))
}

func TestACallerWhoLeavesTearsNoBatch(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	release := d.hold()
	list := make([]told, 2)
	wait := d.arrive(list, []ledger.Step{d.move("x:a1", till(1), purse(1), 10), d.move("x:a2", till(1), purse(1), 10)})
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := d.s.Commit(ctx, d.move("x:left", till(1), purse(1), 500))
		left <- err
	}()
	d.until(func() bool { return d.s.Waiting(id.Test) == 3 })
	last := make([]told, 1)
	waitLast := d.arrive(last, []ledger.Step{d.move("x:a3", purse(1), till(1), 20)})
	leave()
	err := <-left // while the book is held up
	require.Equal(t, fault.KindUnavailable, fault.Of(err), "%v", err)
	release()
	wait()
	waitLast()
	d.fresh(list[0])
	d.fresh(list[1])
	d.fresh(last[0])
	require.Zero(t, d.holds(purse(1)))
	require.Zero(t, d.causes("x:left"))

	// One that is on its way already gets its answer, though its caller has left.
	ctx, leave = context.WithCancel(t.Context())
	tx, err := d.db.Owner.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT FROM accounts WHERE code = 'purse/p1' FOR UPDATE`)
	require.NoError(t, err)
	answer := make(chan told, 1)
	go func() {
		r, err := d.s.Commit(ctx, d.move("x:a4", till(1), purse(1), 5))
		answer <- told{r, err}
	}()
	d.until(func() bool {
		return d.number(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 1
	})
	leave()
	require.NoError(t, tx.Rollback(t.Context()))
	a := <-answer
	if a.err != nil {
		require.Equal(t, fault.KindUnavailable, fault.Of(a.err), "%v", a.err)
		require.Zero(t, d.causes("x:a4"))
	} else {
		require.Equal(t, int64(1), d.causes("x:a4"))
	}
	d.chain()
}

func TestAQueueThatIsFullSaysSo(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *store.Config) { c.Queue, c.MaxBatch = 4, 2 })
	for round := range 3 {
		step := func(i int) ledger.Step { return d.move(fmt.Sprintf("r%d:a%d", round, i), till(1), till(2), 1) }
		release := d.hold()
		list := make([]told, 4)
		wait := d.arrive(list, []ledger.Step{step(0), step(1), step(2), step(3)})
		_, err := d.s.Commit(t.Context(), step(4))
		require.True(t, fault.Is(err, fault.KindUnavailable, "store_queue_full"), "%v", err)
		release()
		wait()
		for _, a := range list {
			d.fresh(a)
		}
		require.Zero(t, d.causes(step(4).Cause))
		d.commit(step(4))
	}
	require.LessOrEqual(t, d.number(`SELECT max(journals) FROM blocks`), int64(2), "MaxBatch")
}

// Steps that wait when the store is closed are refused, and have not happened.
func TestCloseRefusesWhatWaits(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other, err := store.Open(t.Context(), d.db.Config)
	require.NoError(t, err)
	d.s = other
	release := d.hold()
	list := make([]told, 3)
	wait := d.arrive(list, []ledger.Step{d.move("x:a1", till(1), till(2), 1), d.move("x:a2", till(1), till(2), 1), d.move("x:a3", till(1), till(2), 1)})
	closed := make(chan struct{})
	go func() { other.Close(); close(closed) }()
	release()
	wait()
	<-closed
	for i, a := range list {
		cause := fmt.Sprintf("x:a%d", i+1)
		if a.err == nil {
			require.Equal(t, int64(1), d.causes(cause))
			continue
		}
		require.Equal(t, fault.KindUnavailable, fault.Of(a.err), "%v", a.err)
		require.Zero(t, d.causes(cause))
	}
	_, err = other.Commit(t.Context(), d.move("x:a4", till(1), till(2), 1))
	require.Equal(t, fault.KindUnavailable, fault.Of(err))
}
