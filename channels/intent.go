package channels

import (
	"time"

	"paysaga/domain/dispute"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
	"paysaga/domain/refund"
)

// Intent is a committed intent, read back for the call: the account with its
// credentials opened, the key, and the request exactly as it was frozen.
type Intent struct {
	Account Account
	Key     Key
	Request ChargeRequest
	Attempt payment.Attempt
}

// RefundIntent is a committed intent of a refund, read back for the call.
type RefundIntent struct {
	Account Account
	Key     Key
	Request RefundRequest
	Attempt refund.Attempt
}

// PayoutIntent is a committed intent of a payout, read back for the call, with
// its destination opened.
type PayoutIntent struct {
	Account Account
	Key     Key
	Request PayoutRequest
	Attempt payout.Attempt
}

// CaptureIntent is a committed capture, read back for the call.
type CaptureIntent struct {
	Account Account
	Key     Key
	Request CaptureRequest
	Capture payment.Capture
}

// CallLine is one scrubbed line about a call, for people: best effort, never
// read for a decision.
type CallLine struct {
	Book           id.Book
	BusinessID     string
	Key            string
	Channel        string
	ChannelAccount string
	Operation      Operation
	StartedAt      time.Time
	Duration       time.Duration
	Verdict        payment.Verdict // empty when the call ended in a fault
	Fault          string          // kind and code; empty when it answered
	Note           string          // channel id, decline code, reason: never a body
}

// Received is a verified callback as it is stored before the channel is
// answered. It is unique by account and event id.
type Received struct {
	ID             string // clb_…
	Book           id.Book
	Channel        string
	ChannelAccount string
	EventID        string // or the hash of the body, when the channel gives none
	Subject        Subject
	Reference      string
	Outcome        payment.Outcome
	Dispute        *dispute.Word // of SubjectDispute
	Body           []byte        // raw; stored sealed
	ReceivedAt     time.Time
	Tries          int    // how often the relay has tried to place it
	Disposition    string // empty until dealt with
}
