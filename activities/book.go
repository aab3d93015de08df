package activities

import (
	"context"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/routing"
)

// BookInput brings what became of an attempt.
type BookInput struct {
	Ref
	Ordinal int    `json:"ordinal,omitempty"` // 0: no attempt was ever made
	Answer  Answer `json:"answer"`
	// Last: after this "no" there is no other channel to try.
	Last bool `json:"last,omitempty"`
	// End is what a closed attempt makes of the payment; empty: nothing yet.
	End     payment.Status `json:"end,omitempty"`
	EndCode string         `json:"end_code,omitempty"` // the decline code, when End is failed
}

// Booked is where the payment stands afterwards.
type Booked struct {
	Status       payment.Status `json:"status"`
	InDoubt      bool           `json:"in_doubt,omitempty"`
	Parked       string         `json:"parked,omitempty"`
	BusinessDate string         `json:"business_date,omitempty"`
}

func booked(p payment.Payment) Booked {
	return Booked{Status: p.Status, InDoubt: p.InDoubt, Parked: p.Parked, BusinessDate: p.BusinessDate}
}

// Book commits what an outcome means: state, journals and event in one Step.
// Repeated, it answers with what stands. An outcome that contradicts a payment
// that has ended changes nothing there and opens a case.
func (s *Steps) Book(ctx context.Context, in BookInput) (Booked, error) {
	out, err := s.unseal(in.Answer)
	if err != nil {
		return Booked{}, failure(ctx, err)
	}
	p, err := s.Settle(ctx, Settlement{Ref: in.Ref, Ordinal: in.Ordinal, Outcome: out, Last: in.Last, End: in.End, EndCode: in.EndCode})
	return booked(p), failure(ctx, err)
}

// Look reads where the payment stands: somebody else has moved it.
func (s *Steps) Look(ctx context.Context, in Ref) (Booked, error) {
	d, err := s.c.Files.Dossier(ctx, in.Book, in.PaymentID)
	return booked(d.Payment), failure(ctx, err)
}

// Settlement is an outcome to be settled outside of a saga's step, by the
// relay of callbacks for one.
type Settlement struct {
	Ref
	Ordinal int
	Outcome payment.Outcome
	Last    bool
	End     payment.Status
	EndCode string
	By      ledger.Principal // zero: the saga
}

// staleTries bounds how often Settle reads again because something came between
// its reading and its commit: a cancel that was asked for, or another outcome of
// the same attempt, which took the cause (two charges, told at once).
const staleTries = 3

func overtaken(err error) bool {
	return fault.Is(err, fault.KindConflict, "stale_state") || fault.Is(err, fault.KindConflict, "cause_conflict")
}

// Settle reads, rules and commits. Its errors are faults.
func (s *Steps) Settle(ctx context.Context, in Settlement) (payment.Payment, error) {
	for try := 1; ; try++ {
		d, err := s.c.Files.Dossier(ctx, in.Book, in.PaymentID)
		if err != nil {
			return payment.Payment{}, err
		}
		p, err := s.settle(ctx, d, in)
		if !overtaken(err) || try == staleTries {
			return p, err
		}
	}
}

func (s *Steps) settle(ctx context.Context, d payment.Dossier, in Settlement) (payment.Payment, error) {
	c := payment.Case{Payment: d.Payment, Attempt: d.Attempt(in.Ordinal), Terms: d.Terms, Calendar: d.Calendar,
		Now: s.c.Now(), Outcome: explained(in.Outcome, d.Attempt(in.Ordinal)), Last: in.Last, End: in.End, EndCode: in.EndCode, Captures: d.Captures, Strayed: d.Strayed(),
		Followed: in.Ordinal > 0 && in.Ordinal < len(d.Attempts)}
	r, err := payment.Settle(c)
	if fault.Is(err, fault.KindConflict, "contradicts_state") {
		return d.Payment, s.contradiction(ctx, c, in.By)
	}
	if err != nil || r.Quiet {
		return d.Payment, err
	}
	by := in.By
	if by.Kind == "" {
		by = ledger.Service("payment-saga")
	}
	step := ledger.Step{Book: in.Book, Cause: id.Key(in.PaymentID, r.Step), Business: in.PaymentID, By: by,
		Changes: r.Changes(d.Payment, c.Attempt), Journals: r.Journals}
	step.Changes = append(step.Changes, recovers(d, step.Cause, r.Journals)...)
	_, err = s.c.Committer.Commit(ctx, step)
	if err == nil && r.Case != nil {
		s.c.CaseOpened()
	}
	return r.After, err
}

// explained classes a "no" by the table of its channel.
func explained(out payment.Outcome, a *payment.Attempt) payment.Outcome {
	if out.Decline == nil || a == nil {
		return out
	}
	decline := *out.Decline
	decline.Class = string(routing.Explain(a.Channel, decline).Class)
	out.Decline = &decline
	return out
}

// contradiction opens a case for an outcome that the payment can't take any
// more; what came in stands on suspense until somebody decides. A charge that
// has its case gets no second one; a further charge of the same attempt does.
func (s *Steps) contradiction(ctx context.Context, c payment.Case, by ledger.Principal) error {
	if by.Kind == "" {
		by = ledger.Service("payment-saga")
	}
	for ; ; c.Again++ {
		r, err := payment.Contradict(c)
		if err != nil {
			return err
		}
		_, err = s.c.Committer.Commit(ctx, ledger.Step{Book: c.Payment.Book, Cause: id.Key(c.Payment.ID, r.Step), Business: c.Payment.ID, By: by,
			Changes: r.Changes(c.Payment, c.Attempt), Journals: r.Journals})
		if err == nil {
			s.c.CaseOpened()
		}
		if !fault.Is(err, fault.KindConflict, "cause_conflict") {
			return err
		}
		if known, err := s.known(ctx, *r.Case); err != nil || known {
			return err
		}
	}
}

// known says whether the charge that a case would be about has its case, or
// brought no money: then other words about it add nothing.
func (s *Steps) known(ctx context.Context, o payment.OpenCase) (bool, error) {
	if o.Kind == exception.Contradiction || o.ChannelID == "" {
		return true, nil
	}
	list, _, err := s.c.Cases.Cases(ctx, exception.Filter{Book: o.Book, PaymentID: o.PaymentID, Limit: 100})
	for _, k := range list {
		if k.Attempt == o.Attempt && (k.ChannelID == o.ChannelID || k.ChannelID == "") && k.Kind != exception.Contradiction {
			return true, err
		}
	}
	return false, err
}
