package cells

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"paysaga/activities"
	"paysaga/api"
	"paysaga/audit"
	"paysaga/drill/stage"
	"paysaga/workers"
)

// House is a whole paysaga on real parts with a toxiproxy between each two of them, in which many runs live at once.
type House struct {
	Stage                         *stage.Stage
	Plant                         Plant
	Evidence                      string // a folder for the histories of runs that broke a promise; empty: none
	postgres, temporal, callbacks *proxy
	proxies                       *proxies
	scope                         *scope
	pool                          *pgxpool.Pool // past the proxy: the judges' own
	http                          *http.Client

	mu         sync.Mutex
	byMerchant map[string]*Run
	byBusiness map[string]*Run
	tally      Tally
	watching   atomic.Pointer[map[string]state]
	looked     chan struct{} // closed at each look
}

// Tally counts what was done to a house.
type Tally struct {
	Kills       int // workers that died in a run
	LostReplies int
	Forged      int
	Cuts        int // of all connections between two parts
	Nudges      int // an operator sent retry_now to what was parked
}

func (h *House) count(f func(*Tally)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(&h.tally)
}

// Tally is what was done until now.
func (h *House) Tally() Tally {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tally
	for _, p := range []*proxy{h.postgres, h.temporal, h.callbacks} {
		p.mu.Lock()
		t.Cuts += p.cuts
		p.mu.Unlock()
	}
	return t
}

// Open builds a house: on a devstack of its own, or with a database of its own on one that runs. Close ends it.
func Open(dev *stage.Devstack, plant Plant) (*House, error) {
	h := &House{Plant: plant, proxies: newProxies(), scope: &scope{name: "house"}, byMerchant: map[string]*Run{}, byBusiness: map[string]*Run{},
		looked: make(chan struct{}), http: &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 128}}}
	h.watching.Store(&map[string]state{})
	err := h.scope.run(func() error { return h.build(dev) })
	if err != nil {
		h.Close()
	}
	return h, err
}

func (h *House) build(dev *stage.Devstack) error {
	var broken error
	via := func(part, address string) string {
		p, err := h.proxies.between(part, address)
		if err != nil {
			broken = errors.Join(broken, err)
			return address
		}
		h.scope.Cleanup(p.stop)
		switch part {
		case stage.Postgres:
			h.postgres = p
		case stage.Temporal:
			h.temporal = p
		case stage.Callbacks:
			h.callbacks = p
		}
		return p.address()
	}
	guard := &sentinel{h: h}
	h.Stage = stage.New(h.scope, stage.Options{Dev: dev, Via: via,
		Dial: func(o *client.Options) {
			o.Interceptors = []interceptor.ClientInterceptor{guard}
			o.ConnectionOptions.DialOptions = []grpc.DialOption{grpc.WithChainUnaryInterceptor(h.between), grpc.WithConnectParams(grpc.ConnectParams{
				Backoff: backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, MaxDelay: time.Second}, MinConnectTimeout: time.Second})}
		},
		Wire: stage.Wire{
			Steps: func(c *activities.Config) {
				h.Plant.steps(c)
				c.Committer = &committer{Committer: c.Committer}
				for name, ch := range c.Channels {
					c.Channels[name] = &spoilt{Channel: ch}
				}
			},
			Relays: func(c *workers.RelayConfig) { h.Plant.relays(c) },
			API:    func(p *api.Parts) { h.Plant.front(p) },
		}})
	if broken != nil {
		return broken
	}
	config, err := pgxpool.ParseConfig(h.Stage.Dev.PostgresURL)
	if err != nil {
		return err
	}
	config.MaxConns = 6
	if h.pool, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
		return err
	}
	h.scope.Cleanup(h.pool.Close)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); h.watch(ctx) }()
	h.scope.Cleanup(func() { stop(); <-done })
	return nil
}

// Close ends everything that Open started.
func (h *House) Close() {
	h.scope.end()
	h.http.CloseIdleConnections()
}

// Audit checks every invariant that SQL can judge.
func (h *House) Audit(ctx context.Context) ([]string, error) {
	conn, err := pgx.Connect(ctx, h.Stage.Dev.PostgresURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	report, err := audit.Check(ctx, conn, audit.Options{Full: true})
	if err != nil {
		return nil, err
	}
	var broken []string
	for _, v := range report.Violations {
		broken = append(broken, fmt.Sprint(v))
	}
	return broken, nil
}

// known is the run that a business id belongs to, as far as that is known.
func (h *House) known(business string) *Run {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.byBusiness[business]
}

// runOf is the run of a workflow; nil: it is nobody's.
func (h *House) runOf(ctx context.Context, workflowID string) *Run {
	business := businessIDs.FindString(workflowID)
	if r := h.known(business); r != nil || business == "" {
		return r
	}
	merchant, err := h.merchantOf(ctx, business)
	if err != nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.byMerchant[merchant]
	if r != nil {
		h.byBusiness[business] = r
	}
	return r
}

// fetch reads what an address answers.
func (h *House) fetch(req *http.Request) (int, []byte, error) {
	res, err := h.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	return res.StatusCode, raw, err
}
