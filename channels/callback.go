package channels

import (
	"paysaga/domain/dispute"
	"paysaga/domain/payment"
)

// Subject is the operation a callback speaks of.
type Subject string

// The subjects of callbacks.
const (
	SubjectCharge Subject = "charge"
	SubjectRefund Subject = "refund"
	SubjectPayout Subject = "payout"
	// SubjectDispute: a customer's bank takes the money of a charge back, or has
	// decided about it. Reference is the charge's; a channel that doesn't know it
	// there names the charge by its own id of it, Outcome.ChannelID.
	SubjectDispute Subject = "dispute"
	SubjectOther   Subject = "other" // understood, verified, and nothing to do
)

// Callback is a verified callback. Amount and currency are part of the
// outcome, so that a mismatch can't pass unseen. One whose outcome is Unknown
// tells only that there is something to ask: whoever places it asks the channel,
// and what it answers counts.
type Callback struct {
	EventID   string  // the channel's id of this delivery; empty: the hash of the body serves
	Subject   Subject //
	Reference string  // ours, see Key; empty where a dispute names its charge by Outcome.ChannelID alone
	Outcome   payment.Outcome
	Dispute   *dispute.Word // of SubjectDispute, and of no other; checked (Word.Check)
}
