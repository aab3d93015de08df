package proof

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
)

// secondChannel is the same promise as the thousand runs', on real parts: a few
// of their seeds, with Temporal's server and time as it passes.
func secondChannel(t *testing.T, c *callbacks) {
	var wg sync.WaitGroup
	var paid atomic.Int64
	for n := range 12 {
		m, caught := guarded(t, c)
		dice := rand.New(rand.NewPCG(firstSeed+uint64(n), 7))
		for _, f := range spoil(dice) {
			m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": f.operation, "fault": f.name, "times": f.times})
		}
		body := m.Order(stage.Card("tok_ok"), nil)
		wg.Go(func() {
			a := m.Do(t, http.MethodPost, "/v1/payments", "one", body)
			stage.Eventually(t, a.ID+" has ended", func() bool { a = m.Get(t, a.ID); return a.Status.Terminal() })
			took := 0
			for _, sb := range m.Sandboxes {
				for _, charge := range sb.Lookup(a.ID).Charges {
					if charge.CapturedMinor > 0 {
						took++
					}
				}
			}
			if took > 1 || (took == 1) != (a.Status == payment.Paid) || caught.Load() != 0 {
				t.Errorf("seed %d: %s, the channels took money %d times, and the guard caught %d", firstSeed+n, a.Status, took, caught.Load())
			}
			paid.Add(int64(took))
		})
	}
	wg.Wait()
	if paid.Load() == 0 {
		t.Error("nobody has paid")
	}
}

// guarded is a merchant of two channels, the second one's door guarded.
func guarded(t *testing.T, c *callbacks) (*stage.Merchant, *atomic.Int64) {
	t.Helper()
	caught := &atomic.Int64{}
	var door atomic.Pointer[http.Handler]
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*door.Load()).ServeHTTP(w, r) }))
	t.Cleanup(at.Close)
	spec := server.Config{CallbackTries: -1, Hang: 3 * time.Second, PendingDelay: 200 * time.Millisecond}
	m := c.Merchant(t, payment.Terms{}, stage.AccountSpec{Lane: payment.Standard, Server: spec}, stage.AccountSpec{Server: spec, URL: at.URL})
	behind := guard(m.Sandboxes[0].Server, caught, m.Sandboxes[1].Handler())
	door.Store(&behind)
	return m, caught
}
