package activities

import (
	"context"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
)

// NextCapture is the first capture of a payment that is under way, and where
// the payment stands.
type NextCapture struct {
	Booked
	CaptureID string `json:"capture_id,omitempty"` // empty: there is none
	Key       string `json:"key,omitempty"`
	Ordinal   int    `json:"ordinal,omitempty"`
	Doubted   bool   `json:"doubted,omitempty"` // its outcome is unknown
}

// FindCapture reads which capture comes next: one after the other, in order of
// receipt, whatever order they were heard of in.
func (s *Steps) FindCapture(ctx context.Context, in Ref) (NextCapture, error) {
	d, err := s.c.Files.Dossier(ctx, in.Book, in.PaymentID)
	if err != nil {
		return NextCapture{}, failure(ctx, err)
	}
	c := d.NextCapture()
	if c == nil {
		return NextCapture{Booked: booked(d.Payment)}, nil
	}
	return NextCapture{Booked: booked(d.Payment), CaptureID: c.ID, Key: c.Key, Ordinal: c.Ordinal, Doubted: c.InDoubt}, nil
}

// Fence keeps further captures out, before an authorization is given back: from
// here on FindCapture finds all there will ever be. Repeated, and after the end,
// it changes nothing.
func (s *Steps) Fence(ctx context.Context, in Ref) error {
	_, err := s.c.Committer.Commit(ctx, ledger.Step{
		Book: in.Book, Cause: id.Key(in.PaymentID, id.Step{Code: id.CancelRequested, Ordinal: 1}), Business: in.PaymentID,
		By: ledger.Service("payment-saga"), Changes: []ledger.Change{payment.RequestCancel{PaymentID: in.PaymentID}},
	})
	if fault.Of(err) == fault.KindConflict { // somebody asked for the cancel before, or the payment has ended
		return nil
	}
	return failure(ctx, err)
}

// CaptureInput names the capture to be carried out.
type CaptureInput struct {
	CallInput
	// Doubted: its unknown outcome is booked, so only a certain one is an answer.
	Doubted bool `json:"doubted,omitempty"`
}

// Capture takes the money under the capture's key: at first until there is any
// answer, and then, while the outcome is unknown, until there is a certain one.
// Temporal's retries are the poll; each sends the same under the same key
// (I-13, I-14). A refusal that isn't a bank's "no" is Declined, and not dead: a
// try before it may have got through.
func (s *Steps) Capture(ctx context.Context, in CaptureInput) (Answer, error) {
	i, err := s.c.Files.CaptureIntent(ctx, in.Book, in.Key)
	if err != nil {
		return Answer{}, failure(ctx, err)
	}
	c, err := s.c.Channels.Get(i.Capture.Channel)
	if err != nil {
		return Answer{}, failure(ctx, err)
	}
	start := s.c.Now()
	if life := c.Describe().KeyLife; in.Doubted && life > 0 && start.Sub(i.Key.BornAt) > life/2 {
		return s.capturedByNow(ctx, in, c)
	}
	line := channels.CallLine{Book: in.Book, BusinessID: in.PaymentID, Key: in.Key, Channel: i.Capture.Channel,
		ChannelAccount: i.Capture.ChannelAccount, Operation: channels.OpCapture, StartedAt: start}
	bounded, done, err := s.admitted(ctx, line, i.Account.Limits, s.c.CallTimeout)
	if err != nil {
		return Answer{}, failure(ctx, err)
	}
	defer done()
	out, err := c.Capture(bounded, channels.Call{Account: i.Account, Key: i.Key, ChannelID: i.Capture.ChannelID, Now: start}, i.Request)
	s.c.Health.observe(line, out, err)
	s.note(line, out, err)
	switch kind := fault.Of(err); {
	case kind == fault.KindInvalid, kind == fault.KindConflict, kind == fault.KindNotFound:
		return Answer{Outcome: payment.Outcome{Verdict: payment.Declined, Decline: &payment.Decline{Code: "refused_by_channel"}}}, nil
	case err != nil:
		return Answer{}, failure(ctx, err)
	case out.Verdict == payment.Succeeded, out.Verdict == payment.Closed, out.Verdict == payment.Declined:
		return s.seal(out)
	case in.Doubted:
		return Answer{}, notYet("the channel doesn't say whether it captured: " + out.Reason)
	}
	return Answer{Outcome: payment.Outcome{Verdict: payment.Unknown, Reason: out.Reason}}, nil
}

