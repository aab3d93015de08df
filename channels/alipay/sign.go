package alipay

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"paysaga/domain/fault"
)

// content is what Alipay signs of parameters: the non-empty ones but those left out, sorted by name, as k=v joined by &.
// The values are as they are meant, not as a URL has them.
func content(parameters map[string]string, without ...string) string {
	names := make([]string, 0, len(parameters))
	for name, value := range parameters {
		if value != "" && !slices.Contains(without, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(name + "=" + parameters[name])
	}
	return b.String()
}

// sign is RSA2: SHA256withRSA in PKCS#1 v1.5, in base64. The same content has the same signature.
func (k *keys) sign(text string) (string, error) {
	own, err := k.own()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(text))
	raw, err := rsa.SignPKCS1v15(nil, own, crypto.SHA256, sum[:])
	if err != nil {
		return "", fault.Internal("a request can't be signed", err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// verify says whether Alipay signed exactly these bytes.
func (k *keys) verify(text []byte, signature string) bool {
	raw, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil {
		return false
	}
	sum := sha256.Sum256(text)
	return rsa.VerifyPKCS1v15(k.alipay, crypto.SHA256, sum[:], raw) == nil
}
