package activities

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/risk"
	"paysaga/domain/routing"
	"paysaga/domain/rule"
)

// OpenInput asks for the intent of one attempt.
type OpenInput struct {
	Ref
	Ordinal int `json:"ordinal"` // from 1; the next only after this one is dead
	// Reviews: the run can wait for a person whom risk wants to see the payment.
	Reviews bool `json:"reviews,omitempty"`
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
	// Run is the saga's run that committed the intent.
	Run string `json:"run,omitempty"`
	// Review is until when a person may judge the payment; nothing is sent before.
	Review time.Time `json:"review,omitzero"`
}

// Open commits the intent of an attempt: the risk verdict, the route plan with
// its reason, and the frozen request under its key, in one Step. What the
// payment counts against limits is counted there, too. Repeated, it answers
// with what stands (I-13).
func (s *Steps) Open(ctx context.Context, in OpenInput) (Opened, error) {
	for try := 1; ; try++ {
		d, b, err := s.c.Rules.Opening(ctx, in.Book, in.PaymentID)
		if err != nil {
			return Opened{}, failure(ctx, err)
		}
		o, err := s.open(ctx, d, b, in)
		if !verdictMoved(err) {
			o.Run = runOf(ctx)
			return o, failure(ctx, err)
		}
		if try == movedTries {
			return o, failure(ctx, fault.Unavailable("verdict_moves", "others count all the time; decided anew in a moment", err))
		}
	}
}

func (s *Steps) open(ctx context.Context, d payment.Dossier, b risk.Briefing, in OpenInput) (Opened, error) {
	p := d.Payment
	if p.Status.Terminal() {
		return Opened{Status: p.Status}, nil
	}
	if a := d.Attempt(in.Ordinal); a != nil {
		plan, err := storedPlan(d)
		o := opened(p, *a, plan)
		o.Existing = true
		return o, err
	}
	if !p.CancelRequested.IsZero() {
		return Opened{Status: p.Status, Cancel: true}, nil
	}
	if !p.ReviewDue.IsZero() {
		return Opened{Status: p.Status, Review: p.ReviewDue}, nil
	}
	step := id.Step{Code: id.Open, Ordinal: in.Ordinal}
	move := payment.Update{Before: p, After: p, Opened: true}
	var j riskVerdict
	if b.Record == nil {
		var err error
		if j, err = s.judgeRisk(ctx, p, b); err != nil {
			return Opened{}, err
		}
		switch j.record.Decision {
		case risk.Refuse:
			return s.refuse(ctx, p, step, j)
		case risk.Review:
			return s.hold(ctx, p, in, j)
		}
		move.Risk = asJSON(j.record)
	}
	if p.ChannelPart() == nil {
		return s.payFromWallet(ctx, d, move.Risk, j)
	}
	plan, fresh, err := s.plan(ctx, d, b)
	if err != nil {
		return Opened{}, err
	}
	if fresh {
		move.Plan = asJSON(plan)
		j.changes = append(j.changes, failedRoutes(p, b, plan)...)
	}
	if !fresh {
		halted, err := s.withoutHalted(ctx, p, &plan, in.Ordinal)
		if err != nil {
			return Opened{}, err
		}
		if halted {
			move.Plan = asJSON(plan)
		}
		if halted && in.Ordinal > len(plan.Routes) {
			return s.exhausted(ctx, d, step, plan)
		}
	}
	if in.Ordinal > len(plan.Routes) {
		return Opened{}, fault.Internal("the plan has no such route", nil)
	}
	if plan.Admit(in.Ordinal, func(account string) bool { return s.c.Health.admit(ctx, p.Book, account, p.ID) }) {
		move.Plan = asJSON(plan)
	}
	a, request, err := s.intent(d, plan.Routes[in.Ordinal-1], in.Ordinal)
	if err != nil {
		return Opened{}, err
	}
	move.After.Channel = a.Channel
	move.After.UpdatedAt = s.c.Now()
	_, err = s.c.Committer.Commit(ctx, ledger.Step{
		Book: p.Book, Cause: id.Key(p.ID, step), Business: p.ID, By: ledger.Service("payment-saga"),
		Changes: append([]ledger.Change{payment.Intend{Attempt: a, Request: request}, move}, j.changes...),
	})
	return opened(p, a, plan), err
}

func opened(p payment.Payment, a payment.Attempt, plan routing.Plan) Opened {
	return Opened{Status: p.Status, Key: a.Key, Channel: a.Channel, Lane: a.Lane,
		Last: a.Ordinal >= len(plan.Routes), ExpiresAt: p.ExpiresAt}
}

func storedPlan(d payment.Dossier) (plan routing.Plan, err error) {
	if err := json.Unmarshal(d.Plan, &plan); err != nil {
		return plan, fault.Internal("a stored plan can't be read", err)
	}
	return plan, nil
}

// plan reads the stored plan, or makes it by the rules in force and by what is
// known of the channel accounts.
func (s *Steps) plan(ctx context.Context, d payment.Dossier, b risk.Briefing) (plan routing.Plan, fresh bool, err error) {
	if len(d.Plan) > 0 {
		plan, err = storedPlan(d)
		return plan, false, err
	}
	p := d.Payment
	set, err := s.rules.get(ctx, p.Book, rule.Routing, b.Routing)
	if err != nil {
		return plan, false, err
	}
	open, err := s.c.Files.OpenAccounts(ctx, p.Book, p.MerchantID)
	if err != nil {
		return plan, false, err
	}
	plan, err = set.routing.Plan(b.Facts.Facts, s.c.Channels.Candidates(channels.Open(open, p), p.Amount.Currency), s.c.Health.Of(open))
	if err != nil {
		return plan, false, err
	}
	return plan, true, nil
}

