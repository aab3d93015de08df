package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/gowebpki/jcs"
	"github.com/labstack/echo/v4"

	"paysaga/domain/access"
	"paysaga/domain/fault"
)

const (
	keyHeader      = "Idempotency-Key"
	maxKey         = 255
	keyOfKey       = "idempotency_key"
	replayedHeader = "Idempotent-Replayed"
)

// idempotencyKey reads the one key of a request, bare or as a quoted string (RFC 8941); both spellings are one key.
func idempotencyKey(h http.Header) (string, error) {
	values := h.Values(keyHeader)
	if len(values) == 0 {
		return "", fault.Invalid("idempotency_key_missing", keyHeader, "this request needs an Idempotency-Key")
	}
	key, ok := unquote(values[0])
	if len(values) > 1 || !ok || !visible(key, maxKey) {
		return "", fault.Invalid("idempotency_key_invalid", keyHeader,
			"an Idempotency-Key is 1 to 255 visible ASCII characters, bare or in double quotes, given once")
	}
	return key, nil
}

// unquote takes the quotes off; within them only a quote and a backslash are escaped.
func unquote(s string) (string, bool) {
	if s == "" || s[0] != '"' {
		return s, true
	}
	var out []byte
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return string(out), i == len(s)-1
		case '\\':
			i++
			if i == len(s) || (s[i] != '"' && s[i] != '\\') {
				return "", false
			}
		}
		out = append(out, s[i])
	}
	return "", false
}

// idempotency is the row that makes a repeat have no second effect (I-20): the operation with its path ids filled in, and
// the hash of the canonical JSON (RFC 8785) of the body as it was sent.
func idempotency(c echo.Context, who caller, body []byte) (access.Idempotency, error) {
	if len(body) == 0 {
		body = []byte("{}")
	}
	canonical, err := jcs.Transform(body)
	if err != nil { // strict.go has read it before, so only a number beyond a float64 gets here
		return access.Idempotency{}, fault.Invalid("json_invalid", "", "the body has no canonical form")
	}
	sum := sha256.Sum256(canonical)
	key, _ := c.Get(keyOfKey).(string)
	scope := who.merchant
	if scope == "" || who.user != "" { // an operator who acts for the whole book; a user, whose keys are no other user's
		scope = who.ID
	}
	return access.Idempotency{
		MerchantID: scope, Operation: c.Request().Method + " " + c.Request().URL.Path,
		Key: key, RequestHash: hex.EncodeToString(sum[:]),
	}, nil
}
