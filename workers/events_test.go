package workers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/activities"
	"paysaga/domain/delivery"
	"paysaga/domain/fault"
	"paysaga/store"
	"paysaga/store/storetest"
	"paysaga/workers"
)

var background = context.Background()

// asRelay makes this test binary a relay: its value is the JSON of relayJob.
const asRelay = "PAYSAGA_TEST_AS_RELAY"

type relayJob struct{ Database, Address string }

func TestMain(m *testing.M) {
	if job := os.Getenv(asRelay); job != "" {
		if err := beRelay(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// beRelay relays until it is killed, or its parent is gone.
func beRelay(text string) error {
	var job relayJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		return err
	}
	relay, _, err := newRelay(store.Config{URL: job.Database, MaxConns: 4, SealKeys: storetest.SealKeys}, job.Address, time.Second)
	if err != nil {
		return err
	}
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	relay.Run(background)
	return nil
}

// I-23: relays of two processes are killed again and again, at any moment. Every event arrives, those of an object begin to
// arrive in sequence, and nothing arrives that wasn't there.
func TestKilledRelaysLoseNothing(t *testing.T) {
	t.Parallel()
	const orders, each, kills = 500, 4, 10
	p := newPost(t, 5, true)
	p.fill(1, orders, each)
	job, err := json.Marshal(relayJob{p.db.Config.URL, p.URL})
	require.NoError(t, err)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	start := func() func() {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), asRelay+"="+string(job))
		cmd.Stderr = os.Stderr
		held, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		return func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = held.Close() }
	}
	running := []func(){start(), start()}
	defer func() {
		for _, kill := range running {
			kill()
		}
	}()
	for n := 0; n < kills && p.waiting(); n++ {
		pause := time.NewTimer(time.Duration(100+random.IntN(300)) * time.Millisecond)
		<-pause.C
		i := random.IntN(2)
		running[i]()
		running[i] = start()
	}
	require.Eventually(t, func() bool { return !p.waiting() }, time.Minute, 20*time.Millisecond, "everything leaves")
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Zero(t, p.forged)
	require.Len(t, p.count, orders*each, "events that arrived")
	require.Len(t, p.firsts, orders)
	for object, sequences := range p.firsts {
		require.Equal(t, []int64{1, 2, 3, 4}, sequences, object)
	}
	arrivals := 0
	for _, n := range p.count {
		arrivals += n
	}
	t.Logf("%d events arrived %d times", orders*each, arrivals)
	var delivered, tries int
	require.NoError(t, p.db.Owner.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM deliveries WHERE status = 'delivered'), (SELECT count(*) FROM delivery_tries)`).
		Scan(&delivered, &tries))
	require.Equal(t, orders*each, delivered)
	require.GreaterOrEqual(t, tries, delivered)
}

// BenchmarkEvents tells 10,000 events to 20 endpoints by two relays, each with a store of its own, beside a floor: the same number
// of signed POSTs by the same sender to the same endpoints, with nothing kept. 1,000 events/s are promised.
//
//	go test ./workers -run '^$' -bench Events -benchtime 3x
func BenchmarkEvents(b *testing.B) {
	const orders, each = 2500, 4
	p := newPost(b, 20, false)
	var relayed, posted time.Duration
	round := 0
	for b.Loop() {
		posted += p.bare(orders * each)
		round++
		p.fill(round, orders, each)
		relayed += p.relay(2)
	}
	events := float64(orders * each * round)
	b.ReportMetric(events/relayed.Seconds(), "events/s")
	b.ReportMetric(events/posted.Seconds(), "bare-posts/s")
	if rate := events / relayed.Seconds(); rate < 1000 {
		b.Errorf("%.0f events/s, bare %.0f", rate, events/posted.Seconds())
	}
}

// relay measures how long so many relays take to empty the outbox.
func (p *post) relay(relays int) time.Duration {
	p.t.Helper()
	ctx, stop := context.WithCancel(background)
	var all sync.WaitGroup
	began := time.Now()
	for range relays {
		config := p.db.Config
		relay, end, err := newRelay(config, p.URL, time.Minute)
		require.NoError(p.t, err)
		all.Go(func() { relay.Run(ctx); end() })
	}
	for p.waiting() {
		time.Sleep(10 * time.Millisecond)
	}
	took := time.Since(began)
	stop()
	all.Wait()
	return took
}

// bare measures signed POSTs by themselves.
func (p *post) bare(n int) time.Duration {
	p.t.Helper()
	send, err := sender(p.URL)
	require.NoError(p.t, err)
	defer send.Close()
	body := []byte(`{"id":"evt_01","data":{"padding":"` + strings.Repeat("x", 600) + `"}}`)
	secret, err := delivery.SecretOf(make([]byte, delivery.SecretBytes))
	require.NoError(p.t, err)
	began := time.Now()
	slots := make(chan struct{}, 128)
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			e := p.endpoints[i%len(p.endpoints)]
			if r, err := send.Send(background, delivery.Delivery{EventID: "evt_01", URL: e.URL, Body: body, Secrets: []delivery.Secret{secret}}); err != nil || r.Outcome != delivery.Delivered {
				p.t.Errorf("%+v %v", r, err)
			}
		})
	}
	all.Wait()
	return time.Since(began)
}

// poisoned is an outbox that can't write down one event.
type poisoned struct {
	workers.Outbox
	id string
}

func (p poisoned) TellEvents(ctx context.Context, list []delivery.Left) error {
	for _, l := range list {
		if l.Event.ID == p.id {
			return fault.Internal("this one can't be written", nil)
		}
	}
	return p.Outbox.TellEvents(ctx, list)
}

// One event that can't be written down keeps no other from leaving.
func TestAPoisonedEventHoldsUpNobody(t *testing.T) {
	t.Parallel()
	p := newPost(t, 2, true)
	p.fill(1, 50, 2)
	var poison string
	require.NoError(t, p.db.Owner.QueryRow(t.Context(), `SELECT id FROM events ORDER BY no LIMIT 1 OFFSET 7`).Scan(&poison))
	send, err := sender(p.URL)
	require.NoError(t, err)
	defer send.Close()
	relay := workers.NewEvents(workers.EventsConfig{Outbox: poisoned{p.db.Store, poison}, Courier: activities.NewCourier(send), Every: 20 * time.Millisecond,
		Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { relay.Run(ctx) })
	require.Eventually(t, func() bool {
		var left int
		require.NoError(t, p.db.Owner.QueryRow(background, `SELECT count(*) FROM events WHERE delivered_at IS NULL`).Scan(&left))
		return left == 2 // itself, and the one after it
	}, 30*time.Second, 20*time.Millisecond)
	stop()
	done.Wait()
}
