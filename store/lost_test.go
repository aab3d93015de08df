package store_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store"
	"paysaga/store/storetest"
)

// wire is a network whose connections break on purpose.
type wire struct {
	// cut is asked before each write, counted from when it was set: it may let it pass, swallow it, or send it and then lose
	// the answer.
	cut    atomic.Pointer[func(write int) action]
	writes atomic.Int64
	down   atomic.Bool
}

type action int

const (
	pass action = iota
	swallow
	loseAnswer
)

func (w *wire) arm(f func(int) action) {
	w.writes.Store(0)
	w.cut.Store(&f)
}

func (w *wire) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if w.down.Load() {
		return nil, errors.New("connection refused")
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	return &breakable{Conn: conn, wire: w}, err
}

type breakable struct {
	net.Conn
	wire *wire
	dead atomic.Bool
}

func (b *breakable) Write(p []byte) (int, error) {
	if f := b.wire.cut.Load(); f != nil {
		switch (*f)(int(b.wire.writes.Add(1))) {
		case swallow:
			b.dead.Store(true)
			return 0, net.ErrClosed
		case loseAnswer:
			n, err := b.Conn.Write(p)
			b.dead.Store(true)
			return n, err
		}
	}
	return b.Conn.Write(p)
}

func (b *breakable) Read(p []byte) (int, error) {
	if b.dead.Load() {
		return 0, net.ErrClosed
	}
	n, err := b.Conn.Read(p)
	if b.dead.Load() { // it was waiting when the answer was lost
		return 0, net.ErrClosed
	}
	return n, err
}

func wiredShop(t *testing.T) (*shop, *wire) {
	w := &wire{}
	db := storetest.Open(t, func(c *store.Config) {
		c.MaxConns, c.Lanes = 2, 1 // the lane that is warm is the one that writes
		c.SetDial(w.dial)
	})
	h := &shop{t, db.Store, db, storetest.Plant(t, db.Store, id.Test)}
	h.pay("warm", cny(1)) // prepares the statements, so that a Step is two writes
	return h, w
}

func TestACommitWhoseAnswerIsLostIsResolvedByItsCause(t *testing.T) {
	t.Parallel()
	h, w := wiredShop(t)
	for write, cut := range map[int]action{1: swallow, 2: swallow, 3: pass} {
		reference := string(rune('a' + write))
		step := h.receive(reference, reference, cny(100))
		w.arm(func(n int) action {
			if n == write {
				return cut
			}
			return pass
		})
		r, err := h.s.Commit(t.Context(), step)
		require.NoError(t, err, "write %d", write)
		require.False(t, r.Replayed)
		require.Equal(t, 1, h.count("payments", r.Object))
	}
	// Sent and committed, and the answer never came.
	step := h.receive("lost", "lost", cny(100))
	w.arm(func(n int) action {
		if n == 2 {
			return loseAnswer
		}
		return pass
	})
	r, err := h.s.Commit(t.Context(), step)
	require.NoError(t, err)
	require.False(t, r.Replayed, "it was this call that did it")
	require.Equal(t, 1, h.count("payments", r.Object))
	w.cut.Store(nil)
	require.True(t, h.commit(step).Replayed)
}

func TestACommitThatCantBeAskedAboutIsUnknown(t *testing.T) {
	t.Parallel()
	h, w := wiredShop(t)
	step := h.receive("k", "k", cny(100))
	w.arm(func(n int) action {
		if n == 2 {
			w.down.Store(true)
			return loseAnswer
		}
		if n > 2 {
			return swallow
		}
		return pass
	})
	_, err := h.s.Commit(t.Context(), step)
	require.True(t, fault.Is(err, fault.KindUnknown, "commit_unknown"), "%v", err)
	w.down.Store(false)
	w.cut.Store(nil)
	require.True(t, h.commit(step).Replayed, "it had been committed")
}

