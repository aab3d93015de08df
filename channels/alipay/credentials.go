package alipay

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"sync"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// The credentials of an Alipay account. It is opened either with Alipay's public key or with the three certificates.
const (
	AppID      = "app_id"
	PrivateKey = "private_key"
	PublicKey  = "alipay_public_key"
	AppCert    = "app_cert"
	AlipayCert = "alipay_cert"
	RootCert   = "alipay_root_cert"
	SellerID   = "seller_id"
)

// minKey is the size of RSA key below which RSA2 isn't to be used.
const minKey = 2048

var credentials = []channels.Credential{
	{Name: AppID, Required: true, Help: "the application's APPID: open.alipay.com, the application's overview", Check: checkDigits},
	{Name: PrivateKey, Required: true, Help: "the application's own RSA private key, PKCS#1 or PKCS#8, as PEM or as one line of base64", Check: checkWith(parsePrivate)},
	{Name: PublicKey, Help: "public-key mode: Alipay's public key (not the application's), from 'interface signing'; PEM or one line of base64", Check: checkWith(parsePublic)},
	{Name: AppCert, Help: "certificate mode: the application's certificate, appCertPublicKey_….crt, as PEM", Check: checkWith(serial)},
	{Name: AlipayCert, Help: "certificate mode: Alipay's certificate, alipayCertPublicKey_RSA2.crt, as PEM", Check: checkWith(certificateKey)},
	{Name: RootCert, Help: "certificate mode: Alipay's root certificates, alipayRootCert.crt, as PEM", Check: checkWith(rootSerial)},
	{Name: SellerID, Help: "the merchant's own account number, 2088 and 12 digits: callbacks about another's money are refused", Check: checkSeller},
}

func checkDigits(value string, _ id.Book) string {
	if value == "" || strings.Trim(value, "0123456789") != "" {
		return "has to be digits only"
	}
	return ""
}

func checkSeller(value string, _ id.Book) string {
	if !isUserID(value) {
		return "has to be 2088 followed by 12 digits"
	}
	return ""
}

// isUserID says whether text has the form of an account number at Alipay.
func isUserID(text string) bool {
	return len(text) == 16 && strings.HasPrefix(text, "2088") && strings.Trim(text, "0123456789") == ""
}

func checkWith[T any](parse func(string) (T, error)) func(string, id.Book) string {
	return func(value string, _ id.Book) string {
		if _, err := parse(value); err != nil {
			return err.Error()
		}
		return ""
	}
}

// keys are the credentials of a call, opened.
type keys struct {
	appID  string
	seller string
	own    func() (*rsa.PrivateKey, error) // read when something is to be signed: that takes a while
	alipay *rsa.PublicKey
	// The serial numbers of certificate mode; empty in public-key mode.
	appSerial, rootSerial, alipaySerial string
}

// open reads an account's credentials. What is wrong with them is our failure, and is said without quoting them (I-26).
func open(a channels.Account) (*keys, error) {
	c := a.Credentials
	k := &keys{appID: c[AppID], seller: c[SellerID]}
	bad := func(name string, err error) error {
		return fault.Internal("the alipay account "+a.ID+": "+name+" "+err.Error(), nil)
	}
	if k.appID == "" {
		return nil, bad(AppID, problem("is missing"))
	}
	k.own = sync.OnceValues(func() (*rsa.PrivateKey, error) {
		key, err := parsePrivate(c[PrivateKey])
		if err != nil {
			return nil, bad(PrivateKey, err)
		}
		return key, nil
	})
	var err error
	if c[AppCert] == "" && c[AlipayCert] == "" && c[RootCert] == "" {
		if k.alipay, err = parsePublic(c[PublicKey]); err != nil {
			return nil, bad(PublicKey, err)
		}
		return k, nil
	}
	if k.appSerial, err = serial(c[AppCert]); err != nil {
		return nil, bad(AppCert, err)
	}
	if k.rootSerial, err = rootSerial(c[RootCert]); err != nil {
		return nil, bad(RootCert, err)
	}
	if k.alipaySerial, err = serial(c[AlipayCert]); err != nil {
		return nil, bad(AlipayCert, err)
	}
	if k.alipay, err = certificateKey(c[AlipayCert]); err != nil {
		return nil, bad(AlipayCert, err)
	}
	return k, nil
}

// problem is what is wrong with a credential: a clause for people, without the value.
type problem string

func (p problem) Error() string { return string(p) }

// der takes the bytes out of PEM, or out of the bare base64 that Alipay's own key tool writes.
func der(text string) ([]byte, bool) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "-----") {
		block, rest := pem.Decode([]byte(text))
		if block == nil || strings.TrimSpace(string(rest)) != "" {
			return nil, false
		}
		return block.Bytes, true
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	return raw, err == nil && len(raw) > 0
}

// parsePrivate reads an RSA key in PKCS#1 or PKCS#8, whatever its PEM block is called.
func parsePrivate(text string) (*rsa.PrivateKey, error) {
	raw, ok := der(text)
	if !ok {
		return nil, problem("is neither PEM nor base64")
	}
	key, err := x509.ParsePKCS1PrivateKey(raw)
	if err != nil {
		any, err := x509.ParsePKCS8PrivateKey(raw)
		if err != nil {
			return nil, problem("is no private key in PKCS#1 or PKCS#8")
		}
		if key, ok = any.(*rsa.PrivateKey); !ok {
			return nil, problem("is no RSA key")
		}
	}
	if key.N.BitLen() < minKey {
		return nil, problem("is shorter than 2048 bits")
	}
	return key, nil
}

// parsePublic reads an RSA key as a SubjectPublicKeyInfo, or bare in PKCS#1.
func parsePublic(text string) (*rsa.PublicKey, error) {
	raw, ok := der(text)
	if !ok {
		return nil, problem("is neither PEM nor base64")
	}
	any, err := x509.ParsePKIXPublicKey(raw)
	if err != nil {
		if any, err = x509.ParsePKCS1PublicKey(raw); err != nil {
			return nil, problem("is no public key")
		}
	}
	return rsaKey(any)
}

func rsaKey(key any) (*rsa.PublicKey, error) {
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, problem("is no RSA key")
	}
	if public.N.BitLen() < minKey {
		return nil, problem("is shorter than 2048 bits")
	}
	return public, nil
}
