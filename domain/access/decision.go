package access

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"paysaga/domain/fault"
)

// Operator is a person who may decide about money. PublicKey verifies what
// `paysaga operator sign` signed; the private key is only theirs.
type Operator struct {
	ID        string // opr_…
	Name      string
	PublicKey ed25519.PublicKey
	Revoked   bool
}

// DecisionLife is how long a signed decision may be used.
const DecisionLife = 15 * time.Minute

// Decision is what an operator signs: one decision about one payment.
type Decision struct {
	Operator   string    `json:"operator"`
	BusinessID string    `json:"business_id"`
	Decision   string    `json:"decision"`
	Reason     string    `json:"reason"`
	SignedAt   time.Time `json:"signed_at"`
}

// encoding is strict, so that a code has one spelling.
var encoding = base64.RawURLEncoding.Strict()

// maxCode is far above any honest code and bounds what is read of another.
const maxCode = 8 << 10

// Sign makes the code an operator pastes beside a decision:
// base64url(JSON) "." base64url(Ed25519 signature of the first part).
func (d Decision) Sign(key ed25519.PrivateKey) (string, error) {
	if len(key) != ed25519.PrivateKeySize {
		return "", fault.Invalid("key_invalid", "", "this is not a private key of `paysaga operator create`")
	}
	b, err := json.Marshal(d)
	if err != nil {
		return "", fault.Internal("a decision can't be written", err)
	}
	text := encoding.EncodeToString(b)
	return text + "." + encoding.EncodeToString(ed25519.Sign(key, []byte(text))), nil
}

// ReadDecision reads a code without judging it, so that its operator can be
// looked up. An unreadable one is fault.Invalid "code_invalid".
func ReadDecision(code string) (Decision, error) {
	text, sig, ok := strings.Cut(code, ".")
	b, err := encoding.DecodeString(text)
	var d Decision
	switch {
	case !ok, err != nil, len(code) > maxCode, len(sig) != encoding.EncodedLen(ed25519.SignatureSize),
		strings.ContainsAny(code, "\r\n"), // the decoder would skip them
		json.Unmarshal(b, &d) != nil:
		return Decision{}, fault.Invalid("code_invalid", "code", "this is not a code of `paysaga operator sign`")
	}
	return d, nil
}

// Verify judges a code: signed by o in o's name, for exactly this decision
// about this payment for this reason, and not older than DecisionLife. A refusal
// is fault.Denied. It doesn't know whether the code was used before: the same
// decision twice is one decision.
func (o Operator) Verify(code string, want Decision, now time.Time) error {
	d, err := ReadDecision(code)
	if err != nil {
		return err
	}
	text, sig, _ := strings.Cut(code, ".")
	raw, err := encoding.DecodeString(sig)
	switch age := now.Sub(d.SignedAt); {
	case err != nil || o.Revoked || d.Operator != o.ID || len(o.PublicKey) != ed25519.PublicKeySize || !ed25519.Verify(o.PublicKey, []byte(text), raw):
		return fault.Denied("signature_invalid", "the code isn't signed by this operator")
	case d.BusinessID != want.BusinessID || d.Decision != want.Decision || d.Reason != want.Reason:
		return fault.Denied("code_for_another_decision", "the code was signed for another decision, object or reason")
	case age > DecisionLife || age < -clockSkew:
		return fault.Denied("code_expired", "the code is too old: sign again")
	}
	return nil
}

// clockSkew is how far the clock of an operator's machine may be ahead of ours.
const clockSkew = time.Minute
