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
	mu      sync.Mutex
	list    map[string]*x509.Certificate // by serial number, in hexadecimal capitals
	fetched time.Time
	tried   time.Time
}

// key is the key of a certificate that is valid now; nil if there is none of the number.
func (c *certificates) key(ctx context.Context, s session, serial string) (*rsa.PublicKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cert, known := c.list[serial]
	if !known || absolute(s.now.Sub(c.fetched)) > freshFor {
		if err := c.again(ctx, s); err != nil && !known {
			return nil, err
		}
		cert = c.list[serial]
	}
	if cert == nil || s.now.Before(cert.NotBefore) || s.now.After(cert.NotAfter) {
		return nil, nil
	}
	return cert.PublicKey.(*rsa.PublicKey), nil
}

// newest is the certificate to encrypt with for WeChat, and its serial number.
func (c *certificates) newest(ctx context.Context, s session) (key *rsa.PublicKey, serial string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if absolute(s.now.Sub(c.fetched)) > freshFor {
		if err := c.again(ctx, s); err != nil && len(c.list) == 0 {
			return nil, "", err
		}
	}
	var best *x509.Certificate
	for number, cert := range c.list {
		if !s.now.Before(cert.NotBefore) && s.now.Before(cert.NotAfter) && (best == nil || cert.NotAfter.After(best.NotAfter)) {
			best, serial = cert, number
		}
	}
	if best == nil {
		return nil, "", fault.Unavailable("certificates_unavailable", "WeChat Pay has no valid platform certificate", nil)
	}
	return best.PublicKey.(*rsa.PublicKey), serial, nil
}

// refresh fetches the certificates now.
func (c *certificates) refresh(ctx context.Context, s session) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fetch(ctx, s)
}

// again fetches, unless it was tried a moment ago.
func (c *certificates) again(ctx context.Context, s session) error {
	if absolute(s.now.Sub(c.tried)) < patience {
		if c.fetched.Equal(c.tried) {
			return nil // that worked, so what isn't there isn't WeChat's
		}
		return fault.Unavailable("certificates_unavailable", "the platform certificates could not be fetched a moment ago", nil)
	}
	return c.fetch(ctx, s)
}

// fetch takes the certificates that the APIv3 key opens, and only if one of them has signed the answer.
func (c *certificates) fetch(ctx context.Context, s session) error {
	c.tried = s.now
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
	list := c.read(res.Body, s)
	probe := s
	probe.opened = &opened{certs: &certificates{list: list, fetched: s.now, tried: s.now}, publicID: s.publicID, public: s.public}
	if err := probe.authentic(ctx, res.Header, res.Body); err != nil {
		return fault.Unavailable("certificates_unavailable", "the platform certificates aren't signed by one of them", nil)
	}
	c.list, c.fetched = list, s.now
	return nil
}

// read decrypts and reads them; what can't be read is left out.
func (c *certificates) read(body []byte, s session) map[string]*x509.Certificate {
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
