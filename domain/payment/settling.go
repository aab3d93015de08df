package payment

import (
	"time"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/trade"
)

// settling is a ruling in the making.
type settling struct {
	Case
	r Ruling
}

func begin(c Case) *settling {
	c.Terms = c.Payment.terms(c.Terms)
	s := &settling{Case: c, r: Ruling{After: c.Payment, duplicates: c.Terms.Policies.Of(exception.DuplicatePayment)}}
	s.r.After.Parts = append([]Part(nil), c.Payment.Parts...)
	return s
}

func (s *settling) step(code id.Code) id.Step {
	if s.Attempt == nil {
		return id.Step{Code: code, Ordinal: 1}
	}
	return id.Step{Code: code, Ordinal: s.Attempt.Ordinal}
}

func (s *settling) cause(code id.Code) string { return id.Key(s.Payment.ID, s.step(code)) }

// held: the channel had reserved money under this attempt, as meant or not.
func (s *settling) held() bool {
	return s.Payment.Status == Reserved || (s.Attempt != nil && s.Attempt.Verdict == Authorized)
}

// note writes on the attempt what its channel said.
func (s *settling) note() {
	a, o := s.r.Attempt, s.Outcome
	if o.Verdict != Absent {
		a.Verdict = o.Verdict
	}
	a.Dead = o.Dead
	if o.ChannelID != "" {
		a.ChannelID = o.ChannelID
	}
	if o.Decline != nil {
		a.DeclineCode, a.HardDecline = o.Decline.Code, o.Decline.Hard
	}
	if o.Verdict == Succeeded || o.Verdict == Authorized {
		a.AmountMinor, a.Currency = o.AmountMinor, o.Currency
	}
	if !o.ExpiresAt.IsZero() {
		a.ExpiresAt = o.ExpiresAt
	}
	if !o.EffectiveAt.IsZero() {
		a.EffectiveAt = o.EffectiveAt
	}
}

// unknown puts the amount on the memo accounts, once (I-14). An attempt of
// which the channel has told something isn't in doubt because one question
// failed.
func (s *settling) unknown() error {
	if s.Payment.InDoubt || (s.Attempt.Verdict != "" && s.Attempt.Verdict != Unknown) {
		s.r.Quiet = true
		return nil
	}
	j, err := ledger.InDoubt(s.cause(id.InDoubt), s.chart(), s.Attempt.ChannelAccount, s.meant(), s.Now)
	if err != nil {
		return err
	}
	s.r.Step, s.r.Event = s.step(id.InDoubt), "payment.in_doubt"
	s.r.After.InDoubt = true
	s.r.Journals = append(s.r.Journals, j)
	return nil
}

// pending shows the customer what to do. Without an action it only ends a
// doubt, so it takes that place: an action may still come.
func (s *settling) pending() error {
	shown := s.Payment.Status == RequiresAction && s.Attempt.Verdict == Pending
	if shown || (s.Attempt.Verdict == Pending && s.Outcome.Action == nil) {
		s.r.Quiet = true // asked again: still pending
		return nil
	}
	s.r.Step = s.step(id.Undo)
	if s.Outcome.Action != nil {
		s.r.Step, s.r.Event = s.step(id.Pending), "payment.requires_action"
		s.r.After.Status, s.r.After.NextAction = RequiresAction, s.Outcome.Action
	}
	return s.resolveDoubt()
}

func (s *settling) authorized() error {
	s.r.Step = s.step(id.Charge)
	if err := s.resolveDoubt(); err != nil {
		return err
	}
	if s.differs() { // the saga voids it at once: no money moved, so there is no case
		s.wait()
		s.r.After.Parked = "amount_mismatch: another amount was authorized"
		s.r.Event = "payment.parked"
		return nil
	}
	p := &s.r.After
	p.Status, p.Parked, p.NextAction = Reserved, "", nil
	for i := range p.Parts { // what is set aside of a wallet is as certain
		p.Parts[i].Authorized = p.Parts[i].Amount
	}
	s.r.Order = trade.Change{Authorized: s.Payment.Amount.Minor}
	s.r.Event = "payment.authorized"
	return nil
}

