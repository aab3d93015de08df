package fake

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// encrypt is AEAD_AES_256_GCM under an APIv3 key.
func encrypt(key string, plain []byte, associated string) map[string]string {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	var raw [6]byte
	_, _ = rand.Read(raw[:])
	nonce := hex.EncodeToString(raw[:])
	return map[string]string{"algorithm": "AEAD_AES_256_GCM", "nonce": nonce, "associated_data": associated,
		"ciphertext": base64.StdEncoding.EncodeToString(aead.Seal(nil, []byte(nonce), plain, []byte(associated)))}
}

// certificates hands out the platform's; a merchant that has the public key from the start has none.
func (s *Server) certificates(c call) reply {
	if s.conf.Mode == PublicKeys {
		return refuse(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "无可用的平台证书")
	}
	secret := apiV3Key
	if strings.Contains(c.Header.Get("Authorization"), `mchid="`+foreignMch+`"`) {
		secret = merchants()[foreignMch].secret
	}
	data := []any{}
	for _, each := range s.certs {
		data = append(data, map[string]any{"serial_no": each.serial, "effective_time": each.begin.In(Beijing).Format(time.RFC3339),
			"expire_time": each.end.In(Beijing).Format(time.RFC3339), "encrypt_certificate": encrypt(secret, each.text, "certificate")})
	}
	return ok(map[string]any{"data": data})
}

// Encrypt is how the server hides what it tells the merchant.
func (s *Server) Encrypt(plain []byte, associated string) map[string]string {
	return encrypt(apiV3Key, plain, associated)
}
