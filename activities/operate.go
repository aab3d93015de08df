package activities

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"paysaga/domain/access"
	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
)

// ParkInput asks to show a payment to a person, and why.
type ParkInput struct {
	Ref
	Ordinal   int    `json:"ordinal"`
	CaptureID string `json:"capture_id,omitempty"` // what it is about; empty: the attempt
	Reason    string `json:"reason"`
}

// Park marks the payment as one that needs a person, once about each attempt
// and each capture: asked again, also after somebody has dealt with it, it
// answers with what stands. Whatever was going on goes on (I-18).
func (s *Steps) Park(ctx context.Context, in ParkInput) (Booked, error) {
	d, err := s.c.Files.Dossier(ctx, in.Book, in.PaymentID)
	if err != nil {
		return Booked{}, failure(ctx, err)
	}
	p := d.Payment
	if p.Status.Terminal() || p.Parked != "" || (in.CaptureID == "" && s.awaitsCustomer(p)) {
		return booked(p), nil
	}
	after := p
	after.Parked = in.Reason
	after.Sequence++
	after.UpdatedAt = s.c.Now()
	cause := id.Key(p.ID, id.Step{Code: id.Park, Ordinal: max(in.Ordinal, 1)})
	if in.CaptureID != "" {
		cause = id.Key(in.CaptureID, id.Step{Code: id.Park, Ordinal: 1})
	}
	_, err = s.c.Committer.Commit(ctx, ledger.Step{
		Book: p.Book, Cause: cause, Business: p.ID, By: ledger.Service("payment-saga"),
		Changes: []ledger.Change{payment.Update{Before: p, After: after, Event: "payment.parked", Opened: true}},
	})
	if fault.Is(err, fault.KindConflict, "cause_conflict") {
		return booked(p), nil
	}
	return booked(after), failure(ctx, err)
}

// awaitsCustomer: the channel's word stands, and it is the customer's turn. A
// workflow task that was lost with its worker may have booked that: who does it
// over, and has to ask, knows nothing of it, and nobody would take the mark of a
// doubt off again that the book never had.
func (s *Steps) awaitsCustomer(p payment.Payment) bool {
	return p.Status == payment.RequiresAction && !p.InDoubt && p.CancelRequested.IsZero() && s.c.Now().Before(p.ExpiresAt)
}

// ResolveInput is an operator's decision, as typed or as the API passed it.
type ResolveInput struct {
	Ref
	Ordinal  int              `json:"ordinal"`
	Act      int              `json:"act"` // counts the acts on this payment, from 1
	Decision payment.Decision `json:"decision"`
	Actor    string           `json:"actor"`
	Reason   string           `json:"reason"`
	Code     string           `json:"code,omitempty"` // from `paysaga operator sign`
}

// Resolve verifies who decided, records it, and settles the payment by it. In
// the live book an unsigned decision is fault.Denied; in the others it counts,
// and is recorded as unverified. Repeated, it answers with what stands.
func (s *Steps) Resolve(ctx context.Context, in ResolveInput) (Booked, error) {
	verified, actor, err := s.verify(ctx, Verdict{Book: in.Book, BusinessID: in.PaymentID, Decision: string(in.Decision), Actor: in.Actor,
		Reason: in.Reason, Code: in.Code})
	if err != nil {
		return Booked{}, failure(ctx, err)
	}
	for try := 1; ; try++ {
		b, err := s.resolve(ctx, in, actor, verified)
		// The row moved meanwhile, maybe by an earlier try of this very step: read again.
		if fault.Of(err) != fault.KindConflict || fault.Is(err, fault.KindConflict, "decision_refused") || try == staleTries {
			return b, failure(ctx, err)
		}
	}
}

