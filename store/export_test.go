package store

import (
	"context"
	"net"
)

// SetDial replaces the network, for tests that cut connections.
func (c *Config) SetDial(dial func(ctx context.Context, network, addr string) (net.Conn, error)) {
	c.dial = dial
}
