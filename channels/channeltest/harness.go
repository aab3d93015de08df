// Package channeltest is the one list of cases that every channel adapter passes against a server that speaks the
// channel's protocol: repeats, resets, lost and hostile answers, an old key, cancels, refunds, callbacks. The judge is
// the channel's book as the server keeps it, never what the adapter says.
//
// The faults of the network are made here, by a relay between the adapter and the server, so that a harness describes
// only what is the channel's own.
package channeltest

import (
	"net/http"
	"testing"
	"time"

	"paysaga/channels"
	"paysaga/channels/wire"
	"paysaga/domain/payment"
)

// Harness is a channel's server, fresh and empty, and an adapter for it. What is nil the channel doesn't have, and the
// cases that need it aren't run.
type Harness struct {
	// New makes the adapter; it is called again for what a restarted process would do.
	New func(*wire.Client) channels.Channel
	// Account is an account at the server, with the server's address as BaseURL.
	Account channels.Account
	// Foreign are credentials of the same shape, all with other secrets: what they signed, nobody else's.
	Foreign map[string]string
	// Rejected are credentials that the server refuses as it would a revoked key.
	Rejected map[string]string

	Now     func() time.Time    // the server's clock
	Advance func(time.Duration) // moves it

	OK          *channels.ChargeRequest // succeeds at once
	Authorize   *channels.ChargeRequest // is authorized at once
	DeclineSoft *channels.ChargeRequest
	DeclineHard *channels.ChargeRequest
	Waiting     *channels.ChargeRequest // is pending until the customer pays, see Pay
	Payout      *channels.PayoutRequest // succeeds at once, or once FinishPayout says so

	// PayoutConfirms are the parameters by which the payee's app confirms Payout, which waits for that. nil: nobody has to.
	PayoutConfirms []string

	// Ways are the other ways to pay, by name: each is pending until the customer has done what its action says, see Pay.
	Ways map[string]Way

	// PaysLater: at this channel nothing succeeds at once. OK and PendingRefund are pending first, like Waiting, and the
	// customer pays them with Pay.
	PaysLater bool
	// FinishPayout ends a pending payout well, and reports whether it did. nil: a payout succeeds at once.
	FinishPayout func(channels.Key) bool

	// PendingRefund succeeds at once, and its refunds stay pending until FinishRefund.
	PendingRefund *channels.ChargeRequest
	// FinishRefund settles or declines a pending refund, or returns one that succeeded, and reports whether it did.
	FinishRefund func(key channels.Key, act string) bool
	// RefundsLater: every refund is pending first, and ends by FinishRefund.
	RefundsLater bool
	// RefundsStay: a refund that succeeded never comes back, so "return" isn't among the acts.
	RefundsStay bool

	// Book reads from the server what it holds under a key of a charge, a refund or a payout, closed ones too.
	Book func(channels.Key) []Entry
	// Aside picks requests by which nothing moves, such as one for an access token: faults go past them. nil: none.
	Aside func(*http.Request) bool
	// CallbackAge is how long a callback is believed after it was signed; zero is some minutes.
	CallbackAge time.Duration

	// Pay lets the customer pay a waiting charge, and reports whether the server took the money. Where the channel waits
	// for a second word (OpConfirm), the customer approves, and the money is taken by that word.
	Pay func(channels.Key) bool
	// Callback is what the server would send now about the charge or refund of a key, signed at its present time. Without a
	// body it would send nothing yet: some tell of a success only.
	Callback func(channels.Key) channels.RawCallback

	// Dispute lets the customer's bank do something about a paid charge, "open", "lose" or "win", and returns the channel's
	// callback about it. nil: the channel tells of no disputes.
	Dispute func(key channels.Key, act string) channels.RawCallback

	// These falsify the JSON of an answer about a charge, each as its name says.
	UnknownState   func(map[string]any)
	WrongReference func(map[string]any) // the answer speaks of another's charge
	WrongAmount    func(map[string]any) // one minor unit more

	// Falsified do the same to answers about refunds and payouts, by OpRefund and OpPayout.
	Falsified map[channels.Operation]Falsified

	// Asks says which POSTs only ask. nil: none does, since questions are GETs.
	Asks func(r *http.Request, body []byte) bool
	// Lapse is how old a charge that the channel never saw, or refused, has to be before its cancel says Closed; until then
	// it says Absent. Zero: Closed at once.
	Lapse time.Duration
	// Unsigned takes the signature out of a callback that has it in its body, in every way. Such a signature is of what the
	// body says, not of its bytes. nil: it stands in the header, over the bytes.
	Unsigned func(channels.RawCallback) []channels.RawCallback
	// RefundsUntold: there is no callback about a refund.
	RefundsUntold bool

	// NoNetwork says what stands in place of a server that is called, such as a folder that is exchanged: the cases about a
	// network's faults end there, and the channel has its own about the faults of what it uses instead. Empty: there is one.
	NoNetwork string
	// PaysClosed: nobody can keep a customer from paying a closed charge; what comes then is told as a success.
	PaysClosed bool

	// Sealed signs an answer that was falsified, as the channel would: what is tested is the content, not the signature.
	// nil: the channel doesn't sign its answers.
	Sealed func(header http.Header, body []byte) []byte
}

// Way is a way to pay, and what it asks of the customer.
type Way struct {
	Request channels.ChargeRequest
	Action  payment.ActionType
	// Parameters are those that an action for an SDK has to have.
	Parameters []string
}

// Entry is one line of the channel's book.
type Entry struct {
	ChannelID     string
	Paid          bool // money was taken or is reserved
	AmountMinor   int64
	CapturedMinor int64
	RefundedMinor int64
}

// Run runs every case that the harness can, each on a harness of its own and in parallel.
func Run(t *testing.T, open func(*testing.T) *Harness) {
	t.Helper()
	proved := &prover{called: map[channels.Operation]int{}}
	t.Cleanup(func() { proved.compare(t, len(cases())) }) // when all of them are through
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			d := h.New(wire.New(wire.Config{})).Describe()
			if c.needs != nil && !c.needs(h, d) {
				t.Log("the channel doesn't have what this case is about")
				proved.done(d, false, nil)
				return
			}
			k := newKit(t, h)
			defer func() { // a case that ends early, for want of a network, is about something else
				if t.Skipped() {
					clear(k.called)
				}
				proved.done(d, !t.Skipped(), k.called)
			}()
			c.run(k)
		})
	}
}

type testCase struct {
	name  string
	needs func(*Harness, channels.Description) bool
	run   func(*kit)
}

func needs(has func(*Harness) bool) func(*Harness, channels.Description) bool {
	return func(h *Harness, _ channels.Description) bool { return has(h) }
}

func cases() []testCase {
	var list []testCase
	for _, part := range [][]testCase{describes, accounts, repeats, lost, hostile, cancels, confirms, captures, refunds, settlements, payouts, falsified, callbacks} {
		list = append(list, part...)
	}
	return list
}
