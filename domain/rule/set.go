package rule

import (
	"encoding/json"
	"strconv"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Kind says what a rule set decides.
type Kind string

// The kinds.
const (
	Routing Kind = "routing"
	Risk    Kind = "risk"
)

// InForce names a version of a rule set. The zero is the built-in one, which
// has no rules.
type InForce struct {
	MerchantID string // empty: the platform's
	Version    int
}

// Label is how plans and verdicts name it: "3" is a merchant's own third
// version, "platform.3" the platform's.
func (f InForce) Label() string {
	switch {
	case f.Version == 0:
		return "built-in"
	case f.MerchantID == "":
		return "platform." + strconv.Itoa(f.Version)
	}
	return strconv.Itoa(f.Version)
}

// Set is one version of a rule set, as it is kept. It never changes.
type Set struct {
	Book       id.Book
	MerchantID string // empty: the platform's, for merchants without one of their own
	Kind       Kind
	Version    int // from 1; the store gives it
	Definition json.RawMessage
	Note       string // what its author says about it
	By         ledger.Principal
	CreatedAt  time.Time
	Active     bool // it is in force now
}

// Activation puts a version in force.
type Activation struct {
	Book       id.Book
	MerchantID string
	Kind       Kind
	Version    int
	By         ledger.Principal // its Reason is required
}

// Owner is whose rule sets those of a merchant are, in the ids of events.
func Owner(merchantID string) string {
	if merchantID == "" {
		return "platform"
	}
	return merchantID
}

// Failed is the change by which a Step tells that a rule failed at a payment.
// Its event is about the rule set; a rule that fails at each payment tells so
// once a minute, and every payment keeps its own note.
type Failed struct {
	Kind      Kind
	Set       InForce
	Rule      string
	Failure   Failure
	PaymentID string
}

// Content implements ledger.Change.
func (f Failed) Content() any { return []any{"rule_failed", f.Kind, f.Set.Version, f.Rule} }

// Quiet is how long the same failure isn't told again.
const Quiet = time.Minute

// CheckNote refuses a note or a reason that nobody could read.
func CheckNote(param, text string, needed bool) error {
	if needed && text == "" {
		return fault.Invalid("reason_required", param, "people say why")
	}
	if len(text) > 500 {
		return fault.Invalid("reason_invalid", param, "this is at most 500 bytes")
	}
	for _, r := range text {
		if r < ' ' || r == 0x7f {
			return fault.Invalid("reason_invalid", param, "this has no control characters")
		}
	}
	return nil
}
