// Package channels is the contract that every payment channel keeps, and the
// only words the rest of paysaga knows for a bank, a wallet or a card network.
//
// A call names the account it is made for and the key it is made under. It
// answers with a typed Outcome: a bank's "no" and a seen "I don't know" are
// outcomes, not errors. An error is of a kind of domain/fault, and says that
// the channel was not moved (Unavailable, Invalid, NotFound) or that we are
// broken (Internal).
package channels

import (
	"context"
	"io"
	"slices"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/reconcile"
)

// Channel is one payment channel. An adapter embeds Unsupported and overrides
// what its channel can do; Describe lists exactly those operations.
//
// An adapter never retries, never opens the store, and never logs a body.
type Channel interface {
	Describe() Description

	// Charge asks the channel to move or reserve the customer's money.
	Charge(context.Context, Call, ChargeRequest) (payment.Outcome, error)
	// Capture takes (part of) what Charge authorized.
	Capture(context.Context, Call, CaptureRequest) (payment.Outcome, error)
	// Cancel closes an unpaid charge or voids an authorization, so that it can
	// never succeed afterwards. Closed means the channel confirmed it; a charge
	// that was paid first answers Succeeded.
	Cancel(context.Context, Call, ChargeRequest) (payment.Outcome, error)
	// Confirm carries on with a charge that its customer has approved, where the channel waits for the merchant's second
	// word (see payment.Outcome.Approved): only then money moves. It can't happen twice, since the channel's own state of
	// the charge prevents it and not the key, so it may be said at any age of the key. One that isn't approved stays Pending.
	Confirm(context.Context, Call, ChargeRequest) (payment.Outcome, error)
	// Ask reads what became of a charge. It moves nothing.
	Ask(context.Context, Call, ChargeRequest) (payment.Outcome, error)

	Refund(context.Context, Call, RefundRequest) (payment.Outcome, error)
	AskRefund(context.Context, Call, RefundRequest) (payment.Outcome, error)
	Payout(context.Context, Call, PayoutRequest) (payment.Outcome, error)
	AskPayout(context.Context, Call, PayoutRequest) (payment.Outcome, error)

	// ParseCallback verifies the signature over the raw bytes and reads them.
	// A forged, stale or unreadable callback is fault.Denied or fault.Invalid.
	ParseCallback(Account, RawCallback) (Callback, error)
	// Statement streams the channel's own account of one day, as the channel keeps it. A day that it has no statement of,
	// or not yet, is fault.NotFound or fault.Unavailable.
	Statement(context.Context, Account, StatementRequest) (io.ReadCloser, error)
	// ReadStatement reads such a file, in memory that doesn't grow with it, and hands out each line before it reads the
	// next; the line is the reader's again afterwards. It ends at the first error of the function, which it returns, and at
	// the first that isn't as it should be: fault.Invalid "statement_broken", see reconcile.File. What the file states of
	// its own sums and counts has been compared when the error is nil, not before: nothing is believed until then.
	ReadStatement(reconcile.File, io.Reader, func(*reconcile.Line) error) (reconcile.Control, error)
	// Probe asks the channel something that moves nothing, and so finds out whether the account's address and credentials
	// work. Those that don't are fault.Denied, with what to do about it.
	Probe(context.Context, Account) error
}

// Operation names a method of Channel.
type Operation string

// The operations a channel may offer.
const (
	OpCharge    Operation = "charge"
	OpCapture   Operation = "capture"
	OpCancel    Operation = "cancel"
	OpConfirm   Operation = "confirm"
	OpAsk       Operation = "ask"
	OpRefund    Operation = "refund"
	OpAskRefund Operation = "ask_refund"
	OpPayout    Operation = "payout"
	OpAskPayout Operation = "ask_payout"
	OpCallback  Operation = "callback"
	OpStatement Operation = "statement"
	OpProbe     Operation = "probe"
)

// Description is what a channel says of itself. It is constant.
type Description struct {
	Name       string // "sandbox", "stripe": the path segment and the queue's suffix
	Operations []Operation
	Methods    []payment.MethodType
	Currencies []string // nil: every currency of domain/money
	// KeyLife is how long the channel recognises a repeated key. Past half of
	// it Guard sends nothing more under that key and answers Unknown (I-14).
	// Zero means for ever.
	KeyLife time.Duration
	// AbsenceIsFinal says that once Ask answered Absent, no request that is
	// still on its way can create the object: a closed reference is refused.
	AbsenceIsFinal bool
	// MinRefundInterval is how long the channel wants between two refunds of
	// one charge; what comes sooner it refuses as Unavailable.
	// Zero means it doesn't care.
	MinRefundInterval time.Duration
	// MaxRefunds is how many refunds of one charge the channel takes, failed
	// ones included. Zero means without limit.
	MaxRefunds int
	// MaxRefundAge is how long after its success a charge can be refunded.
	// Zero means for ever.
	MaxRefundAge time.Duration
	// MultiCapture says that an authorization can be captured in parts, one after
	// the other. Where it can't, each capture is final.
	MultiCapture bool
	// Hints says that a callback's signature proves that the channel sent something to us, and not what. Then a callback is
	// never believed for its content: its Outcome is Unknown, so that the channel is asked what became of the Reference.
	Hints bool
	// Statements are the kinds of files that Statement and ReadStatement know.
	Statements []string
	// Credentials are what an account of the channel is opened with.
	Credentials []Credential
	// Reply answers a callback that is safely stored.
	Reply Reply
}

