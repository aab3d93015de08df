package wire_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels/wire"
	"paysaga/domain/fault"
)

func TestStream(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/404":
			w.WriteHeader(http.StatusNotFound)
		case "/429":
			w.WriteHeader(http.StatusTooManyRequests)
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		default:
			for range 100 {
				_, _ = io.WriteString(w, strings.Repeat("x", 9)+"\n")
			}
		}
	}))
	defer s.Close()
	c := wire.New(wire.Config{MaxBody: 10}) // the cap of Do isn't the stream's
	defer c.CloseIdle()
	read := func(path string, limit int64) (int, error) {
		req, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
		require.NoError(t, err)
		body, err := c.Stream(t.Context(), req, limit)
		if err != nil {
			return 0, err
		}
		defer body.Close()
		all, err := io.ReadAll(body)
		return len(all), err
	}
	n, err := read("/", 1000)
	require.NoError(t, err)
	assert.Equal(t, 1000, n)
	for path, want := range map[string]fault.Kind{"/404": fault.KindUnknown, "/429": fault.KindUnavailable, "/cut": fault.KindUnknown} {
		_, err := read(path, 1000)
		assert.Equal(t, want, fault.Of(err), "%s: %v", path, err)
	}
	_, err = read("/", 999)
	assert.True(t, fault.Is(err, fault.KindUnknown, "channel_answer_too_large"), "%v", err)
}

func TestAStreamWhoseHeadersNeverComeIsUnknown(t *testing.T) {
	t.Parallel()
	url := rude(t, func(c net.Conn, _ int64) { silent(c) })
	c := wire.New(wire.Config{Timeout: 2 * time.Second})
	defer c.CloseIdle()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	require.NoError(t, err)
	_, err = c.Stream(t.Context(), req, 10)
	assert.Equal(t, fault.KindUnknown, fault.Of(err), fmt.Sprint(err))
}
