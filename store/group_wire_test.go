package store_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store"
)

// scissors are a network that is cut once, after so many bytes.
type scissors struct {
	mu     sync.Mutex
	armed  bool
	writes bool // cut what we send; else what we are told
	left   int
}

func (s *scissors) arm(writes bool, after int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed, s.writes, s.left = true, writes, after
}

// cut says how many of n bytes pass; whether the connection is cut behind them.
func (s *scissors) cut(writes bool, n int) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.armed || s.writes != writes {
		return n, false
	}
	if n <= s.left {
		s.left -= n
		return n, false
	}
	s.armed = false
	return s.left, true
}

func (s *scissors) spent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	spent := !s.armed
	s.armed = false
	return spent
}

func (s *scissors) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	return &thread{conn, s}, err
}

type thread struct {
	net.Conn
	scissors *scissors
}

func (t *thread) Write(p []byte) (int, error) {
	pass, cut := t.scissors.cut(true, len(p))
	n, err := t.Conn.Write(p[:pass])
	if cut {
		_ = t.Conn.Close()
		return n, net.ErrClosed
	}
	return n, err
}

// What the database said before the cut is lost from the cut on.
func (t *thread) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	pass, cut := t.scissors.cut(false, n)
	if cut {
		_ = t.Conn.Close()
		return pass, net.ErrClosed
	}
	return n, err
}

// Wherever the wire is cut, on the way there or back, each Step of the batch happens once, and to its caller it happened now.
func TestABatchWhoseWireIsCutAnywhereHappensOnce(t *testing.T) {
	t.Parallel()
	for name, journals := range map[string]bool{"with rows to lock": true, "with nothing but causes": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := &scissors{}
			d := newDesk(t, func(c *store.Config) { c.SetDial(wire.dial) })
			d.fund(1, 1_000_000)
			for i := range 3 { // accounts are opened over another connection
				d.commit(d.move(fmt.Sprintf("open:a%d", i), till(0), till(i+1), 1))
			}
			commit := func(round, i int) (ledger.Step, error) {
				s := ledger.Step{Book: id.Test, Cause: fmt.Sprintf("x:%d_%d", round, i), By: ledger.Service("test")}
				if journals {
					s = d.move(s.Cause, purse(1), till(i+1), 1)
				}
				r, err := d.s.Commit(context.Background(), s)
				if err == nil && r.Replayed {
					err = fmt.Errorf("replayed: %+v", r)
				}
				return s, err
			}
			round, cuts := 0, 0
			for _, writes := range []bool{true, false} {
				for after := 0; after < 6000; after += 1 + after/9 {
					round++
					wire.arm(writes, after)
					together(3, func(i int) {
						s, err := commit(round, i)
						require.NoError(t, err, "%s, cut after %d bytes, sent %v", s.Cause, after, writes)
					})
					if wire.spent() {
						cuts++
					}
				}
			}
			require.Greater(t, cuts, 60)
			require.Equal(t, int64(3*round), d.number(`SELECT count(*) FROM causes WHERE cause LIKE 'x:%'`))
			if journals {
				require.Equal(t, int64(1_000_000-3*round), d.holds(purse(1)))
			}
			t.Logf("%d cuts in %d batches", cuts, round)
			d.chain()
		})
	}
}
