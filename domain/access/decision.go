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

// Sign makes the code an operator pastes beside a decision:
// base64url(JSON) "." base64url(Ed25519 signature of the first part).
func (d Decision) Sign(key ed25519.PrivateKey) (string, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return "", fault.Internal("a decision can't be written", err)
	}
	text := base64.RawURLEncoding.EncodeToString(b)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(text))), nil
}

// ReadDecision reads a code without judging it, so that its operator can be
// looked up. An unreadable one is fault.Invalid "code_invalid".
func ReadDecision(code string) (Decision, error) {
	text, _, ok := strings.Cut(code, ".")
	b, err := base64.RawURLEncoding.DecodeString(text)
	var d Decision
	if !ok || err != nil || json.Unmarshal(b, &d) != nil {
		return Decision{}, fault.Invalid("code_invalid", "code", "this is not a code of `paysaga operator sign`")
	}
	return d, nil
}

// Verify judges a code: signed by o, for exactly this decision about this
// payment, and not older than DecisionLife. A refusal is fault.Denied.
func (o Operator) Verify(code string, want Decision, now time.Time) error {
	d, err := ReadDecision(code)
	if err != nil {
		return err
	}
	text, sig, _ := strings.Cut(code, ".")
	raw, err := base64.RawURLEncoding.DecodeString(sig)
	switch age := now.Sub(d.SignedAt); {
	case err != nil || o.Revoked || len(o.PublicKey) != ed25519.PublicKeySize || !ed25519.Verify(o.PublicKey, []byte(text), raw):
		return fault.Denied("signature_invalid", "the code isn't signed by this operator")
	case d.BusinessID != want.BusinessID || d.Decision != want.Decision || d.Reason != want.Reason:
		return fault.Denied("code_for_another_decision", "the code was signed for another decision, object or reason")
	case age > DecisionLife || age < -time.Minute:
		return fault.Denied("code_expired", "the code is too old: sign again")
	}
	return nil
}
