// Package fake is a small WeChat Pay of one merchant, for tests: orders, refunds, transfers, certificates, bills and
// callbacks, with a book and a clock of its own. It holds every request against what the real one checks: signature,
// time, fields, amounts, state, and that a repeated number has the same content.
package fake

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Beijing is the fake's time, as it is WeChat Pay's.
var Beijing = time.FixedZone("Asia/Shanghai", 8*3600)

// Keys are made once per process, because making them costs more than all that is done with them.
var keys = func() (list [6]func() *rsa.PrivateKey) {
	for i := range list {
		list[i] = sync.OnceValue(func() *rsa.PrivateKey {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				panic(err)
			}
			return key
		})
	}
	return list
}()

// Whose the keys are.
const (
	merchantKey = iota
	publicKey
	platformKey // and the ones after it
)

// Config says which merchant the server knows.
type Config struct {
	// Mode is how the merchant verifies: Both, as during a change, PublicKeys as new ones do, or Certificates.
	Mode Mode
	// NoSpacing lets refunds of one order follow each other at once.
	NoSpacing bool
	// FeeBasisPoints is what the channel takes; by default 60.
	FeeBasisPoints int64
}

// Mode says with what answers are signed.
type Mode int

// The modes.
const (
	Both         Mode = iota // whatever the request asks for
	PublicKeys               // there are no certificates
	Certificates             // there is no public key
)

// Server is the fake.
type Server struct {
	conf   Config
	mux    *http.ServeMux
	mu     sync.Mutex
	offset time.Duration
	count  int
	certs  []*certificate // the last one signs

	orders    map[string]*order
	refunds   map[string]*refund
	transfers map[string]*transfer
	flows     []flow
	trades    []trade
	balance   int64
	bills     map[string]bill // by token
	notes     []*Notification
	calls     []Request
}

// What the merchant was given.
const (
	MchID       = "1900000001"
	AppID       = "wx0123456789abcdef"
	PublicKeyID = "PUB_KEY_ID_0119000000012026112100000000000001"
	Serial      = "5F3A1C0000000000000000000000000000000001"
	Scene       = "1000"
)

const (
	apiV3Key   = "fake-api-v3-key-of-32-characters"
	foreignMch = "1900000002"
)

// New opens a server with an empty book, for one test.
func New(t testing.TB, c Config) *Server {
	t.Helper()
	if c.FeeBasisPoints == 0 {
		c.FeeBasisPoints = 60
	}
	s := &Server{conf: c, orders: map[string]*order{}, refunds: map[string]*refund{}, transfers: map[string]*transfer{},
		bills: map[string]bill{}, balance: 1_000_000_00}
	if c.Mode != PublicKeys {
		s.Rotate()
	}
	s.route()
	return s
}

// Credentials are what the merchant's account is opened with, under the adapter's names.
func (s *Server) Credentials() map[string]string {
	c := map[string]string{"mch_id": MchID, "app_id": AppID, "serial_no": Serial, "private_key": PrivatePEM(keys[merchantKey]()),
		"api_v3_key": apiV3Key, "transfer_scene_id": Scene, "transfer_scene_report": "活动名称=返利;奖励说明=购物返利"}
	if s.conf.Mode != Certificates {
		c["public_key_id"], c["public_key"] = PublicKeyID, PublicPEM(&keys[publicKey]().PublicKey)
	}
	return c
}

// Foreign are another merchant's credentials, of the same shape.
func (s *Server) Foreign() map[string]string {
	c := s.Credentials()
	who := merchants()[foreignMch]
	c["mch_id"], c["serial_no"], c["private_key"], c["api_v3_key"] = foreignMch, who.serial, PrivatePEM(who.key), who.secret
	if s.conf.Mode != Certificates {
		c["public_key_id"], c["public_key"] = PublicKeyID+"9", PublicPEM(&who.key.PublicKey)
	}
	return c
}

// Rejected are credentials whose signature the server refuses.
func (s *Server) Rejected() map[string]string {
	c := s.Credentials()
	c["private_key"] = PrivatePEM(keys[len(keys)-1]())
	return c
}

// PrivatePEM writes a key as the merchant platform does, PKCS#8.
func PrivatePEM(key *rsa.PrivateKey) string {
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

// PublicPEM writes a public key, SPKI.
func PublicPEM(key *rsa.PublicKey) string {
	raw, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: raw}))
}

// Now is the server's clock.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

func (s *Server) now() time.Time { return time.Now().Add(s.offset).Truncate(time.Second) }

// Advance moves the clock.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

// certificate is a platform certificate.
type certificate struct {
	serial     string
	key        *rsa.PrivateKey
	text       []byte
	begin, end time.Time
}

// Rotate issues the next platform certificate, and signs with it from now on.
func (s *Server) Rotate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.certs)
	c := &certificate{key: keys[platformKey+n%3](), begin: s.now().Add(-time.Hour), end: s.now().Add(5 * 365 * 24 * time.Hour)}
	number := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(0x7A), 152), big.NewInt(int64(n+1)))
	c.serial = strings.ToUpper(number.Text(16))
	template := &x509.Certificate{SerialNumber: number, Subject: pkix.Name{CommonName: "Tenpay.com sign", Organization: []string{"fake"}},
		NotBefore: c.begin, NotAfter: c.end}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &c.key.PublicKey, c.key)
	if err != nil {
		panic(err)
	}
	c.text = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	s.certs = append(s.certs, c)
}

// Verifiers are the public keys and certificates that answers may be signed with, by their serial numbers, as PEM.
func (s *Server) Verifiers() map[string]string {
	list := map[string]string{}
	if s.conf.Mode != Certificates {
		list[PublicKeyID] = PublicPEM(&keys[publicKey]().PublicKey)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.certs {
		list[c.serial] = string(c.text)
	}
	return list
}
