package alipay

import (
	"crypto/md5" // Alipay names certificates by it; nothing is protected by it
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
)

// certificate is as much of X.509 as Alipay's serial numbers need. crypto/x509 can't read Alipay's root file, in which one
// of the certificates has a key that it doesn't know (SM2).
type certificate struct {
	signed string // the signature's algorithm
	serial *big.Int
	issuer pkix.RDNSequence
}

// certificates reads every certificate of a PEM text.
func certificates(text string) ([]certificate, error) {
	var list []certificate
	for rest := []byte(strings.TrimSpace(text)); len(rest) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, problem("holds something else than certificates")
		}
		c, ok := readCertificate(block.Bytes)
		if !ok {
			return nil, problem("holds a certificate that can't be read")
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, problem("holds no certificate in PEM")
	}
	return list, nil
}

// readCertificate takes a certificate's fields up to its issuer, one after the other.
func readCertificate(raw []byte) (c certificate, ok bool) {
	var outer struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(raw, &outer); err != nil {
		return c, false
	}
	c.signed = outer.Algorithm.Algorithm.String()
	rest := outer.TBS.Bytes
	next := func(into any) bool {
		var err error
		rest, err = asn1.Unmarshal(rest, into)
		return err == nil
	}
	var version asn1.RawValue
	if len(rest) > 0 && rest[0] == 0xa0 && !next(&version) {
		return c, false
	}
	var algorithm pkix.AlgorithmIdentifier
	return c, next(&c.serial) && next(&algorithm) && next(&c.issuer)
}

// shortNames are the attributes that Alipay writes by name.
var shortNames = map[string]string{"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU",
	"1.2.840.113549.1.9.1": "E"}

// number is a certificate's name at Alipay: hex MD5 of its issuer's attributes, the last first, and its serial number in
// decimal.
func (c certificate) number() string {
	var parts []string
	for i := len(c.issuer) - 1; i >= 0; i-- {
		for j := len(c.issuer[i]) - 1; j >= 0; j-- {
			a := c.issuer[i][j]
			parts = append(parts, fmt.Sprintf("%s=%v", shortNames[a.Type.String()], a.Value))
		}
	}
	sum := md5.Sum([]byte(strings.Join(parts, ",") + c.serial.String()))
	return hex.EncodeToString(sum[:])
}

// serial is the app_cert_sn or alipay_cert_sn of a PEM text, of its first certificate.
func serial(text string) (string, error) {
	list, err := certificates(text)
	if err != nil {
		return "", err
	}
	return list[0].number(), nil
}

// rsaSignatures is how the object identifiers of RSA signatures begin.
const rsaSignatures = "1.2.840.113549.1.1."

// rootSerial is the alipay_root_cert_sn of a PEM text: of all its certificates that are signed with RSA.
func rootSerial(text string) (string, error) {
	list, err := certificates(text)
	if err != nil {
		return "", err
	}
	var numbers []string
	for _, c := range list {
		if strings.HasPrefix(c.signed, rsaSignatures) {
			numbers = append(numbers, c.number())
		}
	}
	if len(numbers) == 0 {
		return "", problem("holds no certificate that is signed with RSA")
	}
	return strings.Join(numbers, "_"), nil
}

// certificateKey is the key of a PEM text's first certificate.
func certificateKey(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(strings.TrimSpace(text)))
	if block == nil {
		return nil, problem("holds no certificate in PEM")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, problem("holds a certificate that can't be read")
	}
	return rsaKey(c.PublicKey)
}
