package activities

import (
	"context"
	"encoding/json"
	"time"

	"go.temporal.io/sdk/activity"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// CallInput names the intent to be carried out.
type CallInput struct {
	Ref
	Key string `json:"key"`
}

// Answer is a channel's outcome as it travels through a history: the action
// the customer has to take is a secret, and sealed. Only Book opens it.
type Answer struct {
	payment.Outcome
	Sealed []byte `json:"sealed,omitempty"`
}

// Charge sends the intent under its key. A "no", a pending and a seen Unknown
// are answers; fault.Unavailable means that nothing was done.
// What stands already is returned without a call.
func (s *Steps) Charge(ctx context.Context, in CallInput) (Answer, error) {
	return s.call(ctx, in, channels.OpCharge, func(ctx context.Context, c channels.Channel, call channels.Call, i channels.Intent) (payment.Outcome, error) {
		if i.Attempt.Verdict != "" && i.Attempt.Verdict != payment.Unknown {
			return i.Attempt.Outcome(), nil
		}
		return c.Charge(ctx, call, i.Request)
	})
}

// AskInput asks what became of an intent.
type AskInput struct {
	CallInput
	// Final waits for the end of what is pending; otherwise any certain answer
	// does, "pending" and "absent" too.
	Final bool `json:"final,omitempty"`
	// Approval: the customer's approval is waited for as well.
	Approval bool `json:"approval,omitempty"`
}

// Ask asks the channel once, and fails with NotYet while the answer isn't the
// one waited for: Temporal's retries are the poll, and the history stays short.
func (s *Steps) Ask(ctx context.Context, in AskInput) (Answer, error) {
	a, err := s.call(ctx, in.CallInput, channels.OpAsk, func(ctx context.Context, c channels.Channel, call channels.Call, i channels.Intent) (payment.Outcome, error) {
		return c.Ask(ctx, call, i.Request)
	})
	return answered(a, err, in.Final && !(in.Approval && a.Approved))
}

// Confirm says the second word that a channel waits for once the customer has
// approved; that moves the money, once. What ended already is returned without a call.
func (s *Steps) Confirm(ctx context.Context, in CallInput) (Answer, error) {
	return s.call(ctx, in, channels.OpConfirm, func(ctx context.Context, c channels.Channel, call channels.Call, i channels.Intent) (payment.Outcome, error) {
		if i.Attempt.Verdict.Known() {
			return i.Attempt.Outcome(), nil
		}
		return c.Confirm(ctx, call, i.Request)
	})
}

// answered passes an answer that was waited for, and makes any other one the
// poll's NotYet.
func answered(a Answer, err error, final bool) (Answer, error) {
	switch {
	case err != nil:
		return a, err
	case a.Verdict.Known(), !final && a.Verdict != payment.Unknown:
		return a, nil
	case a.Verdict == payment.Unknown:
		return a, notYet("the channel doesn't say: " + a.Reason)
	}
	return a, notYet("the channel says " + string(a.Verdict))
}

// Guard asks about an attempt that was given up, and fails with NotYet while
// the channel gives no final proof.
func (s *Steps) Guard(ctx context.Context, in CallInput) (Answer, error) {
	a, err := s.call(ctx, in, channels.OpAsk, func(ctx context.Context, c channels.Channel, call channels.Call, i channels.Intent) (payment.Outcome, error) {
		return c.Ask(ctx, call, i.Request)
	})
	final := a.Verdict == payment.Succeeded || a.Verdict == payment.Authorized || a.Verdict == payment.Closed || (a.Verdict == payment.Declined && a.Dead)
	if err == nil && !final {
		return a, notYet("the channel gives no final proof: " + string(a.Verdict))
	}
	return a, err
}

// Close cancels or voids at the channel, until the channel has an answer.
// Succeeded means that the money was there first.
func (s *Steps) Close(ctx context.Context, in CallInput) (Answer, error) {
	a, err := s.call(ctx, in, channels.OpCancel, func(ctx context.Context, c channels.Channel, call channels.Call, i channels.Intent) (payment.Outcome, error) {
		return c.Cancel(ctx, call, i.Request)
	})
	if err == nil && (a.Verdict == payment.Unknown || a.Verdict == payment.Authorized) {
		return a, notYet("the channel doesn't say whether it closed: " + a.Reason)
	}
	return a, err
}

type operation func(context.Context, channels.Channel, channels.Call, channels.Intent) (payment.Outcome, error)

// call reads the intent and makes one operation of its channel.
func (s *Steps) call(ctx context.Context, in CallInput, op channels.Operation, do operation) (Answer, error) {
	i, err := s.c.Files.Intent(ctx, in.Book, in.Key)
	if err != nil {
		return Answer{}, unsent(ctx, err)
	}
	line := channels.CallLine{Book: in.Book, BusinessID: in.PaymentID, Key: in.Key, Channel: i.Attempt.Channel,
		ChannelAccount: i.Attempt.ChannelAccount, Operation: op}
	return s.make(ctx, line, i.Account.Limits, func(ctx context.Context, c channels.Channel, now time.Time) (payment.Outcome, error) {
		return do(ctx, c, channels.Call{Account: i.Account, Key: i.Key, ChannelID: i.Attempt.ChannelID, Now: now}, i)
	})
}

// make makes one call, within its time and its account's limits, and notes a line about it. No
// transaction is open across the call.
func (s *Steps) make(ctx context.Context, line channels.CallLine, limits channels.Limits, do func(context.Context, channels.Channel, time.Time) (payment.Outcome, error)) (Answer, error) {
	limit := s.c.CallTimeout
	if activity.GetInfo(ctx).IsLocalActivity {
		limit = s.c.ExpressTimeout
	}
	out, err := s.reach(ctx, line, limits, limit, do)
	if err != nil {
		return Answer{}, failure(ctx, err)
	}
	a, err := s.seal(out)
	return a, failure(ctx, err)
}

// reach is make with the longest time that the call may take. Its errors are faults.
func (s *Steps) reach(ctx context.Context, line channels.CallLine, limits channels.Limits, longest time.Duration, do func(context.Context, channels.Channel, time.Time) (payment.Outcome, error)) (payment.Outcome, error) {
	c, err := s.c.Channels.Get(line.Channel)
	if err != nil {
		return payment.Outcome{}, err
	}
	bounded, done, err := s.admitted(ctx, line, limits, longest)
	if err != nil {
		return payment.Outcome{}, err
	}
	defer done()
	line.StartedAt = s.c.Now()
	out, err := do(bounded, c, line.StartedAt)
	s.c.Health.observe(line, out, err)
	s.note(line, out, err)
	return out, err
}

func (s *Steps) note(line channels.CallLine, out payment.Outcome, err error) {
	line.Duration, line.Verdict, line.Note = s.c.Now().Sub(line.StartedAt), out.Verdict, out.Reason
	switch {
	case err != nil:
		f := fault.As(err)
		line.Verdict, line.Fault = "", string(f.Kind)+" "+f.Code
	case out.Decline != nil:
		line.Note = out.Decline.Code
	case out.ChannelID != "":
		line.Note = out.ChannelID
	}
	s.c.Calls.Note(line)
	s.c.Meter.Ended(line)
}

// seal closes the customer's action away.
func (s *Steps) seal(out payment.Outcome) (Answer, error) {
	a := Answer{Outcome: out}
	if out.Action == nil {
		return a, nil
	}
	sealed, err := s.c.Sealer.Seal(asJSON(out.Action))
	a.Action, a.Sealed = nil, sealed
	return a, err
}

// open gives the action back.
func (s *Steps) unseal(a Answer) (payment.Outcome, error) {
	out := a.Outcome
	if len(a.Sealed) == 0 {
		return out, nil
	}
	plain, err := s.c.Sealer.OpenSealed(a.Sealed)
	if err != nil {
		return out, err
	}
	out.Action = new(payment.Action)
	if err := json.Unmarshal(plain, out.Action); err != nil {
		return out, fault.Internal("a sealed action can't be read", err)
	}
	return out, nil
}

// HeedInput names a stored callback.
type HeedInput struct {
	Ref
	CallbackID string `json:"callback_id"`
}

// Heard is what a stored callback says.
type Heard struct {
	Answer
	Ordinal int `json:"ordinal"` // of the attempt it speaks of
}

// Heed reads a stored, verified callback of this payment. A callback of
// another one is fault.NotFound.
func (s *Steps) Heed(ctx context.Context, in HeedInput) (Heard, error) {
	return s.heed(ctx, in.Book, in.PaymentID, in.CallbackID)
}

func (s *Steps) heed(ctx context.Context, book id.Book, businessID, callbackID string) (Heard, error) {
	cb, err := s.c.Files.Callback(ctx, book, callbackID)
	if err != nil {
		return Heard{}, failure(ctx, err)
	}
	business, step, err := id.ParseReference(cb.Reference)
	if err != nil || business != businessID {
		return Heard{}, failure(ctx, fault.NotFound("callback "+callbackID+" of "+businessID))
	}
	a, err := s.seal(cb.Outcome)
	return Heard{Answer: a, Ordinal: step.Ordinal}, failure(ctx, err)
}