func (s *Steps) resolve(ctx context.Context, in ResolveInput, actor string, verified bool) (Booked, error) {
	d, err := s.c.Files.Dossier(ctx, in.Book, in.PaymentID)
	if err != nil || in.Decision.Led(d.Payment.Status) {
		return booked(d.Payment), err
	}
	k, err := s.mismatched(ctx, in.Book, in.PaymentID)
	if err != nil {
		return Booked{}, err
	}
	attempt := d.Attempt(in.Ordinal)
	r, err := payment.Decide(payment.Case{Payment: d.Payment, Attempt: attempt, Terms: d.Terms, Calendar: d.Calendar, Now: s.c.Now(), Captures: d.Captures, Last: true}, k, in.Decision)
	if err != nil {
		return Booked{}, err
	}
	by := ledger.Principal{Kind: ledger.ByOperator, ID: actor, Reason: in.Reason}
	step := ledger.Step{Book: in.Book, Cause: id.Key(in.PaymentID, id.Step{Code: id.Act, Ordinal: in.Act}), Business: in.PaymentID, By: by,
		Journals: r.Journals,
		Changes: append(r.Changes(d.Payment, attempt), payment.Act{PaymentID: in.PaymentID, Act: "resolve",
			Decision: string(in.Decision), Actor: actor, Verified: verified, Reason: in.Reason})}
	if k != nil {
		j := judgement{Decision: ofCase(*k, in.Decision), By: exception.By{Actor: actor, Verified: verified, Reason: in.Reason}, principal: by}
		if _, err := s.conclude(d, *k, j, &step); err != nil {
			return Booked{}, err
		}
	}
	step.Changes = append(step.Changes, recovers(d, step.Cause, r.Journals)...)
	_, err = s.c.Committer.Commit(ctx, step)
	return booked(r.After), err
}

// ofCase is what a decision about a payment means for its case: what isn't
// taken goes back, if it is there to be given.
func ofCase(k exception.Case, d payment.Decision) exception.Decision {
	switch {
	case d == payment.Accept:
		return exception.Accept
	case k.OnSuspense():
		return exception.Return
	}
	return exception.Dismiss
}

// Verdict is what somebody decided about an object, as typed or as the API
// passed it.
type Verdict struct {
	Book       id.Book
	BusinessID string // what it is about
	Decision   string
	Actor      string
	Reason     string
	Code       string // from `paysaga operator sign`, or the API's seal
}

// verify says whether a code proves the actor: a readable, fresh one of a known
// operator for exactly this decision, or the seal of the API, which has
// authenticated them.
func (s *Steps) verify(ctx context.Context, v Verdict) (bool, string, error) {
	if sealed, ok := strings.CutPrefix(v.Code, access.VouchPrefix); ok {
		return s.vouched(v, sealed)
	}
	if v.Code == "" {
		if v.Book == id.Live {
			return false, "", fault.Denied("code_missing", "in the live book a decision needs a code from `paysaga operator sign`")
		}
		return false, v.Actor, nil
	}
	d, err := access.ReadDecision(v.Code)
	if err != nil {
		return false, "", err
	}
	operator, err := s.c.Files.Operator(ctx, d.Operator)
	if err != nil {
		return false, "", err
	}
	want := access.Decision{BusinessID: v.BusinessID, Decision: v.Decision, Reason: v.Reason, SignedAt: time.Time{}}
	return true, operator.ID, operator.Verify(v.Code, want, s.c.Now())
}

// vouched believes the API's seal, if it is about exactly this decision.
func (s *Steps) vouched(v Verdict, sealed string) (bool, string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return false, "", fault.Denied("code_invalid", "this is no code of the API's")
	}
	text, err := s.c.Sealer.OpenSealed(raw)
	if err != nil {
		return false, "", fault.Denied("code_invalid", "this is no code of the API's")
	}
	var said access.Vouch
	want := access.Vouch{Book: v.Book, BusinessID: v.BusinessID, Decision: v.Decision, Actor: v.Actor, Reason: v.Reason}
	if json.Unmarshal(text, &said) != nil || said != want {
		return false, "", fault.Denied("code_invalid", "the code is about another decision")
	}
	return true, said.Actor, nil
}
