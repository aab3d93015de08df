package payment

import (
	"strconv"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
)

// Capture takes authorized money, all of what is left or a part. Its receiving
// Step is also its intent: nothing is sent before (I-13).
type Capture struct {
	Book       id.Book
	ID         string // cap_…
	PaymentID  string
	MerchantID string
	Attempt    int // the attempt that authorized
	Ordinal    int // counts the payment's captures, from 1, in order of receipt
	Amount     money.Amount
	// Final releases what stays uncaptured.
	Final bool

	Channel        string
	ChannelAccount string
	Key            string // "<capture id>:cp1"
	RequestHash    string // hex SHA-256 of the frozen canonical request
	BornAt         time.Time

	Status      CaptureStatus
	InDoubt     bool   // its outcome is unknown; the amount stands on the memo accounts
	ChannelID   string // the channel's own id of the capture
	FailureCode string
	Strayed     int64 // what the channel took instead of Amount: it stands on suspense, under a case
	Fee         money.Amount
	Sequence    int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
	EffectiveAt time.Time // the channel's time of the success
	MaturesAt   time.Time // when its money becomes available; zero: it is, or nothing was captured
}

// CaptureStatus is where a capture stands, as the API shows it.
type CaptureStatus string

// The statuses of a capture. What isn't processing has ended.
const (
	CaptureProcessing CaptureStatus = "processing"
	CaptureSucceeded  CaptureStatus = "succeeded"
	CaptureFailed     CaptureStatus = "failed"
)

// MaxCaptures is how many captures one payment can have.
const MaxCaptures = id.MaxOrdinal

// CaptureKey is the key of a capture at its channel.
func CaptureKey(captureID string) string {
	return id.Key(captureID, id.Step{Code: id.CaptureOut, Ordinal: 1})
}

// ReceiveCapture brings a capture into being, judged under its payment's lock
// (see Hold.Take), together with its frozen request: one Step, one commit. The
// store freezes the request, since only under the lock it is known how much is
// left.
type ReceiveCapture struct {
	Idempotency Idempotency
	CaptureID   string
	PaymentID   string
	Wish        CaptureWish
	// Can and Several are what the payment's channel can: capture at all, and
	// more than once.
	Can, Several bool
	At           time.Time
}

// Content implements ledger.Change.
func (r ReceiveCapture) Content() any { return []any{"receive_capture", r.CaptureID, r.Idempotency} }

// CaptureUpdate writes what became of a capture. Event is its outbox event,
// empty for none; with one the sequence counts one.
type CaptureUpdate struct {
	Before, After Capture
	Event         string
}

// Content implements ledger.Change.
func (u CaptureUpdate) Content() any {
	return []any{"capture", u.After.ID, u.After.Status, u.After.InDoubt, u.After.FailureCode, u.After.Fee.Minor, u.After.MaturesAt.IsZero()}
}

// CaptureWish is what a merchant asks for.
type CaptureWish struct {
	Amount money.Amount // no minor units: all that is left
	Final  *bool        // nil: final when all that is left is taken
}

// Hold is what judging a capture looks at, as locked.
type Hold struct {
	Status          Status
	Amount          money.Amount // over the channel
	Captured        int64
	Capturing       int64 // of captures that are under way
	Captures        int
	FinalOpen       bool // a final capture is under way
	CancelRequested bool
	LapsesAt        time.Time // zero: the channel names no end
	Can, Several    bool
	Now             time.Time
}

// Left is what can still be captured.
func (h Hold) Left() money.Amount {
	if h.Status != Reserved || h.FinalOpen || h.CancelRequested {
		return money.Zero(h.Amount.Currency)
	}
	return money.New(max(0, h.Amount.Minor-h.Captured-h.Capturing), h.Amount.Currency)
}

