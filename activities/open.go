package activities

import (
	"context"
	"encoding/json"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/risk"
	"paysaga/domain/routing"
)

// OpenInput asks for the intent of one attempt.
type OpenInput struct {
	Ref
	Ordinal int `json:"ordinal"` // from 1; the next only after this one is dead
}

// Opened says what stands now.
type Opened struct {
	Status payment.Status `json:"status"`
	// Key is empty when there is nothing to charge: the payment has ended, or is
	// to be cancelled before any channel heard of it.
	Key       string       `json:"key,omitempty"`
	Channel   string       `json:"channel,omitempty"`
	Lane      payment.Lane `json:"lane,omitempty"`
	Last      bool         `json:"last,omitempty"` // the plan has no further channel
	ExpiresAt time.Time    `json:"expires_at,omitzero"`
	Cancel    bool         `json:"cancel,omitempty"`
	// Existing: the intent stood already, so it may have been sent.
	Existing bool `json:"existing,omitempty"`
}

// Open commits the intent of an attempt: the risk verdict, the route plan with
// its reason, and the frozen request under its key, in one Step. Repeated, it
// answers with what stands (I-13).
func (s *Steps) Open(ctx context.Context, in OpenInput) (Opened, error) {
	d, err := s.c.Files.Dossier(ctx, in.Book, in.PaymentID)
	if err != nil {
		return Opened{}, failure(ctx, err)
	}
	o, err := s.open(ctx, d, in)
	return o, failure(ctx, err)
}

func (s *Steps) open(ctx context.Context, d payment.Dossier, in OpenInput) (Opened, error) {
	p := d.Payment
	if p.Status.Terminal() {
		return Opened{Status: p.Status}, nil
	}
	plan, verdict, err := s.plan(ctx, d)
	if err != nil {
		return Opened{}, err
	}
	if a := d.Attempt(in.Ordinal); a != nil {
		o := opened(p, *a, plan)
		o.Existing = true
		return o, nil
	}
	if !p.CancelRequested.IsZero() {
		return Opened{Status: p.Status, Cancel: true}, nil
	}
	step := id.Step{Code: id.Open, Ordinal: in.Ordinal}
	if verdict != nil && verdict.Decision == risk.Refuse {
		return s.refuse(ctx, p, step, *verdict)
	}
	if in.Ordinal > len(plan.Routes) {
		return Opened{}, fault.Internal("the plan has no such route", nil)
	}
	a, request, err := s.intent(d, plan.Routes[in.Ordinal-1], in.Ordinal)
	if err != nil {
		return Opened{}, err
	}
	after := p
	after.Channel = a.Channel
	after.UpdatedAt = s.c.Now()
	move := payment.Update{Before: p, After: after, Opened: true}
	if verdict != nil {
		move.Plan, move.Risk = asJSON(plan), asJSON(verdict)
	}
	_, err = s.c.Committer.Commit(ctx, ledger.Step{
		Book: p.Book, Cause: id.Key(p.ID, step), Business: p.ID, By: ledger.Service("payment-saga"),
		Changes: []ledger.Change{payment.Intend{Attempt: a, Request: request}, move},
	})
	return opened(p, a, plan), err
}

func opened(p payment.Payment, a payment.Attempt, plan routing.Plan) Opened {
	return Opened{Status: p.Status, Key: a.Key, Channel: a.Channel, Lane: a.Lane,
		Last: a.Ordinal >= len(plan.Routes), ExpiresAt: p.ExpiresAt}
}

// plan reads the stored plan, or makes it together with the risk verdict.
func (s *Steps) plan(ctx context.Context, d payment.Dossier) (routing.Plan, *risk.Verdict, error) {
	var plan routing.Plan
	if len(d.Plan) > 0 {
		if err := json.Unmarshal(d.Plan, &plan); err != nil {
			return plan, nil, fault.Internal("a stored plan can't be read", err)
		}
		return plan, nil, nil
	}
	verdict := s.c.Rules.Judge(d.Payment)
	open, err := s.c.Files.OpenAccounts(ctx, d.Payment.Book, d.Payment.MerchantID)
	if err != nil {
		return plan, nil, err
	}
	plan, err = routing.Make(routing.Facts{Channel: d.Payment.Channel, Method: d.Payment.Method, Currency: d.Payment.Amount.Currency},
		s.c.Channels.Candidates(open))
	return plan, &verdict, err
}

// refuse ends a payment that risk doesn't let through: no intent, no call.
func (s *Steps) refuse(ctx context.Context, p payment.Payment, step id.Step, v risk.Verdict) (Opened, error) {
	after := p
	after.Status, after.DeclineCode = payment.Failed, "risk_refused"
	after.Sequence++
	after.UpdatedAt = s.c.Now()
	_, err := s.c.Committer.Commit(ctx, ledger.Step{
		Book: p.Book, Cause: id.Key(p.ID, step), Business: p.ID, By: ledger.Service("payment-saga"),
		Changes: []ledger.Change{payment.Update{Before: p, After: after, Event: "payment.failed", Opened: true, Risk: asJSON(v)}},
	})
	return Opened{Status: payment.Failed}, err
}

// intent freezes what will be sent: canonical JSON (RFC 8785) and its hash.
func (s *Steps) intent(d payment.Dossier, r routing.Route, ordinal int) (payment.Attempt, json.RawMessage, error) {
	p := d.Payment
	expires := p.ExpiresAt.UTC()
	canonical, hash, err := channels.Freeze(channels.ChargeRequest{
		AmountMinor: p.Amount.Minor, Currency: string(p.Amount.Currency),
		Method:  payment.Method{Type: p.Method, Token: d.Secrets.Token},
		Capture: p.Capture != payment.CaptureManual, Description: d.Secrets.Description,
		ReturnURL: d.Secrets.ReturnURL, CallbackURL: s.callbackURL(r), ExpiresAt: &expires,
	})
	if err != nil {
		return payment.Attempt{}, nil, err
	}
	key, err := channels.NewKey(id.Key(p.ID, id.Step{Code: id.Charge, Ordinal: ordinal}), hash, s.c.Now())
	if err != nil {
		return payment.Attempt{}, nil, err
	}
	return payment.Attempt{
		Book: p.Book, PaymentID: p.ID, Part: 1, Ordinal: ordinal, Key: key.ID, Reference: key.Reference,
		Channel: r.Channel, ChannelAccount: r.ChannelAccount, Lane: r.Lane, RequestHash: key.BodyHash, BornAt: key.BornAt,
	}, canonical, nil
}

func (s *Steps) callbackURL(r routing.Route) string {
	if s.c.CallbackURL == "" {
		return ""
	}
	return s.c.CallbackURL + "/v1/callbacks/" + r.Channel + "/" + r.ChannelAccount
}

func asJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // plain structs of strings and numbers
		panic("activities: " + err.Error())
	}
	return b
}