// Credential is one of the names in Account.Credentials.
type Credential struct {
	Name     string
	Required bool
	Help     string // what it is and where the channel shows it, in one line
	// Check says what is wrong with a value, without quoting it; empty is fine. nil takes everything.
	Check func(value string, book id.Book) string
}

// Reply is what a channel wants to hear once its callback is kept; the zero
// value is our own 200 with a JSON body. Some take nothing else for a yes.
type Reply struct {
	Status int
	Type   string // the content type; empty without a body
	Body   string
}

// Can says whether the channel offers op.
func (d Description) Can(op Operation) bool {
	return slices.Contains(d.Operations, op)
}

// Takes says whether the channel can charge by method in currency.
func (d Description) Takes(m payment.MethodType, currency string) bool {
	return slices.Contains(d.Methods, m) && (d.Currencies == nil || slices.Contains(d.Currencies, currency))
}

// Key is the idempotency key of one step (I-13): made from committed business
// ids, the same on every retry, reset and replay. NewKey makes it.
type Key struct {
	ID        string    // "<id>:<step>", for example pay_01…:ch1
	Reference string    // ID as a channel's field can carry it: ≤ 32 of [0-9a-z], one to one with ID
	BodyHash  string    // hex SHA-256 of the frozen request's canonical JSON
	BornAt    time.Time // when the intent was committed; judges KeyLife
}

// NewKey is the key of a committed intent. An id that isn't "<id>:<step>" is
// fault.Invalid.
func NewKey(keyID, bodyHash string, bornAt time.Time) (Key, error) {
	ref, err := id.Reference(keyID)
	if err != nil {
		return Key{}, err
	}
	return Key{ID: keyID, Reference: ref, BodyHash: bodyHash, BornAt: bornAt}, nil
}

// Account is one account at a channel, with its credentials opened. It lives
// only as long as the call and is never logged.
type Account struct {
	ID          string // cha_…
	Channel     string
	Book        id.Book
	BaseURL     string            // empty: the channel's public address
	Credentials map[string]string // names are the adapter's own
	Limits      Limits            // on calls, kept by whoever makes them
}

// Call says for which account and under which key an operation is made.
type Call struct {
	Account Account
	Key     Key
	Now     time.Time // the caller's clock, for signatures and time windows
	// ChannelID is the channel's own id of what the key made, if an earlier
	// answer or callback told it. It only saves a search: empty is always right.
	ChannelID string
}

// RawCallback is a callback exactly as it arrived.
type RawCallback struct {
	Header map[string][]string // canonical MIME header names
	Query  map[string][]string
	Body   []byte
	Now    time.Time // judges the signature's age
}

// Unsupported answers every operation with fault.Invalid
// "operation_unsupported". Adapters embed it.
type Unsupported struct{}

func unsupported(op Operation) error {
	return fault.New(fault.KindInvalid, "operation_unsupported", "the channel does not offer "+string(op))
}

// Charge is not offered.
func (Unsupported) Charge(context.Context, Call, ChargeRequest) (payment.Outcome, error) {
	return payment.Outcome{}, unsupported(OpCharge)
}

// Capture is not offered.
func (Unsupported) Capture(context.Context, Call, CaptureRequest) (payment.Outcome, error) {
	return payment.Outcome{}, unsupported(OpCapture)
}

// Cancel is not offered.
func (Unsupported) Cancel(context.Context, Call, ChargeRequest) (payment.Outcome, error) {
	return payment.Outcome{}, unsupported(OpCancel)
}

// Confirm is not offered.
func (Unsupported) Confirm(context.Context, Call, ChargeRequest) (payment.Outcome, error) {
	return payment.Outcome{}, unsupported(OpConfirm)
}

// Ask is not offered.
func (Unsupported) Ask(context.Context, Call, ChargeRequest) (payment.Outcome, error) {
	return payment.Outcome{}, unsupported(OpAsk)
}

// Refund is not offered.
func (Unsupported) Refund(context.Context, Call, RefundRequest) (payment.Outcome, error) {
	return payment.Outcome{}, unsupported(OpRefund)
}

// AskRefund is not offered.
func (Unsupported) AskRefund(context.Context, Call, RefundRequest) (payment.Outcome, error) {
	return payment.Outcome{}, unsupported(OpAskRefund)
}

// Payout is not offered.
func (Unsupported) Payout(context.Context, Call, PayoutRequest) (payment.Outcome, error) {
	return payment.Outcome{}, unsupported(OpPayout)
}

// AskPayout is not offered.
func (Unsupported) AskPayout(context.Context, Call, PayoutRequest) (payment.Outcome, error) {
	return payment.Outcome{}, unsupported(OpAskPayout)
}

// ParseCallback is not offered.
func (Unsupported) ParseCallback(Account, RawCallback) (Callback, error) {
	return Callback{}, unsupported(OpCallback)
}

// Statement is not offered.
func (Unsupported) Statement(context.Context, Account, StatementRequest) (io.ReadCloser, error) {
	return nil, unsupported(OpStatement)
}

// ReadStatement is not offered.
func (Unsupported) ReadStatement(reconcile.File, io.Reader, func(*reconcile.Line) error) (reconcile.Control, error) {
	return reconcile.Control{}, unsupported(OpStatement)
}

// Probe is not offered.
func (Unsupported) Probe(context.Context, Account) error { return unsupported(OpProbe) }
