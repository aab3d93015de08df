package wechatpay

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// message is what gets signed: each part on a line of its own, the last one too.
func message(parts ...string) []byte {
	return []byte(strings.Join(parts, "\n") + "\n")
}

// sign is RSA PKCS#1 v1.5 over SHA-256, in base64: the same text is always signed the same.
func sign(key *rsa.PrivateKey, text []byte) (string, error) {
	sum := sha256.Sum256(text)
	raw, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	return base64.StdEncoding.EncodeToString(raw), err
}

func verify(key *rsa.PublicKey, text []byte, signature string) bool {
	raw, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil {
		return false
	}
	sum := sha256.Sum256(text)
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw) == nil
}

// secret is how WeChat encrypts callbacks and certificates.
type secret struct {
	Algorithm  string `json:"algorithm"`
	Ciphertext string `json:"ciphertext"`
	Nonce      string `json:"nonce"`
	Associated string `json:"associated_data"`
}

const aeadAES256GCM = "AEAD_AES_256_GCM"

// open decrypts with the APIv3 key. The cipher panics on a nonce of another length than its own, so that is looked at first.
func (x secret) open(key []byte) ([]byte, bool) {
	raw, err := base64.StdEncoding.DecodeString(x.Ciphertext)
	if x.Algorithm != aeadAES256GCM || err != nil || len(key) != 32 {
		return nil, false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, false
	}
	aead, err := cipher.NewGCM(block)
	if err != nil || len(x.Nonce) != aead.NonceSize() {
		return nil, false
	}
	plain, err := aead.Open(nil, []byte(x.Nonce), raw, []byte(x.Associated))
	return plain, err == nil
}

// conceal encrypts a personal datum for WeChat alone: RSA-OAEP with SHA-1, as its documentation asks.
func conceal(key *rsa.PublicKey, text string) (string, error) {
	raw, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key, []byte(text), nil)
	return base64.StdEncoding.EncodeToString(raw), err
}
