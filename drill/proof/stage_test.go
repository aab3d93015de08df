package proof

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"paysaga/api"
	"paysaga/channels/sandbox"
	"paysaga/channels/sandbox/server"
	"paysaga/drill/stage"
)

// callbacks is a stage that hears of its channels only what the test says.
type callbacks struct {
	*stage.Stage
	db  *pgxpool.Pool
	log lines
}

func newCallbacks(t *testing.T) *callbacks {
	t.Helper()
	c := &callbacks{}
	c.Stage = stage.New(t, stage.Options{Wire: stage.Wire{API: func(p *api.Parts) {
		p.Log = slog.New(slog.NewJSONHandler(&c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}}})
	var err error
	c.db, err = pgxpool.New(context.Background(), c.Dev.PostgresURL)
	require.NoError(t, err)
	t.Cleanup(c.db.Close)
	return c
}

// The promises that need all of paysaga share one. Forged callbacks come first:
// they look at every table.
func TestOnRealParts(t *testing.T) {
	t.Parallel()
	c := newCallbacks(t)
	t.Run("forged callbacks change nothing", func(t *testing.T) { forgedCallbacks(t, c) })
	t.Run("callbacks in any order end the same", func(t *testing.T) { anyOrder(t, c) })
	t.Run("disputes", func(t *testing.T) { disputes(t, c) })
	t.Run("no second channel while the first is unknown", func(t *testing.T) { secondChannel(t, c) })
	c.Audit(t)
}

// lines is a log that many write.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// deaf is a sandbox that calls nobody back.
var deaf = stage.AccountSpec{Server: server.Config{CallbackTries: -1}}

// sign signs as the channel does, for the accounts of a stage.
func sign(at time.Time, body []byte) string {
	return server.Signature(stage.Credentials()[sandbox.SecretCallback], at, body)
}

// post sends a callback, and returns what it was answered.
func (c *callbacks) post(path string, body []byte, header map[string][]string) (int, error) {
	req, err := http.NewRequest(http.MethodPost, c.API.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	res, err := c.HTTP.Do(req)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Body.Close()
}

func (c *callbacks) text(t testing.TB, sql string, args ...any) (text string) {
	t.Helper()
	require.NoError(t, c.db.QueryRow(context.Background(), sql, args...).Scan(&text))
	return text
}

func in(account string) string { return "/v1/callbacks/" + sandbox.Name + "/" + account }