func TestADatabaseThatIsAwayIsUnavailable(t *testing.T) {
	t.Parallel()
	h, w := wiredShop(t)
	w.down.Store(true)
	w.arm(func(int) action { return swallow })
	rows := h.rows()
	_, err := h.s.Commit(t.Context(), h.receive("k", "k", cny(100)))
	require.True(t, fault.Is(err, fault.KindUnavailable, ""), "%v", err)
	require.NotContains(t, err.Error(), "host=", "no address in an error (I-26)")
	_, err = h.s.Dossier(t.Context(), h.Book, h.s.Mint(id.Payment))
	require.Equal(t, fault.KindUnavailable, fault.Of(err))
	require.Equal(t, fault.KindUnavailable, fault.Of(h.s.Health(t.Context())))
	w.down.Store(false)
	w.cut.Store(nil)
	require.Equal(t, rows, h.rows())
	require.NoError(t, h.s.Health(t.Context()))

	_, err = store.Open(t.Context(), store.Config{URL: "postgres://nobody:secret@127.0.0.1:1/none", SealKeys: storetest.SealKeys})
	require.Equal(t, fault.KindUnavailable, fault.Of(err))
	require.NotContains(t, err.Error(), "secret")
	_, err = store.Open(t.Context(), store.Config{URL: "postgres://:::bad", SealKeys: storetest.SealKeys})
	require.Equal(t, fault.KindInvalid, fault.Of(err))
}

func TestACallerWhoLeavesDoesntTearACommit(t *testing.T) {
	t.Parallel()
	h, w := wiredShop(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.arm(func(n int) action {
		if n == 2 {
			cancel()
		}
		return pass
	})
	r, err := h.s.Commit(ctx, h.receive("k", "k", cny(100)))
	require.NoError(t, err)
	require.Equal(t, 1, h.count("payments", r.Object))

	_, err = h.s.Commit(ctx, h.receive("k2", "k2", cny(100)))
	require.Equal(t, fault.KindUnavailable, fault.Of(err), "gone before anything was sent")
}

// Backends are killed while payments are received and settled; whatever Commit said is so (I-19).
func TestKilledBackendsLoseNothing(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	stop := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		tick := time.NewTicker(25 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_, _ = h.db.Owner.Exec(context.Background(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
					WHERE datname = current_database() AND usename = 'paysaga_test_app' ORDER BY random() LIMIT 1`)
			}
		}
	})
	together(8, func(worker int) {
		for i := range 12 {
			reference := string(rune('a'+worker)) + string(rune('a'+i))
			step := h.receive(reference, reference, cny(100))
			r := h.insist(step)
			p := r.Object
			step = h.insistOn(func() (ledger.Step, error) { return h.tryOpen(p) })
			h.insist(step)
			require.Equal(t, 1, h.count("payments", p))
			require.Equal(t, 1, h.count("attempts", p))
		}
	})
	close(stop)
	killer.Wait()
}

// insist commits until the answer is known.
func (h *shop) insist(step ledger.Step) ledger.Receipt {
	h.t.Helper()
	for {
		r, err := h.s.Commit(context.Background(), step)
		if err == nil {
			return r
		}
		require.Contains(h.t, []fault.Kind{fault.KindUnavailable, fault.KindUnknown}, fault.Of(err), "%v", err)
	}
}

func (h *shop) insistOn(f func() (ledger.Step, error)) ledger.Step {
	h.t.Helper()
	for {
		s, err := f()
		if err == nil {
			return s
		}
		require.Equal(h.t, fault.KindUnavailable, fault.Of(err), "%v", err)
	}
}

func (h *shop) count(table, payment string) (n int) {
	h.t.Helper()
	column := map[string]string{"payments": "id", "attempts": "payment_id"}[table]
	err := h.db.Owner.QueryRow(context.Background(), `SELECT count(*) FROM `+table+` WHERE `+column+` = $1`, payment).Scan(&n)
	require.NoError(h.t, err)
	return n
}
