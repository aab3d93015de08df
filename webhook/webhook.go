// Package webhook sends events to merchants' endpoints: signed after Standard Webhooks, over TLS, to public addresses
// only. One call is one try; when to try again is domain/delivery's business, and keeping count is the caller's.
package webhook

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"time"

	"code.dny.dev/ssrf"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
)

// Config is what a Sender needs. The zero value is right for production.
type Config struct {
	// Timeout bounds a try as a whole, from the look-up to the answer's end. Default 15 s, which Standard Webhooks
	// advises.
	Timeout time.Duration
	// ConnectTimeout bounds one connection attempt, and the TLS handshake. Default 5 s.
	ConnectTimeout time.Duration
	// Ports that endpoints may have. Default 443.
	Ports []uint16
	// AllowNetworks are reachable although they aren't public: for merchants inside one's own network, and for tests.
	// With any, names outside the public DNS may be registered too. Metadata services stay closed.
	AllowNetworks []netip.Prefix
	// DenyNetworks are closed although they are public: one's own addresses, a NAT64 prefix of one's own.
	DenyNetworks []netip.Prefix
	// AllowPlaintext lets http:// through. For tests and the developer's machine.
	AllowPlaintext bool
	// Roots are the certification authorities. Default: the system's. There is no way to leave a certificate unchecked.
	Roots *x509.CertPool
	// Resolver looks names up. Default: the system's, in Go's own implementation.
	Resolver Resolver
	// UserAgent is sent with each try. Default "paysaga-webhooks/1".
	UserAgent string
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = 15 * time.Second
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	if len(c.Ports) == 0 {
		c.Ports = []uint16{443}
	}
	if c.Resolver == nil {
		c.Resolver = &net.Resolver{PreferGo: true}
	}
	if c.UserAgent == "" {
		c.UserAgent = "paysaga-webhooks/1"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) check() error {
	if c.Timeout < 0 || c.Timeout > time.Minute || c.ConnectTimeout < 0 || c.ConnectTimeout > c.Timeout {
		return fault.Invalid("webhook_config", "timeout", "time-outs are positive, a try's a minute at most, a connection's no longer than a try's")
	}
	for _, list := range [][]netip.Prefix{c.AllowNetworks, c.DenyNetworks} {
		for _, p := range list {
			// A mapped prefix would match nothing: addresses are judged unmapped.
			if !p.IsValid() || p.Addr().Is4In6() {
				return fault.Invalid("webhook_config", "networks", "a network is an address and a length, IPv4 written as IPv4")
			}
		}
	}
	return nil
}

// Sender sends. It is safe for use by many goroutines and holds connections open, so a process has one.
type Sender struct {
	c         Config
	guardian  *ssrf.Guardian
	transport *http.Transport
	// connect opens a connection to a judged address; tests lead public addresses to their own listeners with it.
	connect func(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error)
}

// New returns a Sender, or fault.Invalid for a Config that makes no sense.
func New(c Config) (*Sender, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &Sender{c: c, guardian: newGuardian(c.Ports)}
	s.connect = s.newConnect()
	s.transport = &http.Transport{
		// No Proxy: one from the environment would dial for us, unguarded.
		DialContext:            func(ctx context.Context, network, addr string) (net.Conn, error) { return s.dial(ctx, network, addr) },
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
		TLSHandshakeTimeout:    c.ConnectTimeout,
		ResponseHeaderTimeout:  c.Timeout,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        30 * time.Second,
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    32, // a merchant may have several endpoints on one host, each with 16 tries under way
		MaxResponseHeaderBytes: 32 << 10,
		DisableCompression:     true, // the cap counts what arrives
		Protocols:              new(http.Protocols),
	}
	s.transport.Protocols.SetHTTP1(true)
	s.transport.Protocols.SetHTTP2(true)
	return s, nil
}

// Close gives up idle connections.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// NewSecret draws a signing secret.
func (s *Sender) NewSecret() (delivery.Secret, error) {
	key := make([]byte, delivery.SecretBytes)
	rand.Read(key) // never fails
	return delivery.SecretOf(key)
}
