// Package fake is a server that speaks Alipay's protocol and keeps a book of its own, for tests: signatures both ways,
// trades that come to be when the customer scans, their states and ends, refunds, transfers, callbacks, and the bills of
// the day. Its clock moves by Advance. Alipay's own client (oracle/) makes its tour here, and so judges it.
package fake

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Zone is Alipay's time zone.
var Zone = time.FixedZone("CST", 8*60*60)

// AppID and SellerID are the one application that the server knows, and its merchant.
const (
	AppID    = "2021000000000001"
	SellerID = "2088000000000001"
)

// Config tunes a server; the zero value is public-key mode at the machine's time.
type Config struct {
	Now func() time.Time
	// Certificates asks for certificate mode.
	Certificates bool
	// ScanAtOnce makes the trade of a QR code as soon as there is a code, as if the customer had scanned it and not paid.
	ScanAtOnce bool
	// RefundPeriod is how long a trade can be refunded; default 90 days.
	RefundPeriod time.Duration
	// Credit is what the merchant's account holds in fen at first; default 1,000,000.00 yuan.
	Credit int64
}

// Server is the fake. Its Handler is the gateway, whatever the path, and serves bills below /bill.
type Server struct {
	conf  Config
	keys  *keyring
	trust *rsa.PublicKey // the application's

	mu        sync.Mutex
	ahead     time.Duration
	last      int
	orders    map[string]*order // by out_trade_no: what can become a trade
	trades    map[string]*trade
	refunds   map[string]*refund // by out_request_no
	transfers map[string]*transfer
	told      []Notification
	ways      []way // of told
	log       []movement
	bills     map[string]download // by token
	credit    int64
	calls     []Call
}

// Call is one request as it came.
type Call struct {
	Method string
	Biz    map[string]any
	Form   map[string]string
}

// New returns a server with an empty book.
func New(c Config) *Server {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.RefundPeriod == 0 {
		c.RefundPeriod = 90 * 24 * time.Hour
	}
	if c.Credit == 0 {
		c.Credit = 1_000_000_00
	}
	k := ring()
	return &Server{conf: c, keys: k, trust: &k.app.PublicKey, orders: map[string]*order{}, trades: map[string]*trade{},
		refunds: map[string]*refund{}, transfers: map[string]*transfer{}, bills: map[string]download{}, credit: c.Credit}
}

// Now is the server's time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

func (s *Server) now() time.Time { return s.conf.Now().Add(s.ahead).In(Zone) }

// Advance moves the server's clock.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

// Calls are the requests so far whose signature was right.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Handler is the gateway.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/bill/{token}", s.download)
	mux.HandleFunc("/", s.gateway)
	return mux
}

func (s *Server) next(prefix string) string {
	s.last++
	return fmt.Sprintf("%s%s%012d", s.now().Format("20060102"), prefix, s.last)
}

// Credentials are an account's at this server, by the adapter's names.
func (s *Server) Credentials() map[string]string {
	return s.credentials(s.keys.app, &s.keys.alipay.PublicKey)
}

// Foreign are credentials of the same shape, with other keys.
func (s *Server) Foreign() map[string]string {
	return s.credentials(s.keys.other, &s.keys.other.PublicKey)
}

// Rejected are credentials whose signatures the server refuses.
func (s *Server) Rejected() map[string]string {
	return s.credentials(s.keys.other, &s.keys.alipay.PublicKey)
}

func (s *Server) credentials(own *rsa.PrivateKey, alipay *rsa.PublicKey) map[string]string {
	public, err := x509.MarshalPKIXPublicKey(alipay)
	if err != nil {
		panic(err)
	}
	c := map[string]string{"app_id": AppID, "private_key": base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(own))}
	if !s.conf.Certificates {
		c["alipay_public_key"] = base64.StdEncoding.EncodeToString(public)
		return c
	}
	c["app_cert"], c["alipay_root_cert"] = s.keys.appCert, s.keys.rootCert
	c["alipay_cert"] = s.keys.alipayCert
	if alipay != &s.keys.alipay.PublicKey {
		c["alipay_cert"] = s.keys.otherCert
	}
	return c
}

// PrivateKeyPEM is the application's key, in PKCS#8 or else PKCS#1.
func (s *Server) PrivateKeyPEM(pkcs8 bool) string {
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(s.keys.app)}
	if pkcs8 {
		raw, err := x509.MarshalPKCS8PrivateKey(s.keys.app)
		if err != nil {
			panic(err)
		}
		block = &pem.Block{Type: "PRIVATE KEY", Bytes: raw}
	}
	return string(pem.EncodeToMemory(block))
}

func clone(m map[string]string) map[string]string { return maps.Clone(m) }
