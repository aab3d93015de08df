package wire

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
)

func TestASealedConnectionTakesNoByte(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	c := &conn{Conn: a}
	assert.True(t, c.seal(c.writes()))
	_, err := c.Write([]byte("POST"))
	require.ErrorIs(t, err, errSealed)
}

func TestAWriteThatWasBegunCountsAsSent(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	b.Close()
	c := &conn{Conn: a}
	at := c.writes()
	_, err := c.Write([]byte("POST"))
	require.Error(t, err)
	assert.False(t, c.seal(at), "a failed write may still have reached the peer")
}

func TestAConnectionThatIsNotOursIsNeverJudgedUnsent(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	w := &watch{}
	assert.True(t, w.nothingSent(), "no connection at all")
	w.gotConn(httptrace.GotConnInfo{Conn: a})
	assert.False(t, w.nothingSent())
}

// sealing closes the door on the first request of each connection before a byte is written, which is what a call
// meets that takes an idle connection just as it is closed.
func TestACallIsSentAgainOnlyWhenNothingWasWritten(t *testing.T) {
	t.Parallel()
	var seen, dials atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		_, _ = io.Copy(w, r.Body)
	}))
	defer s.Close()
	c := New(Config{})
	base := c.rt.base.DialContext
	c.rt.base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		raw, err := base(ctx, network, addr)
		if err == nil && dials.Add(1) == 1 {
			raw.(*conn).seal(0)
		}
		return raw, err
	}
	req, err := http.NewRequest(http.MethodPost, s.URL, strings.NewReader("body"))
	require.NoError(t, err)
	res, err := c.Do(t.Context(), req)
	require.NoError(t, err)
	assert.Equal(t, "body", string(res.Body))
	assert.Equal(t, int64(1), seen.Load())
	assert.Equal(t, int64(2), dials.Load())

	dials.Store(0)
	c.CloseIdle()
	req, err = http.NewRequest(http.MethodPost, s.URL, io.NopCloser(strings.NewReader("once")))
	require.NoError(t, err)
	_, err = c.Do(t.Context(), req)
	assert.Equal(t, fault.KindUnavailable, fault.Of(err), "a body that can't be had twice isn't sent twice: %v", err)
	assert.Equal(t, int64(1), seen.Load())
}
