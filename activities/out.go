package activities

import (
	"encoding/json"
	"time"

	"paysaga/channels"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/remit"
)

// What the steps of refunds and payouts take and answer: money that leaves over
// a channel.

// Out names what a step works on: a refund or a payout.
type Out struct {
	Book     id.Book `json:"book"`
	RefundID string  `json:"refund_id,omitempty"`
	PayoutID string  `json:"payout_id,omitempty"`
}

// ID is the refund's or the payout's.
func (o Out) ID() string {
	if o.PayoutID != "" {
		return o.PayoutID
	}
	return o.RefundID
}

// OpenOutInput asks for the intent of one try.
type OpenOutInput struct {
	Out
	Ordinal int `json:"ordinal"` // from 1
}

// OpenedOut says what stands now.
type OpenedOut struct {
	Sent
	// Key is empty when there is nothing to send: it has ended, is parked, its
	// slot hasn't come, or the channel takes no more of it.
	Key     string       `json:"key,omitempty"`
	Ordinal int          `json:"ordinal,omitempty"` // of the last try that was made, if that is a later one
	Channel string       `json:"channel,omitempty"`
	Lane    payment.Lane `json:"lane,omitempty"`
	// NotBefore is when to ask again: the channel wants refunds of a charge apart.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Limit is which of the channel's limits a person has to settle.
	Limit    string `json:"limit,omitempty"`
	Existing bool   `json:"existing,omitempty"` // the intent stood already, so it may have been sent
}

// Sent is where it stands.
type Sent struct {
	Status  remit.Status `json:"status"`
	InDoubt bool         `json:"in_doubt,omitempty"`
	Parked  string       `json:"parked,omitempty"`
	// Suspense: a dead "no" doesn't end it, since a person has to decide anew: it
	// returns a case's money, or money of a payment that came in part from a wallet.
	Suspense bool `json:"suspense,omitempty"`
}

// OutCallInput names the intent to be carried out.
type OutCallInput struct {
	Out
	Key string `json:"key"`
	// Again sends under the same key what the channel has refused, though not for
	// good: an operator wants it tried once more.
	Again bool `json:"again,omitempty"`
}

// stands: the try knows its outcome already, and nobody wants it sent again.
func (in OutCallInput) stands(a remit.Attempt) bool {
	return a.Verdict.Known() && (!in.Again || a.Dead || a.Verdict != payment.Declined)
}

// AskOutInput asks what became of an intent.
type AskOutInput struct {
	OutCallInput
	Final bool `json:"final,omitempty"` // waits for the end of what is pending
}

// BookOutInput brings what became of a try.
type BookOutInput struct {
	Out
	Ordinal int    `json:"ordinal"`
	Answer  Answer `json:"answer"`
}

// OutSettlement is an outcome to be settled, by the saga or by the relay of
// callbacks.
type OutSettlement struct {
	Out
	Ordinal int
	Outcome payment.Outcome
	By      ledger.Principal // zero: the saga
}

// ParkOutInput asks to show it to a person, and why.
type ParkOutInput struct {
	Out
	Reason string `json:"reason"`
}

// HeedOutInput names a stored callback.
type HeedOutInput struct {
	Out
	CallbackID string `json:"callback_id"`
}

// ResolveOutInput is an operator's decision about it.
type ResolveOutInput struct {
	Out
	Decision remit.Decision `json:"decision"`
	Actor    string         `json:"actor"`
	Reason   string         `json:"reason"`
	Code     string         `json:"code,omitempty"` // from `paysaga operator sign`
}

// verdict is what its code has to prove.
func (in ResolveOutInput) verdict() Verdict {
	return Verdict{Book: in.Book, BusinessID: in.ID(), Decision: string(in.Decision), Actor: in.Actor, Reason: in.Reason, Code: in.Code}
}

// intentOut freezes what a try will send, under the step's key. a says what it
// is of and over which account.
func (s *Steps) intentOut(a remit.Attempt, code id.Code, request any) (remit.Attempt, json.RawMessage, error) {
	canonical, hash, err := channels.Freeze(request)
	if err != nil {
		return a, nil, err
	}
	key, err := channels.NewKey(id.Key(a.Of, id.Step{Code: code, Ordinal: a.Ordinal}), hash, s.c.Now())
	if err != nil {
		return a, nil, err
	}
	a.Key, a.Reference, a.RequestHash, a.BornAt = key.ID, key.Reference, key.BodyHash, key.BornAt
	return a, canonical, nil
}
