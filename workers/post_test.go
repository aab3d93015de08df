package workers_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"paysaga/activities"
	"paysaga/domain/delivery"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/trade"
	"paysaga/store"
	"paysaga/store/storetest"
	"paysaga/webhook"
	"paysaga/workers"
)

// post is merchants with an endpoint each, and an outbox full of events about their orders.
type post struct {
	t  testing.TB
	db *storetest.Database
	*httptest.Server
	merchants []string
	endpoints []delivery.Endpoint
	secrets   map[string]*standardwebhooks.Webhook // by path

	mu     sync.Mutex
	count  map[string]int     // arrivals of an event
	firsts map[string][]int64 // sequences of an object, in the order of their first arrival
	forged int
	verify bool
}

// newPost makes the merchants. Endpoints answer at once; where verify is set, every message is held against its signature by the
// independent library.
func newPost(t testing.TB, merchants int, verify bool) *post {
	t.Helper()
	p := &post{t: t, db: storetest.Open(t), secrets: map[string]*standardwebhooks.Webhook{}, count: map[string]int{}, firsts: map[string][]int64{}, verify: verify}
	p.Server = httptest.NewServer(http.HandlerFunc(p.receive))
	t.Cleanup(p.Close)
	schedule, err := delivery.Preset("")
	require.NoError(t, err)
	for i := range merchants {
		m, err := p.db.Store.CreateMerchant(t.Context(), store.Merchant{Book: id.Test, Name: "M" + strconv.Itoa(i)})
		require.NoError(t, err)
		key := make([]byte, delivery.SecretBytes)
		key[0] = byte(i)
		secret, err := delivery.SecretOf(key)
		require.NoError(t, err)
		path := "/" + m
		p.secrets[path], err = standardwebhooks.NewWebhook(secret.Reveal())
		require.NoError(t, err)
		e, err := p.db.Store.CreateEndpoint(t.Context(), delivery.Endpoint{Book: id.Test, MerchantID: m, URL: p.URL + path, APIVersion: trade.APIVersion,
			Schedule: schedule}, secret, ledger.Service("test"))
		require.NoError(t, err)
		p.merchants, p.endpoints = append(p.merchants, m), append(p.endpoints, e)
	}
	return p
}

func (p *post) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if p.verify {
		var e trade.Event
		bad := json.Unmarshal(body, &e) != nil || p.secrets[r.URL.Path].Verify(body, r.Header) != nil || e.ID != r.Header.Get("webhook-id")
		p.mu.Lock()
		if p.count[e.ID]++; p.count[e.ID] == 1 {
			p.firsts[e.Object.ID] = append(p.firsts[e.Object.ID], e.Object.Sequence)
		}
		if bad {
			p.forged++
		}
		p.mu.Unlock()
	}
	w.WriteHeader(http.StatusNoContent)
}

// fill puts orders into the outbox, each with as many events, as their Steps would have left them.
func (p *post) fill(round, orders, each int) {
	p.t.Helper()
	const sqlOrders = `
		INSERT INTO orders (book, id, merchant_id, reference, type, currency, total, status, sequence, created_at)
		SELECT 'test', $1 || lpad(o::text, 8, '0'), ($4::text[])[1 + o % cardinality($4::text[])], $1 || o, 'purchase', 'CNY', 1234, 'open', $3, now()
		FROM generate_series(1, $2) o`
	const sqlEvents = `
		INSERT INTO events (book, object_id, sequence, id, type, api_version, created_at, merchant_id, business_id, object_type, data)
		SELECT o.book, o.id, s, 'evt_' || lpad($1::text || row_number() OVER (), 26, '0'), 'order.changed', $2, now(), o.merchant_id, o.id, 'order',
			jsonb_build_object('id', o.id, 'object', 'order', 'status', o.status, 'padding', repeat('x', 600))
		FROM generate_series(1, $3) s CROSS JOIN orders o WHERE o.id LIKE $4 ORDER BY s, o.id`
	prefix := fmt.Sprintf("ord_%02d", round)
	_, err := p.db.Owner.Exec(p.t.Context(), sqlOrders, prefix, orders, each, p.merchants)
	require.NoError(p.t, err)
	_, err = p.db.Owner.Exec(p.t.Context(), sqlEvents, strconv.Itoa(round), trade.APIVersion, each, prefix+"%")
	require.NoError(p.t, err)
	_, err = p.db.Owner.Exec(p.t.Context(), `ANALYZE events`)
	require.NoError(p.t, err)
}

func (p *post) waiting() (any bool) {
	p.t.Helper()
	require.NoError(p.t, p.db.Owner.QueryRow(background, `SELECT EXISTS (SELECT FROM events WHERE delivered_at IS NULL)`).Scan(&any))
	return any
}

// sender reaches the post and nothing else.
func sender(address string) (*webhook.Sender, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		return nil, err
	}
	return webhook.New(webhook.Config{Ports: []uint16{uint16(port)}, AllowPlaintext: true, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
}

// newRelay is a relay with a store and a sender of its own, as in a process of its own.
func newRelay(config store.Config, address string, lease time.Duration) (relay *workers.Events, end func(), err error) {
	s, err := store.Open(background, config)
	if err != nil {
		return nil, nil, err
	}
	send, err := sender(address)
	if err != nil {
		s.Close()
		return nil, nil, err
	}
	relay = workers.NewEvents(workers.EventsConfig{Outbox: s, Courier: activities.NewCourier(send), Lease: lease, Every: 20 * time.Millisecond,
		Log: slog.New(slog.DiscardHandler)})
	return relay, func() { send.Close(); s.Close() }, nil
}
