package exception

import (
	"slices"
	"strings"
	"time"

	"paysaga/domain/id"
)

// Public is a case as the API and its events show it: schema Case of
// openapi.yaml.
type Public struct {
	ID              string     `json:"id"`
	Object          string     `json:"object"`
	Livemode        bool       `json:"livemode"`
	MerchantID      string     `json:"merchant_id,omitempty"`
	PaymentID       string     `json:"payment_id,omitempty"`
	ChannelAccount  string     `json:"channel_account,omitempty"`
	Kind            Kind       `json:"kind"`
	Status          State      `json:"status"`
	Amount          string     `json:"amount"`
	Currency        string     `json:"currency,omitempty"`
	OnSuspense      bool       `json:"on_suspense"`
	Reason          string     `json:"reason"`
	Policy          Decision   `json:"policy"`
	Deadline        *time.Time `json:"deadline,omitempty"`
	DefaultDecision Decision   `json:"default_decision,omitempty"`
	Decisions       []Decision `json:"decisions"`
	Decision        Decision   `json:"decision,omitempty"`
	DecidedBy       string     `json:"decided_by,omitempty"`
	Verified        bool       `json:"verified"`
	DecisionReason  string     `json:"decision_reason,omitempty"`
	RefundID        string     `json:"refund_id,omitempty"`
	NeedsOperator   bool       `json:"needs_operator"`
	Note            string     `json:"note,omitempty"`
	Sequence        int64      `json:"sequence"`
	OpenedAt        time.Time  `json:"opened_at"`
	DecidedAt       *time.Time `json:"decided_at,omitempty"`
	ClosedAt        *time.Time `json:"closed_at,omitempty"`
}

// Public renders c. on_suspense is true while its money stands there.
func (c Case) Public() Public {
	v := Public{
		ID: c.ID, Object: "case", Livemode: c.Book.Livemode(), MerchantID: c.MerchantID, PaymentID: c.PaymentID,
		ChannelAccount: c.ChannelAccount, Kind: c.Kind, Status: c.State(), Amount: c.Amount.Decimal(), Currency: string(c.Amount.Currency),
		OnSuspense: c.OnSuspense() && (c.State() != Closed || c.Decision == WriteOff), Reason: c.Reason, Policy: c.Policy.Do,
		Deadline: shown(c.Deadline), DefaultDecision: c.Policy.Then, Decisions: slices.Clip(append([]Decision{}, c.Allowed()...)),
		Decision: c.Decision, DecidedBy: c.Actor, Verified: c.Verified, DecisionReason: c.DecisionReason, RefundID: c.RefundID,
		NeedsOperator: c.NeedsPerson(), Note: c.Parked, Sequence: c.Sequence, OpenedAt: c.OpenedAt.UTC(),
		DecidedAt: shown(c.DecidedAt), ClosedAt: shown(c.ClosedAt),
	}
	return v
}

// NeedsPerson: nothing goes on before somebody decides, or looks.
func (c Case) NeedsPerson() bool {
	return c.State() != Closed && (c.Parked != "" || (c.State() == Open && c.Policy.Do == Ask))
}

func shown(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Microsecond) // what the store keeps
	return &t
}

// Path is the id as it stands in a URL: dots for the slashes.
func (c Case) Path() string { return strings.ReplaceAll(c.ID, "/", ".") }

// Filter selects cases of one book for a list, the longest open first.
type Filter struct {
	Book       id.Book
	MerchantID string // empty: every merchant's, and nobody's
	State      State
	Kind       Kind
	PaymentID  string
	After      string // the id after which the page starts
	Limit      int    // 1–100
}
