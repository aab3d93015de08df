// Package server is the sandbox channel: a real HTTP server that behaves like a payment channel, with a book of its own,
// test tokens, and faults on demand. Its book is the judge in tests: what stands there was charged, whatever anybody
// else believes. docs/sandbox.md describes the protocol.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Config tunes a sandbox; the zero value is a sandbox in memory, with the times that docs/sandbox.md names.
type Config struct {
	Addr          string           // where Run listens; default ":8090"
	Dir           string           // the folder of the book; empty: in memory only
	Secrets       []string         // the accounts; empty: every secret is an account
	PublicURL     string           // how customers reach the sandbox; empty: as the caller reached it
	KeyLife       time.Duration    // how long a key is remembered; default 24 h
	AuthorizedFor time.Duration    // until an authorization lapses; default 7 days
	PayableFor    time.Duration    // until a QR code or page lapses when the caller names no time; default 2 h
	Hang          time.Duration    // the longest that a scripted time-out holds a connection; default 30 s
	SlowDelay     time.Duration    // tok_slow; default 1.5 s
	PendingDelay  time.Duration    // tok_pending; default 1 s
	CallbackPause time.Duration    // before the second try of a callback, doubling from there; default 200 ms
	CallbackTries int              // default 10, which is about a minute; negative: none is ever sent
	Refunds       Spacing          // how refunds of one charge are spaced; default not at all
	Now           func() time.Time // default time.Now
	Logger        *slog.Logger     // default: silent
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	set(&c.KeyLife, 24*time.Hour)
	set(&c.AuthorizedFor, 7*24*time.Hour)
	set(&c.PayableFor, 2*time.Hour)
	set(&c.Hang, 30*time.Second)
	set(&c.SlowDelay, 1500*time.Millisecond)
	set(&c.PendingDelay, time.Second)
	set(&c.CallbackPause, 200*time.Millisecond)
	if c.CallbackTries == 0 {
		c.CallbackTries = 10
	}
	if c.Addr == "" {
		c.Addr = ":8090"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Server is one sandbox.
type Server struct {
	conf    Config
	book    *book
	faults  *faults
	sender  *sender
	handler http.Handler
	ctx     context.Context
	stop    context.CancelFunc

	clock  sync.Mutex
	offset time.Duration
}

// New opens the book and starts what has to happen by itself. Close ends it.
func New(c Config) (*Server, error) {
	c = c.withDefaults()
	b, err := openBook(c.Dir)
	if err != nil {
		return nil, err
	}
	b.spacing = c.Refunds
	s := &Server{conf: c, book: b, faults: newFaults()}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.sender = newSender(s)
	s.handler = s.routes()
	s.resume()
	return s, nil
}

// Handler serves the whole sandbox: protocol, pay pages and admin API.
func (s *Server) Handler() http.Handler { return s.handler }

// Run serves until ctx ends, then closes the sandbox.
func (s *Server) Run(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.conf.Addr)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	return s.Serve(ctx, l)
}

// Serve is Run on a listener that is already open.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	s.conf.Logger.Info("sandbox listens", "addr", l.Addr().String())
	select {
	case err := <-failed:
		return errors.Join(err, s.Close())
	case <-ctx.Done():
	}
	s.stop() // lets hanging handlers go
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(srv.Shutdown(end), s.Close())
}

// Close ends hanging handlers and callbacks and closes the book.
func (s *Server) Close() error {
	s.stop()
	s.sender.wait()
	return s.book.close()
}

// Now is the sandbox's clock: the real one, moved by POST /admin/clock.
func (s *Server) Now() time.Time {
	s.clock.Lock()
	defer s.clock.Unlock()
	return s.conf.Now().Add(s.offset).UTC()
}

// resume takes up what a stopped sandbox left: charges and refunds that succeed by themselves, and callbacks that nobody took.
func (s *Server) resume() {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	for _, c := range s.book.byID {
		s.arm(c)
		if c.Owed {
			s.sender.enqueue(s.deliveryOf(c))
		}
	}
	for _, m := range s.book.moveByID {
		s.armMove(m)
		if m.Owed {
			s.sender.enqueue(s.deliveryOfMove(m))
		}
	}
}

// arm sees to it that a charge which succeeds by itself does so, and calls back, without being asked.
func (s *Server) arm(c *Charge) {
	if c.SettlesAt.IsZero() {
		return
	}
	id := c.ID
	time.AfterFunc(max(0, c.SettlesAt.Sub(s.Now())), func() { s.settle(id) })
}

// settle runs when a charge's time has come. It may run more than once, and after a question has already found the
// charge succeeded: the callback is made when SettlesAt is taken away.
func (s *Server) settle(id string) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	c := s.book.byID[id]
	if c == nil || s.book.closed || c.SettlesAt.IsZero() {
		return
	}
	if c.refresh(s.Now()); c.State == Pending {
		s.arm(c) // the clock was moved back, or the timer was early
		return
	}
	c.SettlesAt = time.Time{}
	if c.State == Succeeded {
		s.notify(c)
	}
}
