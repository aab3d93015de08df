package wechatpay

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"sync"
	"time"

	"paysaga/domain/fault"
)

const (
	// freshFor is how long the certificates are used before they are fetched again; WeChat asks for less than 12 hours'.
	freshFor = 10 * time.Hour
	// patience keeps strangers, who may name any serial number, from making us ask WeChat each time.
	patience = time.Minute
)

// certificates are the platform certificates of one account, fetched when first one is needed, when they are old, and
// when WeChat signs with one that isn't among them: that is how it changes to the next.
type certificates struct {
	flight sync.Mutex // whoever fetches; what is known can be used meanwhile

	mu      sync.Mutex
	list    map[string]*x509.Certificate // by serial number, in hexadecimal capitals
	fetched time.Time
	tried   time.Time
}

// look is the certificate of a number, and whether the list is fresh.
func (c *certificates) look(s session, serial string) (cert *x509.Certificate, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.list[serial], absolute(s.now.Sub(c.fetched)) <= freshFor
}

// key is the key of a certificate that is valid now; nil if there is none of the number.
func (c *certificates) key(ctx context.Context, s session, serial string) (*rsa.PublicKey, error) {
	cert, fresh := c.look(s, serial)
	switch {
	case cert == nil:
		c.flight.Lock()
		var err error
		if cert, _ = c.look(s, serial); cert == nil { // nobody has fetched it while this waited
			err = c.again(ctx, s)
			cert, _ = c.look(s, serial)
		}
		c.flight.Unlock()
		if cert == nil {
			return nil, err
		}
	case !fresh && c.flight.TryLock():
		_ = c.again(ctx, s) // if it fails, what is known still counts
		c.flight.Unlock()
	}
	if s.now.Before(cert.NotBefore) || s.now.After(cert.NotAfter) {
		return nil, nil
	}
	return cert.PublicKey.(*rsa.PublicKey), nil
}

// newest is the certificate to encrypt with for WeChat, and its serial number.
func (c *certificates) newest(ctx context.Context, s session) (key *rsa.PublicKey, serial string, err error) {
	if _, fresh := c.look(s, ""); !fresh {
		c.flight.Lock()
		err = c.again(ctx, s)
		c.flight.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var best *x509.Certificate
	for number, cert := range c.list {
		if !s.now.Before(cert.NotBefore) && s.now.Before(cert.NotAfter) && (best == nil || cert.NotAfter.After(best.NotAfter)) {
			best, serial = cert, number
		}
	}
	switch {
	case best != nil:
		return best.PublicKey.(*rsa.PublicKey), serial, nil
	case err == nil:
		err = fault.Unavailable("certificates_unavailable", "WeChat Pay has no valid platform certificate", nil)
	}
	return nil, "", err
}

// refresh fetches the certificates now.
func (c *certificates) refresh(ctx context.Context, s session) error {
	c.flight.Lock()
	defer c.flight.Unlock()
	return c.fetch(ctx, s)
}

// again fetches, unless it was tried a moment ago.
func (c *certificates) again(ctx context.Context, s session) error {
	c.mu.Lock()
	soon, worked := absolute(s.now.Sub(c.tried)) < patience, c.fetched.Equal(c.tried)
	c.mu.Unlock()
	switch {
	case soon && worked: // so what isn't there isn't WeChat's
		return nil
	case soon:
		return fault.Unavailable("certificates_unavailable", "the platform certificates could not be fetched a moment ago", nil)
	}
	return c.fetch(ctx, s)
}

// fetch takes the certificates that the APIv3 key opens, and only if one of them has signed the answer.
func (c *certificates) fetch(ctx context.Context, s session) error {
	c.mu.Lock()
	c.tried = s.now
	c.mu.Unlock()
	res, err := s.send(ctx, http.MethodGet, "/v3/certificates", nil)
	if err != nil {
		return fault.Unavailable("certificates_unavailable", "the platform certificates can't be fetched", err)
	}
	if res.Status != http.StatusOK {
		if _, err := (answer{res}).refusal(); fault.Of(err) == fault.KindInternal {
			return err
		}
		return fault.Unavailable("certificates_unavailable", "WeChat Pay doesn't give its platform certificates", nil)
	}
	list := readCertificates(res.Body, s)
	probe := s
	probe.opened = &opened{certs: &certificates{list: list, fetched: s.now, tried: s.now}, publicID: s.publicID, public: s.public}
	if err := probe.authentic(ctx, res.Header, res.Body); err != nil {
		return fault.Unavailable("certificates_unavailable", "the platform certificates aren't signed by one of them", nil)
	}
	c.mu.Lock()
	c.list, c.fetched = list, s.now
	c.mu.Unlock()
	return nil
}

// readCertificates decrypts and reads them; what can't be read is left out.
func readCertificates(body []byte, s session) map[string]*x509.Certificate {
	var a struct {
		Data []struct {
			Serial      string `json:"serial_no"`
			Certificate secret `json:"encrypt_certificate"`
		} `json:"data"`
	}
	list := map[string]*x509.Certificate{}
	if json.Unmarshal(body, &a) != nil {
		return list
	}
	for _, each := range a.Data {
		text, ok := each.Certificate.open(s.apiKey)
		if !ok {
			continue
		}
		block, _ := pem.Decode(text)
		if block == nil {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue
		}
		if _, rsaKey := cert.PublicKey.(*rsa.PublicKey); rsaKey && strings.ToUpper(cert.SerialNumber.Text(16)) == strings.TrimLeft(each.Serial, "0") {
			list[each.Serial] = cert
		}
	}
	return list
}

func absolute(d time.Duration) time.Duration { return max(d, -d) }
