package fake

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"hash/crc32"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Event is something that the server would tell by webhook. Its body is frozen when it happens.
type Event struct {
	ID, Type string
	About    string // the id of the order, or of the refund
	Body     []byte
}

// Events are all events so far, in order.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Event(nil), s.events...)
}

// Waiting is an event that says no more of an order than that it is there.
func (s *Server) Waiting(id string) Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell("CHECKOUT.ORDER.SAVED", "checkout-order", id, s.view(s.find(id)))
	e := s.events[len(s.events)-1]
	s.events = s.events[:len(s.events)-1]
	return e
}

func (s *Server) tell(kind, resource, about string, object any) {
	e := Event{ID: s.id("WH-"), Type: kind, About: about}
	body, err := json.Marshal(map[string]any{"id": e.ID, "event_version": "1.0", "create_time": s.now().UTC().Format(time.RFC3339),
		"resource_type": resource, "resource_version": "2.0", "event_type": kind, "summary": "It happened.", "resource": object,
		"links": []any{}})
	if err != nil {
		panic(err)
	}
	e.Body = body
	s.events = append(s.events, e)
}

// Sign returns the headers of a delivery of body at a time to the webhook.
func (s *Server) Sign(body []byte, at time.Time) http.Header {
	var unique [16]byte
	_, _ = rand.Read(unique[:])
	transmission, stamp := hex.EncodeToString(unique[:]), at.UTC().Format(time.RFC3339)
	text := transmission + "|" + stamp + "|" + WebhookID + "|" + strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, pki().leaf, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return http.Header{"Paypal-Transmission-Id": {transmission}, "Paypal-Transmission-Time": {stamp}, "Paypal-Auth-Algo": {"SHA256withRSA"},
		"Paypal-Transmission-Sig": {base64.StdEncoding.EncodeToString(signature)}, "Content-Type": {"application/json"},
		"Paypal-Cert-Url": {s.CertURL()}}
}

// Signer is the key and the certificate that sign, as PEM: for another implementation to do the same.
func (s *Server) Signer() (key, certificate string) {
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(pki().leaf)}
	return string(pem.EncodeToMemory(block)), string(pki().file)
}

// CertURL is where the signer's certificate is.
func (s *Server) CertURL() string {
	return s.certs.URL + "/v1/notifications/certs/CERT-360caa42-fca2a594-fake"
}

// CertHost is the host that serves it, Roots what its chain leads to, and TLS what the host itself shows.
func (s *Server) CertHost() string {
	u, err := url.Parse(s.certs.URL)
	if err != nil {
		panic(err)
	}
	return u.Host
}

// Roots are what the signer's chain leads to.
func (s *Server) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(pki().root)
	return pool
}

// TLS are the roots of the host that serves the certificate.
func (s *Server) TLS() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.certs.Certificate())
	return pool
}

func serveCertificates() *httptest.Server {
	return httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/notifications/certs/CERT-360caa42-fca2a594-fake":
			_, _ = w.Write(pki().file)
		case "/v1/notifications/certs/CERT-stranger": // of the same root, issued to somebody else
			_, _ = w.Write(pki().stranger)
		case "/v1/notifications/certs/CERT-selfmade":
			_, _ = w.Write(pki().selfmade)
		case "/v1/notifications/certs/CERT-moved":
			http.Redirect(w, r, "/v1/notifications/certs/CERT-360caa42-fca2a594-fake", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
}

type keys struct {
	root                     *x509.Certificate
	leaf                     *rsa.PrivateKey
	file, stranger, selfmade []byte
}

// pki makes the certificates once per process: keys are slow to make.
var pki = sync.OnceValue(func() keys {
	rootKey, leafKey := newKey(), newKey()
	root := certify("Fake Root", nil, rootKey, nil, rootKey)
	leaf := certify("messageverificationcerts.paypal.com", root, rootKey, leafKey, nil)
	stranger := certify("messageverificationcerts.paypal.com.example.org", root, rootKey, leafKey, nil)
	own := certify("messageverificationcerts.paypal.com", nil, leafKey, nil, leafKey)
	text := func(list ...*x509.Certificate) (out []byte) {
		for _, c := range list {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
		}
		return out
	}
	return keys{root, leafKey, text(leaf, root), text(stranger, root), text(own)}
})

func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

// certify signs a certificate; one without a parent signs itself.
func certify(name string, parent *x509.Certificate, signer, subject *rsa.PrivateKey, self *rsa.PrivateKey) *x509.Certificate {
	t := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(2, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	if self != nil {
		parent, subject = t, self
		t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign
	}
	raw, err := x509.CreateCertificate(rand.Reader, t, parent, &subject.PublicKey, signer)
	if err != nil {
		panic(err)
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		panic(err)
	}
	return c
}
