package cells

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// proxies are toxiproxies in this process: one between each two parts, and one before each sandbox.
type proxies struct{ server *toxiproxy.ApiServer }

func newProxies() *proxies {
	return &proxies{toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())}
}

// proxy stands between two parts.
type proxy struct {
	mu    sync.Mutex
	p     *toxiproxy.Proxy
	cuts  int
	quiet time.Time // no cut before
}

// between starts a proxy that leads to an address.
func (p *proxies) between(name, address string) (*proxy, error) {
	// The port is chosen here, since a proxy that stops and starts again keeps it.
	x := &proxy{p: toxiproxy.NewProxy(p.server, name, "127.0.0.1:0", address)}
	return x, x.p.Start()
}

func (x *proxy) address() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.p.Listen
}

// cut breaks every connection. Those that cut one after the other within a moment cut once: what is cut again while it is still
// coming back proves nothing more.
func (x *proxy) cut() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if time.Now().Before(x.quiet) {
		return nil
	}
	x.p.Stop()
	err := x.start()
	x.cuts++
	x.quiet = time.Now().Add(100 * time.Millisecond)
	return err
}

func (x *proxy) start() (err error) {
	for range 50 { // its port may be somebody's outgoing one just now
		if err = x.p.Start(); err == nil || !strings.Contains(err.Error(), "in use") {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

// without runs f while nobody listens.
func (x *proxy) without(f func()) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.p.Stop()
	f()
	return x.start()
}

// poison runs f under a toxic of a stream.
func (x *proxy) poison(toxic, stream string, attributes string, f func()) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	text := fmt.Sprintf(`{"name":"t","type":%q,"stream":%q,"attributes":{%s}}`, toxic, stream, attributes)
	if _, err := x.p.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		return err
	}
	f()
	return x.p.Toxics.RemoveToxic(context.Background(), "t")
}

func (x *proxy) stop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.p.Stop()
}
