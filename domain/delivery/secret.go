package delivery

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"paysaga/domain/fault"
)

// Secret is the key that an endpoint's messages are signed with, as Standard Webhooks has it. It shows itself by Reveal
// only: printing, logging and JSON don't give it away (I-26).
type Secret struct{ key []byte }

const (
	secretPrefix = "whsec_"
	// SecretBytes is how many random bytes a new secret has.
	SecretBytes = 32
	// Standard Webhooks asks for 24 to 64 bytes.
	minSecret, maxSecret = 24, 64
	// Overlap is how long a rotated secret goes on signing beside its successor, unless the merchant says otherwise.
	Overlap = 24 * time.Hour
)

var errRevealed = errors.New("a signing secret is no JSON")

// SecretOf makes a secret of 24 to 64 random bytes.
func SecretOf(key []byte) (Secret, error) {
	if len(key) < minSecret || len(key) > maxSecret {
		return Secret{}, fault.Invalid("secret_invalid", "secret", "a signing secret has 24 to 64 bytes")
	}
	return Secret{key: append([]byte(nil), key...)}, nil
}

// ParseSecret reads "whsec_" and base64. The error doesn't quote the text.
func ParseSecret(text string) (Secret, error) {
	rest, ok := strings.CutPrefix(text, secretPrefix)
	if !ok {
		return Secret{}, fault.Invalid("secret_invalid", "secret", "a signing secret begins with whsec_")
	}
	key, err := base64.StdEncoding.Strict().DecodeString(rest)
	if err != nil || strings.ContainsAny(rest, "\r\n") {
		return Secret{}, fault.Invalid("secret_invalid", "secret", "a signing secret is whsec_ and base64")
	}
	return SecretOf(key)
}

// Reveal returns the text that the merchant is shown, once, and that is sealed in the store.
func (s Secret) Reveal() string { return secretPrefix + base64.StdEncoding.EncodeToString(s.key) }

// IsZero reports whether there is no key.
func (s Secret) IsZero() bool { return len(s.key) == 0 }

// String hides the key.
func (s Secret) String() string { return secretPrefix + "…" }

// GoString hides the key from %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalJSON refuses: a secret in JSON is one on its way into a history or an answer.
func (s Secret) MarshalJSON() ([]byte, error) { return nil, errRevealed }

// sign returns "v1," and the base64 of HMAC-SHA256 over id.seconds.body.
func (s Secret) sign(id, seconds string, body []byte) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(id + "." + seconds + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Stamp is the three headers of Standard Webhooks.
type Stamp struct{ ID, Timestamp, Signature string }

// Sign stamps one try: at is the time of the try, not of the event, or a receiver would take a late one for a replay.
// An id with a dot would let two messages have one signature, so it is refused.
func (d Delivery) Sign(at time.Time) (Stamp, error) {
	if d.EventID == "" || len(d.EventID) > 100 || strings.ContainsFunc(d.EventID, func(r rune) bool { return !strings.ContainsRune(idCharacters, r) }) {
		return Stamp{}, fault.Internal("an event id that can't be signed", nil)
	}
	if len(d.Body) == 0 || len(d.Secrets) == 0 || len(d.Secrets) > MaxSecrets {
		return Stamp{}, fault.Internal("a delivery without a body, or with no or too many secrets", nil)
	}
	stamp := Stamp{ID: d.EventID, Timestamp: strconv.FormatInt(at.Unix(), 10)}
	signatures := make([]string, len(d.Secrets))
	for i, s := range d.Secrets {
		if s.IsZero() {
			return Stamp{}, fault.Internal("a delivery with an empty secret", nil)
		}
		signatures[i] = s.sign(stamp.ID, stamp.Timestamp, d.Body)
	}
	stamp.Signature = strings.Join(signatures, " ")
	return stamp, nil
}

const idCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

// Key is a secret with the end of its time; Until is zero for the one that no rotation has followed.
type Key struct {
	Secret Secret
	Until  time.Time
}

// InForce returns the secrets that sign at a time, in the order of the keys, which is newest first. The store keeps
// keys so and drops those that InForce leaves out.
func InForce(keys []Key, at time.Time) []Secret {
	var in []Secret
	for _, k := range keys {
		if (k.Until.IsZero() || at.Before(k.Until)) && len(in) < MaxSecrets {
			in = append(in, k.Secret)
		}
	}
	return in
}
