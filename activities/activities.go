// Package activities holds the steps of the sagas. A step either commits one
// ledger.Step, or calls a channel once; it decides nothing that belongs to a
// domain package, makes no key, and calls no other step.
package activities

import (
	"context"
	"time"

	"paysaga/channels"
	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/domain/risk"
)

// Committer commits Steps. It answers with faults: Conflict for a state that
// moved or a cause with other content, Unavailable when nothing was committed.
type Committer interface {
	Commit(context.Context, ledger.Step) (ledger.Receipt, error)
}

// Files reads what the steps need. A missing row is fault.NotFound.
type Files interface {
	Dossier(ctx context.Context, book id.Book, paymentID string) (payment.Dossier, error)
	Intent(ctx context.Context, book id.Book, key string) (channels.Intent, error)
	CaptureIntent(ctx context.Context, book id.Book, key string) (channels.CaptureIntent, error)
	OpenAccounts(ctx context.Context, book id.Book, merchantID string) ([]channels.OpenAccount, error)
	Callback(ctx context.Context, book id.Book, callbackID string) (channels.Received, error)
	Operator(ctx context.Context, operatorID string) (access.Operator, error)
}

// RefundFiles reads what the steps of a refund need.
type RefundFiles interface {
	RefundDossier(ctx context.Context, book id.Book, refundID string) (refund.Dossier, error)
	RefundIntent(ctx context.Context, book id.Book, key string) (channels.RefundIntent, error)
	// ClaimRefundSlot takes a place among refunds of one charge that have to be
	// apart, and says when it comes.
	ClaimRefundSlot(ctx context.Context, book id.Book, refundID string, apart time.Duration) (time.Time, error)
}

// Sealer seals what a step hands on in secret, so that histories hold only
// ciphertext (I-26).
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	OpenSealed(sealed []byte) ([]byte, error)
}

// CallLog takes one scrubbed line about each channel call. It must not block
// and may lose lines: no decision reads them.
type CallLog interface {
	Note(channels.CallLine)
}

// Config is what Steps needs. Everything but CallbackURL, Health and Risk is
// required.
type Config struct {
	Committer Committer
	Files     Files
	Refunds   RefundFiles
	Transfers TransferFiles
	Payouts   PayoutFiles
	Cases     Cases
	// Settlements and Rebates read what rebates need.
	Settlements Settlements
	Rebates     Rebates
	Reratings   Reratings
	Withdrawals Withdrawals
	Sealer      Sealer
	Calls       CallLog
	Channels    channels.Registry
	// CaseOpened is called when a case was opened just now, so that its saga
	// starts at once; it must not block. nil: a relay finds it.
	CaseOpened func()
	Rules      Rulebook
	// Risk holds for merchants without stored rules, where the platform has none
	// either; the zero allows everything.
	Risk risk.Definition
	// Health is what is known of the channel accounts; nil: one of its own.
	Health *Health
	// Limiter holds back what the accounts' limits don't let through; nil: one of its own.
	Limiter *Limiter
	// Meter counts calls; nil: nobody does.
	Meter Meter
	// Post and Courier tell merchants' endpoints.
	Post    Post
	Courier *Courier
	// CallbackURL is where channels reach this API from outside, for example
	// https://pay.example.com; empty: callbacks aren't asked for, polls learn
	// everything.
	CallbackURL string
	// ExpressTimeout bounds a call made inside a workflow task, CallTimeout any
	// other. Both are shorter than the policies' own, so that a slow channel
	// ends as Unknown and not as a lost step.
	ExpressTimeout time.Duration // 1.2 s
	CallTimeout    time.Duration // 10 s
	Now            func() time.Time
}

// Steps are the activities of all sagas; its exported methods are registered
// under their own names.
type Steps struct {
	c     Config
	rules *ruleCache
}

// New completes c with its defaults.
func New(c Config) *Steps {
	if c.ExpressTimeout == 0 {
		c.ExpressTimeout = 1200 * time.Millisecond
	}
	if c.CallTimeout == 0 {
		c.CallTimeout = 10 * time.Second
	}
	if c.CaseOpened == nil {
		c.CaseOpened = func() {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Health == nil {
		c.Health = NewHealth(HealthConfig{Now: c.Now})
	}
	if c.Limiter == nil {
		c.Limiter = NewLimiter()
	}
	if c.Meter == nil {
		c.Meter = noMeter{}
	}
	return &Steps{c, newRuleCache(c.Rules, c.Risk)}
}

// Ref names the payment a step works on. Payloads carry ids only.
type Ref struct {
	Book      id.Book `json:"book"`
	PaymentID string  `json:"payment_id"`
}

// Channels are the channels these steps can call, by name.
func (s *Steps) Channels() []string { return s.c.Channels.Names() }
