package risk

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"paysaga/domain/fault"
)

// Kind says what stands on a list.
type Kind string

// The kinds. What names a person in the world is kept as a digest only (I-26).
const (
	KindCustomer Kind = "customer" // usr_…
	KindCountry  Kind = "country"  // ISO 3166-1 alpha-2
	KindCard     Kind = "card"     // digest of the channel's fingerprint
	KindEmail    Kind = "email"    // digest
	KindPhone    Kind = "phone"    // digest
	KindIP       Kind = "ip"       // digest
)

// Valid says whether there are lists of this kind.
func (k Kind) Valid() bool { return k == KindCustomer || k == KindCountry || k.Personal() }

// Personal reports whether a kind's values are digests.
func (k Kind) Personal() bool {
	return k == KindCard || k == KindEmail || k == KindPhone || k == KindIP
}

// Digest is the form in which a personal value is listed, compared and counted:
// HMAC-SHA-256 in hex, under a secret of the book, since mail addresses and
// phone numbers can be guessed by trying. Mail is compared in lower case, phones
// by their digits.
func Digest(secret []byte, k Kind, value string) (string, error) {
	if len(secret) < 16 {
		return "", fault.Internal("the secret of the lists is too short", nil)
	}
	value = strings.TrimSpace(value)
	switch k {
	case KindEmail:
		value = strings.ToLower(value)
	case KindPhone:
		value = strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, value)
	}
	if value == "" {
		return "", nil
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(string(k) + "\x00" + value))
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// Listed is a value that may stand on a list.
type Listed struct {
	Kind  Kind   `json:"kind"`
	Value string `json:"value"` // a digest where the kind is personal
}

// Entry is a line of a list.
type Entry struct {
	Listed
	// Block refuses; otherwise the entry allows: it silences rules and soft
	// blocks, never limits and velocities.
	Block bool `json:"block"`
	// Hard marks a block that no allowing entry silences unless it says so.
	Hard bool `json:"hard,omitempty"`
	// OverHard is that saying, of an allowing entry.
	OverHard bool   `json:"over_hard,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// Check refuses an entry that says nothing or two things.
func (e Entry) Check() error {
	if !e.Kind.Valid() {
		return fault.Invalid("list_kind_unknown", "kind", "there is no list of this kind")
	}
	if e.Value == "" {
		return fault.Invalid("list_value_missing", "value", "an entry has a value")
	}
	if raw, err := hex.DecodeString(e.Value); e.Kind.Personal() && (err != nil || len(raw) != sha256.Size) {
		return fault.Invalid("list_value_invalid", "value", "a personal value is listed as its digest")
	}
	if e.Hard && !e.Block || e.OverHard && e.Block {
		return fault.Invalid("list_entry_invalid", "hard", "only a block is hard, and only an allowance goes over hard blocks")
	}
	if len(e.Reason) > maxReason {
		return fault.Invalid("reason_invalid", "reason", "the reason is too long")
	}
	return nil
}

// Lookup lists the values of a payment that may stand on lists: what the store
// has to look up.
func (f Facts) Lookup() []Listed {
	var out []Listed
	for _, l := range []Listed{{KindCustomer, f.CustomerID}, {KindCountry, f.Country}, {KindCard, f.Card},
		{KindEmail, f.Email}, {KindPhone, f.Phone}, {KindIP, f.IP}} {
		if l.Value != "" {
			out = append(out, l)
		}
	}
	return out
}

// lists is what the hits say together.
func (s *RuleSet) lists(hits []Entry) (block *Entry, silenced bool) {
	allowed, over := false, false
	for _, e := range hits {
		allowed = allowed || !e.Block
		over = over || !e.Block && e.OverHard
	}
	for i, e := range hits {
		if e.Block && (!allowed || e.Hard && !over) && (block == nil || e.Hard && !block.Hard) {
			block = &hits[i]
		}
	}
	return block, allowed
}