func (s *settling) succeeded() error {
	s.r.Step = s.step(id.Charge)
	if s.held() {
		s.r.Step = s.step(id.CaptureOut)
	}
	if err := s.resolveDoubt(); err != nil {
		return err
	}
	switch {
	case s.Payment.Captured.Minor > 0 || s.Strayed > 0:
		return s.heldBack()
	case s.differs():
		return s.mismatch()
	}
	sale, err := s.sale(s.meant(), s.Outcome.EffectiveAt)
	if err != nil {
		return err
	}
	j, err := s.booked(id.Key(s.Payment.ID, s.r.Step), sale, "")
	if err != nil {
		return err
	}
	return s.capture(sale, j)
}

// sale is what a capture of gross books; at is the channel's time of it.
func (s *settling) sale(gross money.Amount, at time.Time) (ledger.Capture, error) {
	fee, err := s.Terms.Fee(gross)
	return ledger.Capture{Chart: s.chart(), ChannelAccount: s.Attempt.ChannelAccount,
		Merchant: s.Payment.MerchantID, Gross: gross, Fee: fee, At: s.when(at)}, err
}

// capture makes the sale the merchant's, whole, in this Step.
func (s *settling) capture(sale ledger.Capture, j ledger.Journal) error {
	s.r.Journals = append(s.r.Journals, j)
	if err := s.charge(s.cause(id.Fee), sale); err != nil {
		return err
	}
	part := s.r.After.part(s.Attempt.Part)
	s.r.Order = trade.Change{Authorized: -part.Authorized.Minor, Paid: sale.Gross.Minor}
	part.Authorized, part.Captured = sale.Gross, sale.Gross // I-09: captured never exceeds authorized
	return s.paid(sale)
}

// paid moves the payment to succeeded, with what was set aside of a wallet.
// Without a settlement delay the money is available at once.
func (s *settling) paid(sale ledger.Capture) error {
	sale, err := s.takeHeld(sale)
	if err != nil {
		return err
	}
	if sale.Chart.Owned() { // the channel pays the merchant: nothing becomes available with us
		s.Terms.SettlementDays = 0
	} else if s.Terms.SettlementDays <= 0 && !s.Payment.TopUp() && sale.Fee.Minor < sale.Gross.Minor {
		mature, err := ledger.Matured(s.cause(id.Mature), sale)
		if err != nil {
			return err
		}
		s.r.Journals = append(s.r.Journals, mature)
	}
	p := &s.r.After
	p.Status, p.Parked, p.DeclineCode, p.NextAction = Paid, "", "", nil
	p.Captured, p.Fee, p.EffectiveAt = sale.Gross, sale.Fee, sale.At
	p.BusinessDate = openDate(s.Calendar, s.Terms.BusinessDate(sale.At))
	if s.Terms.SettlementDays > 0 {
		s.r.MaturesAt = s.Terms.MaturesAt(sale.At)
	}
	s.r.Event = "payment.succeeded"
	return nil
}

func (s *settling) declined() error {
	if s.held() { // the reservation is gone
		return s.closed()
	}
	s.r.Step = s.step(id.Charge)
	if s.Attempt.Dead {
		s.r.Step = s.step(id.End)
	}
	if err := s.resolveDoubt(); err != nil {
		return err
	}
	if !s.Last {
		s.wait()
		return nil
	}
	code := "declined"
	if s.Outcome.Decline != nil {
		code = s.Outcome.Decline.Code
	}
	if s.Outcome.Decline != nil {
		s.r.After.DeclineClass = s.Outcome.Decline.Class
	}
	return s.end(Failed, code)
}

func (s *settling) closed() error {
	switch {
	case s.Attempt == nil || s.Attempt.Dead:
		s.r.Step = s.step(id.End)
	case s.held():
		s.r.Step = s.step(id.Void)
	default:
		s.r.Step = s.step(id.Close)
	}
	if err := s.resolveDoubt(); err != nil {
		return err
	}
	if s.Payment.Captured.Minor > 0 {
		return s.release()
	}
	if end, code := s.ending(); end != "" {
		return s.end(end, code)
	}
	s.wait()
	return nil
}

// ending is what a closed attempt makes of the payment: what the caller wants,
// or, when the channel closed of its own accord and no other is left, what it
// amounts to. Empty: the next channel is tried.
func (s *settling) ending() (Status, string) {
	switch p := s.Payment; {
	case p.Status == Reserved:
		return Canceled, ""
	case s.End != "":
		return s.End, s.EndCode
	case s.held(): // another amount had been authorized
		return Failed, "amount_mismatch"
	case !s.Last || s.Attempt == nil:
		return "", ""
	case !p.CancelRequested.IsZero():
		return Canceled, ""
	case p.Status == RequiresAction, !p.ExpiresAt.IsZero() && !s.Now.Before(p.ExpiresAt):
		return Expired, ""
	}
	return Failed, "closed_by_channel"
}