// capturedByNow asks the charge what became of a capture whose key the channel
// may have forgotten: nothing is sent under it any more. Where a charge is
// captured once, one that is still held was not.
func (s *Steps) capturedByNow(ctx context.Context, in CaptureInput, c channels.Channel) (Answer, error) {
	d, err := s.c.Files.Dossier(ctx, in.Book, in.PaymentID)
	if err != nil {
		return Answer{}, failure(ctx, err)
	}
	capture := d.NextCapture()
	if capture == nil || capture.Key != in.Key {
		return Answer{}, failure(ctx, fault.NotFound("capture under way"))
	}
	charged := CallInput{Ref: in.Ref, Key: id.Key(in.PaymentID, id.Step{Code: id.Charge, Ordinal: capture.Attempt})}
	charge, err := s.call(ctx, charged, channels.OpAsk, func(ctx context.Context, c channels.Channel, call channels.Call, i channels.Intent) (payment.Outcome, error) {
		return c.Ask(ctx, call, i.Request)
	})
	if err != nil {
		return Answer{}, err
	}
	out := capture.OfCharge(d.Payment, d.Strayed(), charge.Outcome)
	switch {
	case out.Verdict != payment.Unknown:
		return Answer{Outcome: out}, nil
	case charge.Verdict == payment.Authorized && !c.Describe().MultiCapture:
		return Answer{Outcome: payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: "not_captured"}}}, nil
	}
	return Answer{}, notYet("the channel may have forgotten the capture's key, and its charge doesn't tell")
}

// BookCaptureInput brings what became of a capture.
type BookCaptureInput struct {
	Ref
	CaptureID string `json:"capture_id"`
	Answer    Answer `json:"answer"`
	// OfCharge: the answer is about the charge, and read for what it says of the
	// capture. With Refused, one that says nothing leaves the refusal standing.
	OfCharge bool `json:"of_charge,omitempty"`
	Refused  bool `json:"refused,omitempty"`
}

// CaptureBooked is where capture and payment stand afterwards.
type CaptureBooked struct {
	Booked
	Capture payment.CaptureStatus `json:"capture"`
}

// BookCapture commits what a capture's outcome means: both states, journals,
// order and events in one Step. Repeated, it answers with what stands.
func (s *Steps) BookCapture(ctx context.Context, in BookCaptureInput) (CaptureBooked, error) {
	for try := 1; ; try++ {
		b, err := s.bookCapture(ctx, in)
		if !overtaken(err) || try == staleTries {
			return b, failure(ctx, err)
		}
	}
}

func (s *Steps) bookCapture(ctx context.Context, in BookCaptureInput) (CaptureBooked, error) {
	d, err := s.c.Files.Dossier(ctx, in.Book, in.PaymentID)
	if err != nil {
		return CaptureBooked{}, err
	}
	c := d.Capture(in.CaptureID)
	if c == nil {
		return CaptureBooked{}, fault.NotFound("capture")
	}
	out, err := s.unseal(in.Answer)
	if err != nil {
		return CaptureBooked{}, err
	}
	if in.OfCharge {
		out = c.OfCharge(d.Payment, d.Strayed(), out)
		if in.Refused && out.Verdict == payment.Unknown {
			out = payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: "refused_by_channel"}}
		}
	}
	k := payment.CaptureCase{Capture: *c, Others: d.Captures, Case: payment.Case{Payment: d.Payment, Attempt: d.Attempt(c.Attempt), Terms: d.Terms,
		Calendar: d.Calendar, Now: s.c.Now(), Outcome: out, Captures: d.Captures}}
	r, err := payment.SettleCapture(k)
	if err != nil || r.Quiet {
		return CaptureBooked{booked(d.Payment), c.Status}, err
	}
	step := ledger.Step{Book: in.Book, Cause: id.Key(c.ID, r.Step), Business: in.PaymentID,
		By: ledger.Service("payment-saga"), Changes: r.Changes(k), Journals: r.Journals}
	step.Changes = append(step.Changes, recovers(d, step.Cause, r.Journals)...)
	_, err = s.c.Committer.Commit(ctx, step)
	return CaptureBooked{booked(r.After), r.Capture.Status}, err
}