// withoutHalted takes the routes of a stored plan out that an operator has halted since, from an ordinal on, and says whether there was one.
func (s *Steps) withoutHalted(ctx context.Context, p payment.Payment, plan *routing.Plan, from int) (bool, error) {
	open, err := s.c.Files.OpenAccounts(ctx, p.Book, p.MerchantID)
	if err != nil {
		return false, err
	}
	why := map[string]string{}
	for _, c := range s.c.Channels.Candidates(open, p.Amount.Currency) {
		why[c.ChannelAccount] = c.Halted
	}
	halted := false
	for i := from - 1; i < len(plan.Routes); {
		r := plan.Routes[i]
		if why[r.ChannelAccount] == "" {
			i++
			continue
		}
		halted = true
		plan.Routes = slices.Delete(plan.Routes, i, i+1)
		plan.Skipped = append(plan.Skipped, routing.Skipped{ChannelAccount: r.ChannelAccount, Reason: why[r.ChannelAccount]})
	}
	return halted, nil
}

// exhausted ends a payment whose last attempt is dead, and whose other routes were halted meanwhile: with what the last channel said.
func (s *Steps) exhausted(ctx context.Context, d payment.Dossier, step id.Step, plan routing.Plan) (Opened, error) {
	p, after := d.Payment, d.Payment
	after.Status, after.DeclineCode = payment.Failed, "channel_paused"
	if a := d.Attempt(step.Ordinal - 1); a != nil && a.DeclineCode != "" {
		after.DeclineCode = a.DeclineCode
	}
	after.Sequence++
	after.UpdatedAt = s.c.Now()
	back, err := p.GiveBack(s.c.Now())
	if err != nil {
		return Opened{}, err
	}
	_, err = s.c.Committer.Commit(ctx, ledger.Step{
		Book: p.Book, Cause: id.Key(p.ID, step), Business: p.ID, By: ledger.Service("payment-saga"), Journals: back,
		Changes: []ledger.Change{payment.Update{Before: p, After: after, Event: "payment.failed", Opened: true, Plan: asJSON(plan)}},
	})
	return Opened{Status: payment.Failed}, err
}

// failedRoutes tells of routing rules that failed at the payment.
func failedRoutes(p payment.Payment, b risk.Briefing, plan routing.Plan) (list []ledger.Change) {
	for _, n := range plan.Notes {
		list = append(list, rule.Failed{Kind: rule.Routing, Set: b.Routing, Rule: n.Rule, Failure: n.Failure, PaymentID: p.ID})
	}
	return list
}

// refuse ends a payment that risk doesn't let through: no intent, no call.
func (s *Steps) refuse(ctx context.Context, p payment.Payment, step id.Step, j riskVerdict) (Opened, error) {
	after := p
	after.Status, after.DeclineCode = payment.Failed, "risk_refused"
	after.Sequence++
	after.UpdatedAt = s.c.Now()
	back, err := p.GiveBack(s.c.Now())
	if err != nil {
		return Opened{}, err
	}
	_, err = s.c.Committer.Commit(ctx, ledger.Step{
		Book: p.Book, Cause: id.Key(p.ID, step), Business: p.ID, By: ledger.Service("payment-saga"), Journals: back,
		Changes: append([]ledger.Change{payment.Update{Before: p, After: after, Event: "payment.failed", Opened: true, Risk: asJSON(j.record)}}, j.changes...),
	})
	return Opened{Status: payment.Failed}, err
}

// payFromWallet ends a payment that needs no channel: what was set aside of the
// wallet becomes the merchant's, in the Step that would have committed an intent.
func (s *Steps) payFromWallet(ctx context.Context, d payment.Dossier, record []byte, j riskVerdict) (Opened, error) {
	p := d.Payment
	r, err := payment.PayFromWallet(payment.Case{Payment: p, Terms: d.Terms, Calendar: d.Calendar, Now: s.c.Now()})
	if err != nil {
		return Opened{}, err
	}
	step := ledger.Step{Book: p.Book, Cause: id.Key(p.ID, r.Step), Business: p.ID, By: ledger.Service("payment-saga"), Journals: r.Journals}
	for _, c := range r.Changes(p, nil) {
		if u, ok := c.(payment.Update); ok {
			u.Risk = record
			c = u
		}
		step.Changes = append(step.Changes, c)
	}
	step.Changes = append(append(step.Changes, j.changes...), recovers(d, step.Cause, r.Journals)...)
	_, err = s.c.Committer.Commit(ctx, step)
	return Opened{Status: r.After.Status}, err
}

// intent freezes what will be sent: canonical JSON (RFC 8785) and its hash.
func (s *Steps) intent(d payment.Dossier, r routing.Route, ordinal int) (payment.Attempt, json.RawMessage, error) {
	p := d.Payment
	expires := p.ExpiresAt.UTC()
	canonical, hash, err := channels.Freeze(channels.ChargeRequest{
		AmountMinor: p.OverChannel().Minor, Currency: string(p.Amount.Currency),
		Method:  d.Method(),
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
		Book: p.Book, PaymentID: p.ID, Part: p.ChannelPart().Ordinal, Ordinal: ordinal, Key: key.ID, Reference: key.Reference,
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