// end ends the payment unpaid. What was reserved, or set aside, is free again.
func (s *settling) end(as Status, code string) error {
	p := &s.r.After
	p.Status, p.Parked, p.NextAction, p.ReviewDue = as, "", nil, time.Time{}
	for i := range p.Parts {
		s.r.Order.Authorized -= p.Parts[i].Authorized.Minor
		p.Parts[i].Authorized = money.Zero(p.Amount.Currency)
	}
	if as == Failed {
		p.DeclineCode = code
		if code == "" {
			p.DeclineCode = "closed_by_channel"
		}
	}
	s.r.Event = "payment." + string(as)
	back, err := s.Payment.GiveBack(s.Now)
	s.r.Journals = append(s.r.Journals, back...)
	return err
}

// wait takes the customer's action back: it leads nowhere any more.
func (s *settling) wait() {
	p := &s.r.After
	if p.Status == RequiresAction {
		p.Status, s.r.Event = Processing, "payment.updated"
	}
	p.NextAction = nil
}

// resolveDoubt reverses the memo posting once the outcome is known (I-07).
// Whoever was shown the payment because of the doubt isn't needed any more.
func (s *settling) resolveDoubt() error {
	if !s.Payment.InDoubt {
		return nil
	}
	memo, err := ledger.InDoubt(s.cause(id.InDoubt), s.chart(), s.Attempt.ChannelAccount, s.meant(), s.Now)
	if err != nil {
		return err
	}
	j, err := memo.Reverse(s.cause(id.Undo), s.Now)
	if err != nil {
		return err
	}
	s.r.Journals = append(s.r.Journals, j)
	s.r.After.InDoubt, s.r.After.Parked = false, ""
	return nil
}

// done checks the edge and counts the move.
func (s *settling) done() (Ruling, error) {
	if s.Payment.TopUp() {
		s.r = s.r.orderless()
	}
	if s.r.Event == "" && s.r.After.InDoubt != s.Payment.InDoubt {
		s.r.Event = "payment.updated"
	}
	learned := s.r.Attempt != nil && *s.r.Attempt != *s.Attempt
	if s.r.Quiet || (s.r.Event == "" && !learned) {
		return Ruling{Quiet: true, After: s.Payment}, nil
	}
	edge := s.Payment.Status.CanBecome(s.r.After.Status) || (s.r.ByCase != "" && s.Payment.Status.CanBecomeByCase(s.r.After.Status))
	if !edge { // I-15
		return Ruling{}, fault.Conflict("edge_refused", "a payment that is "+string(s.Payment.Status)+" can't become "+string(s.r.After.Status))
	}
	if s.r.After.Status.Terminal() && s.r.After.Capturing.Minor > 0 {
		return Ruling{}, fault.Conflict("capture_open", "a capture is under way: it is settled before the payment ends")
	}
	if s.r.Event == "" { // only the attempt learned something
		s.r.After = s.Payment
		return s.r, nil
	}
	s.r.After.Sequence++
	s.r.After.UpdatedAt = s.Now
	return s.r, nil
}

// chart is that of the money which the attempt in question has brought.
func (s *settling) chart() ledger.Chart {
	c := s.Payment.chart()
	c.AtBank = s.Attempt != nil && s.Attempt.Channel == BankRail
	if s.Attempt != nil && s.Attempt.OwnFunds {
		c.Own = ledger.Own{ChannelAccount: s.Attempt.ChannelAccount, Merchant: s.Payment.MerchantID}
	}
	return c
}

// charge adds our fee on a sale of own funds: of any other it is part of the sale's journal.
func (s *settling) charge(cause string, sale ledger.Capture) error {
	if !sale.Chart.Owned() || sale.Fee.IsZero() {
		return nil
	}
	j, err := ledger.FeeCharged(cause, sale)
	s.r.Journals = append(s.r.Journals, j)
	return err
}

// clocks is how far a channel's clock, or its idea of a time zone, may be off.
const clocks = 24 * time.Hour

// when is the channel's time of a success, or ours if the channel names none
// or one that can't be: it would book the money into an absurd business day.
func (s *settling) when(at time.Time) time.Time {
	if at.IsZero() || at.After(s.Now.Add(clocks)) || at.Before(s.Payment.CreatedAt.Add(-clocks)) {
		return s.Now
	}
	return at
}