// Take says what a wish takes of the authorization, and whether it is the last
// (I-09). A refusal is a Conflict, or Invalid where the wish can never be
// right; it tells what is left.
func (h Hold) Take(w CaptureWish) (amount money.Amount, final bool, err error) {
	left := h.Left()
	refuse := func(code, message string) (money.Amount, bool, error) {
		f := fault.Conflict(code, message).WithDetail("payment_status", string(h.Status)).WithDetail("amount_capturable", left.Decimal())
		if code == "amount_not_capturable" {
			f = f.WithParam("amount")
		}
		return money.Amount{}, false, f
	}
	amount = w.Amount
	if amount.Minor == 0 {
		amount = left
	}
	switch {
	case h.Status != Reserved:
		return refuse("payment_not_capturable", "the payment is "+string(h.Status)+": only an authorized one is captured")
	case !h.Can:
		return refuse("capture_unsupported", "the payment's channel can't capture")
	case h.CancelRequested:
		return refuse("payment_not_capturable", "the payment is being cancelled")
	case !h.LapsesAt.IsZero() && !h.Now.Before(h.LapsesAt):
		return refuse("authorization_lapsed", "the authorization has lapsed")
	case h.FinalOpen:
		return refuse("capture_final_open", "a final capture is under way")
	case !h.Several && h.Captured+h.Capturing > 0:
		return refuse("captured_once", "the payment's channel captures once")
	case h.Captures >= MaxCaptures:
		return refuse("captures_exhausted", "a payment has at most "+strconv.Itoa(MaxCaptures)+" captures")
	case amount.Currency != h.Amount.Currency:
		return money.Amount{}, false, fault.Invalid("currency_mismatch", "amount", "the payment is in "+string(h.Amount.Currency))
	case left.Minor == 0 || amount.Minor > left.Minor:
		return refuse("amount_not_capturable", "no more than "+left.Text()+" can be captured")
	case amount.Minor < 0:
		return money.Amount{}, false, fault.Invalid("amount_invalid", "amount", "a capture takes more than nothing")
	case !h.Several && w.Final != nil && !*w.Final:
		return money.Amount{}, false, fault.Invalid("capture_must_be_final", "final", "the payment's channel releases what a capture leaves")
	}
	final = amount == left
	if w.Final != nil {
		final = *w.Final
	}
	return amount, final || !h.Several, nil
}

// PublicCapture is a capture as the API and its events show it: schema Capture
// of openapi.yaml.
type PublicCapture struct {
	ID          string        `json:"id"`
	Object      string        `json:"object"`
	Livemode    bool          `json:"livemode"`
	PaymentID   string        `json:"payment_id"`
	Amount      string        `json:"amount"`
	Currency    string        `json:"currency"`
	Final       bool          `json:"final"`
	Status      CaptureStatus `json:"status"`
	InDoubt     bool          `json:"in_doubt"`
	FailureCode string        `json:"failure_code,omitempty"`
	Fee         string        `json:"fee"`
	Sequence    int64         `json:"sequence"`
	CreatedAt   time.Time     `json:"created_at"`
	UpdatedAt   time.Time     `json:"updated_at"`
	EffectiveAt *time.Time    `json:"effective_at,omitempty"`
}

// Public renders c.
func (c Capture) Public() PublicCapture {
	v := PublicCapture{ID: c.ID, Object: "capture", Livemode: c.Book.Livemode(), PaymentID: c.PaymentID, Amount: c.Amount.Decimal(),
		Currency: string(c.Amount.Currency), Final: c.Final, Status: c.Status, InDoubt: c.InDoubt, FailureCode: c.FailureCode,
		Fee: c.Fee.Decimal(), Sequence: c.Sequence, CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC()}
	if !c.EffectiveAt.IsZero() {
		at := c.EffectiveAt.UTC()
		v.EffectiveAt = &at
	}
	return v
}

// Capturable is what can still be captured of p.
func (p Payment) Capturable() money.Amount {
	h := Hold{Status: p.Status, Amount: p.OverChannel(), Captured: p.Captured.Minor, Capturing: p.Capturing.Minor, FinalOpen: p.FinalCapture,
		CancelRequested: !p.CancelRequested.IsZero()}
	return h.Left()
}

// PublicCaptured is the answer to a capture: the payment, and the capture that
// the request made.
type PublicCaptured struct {
	Public
	Capture PublicCapture `json:"capture"`
}
