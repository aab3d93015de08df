package wire

import (
	"errors"
	"net"
	"net/http/httptrace"
	"sync"
)

var errSealed = errors.New("the connection was given up before anything was written")

// conn counts the writes begun on a connection. A write that was begun may have reached the channel even when it
// failed, so it is counted before it is made.
type conn struct {
	net.Conn
	mu     sync.Mutex
	begun  uint64
	sealed bool
}

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.sealed {
		c.mu.Unlock()
		return 0, errSealed
	}
	c.begun++
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *conn) writes() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.begun
}

// seal reports whether no write was begun since there were as many as at, and if so forbids all later ones: the
// transport's writing goroutine may still hold the request when the call is already given up.
func (c *conn) seal(at uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.begun != at {
		return false
	}
	c.sealed = true
	return true
}

// watch follows one request through the transport.
type watch struct {
	mu    sync.Mutex
	conn  *conn
	at    uint64
	dirty bool // an earlier connection took bytes, or one that we can't count was used
}

func (w *watch) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: w.gotConn}
}

// gotConn is called on the goroutine of RoundTrip, before the request is given to the connection.
func (w *watch) gotConn(info httptrace.GotConnInfo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil && !w.conn.seal(w.at) {
		w.dirty = true
	}
	c, ok := info.Conn.(*conn)
	if !ok {
		w.dirty, w.conn = true, nil
		return
	}
	w.conn, w.at = c, c.writes()
}

// nothingSent reports whether no byte of the request was written, and makes sure that none will be.
func (w *watch) nothingSent() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dirty {
		return false
	}
	return w.conn == nil || w.conn.seal(w.at)
}
