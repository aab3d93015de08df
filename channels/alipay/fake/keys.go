package fake

import (
	"crypto"
	"crypto/md5" // as Alipay does
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"
)

// keyring is everybody's keys, made once per process: they take a while.
type keyring struct {
	app, alipay, other *rsa.PrivateKey

	rootCert, appCert, alipayCert, otherCert string // PEM
	appSN, alipaySN, rootSN                  string
}

var ring = sync.OnceValue(func() *keyring {
	k := &keyring{}
	var wg sync.WaitGroup
	for _, into := range []**rsa.PrivateKey{&k.app, &k.alipay, &k.other} {
		wg.Go(func() {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				panic(err)
			}
			*into = key
		})
	}
	wg.Wait()
	issuer := pkix.Name{Country: []string{"CN"}, Organization: []string{"Ant Financial"}, OrganizationalUnit: []string{"Certification Authority"},
		CommonName: "Ant Financial Certification Authority Class 2 R1"}
	root := template(1, issuer)
	root.IsCA, root.BasicConstraintsValid = true, true
	k.rootCert, k.rootSN = issue(root, root, &k.alipay.PublicKey, k.alipay)
	app, alipay, other := template(0x7fffffffffffffff, pkix.Name{CommonName: "paysaga"}), template(0x1234567890abcd, pkix.Name{CommonName: "alipay"}),
		template(77, pkix.Name{CommonName: "other"})
	k.appCert, k.appSN = issue(app, root, &k.app.PublicKey, k.alipay)
	k.alipayCert, k.alipaySN = issue(alipay, root, &k.alipay.PublicKey, k.alipay)
	k.otherCert, _ = issue(other, root, &k.other.PublicKey, k.alipay)
	return k
})

func template(serial int64, subject pkix.Name) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: subject, NotBefore: time.Unix(1_700_000_000, 0), NotAfter: time.Unix(2_500_000_000, 0)}
}

func issue(cert, parent *x509.Certificate, public *rsa.PublicKey, signer *rsa.PrivateKey) (text, number string) {
	raw, err := x509.CreateCertificate(rand.Reader, cert, parent, public, signer)
	if err != nil {
		panic(err)
	}
	// The names of the issuer, the last first, and the serial number in decimal.
	name := "CN=Ant Financial Certification Authority Class 2 R1,OU=Certification Authority,O=Ant Financial,C=CN"
	sum := md5.Sum([]byte(name + cert.SerialNumber.String()))
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})), hex.EncodeToString(sum[:])
}

// content is what is signed of parameters.
func content(p map[string]string, without ...string) string {
	var parts []string
	for k, v := range p {
		if v != "" && !slices.Contains(without, k) {
			parts = append(parts, k+"="+v)
		}
	}
	// Sorting pairs sorts names, as long as no name is another's beginning followed by something below "=".
	slices.SortFunc(parts, func(a, b string) int {
		x, _, _ := strings.Cut(a, "=")
		y, _, _ := strings.Cut(b, "=")
		return strings.Compare(x, y)
	})
	return strings.Join(parts, "&")
}

// Sign is Alipay's signature of bytes.
func (s *Server) Sign(text []byte) string { return signWith(s.keys.alipay, text) }

func signWith(key *rsa.PrivateKey, text []byte) string {
	sum := sha256.Sum256(text)
	raw, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// signedByApp says whether the application signed these parameters.
func (s *Server) signedByApp(p map[string]string) bool {
	raw, err := base64.StdEncoding.DecodeString(p["sign"])
	sum := sha256.Sum256([]byte(content(p, "sign")))
	return err == nil && rsa.VerifyPKCS1v15(s.trust, crypto.SHA256, sum[:], raw) == nil
}
