package paypal

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"paysaga/domain/fault"
)

// certificate is a signer that has been verified.
type certificate struct {
	key        *rsa.PublicKey
	from, till time.Time // while the whole chain is valid
	fetched    time.Time
}

// certificates are those in use, by URL. PayPal has one or two at a time.
type certificates struct {
	mu      sync.Mutex
	of      map[string]certificate
	fetches []time.Time // of the last minute, by our own clock
}

// mayFetch bounds how often a stranger's deliveries, which name any path they like, make us ask PayPal.
func (c *certificates) mayFetch(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fetches = slices.DeleteFunc(c.fetches, func(at time.Time) bool { return now.Sub(at) > time.Minute })
	if len(c.fetches) >= maxFetches {
		return false
	}
	c.fetches = append(c.fetches, now)
	return true
}

const (
	maxCertificates = 16
	maxFetches      = 30 // a minute
	freshFor        = 24 * time.Hour
)

// signer is the public key behind a certificate's URL. The URL is the sender's choice, so it is held against the hosts we
// know before anything is fetched, over https alone and without following a redirect; the chain has to lead to a root,
// and its end has to be PayPal's. What can't be fetched now is Unavailable: PayPal delivers again.
func (ch *Channel) signer(address string, now time.Time) (*rsa.PublicKey, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Opaque != "" || u.Fragment != "" || u.RawQuery != "" ||
		!slices.Contains(ch.trust.Hosts, u.Host) || !strings.HasPrefix(u.Path, "/v1/notifications/certs/") || strings.Contains(u.Path, "..") {
		return nil, forged()
	}
	ch.certs.mu.Lock()
	have, ok := ch.certs.of[u.String()]
	ch.certs.mu.Unlock()
	if ok && now.Before(have.till) && !now.Before(have.from) && now.Sub(have.fetched) < freshFor {
		return have.key, nil
	}
	if !ch.certs.mayFetch(time.Now()) {
		return nil, fault.Unavailable("callback_certificate_unavailable", "too many certificates were asked for; try again in a minute", nil)
	}
	fresh, err := ch.fetch(u, now)
	if err != nil {
		return nil, err
	}
	ch.certs.mu.Lock()
	defer ch.certs.mu.Unlock()
	if len(ch.certs.of) >= maxCertificates {
		clear(ch.certs.of)
	}
	ch.certs.of[u.String()] = fresh
	return fresh.key, nil
}

func (ch *Channel) fetch(u *url.URL, now time.Time) (certificate, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return certificate{}, forged()
	}
	res, err := ch.trust.Client.Do(ctx, req)
	if err != nil {
		return certificate{}, fault.Unavailable("callback_certificate_unavailable", "paypal's certificate can't be fetched now", nil)
	}
	if res.Status != http.StatusOK {
		return certificate{}, forged()
	}
	return chain(res.Body, ch.trust, now)
}

// chain verifies a PEM file of a certificate and those between it and its root.
func chain(body []byte, t Trust, now time.Time) (certificate, error) {
	var list []*x509.Certificate
	for len(list) < 8 {
		block, rest := pem.Decode(body)
		if block == nil {
			break
		}
		body = rest
		c, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil {
			return certificate{}, forged()
		}
		list = append(list, c)
	}
	if len(list) == 0 || !issuedTo(list[0], t.Name) {
		return certificate{}, forged()
	}
	between := x509.NewCertPool()
	for _, c := range list[1:] {
		between.AddCert(c)
	}
	key, ok := list[0].PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < 2048 {
		return certificate{}, forged()
	}
	chains, err := list[0].Verify(x509.VerifyOptions{Roots: t.Roots, Intermediates: between, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return certificate{}, forged()
	}
	c := certificate{key: key, fetched: now}
	for _, each := range chains[0] {
		if c.from.Before(each.NotBefore) {
			c.from = each.NotBefore
		}
		if c.till.IsZero() || each.NotAfter.Before(c.till) {
			c.till = each.NotAfter
		}
	}
	return c, nil
}

// issuedTo: one of its names is the domain or below it.
func issuedTo(c *x509.Certificate, domain string) bool {
	return slices.ContainsFunc(append([]string{c.Subject.CommonName}, c.DNSNames...), func(name string) bool {
		name = strings.ToLower(name)
		return name == domain || strings.HasSuffix(name, "."+domain)
	})
}
