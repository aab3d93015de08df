package store_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store"
	"paysaga/store/storetest"
)

// otherURL makes this test binary another process that commits to that database.
const otherURL = "PAYSAGA_TEST_OTHER_PROCESS"

// order is a round of Steps for a process: Steps from of the kind that a round's name says, all at once, in this direction.
type order struct {
	Kind     string
	Round    int
	Steps    int
	Backward bool
}

// outcome is what came of it.
type outcome struct {
	Fresh, Replayed int
	Refused         []string
}

// TestOtherProcess is the other process, when it is started as one; else there is nothing to hold here.
func TestOtherProcess(t *testing.T) {
	url := os.Getenv(otherURL)
	if url == "" {
		return
	}
	s, err := store.Open(t.Context(), store.Config{URL: url, SealKeys: storetest.SealKeys})
	require.NoError(t, err)
	defer s.Close()
	orders := json.NewDecoder(os.Stdin)
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			require.ErrorIs(t, err, io.EOF)
			return
		}
		answer, err := json.Marshal(o.commit(t, s))
		require.NoError(t, err)
		fmt.Printf("%s%s\n", answerMark, answer)
	}
}

// answerMark tells answers from what a test prints besides.
const answerMark = "answer: "

// step is the i-th Step of a round, the same in each process.
func (o order) step(t testing.TB, i int) ledger.Step {
	d := &desk{t: t}
	cause := fmt.Sprintf("%s_%d:s%d", o.Kind, o.Round, i)
	switch o.Kind {
	case "shared": // a third moves no money, so nothing but its cause orders it
		if i%3 == 0 {
			return ledger.Step{Book: id.Test, Cause: cause, By: ledger.Service("test")}
		}
		return d.move(cause, till(i%7), till(7+i%5), 1)
	case "hot":
		side := "here"
		if o.Backward {
			side = "there"
		}
		return d.move(cause+side, till(1), till(2), int64(1+i))
	}
	panic(o.Kind)
}

func (o order) commit(t testing.TB, s *store.Store) (out outcome) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for n := range o.Steps {
		i := n
		if o.Backward {
			i = o.Steps - 1 - n
		}
		step := o.step(t, i)
		wg.Go(func() {
			r, err := s.Commit(context.Background(), step)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				out.Refused = append(out.Refused, err.Error())
			case r.Replayed:
				out.Replayed++
			default:
				out.Fresh++
			}
		})
	}
	wg.Wait()
	return out
}

// neighbour is another process of the operating system, with a Store of its own.
type neighbour struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func newNeighbour(t testing.TB, url string) *neighbour {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	n := &neighbour{t: t, cmd: exec.Command(self, "-test.run=^TestOtherProcess$", "-test.timeout=10m")}
	n.cmd.Env, n.cmd.Stderr = append(os.Environ(), otherURL+"="+url), os.Stderr
	n.in, err = n.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := n.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, n.cmd.Start())
	n.out = bufio.NewScanner(out)
	t.Cleanup(func() {
		_ = n.in.Close()
		_ = n.cmd.Wait()
	})
	return n
}

// start lets it begin; the returned function waits for its end.
func (n *neighbour) start(o order) func() outcome {
	n.t.Helper()
	require.NoError(n.t, json.NewEncoder(n.in).Encode(o))
	return func() (a outcome) {
		n.t.Helper()
		for n.out.Scan() {
			if text, ok := strings.CutPrefix(n.out.Text(), answerMark); ok {
				require.NoError(n.t, json.Unmarshal([]byte(text), &a))
				return a
			}
		}
		n.t.Fatal("the other process has ended")
		return a
	}
}

// Two processes bring the same hundred causes, in opposite order: each happens once, and nobody waits in a circle.
func TestTwoProcessesShareCausesInOppositeOrder(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *store.Config) { c.Lanes = 2 })
	other := newNeighbour(t, d.db.Config.URL)
	const rounds, causes = 150, 100
	fresh := 0
	for round := range rounds {
		o := order{Kind: "shared", Round: round, Steps: causes}
		back := o
		back.Backward = true
		there := other.start(back)
		a, b := o.commit(t, d.s), there()
		require.Empty(t, append(a.Refused, b.Refused...), "round %d", round)
		require.Equal(t, causes, a.Fresh+b.Fresh, "round %d", round)
		require.Equal(t, causes, a.Replayed+b.Replayed, "round %d", round)
		fresh += a.Fresh
	}
	t.Logf("%d of %d here", fresh, rounds*causes)
	require.Equal(t, int64(rounds*causes), d.number(`SELECT count(*) FROM causes WHERE cause LIKE 'shared%'`))
	require.Zero(t, d.number(`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`))
	require.Greater(t, d.number(`SELECT count(DISTINCT lane) FROM blocks`), int64(1))
	d.chain()
}

