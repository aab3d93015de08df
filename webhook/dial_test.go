package webhook

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/domain/delivery"
)

var quiet = log.New(io.Discard, "", 0)

// turning answers each look-up with the next list, as a rebinding name server does.
type turning struct {
	asked []string
	lists [][]string
}

func (r *turning) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	next := r.lists[min(len(r.asked), len(r.lists)-1)]
	r.asked = append(r.asked, host)
	if next == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	var addrs []netip.Addr
	for _, t := range next {
		addrs = append(addrs, netip.MustParseAddr(t))
	}
	return addrs, nil
}

func TestANameThatTurnsIsJudgedEachTime(t *testing.T) {
	t.Parallel()
	names := &turning{lists: [][]string{{public}, {"127.0.0.1"}, {"::ffff:93.184.215.14"}, nil, {}}}
	x := newShop(t, Config{Resolver: names}, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	for i, want := range []string{"", "address_refused", "", "dns_failed", "dns_failed"} {
		r := x.send(t, "https://example.com/")
		assert.Equal(t, want, r.Reason)
		assert.Len(t, names.asked, i+1, "one look-up for each connection")
		x.sender.Close()
	}
	to := netip.MustParseAddrPort(public + ":443")
	assert.Equal(t, []netip.AddrPort{to, to}, x.dialed)
	assert.Equal(t, "example.com.", names.asked[0], "our own search list has no say")
}

func TestTheNextAddressIsTriedButNotEndlessly(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Resolver: &turning{lists: [][]string{{"1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4", "1.1.1.5"}}}})
	require.NoError(t, err)
	var tried []string
	s.connect = func(_ context.Context, network string, to netip.AddrPort) (net.Conn, error) {
		tried = append(tried, network+" "+to.String())
		return nil, errors.New("refused by the peer")
	}
	r, err := s.Send(t.Context(), one(t, s, "https://example.com/"))
	require.NoError(t, err)
	assert.Equal(t, delivery.Retry, r.Outcome)
	assert.Equal(t, "connect_failed", r.Reason)
	assert.Equal(t, []string{"tcp4 1.1.1.1:443", "tcp4 1.1.1.2:443", "tcp4 1.1.1.3:443", "tcp4 1.1.1.4:443"}, tried)
}

// The real dialer, on loopback: open when the operator opened it, closed by the last look otherwise.
func TestTheRealDialer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	t.Cleanup(server.Close)
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	c := Config{AllowPlaintext: true, Ports: []uint16{at.Port()}, AllowNetworks: prefixes("127.0.0.0/8")}
	s, err := New(c)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	r, err := s.Send(t.Context(), one(t, s, server.URL))
	require.NoError(t, err)
	assert.Equal(t, delivery.Delivered, r.Outcome, r.Reason)

	c.AllowNetworks = nil
	s, err = New(c)
	require.NoError(t, err)
	_, err = s.connect(t.Context(), "tcp4", at)
	require.ErrorIs(t, err, errAddressRefused, "Control is the last to look")
	_, err = s.dial(t.Context(), "tcp", at.String())
	require.ErrorIs(t, err, errAddressRefused)
	r, err = s.Send(t.Context(), one(t, s, server.URL))
	require.NoError(t, err)
	assert.Equal(t, delivery.Refused, r.Outcome)
}

// A name server that never answers holds neither the try nor, later, a goroutine.
func TestALookUpThatHangs(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	s, err := New(Config{Timeout: 50 * time.Millisecond, ConnectTimeout: 50 * time.Millisecond, Resolver: hanging(over)})
	require.NoError(t, err)
	r, err := s.Send(t.Context(), one(t, s, "https://example.com/"))
	require.NoError(t, err)
	assert.Equal(t, delivery.Retry, r.Outcome)
	assert.Contains(t, []string{"timeout", "dns_failed"}, r.Reason)
	<-over
}

type hanging chan struct{}

func (h hanging) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	close(h)
	return nil, ctx.Err()
}

func TestNoProxyIsTakenFromTheEnvironment(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	require.NotEmpty(t, os.Getenv("HTTPS_PROXY"))
	x := newShop(t, Config{}, func(http.ResponseWriter, *http.Request) {})
	assert.Equal(t, delivery.Delivered, x.send(t, "https://example.com/").Outcome)
	assert.Equal(t, netip.MustParseAddrPort(public+":443"), x.dialed[0])
}