func TestAHotAccountOfTwoProcessesStaysExact(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *store.Config) { c.Lanes = 2 })
	d.commit(d.move("x:a1", till(1), till(2), 1))
	require.NoError(t, d.s.MarkHot(t.Context(), d.account(till(1)), ledger.Service("test")))
	other := newNeighbour(t, d.db.Config.URL)
	want := int64(1)
	for round := range 20 {
		o := order{Kind: "hot", Round: round, Steps: 100}
		there := o
		there.Backward = true
		wait := other.start(there)
		a := o.commit(t, d.s)
		b := wait()
		require.Empty(t, append(a.Refused, b.Refused...))
		want += 2 * 5050
		_, err := d.s.Fold(t.Context(), id.Test, 1000)
		require.NoError(t, err)
		got, err := d.s.Balance(t.Context(), id.Test, "", d.account(till(1)), time.Time{}, ledger.ByBooking)
		require.NoError(t, err)
		require.Equal(t, want, got.Minor)
	}
	require.Equal(t, want, d.holds(till(1)))
	require.Equal(t, -want, d.holds(till(2)))
	d.chain()
}

// lanes are those that some session holds.
func (d *desk) lanes() (list []int64) {
	d.t.Helper()
	rows, err := d.db.Owner.Query(d.t.Context(), `SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = 7262420 AND granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1`)
	require.NoError(d.t, err)
	for rows.Next() {
		var lane int64
		require.NoError(d.t, rows.Scan(&lane))
		list = append(list, lane)
	}
	require.NoError(d.t, rows.Err())
	return list
}

func (d *desk) epoch(lane int64) int64 {
	d.t.Helper()
	return d.number(`SELECT epoch FROM lanes WHERE lane = $1`, lane)
}

func TestProcessesTakeLanesOfTheirOwn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.commit(d.move("x:a1", till(1), till(2), 1))
	mine := d.lanes()
	require.Len(t, mine, 1)
	other := newNeighbour(t, d.db.Config.URL)
	require.Empty(t, other.start(order{Kind: "shared", Round: 1, Steps: 5})().Refused)
	both := d.lanes()
	require.Greater(t, len(both), 1)
	require.Contains(t, both, mine[0])
	taken := slices.DeleteFunc(slices.Clone(both), func(lane int64) bool { return lane == mine[0] })
	before := d.epoch(taken[0])

	// It is killed while it writes; whoever comes next takes its lane, under a new epoch, and goes on where it ended.
	require.NoError(t, other.cmd.Process.Kill())
	d.until(func() bool { return len(d.lanes()) == 1 })
	third := newNeighbour(t, d.db.Config.URL)
	require.Empty(t, third.start(order{Kind: "shared", Round: 2, Steps: 5})().Refused)
	require.Contains(t, d.lanes(), taken[0])
	require.Equal(t, before+1, d.epoch(taken[0]))
	require.LessOrEqual(t, d.number(`SELECT count(*) FROM lanes`), int64(4), "lanes are taken over, not added: mine, and three of whoever comes")
	d.commit(d.move("x:a2", till(1), till(2), 1))
	d.chain()
}

// A session that is gone loses its lane; the next Step takes it again, and the chain has neither a gap nor a block twice.
func TestALaneIsTakenOverAfterItsSessionEnds(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for i := range 5 {
		d.commit(d.move(fmt.Sprintf("x:a%d", i), till(1), till(2), 1))
		lane := d.lanes()[0]
		before := d.epoch(lane)
		d.number(`SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7262420 AND granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
		r, err := d.s.Commit(t.Context(), d.move(fmt.Sprintf("x:b%d", i), till(1), till(2), 1))
		require.NoError(t, err)
		require.False(t, r.Replayed)
		require.Equal(t, before+1, d.epoch(d.lanes()[0]))
		require.Equal(t, []int64{lane}, d.lanes())
	}
	require.Equal(t, int64(1), d.number(`SELECT count(*) FROM lanes`))
	require.Equal(t, int64(10), d.chain().Journals)
}

// A holder that was fenced, because another one took its lane, can't write any more. It notices, and takes a lane anew.
func TestAFencedHolderCantWrite(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for i := range 4 {
		d.commit(d.move(fmt.Sprintf("x:a%d", i), till(1), till(2), 1))
		_, err := d.db.Owner.Exec(t.Context(), `UPDATE lanes SET epoch = epoch + 1`)
		require.NoError(t, err)
		a := d.batch(d.move(fmt.Sprintf("x:b%d", i), till(1), till(2), 1), d.move(fmt.Sprintf("x:c%d", i), till(1), till(2), 1))
		d.fresh(a[0])
		d.fresh(a[1])
	}
	require.Equal(t, int64(4*4), d.chain().Journals)
}

// The same race many times over in one process, with its lanes as the two sides, where nothing but a unique key decides.
func TestLanesRaceForCauses(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *store.Config) { c.Lanes, c.MaxBatch = 4, 3 })
	for round := range 30 {
		var mu sync.Mutex
		fresh := map[string]int{}
		together(120, func(i int) {
			step := order{Kind: "shared", Round: round, Steps: 20}.step(t, (i*7+round)%20)
			r, err := d.s.Commit(context.Background(), step)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("round %d: %s: %v (%s)", round, step.Cause, err, fault.Of(err))
			} else if !r.Replayed {
				fresh[step.Cause]++
			}
		})
		for cause, n := range fresh {
			require.Equal(t, 1, n, cause)
		}
		require.Len(t, fresh, 20)
	}
	require.Zero(t, d.number(`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`))
	d.chain()
}
