package payment

import (
	"strings"
	"time"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/trade"
)

// CaptureCase is all that SettleCapture looks at: Case.Attempt is the attempt
// that authorized, Case.Outcome what the channel says of the capture.
type CaptureCase struct {
	Case
	Capture Capture
	Others  []Capture // the payment's captures, this one among them or not
}

// CaptureRuling is what a capture's outcome does: the moves of its payment, and
// its own. The Step's cause is "<capture id>:<Step>".
type CaptureRuling struct {
	Ruling
	Capture      Capture
	CaptureEvent string
	// Moves: the payment's row changes, with or without an event.
	Moves bool
}

// capturing is a ruling about a capture in the making.
type capturing struct {
	*settling
	others        []Capture
	before, after Capture
	event         string
	moves         bool
}

// OfCharge says what a charge's outcome tells of the one capture that is under
// way: what a channel that can't be asked about captures says between the
// lines, and what a callback says before the capture's own answer. Unknown: it
// tells nothing.
func (c Capture) OfCharge(p Payment, strayed int64, charge Outcome) Outcome {
	o := Outcome{Verdict: Unknown, Reason: "the charge says nothing about its capture"}
	switch charge.Verdict {
	case Succeeded:
		took := charge.AmountMinor - p.Captured.Minor - strayed
		if took == 0 { // released without this capture
			return Outcome{Verdict: Closed, Dead: true}
		}
		o = charge
		o.AmountMinor, o.ChannelID = took, ""
	case Closed:
		o = Outcome{Verdict: Closed, Dead: true}
	case Declined:
		if charge.Dead {
			o = Outcome{Verdict: Closed, Dead: true}
		}
	}
	return o
}

// step is the capture's place among the captures of its payment.
func (c Capture) step() id.Step { return id.Step{Code: id.CaptureOut, Ordinal: c.Ordinal} }

// SettleCapture says what the outcome of a capture means (I-10, I-16). A
// capture that has ended stays as it is. Nothing fails while its outcome is
// unknown (I-14); Declined has to be meant as dead.
func SettleCapture(c CaptureCase) (CaptureRuling, error) {
	c.Outcome = c.Outcome.Vetted()
	quiet := CaptureRuling{Ruling: Ruling{Quiet: true, After: c.Payment}, Capture: c.Capture}
	switch {
	case c.Capture.Status != CaptureProcessing:
		return quiet, nil
	case c.Attempt == nil || c.Payment.part(c.Attempt.Part) == nil || c.Payment.Status != Reserved:
		return quiet, fault.Internal("a capture under way without its authorization", nil)
	}
	s := &capturing{settling: begin(c.Case), others: c.Others, before: c.Capture, after: c.Capture}
	var err error
	switch c.Outcome.Verdict {
	case Succeeded:
		err = s.take()
	case Declined, Closed:
		err = s.fail()
	default:
		if c.Capture.InDoubt {
			return quiet, nil
		}
		err = s.doubt()
	}
	if err != nil {
		return quiet, err
	}
	return s.rule()
}

func (s *capturing) key(code id.Code) string {
	return id.Key(s.before.ID, id.Step{Code: code, Ordinal: 1})
}

// doubt puts the amount on the memo accounts, once.
func (s *capturing) doubt() error {
	j, err := ledger.InDoubt(s.key(id.InDoubt), s.chart(), s.before.ChannelAccount, s.before.Amount, s.Now)
	s.r.Step, s.event = id.Step{Code: id.InDoubt, Ordinal: 1}, "capture.in_doubt"
	s.after.InDoubt = true
	s.r.Journals = append(s.r.Journals, j)
	return err
}

// resolve reverses the memo posting once the outcome is known (I-07).
func (s *capturing) resolve() error {
	s.r.Step = id.Step{Code: id.CaptureOut, Ordinal: 1}
	p := &s.r.After
	s.moves = true
	p.Capturing.Minor -= s.before.Amount.Minor
	if s.before.Final {
		p.FinalCapture = false
	}
	if p.Parked != "" && !strings.HasPrefix(p.Parked, "amount_mismatch") { // whoever was shown what took so long isn't needed any more
		p.Parked, s.r.Event = "", "payment.updated"
	}
	if !s.before.InDoubt {
		return nil
	}
	memo, err := ledger.InDoubt(s.key(id.InDoubt), s.chart(), s.before.ChannelAccount, s.before.Amount, s.Now)
	if err != nil {
		return err
	}
	j, err := memo.Reverse(s.key(id.Undo), s.Now)
	if err != nil {
		return err
	}
	s.r.Journals = append(s.r.Journals, j)
	s.after.InDoubt = false
	return nil
}

// fail ends the capture with nothing taken. The payment stays authorized: that
// the authorization is gone as well is for Settle to find.
func (s *capturing) fail() error {
	if err := s.resolve(); err != nil {
		return err
	}
	s.after.Status, s.event = CaptureFailed, "capture.failed"
	switch {
	case s.Outcome.Verdict == Closed:
		s.after.FailureCode = "authorization_ended"
	case s.Outcome.Decline != nil:
		s.after.FailureCode = s.Outcome.Decline.Code
	default:
		s.after.FailureCode = "declined"
	}
	return nil
}

// take books what was captured. The fee is the fee on all that was captured,
// less what was taken before: rounding never adds up (I-08).
func (s *capturing) take() error {
	if err := s.resolve(); err != nil {
		return err
	}
	if s.Outcome.AmountMinor != s.before.Amount.Minor || s.Outcome.Currency != string(s.before.Amount.Currency) {
		return s.mismatched()
	}
	total, err := s.Payment.Captured.Add(s.before.Amount)
	if err != nil {
		return err
	}
	all, err := s.Terms.Fee(total)
	if err != nil {
		return err
	}
	fee := money.New(min(max(0, all.Minor-s.Payment.Fee.Minor), s.before.Amount.Minor), total.Currency)
	sale := ledger.Capture{Chart: s.chart(), ChannelAccount: s.before.ChannelAccount, Merchant: s.Payment.MerchantID,
		Gross: s.before.Amount, Fee: fee, At: s.when(s.Outcome.EffectiveAt)}
	j, err := ledger.Captured(s.key(id.CaptureOut), sale)
	if err != nil {
		return err
	}
	s.r.Journals = append(s.r.Journals, j)
	if err := s.charge(s.key(id.Fee), sale); err != nil {
		return err
	}
	if err := s.mature(sale); err != nil {
		return err
	}
	s.after.Status, s.after.Fee, s.after.EffectiveAt, s.event = CaptureSucceeded, fee, sale.At, "capture.succeeded"
	s.after.ChannelID = s.Outcome.ChannelID
	return s.grow(sale, total)
}

// mature makes the capture's money available, now or in time.
func (s *capturing) mature(sale ledger.Capture) error {
	if sale.Fee == sale.Gross || sale.Chart.Owned() {
		return nil
	}
	if s.Terms.SettlementDays > 0 {
		s.after.MaturesAt = s.Terms.MaturesAt(sale.At)
		s.r.MaturesAt = maturing(s.others, s.Now, s.after.MaturesAt)
		s.r.After.Pending.Minor += sale.Gross.Minor - sale.Fee.Minor
		return nil
	}
	j, err := ledger.Matured(s.key(id.Mature), sale)
	s.r.Journals = append(s.r.Journals, j)
	return err
}

// grow adds a capture to its payment, which ends with the last one.
func (s *capturing) grow(sale ledger.Capture, total money.Amount) error {
	p := &s.r.After
	p.Captured, p.EffectiveAt = total, sale.At
	p.Fee.Minor += sale.Fee.Minor
	if p.BusinessDate == "" {
		p.BusinessDate = openDate(s.Calendar, s.Terms.BusinessDate(sale.At))
	}
	part := p.part(s.Attempt.Part)
	part.Captured.Minor += sale.Gross.Minor
	s.r.Order = trade.Change{Authorized: -sale.Gross.Minor, Paid: sale.Gross.Minor}
	s.r.Event = "payment.captured"
	if s.before.Final || part.Captured.Minor >= part.Authorized.Minor {
		return s.finish(sale.At)
	}
	return nil
}

// mismatched puts what another amount than meant brought on suspense, under a
// case: only a person or a policy may say whose it is. What is left of the
// authorization can still be captured or given back.
func (s *capturing) mismatched() error {
	took := money.New(s.Outcome.AmountMinor, money.Currency(s.Outcome.Currency))
	text := took.Text()
	if took.Currency == "" {
		text = "an amount in no currency that we know"
	}
	p := &s.r.After
	p.Parked = "amount_mismatch: the channel captured " + text + ", meant was " + s.before.Amount.Text()
	s.r.Event = "payment.parked"
	s.after.Status, s.after.FailureCode, s.event = CaptureFailed, "amount_mismatch", "capture.failed"
	s.after.ChannelID = s.Outcome.ChannelID
	if took.Currency == p.Amount.Currency {
		s.after.Strayed = took.Minor
	}
	s.r.Case = s.open(exception.AmountMismatch, s.before.step().String(), took, p.Parked)
	s.r.Case.ChannelID = s.Attempt.ChannelID // a refund is of the charge, not of the capture
	if !exception.Credible(took) {
		return nil
	}
	chart := s.chart().In(took.Currency)
	j, err := ledger.Unexplained(s.key(id.CaptureOut), chart, s.before.ChannelAccount, "amount_mismatch", took, s.when(s.Outcome.EffectiveAt))
	s.r.Journals = append(s.r.Journals, j)
	return err
}

// rule checks the edge and counts the moves.
func (s *capturing) rule() (CaptureRuling, error) {
	if !s.Payment.Status.CanBecome(s.r.After.Status) { // I-15
		return CaptureRuling{}, fault.Conflict("edge_refused", "a payment that is "+string(s.Payment.Status)+" can't become "+string(s.r.After.Status))
	}
	if s.r.Event != "" {
		s.r.After.Sequence++
		s.r.After.UpdatedAt = s.Now
	}
	s.after.Sequence++
	s.after.UpdatedAt = s.Now
	return CaptureRuling{Ruling: s.r, Capture: s.after, CaptureEvent: s.event, Moves: s.moves}, nil
}

// Changes are the moves of r as a Step commits them.
func (r CaptureRuling) Changes(c CaptureCase) []ledger.Change {
	list := []ledger.Change{CaptureUpdate{Before: c.Capture, After: r.Capture, Event: r.CaptureEvent}}
	if r.Moves && r.Event == "" {
		list = append(list, Update{Before: c.Payment, After: r.After, Opened: true})
	}
	for _, change := range r.Ruling.Changes(c.Payment, c.Attempt) {
		if m, ok := change.(PayOrder); ok { // each capture may pay the order beyond its total
			m.Excess.ID = exception.ID(c.Payment.ID, exception.DuplicatePayment, c.Capture.step().String())
			change = m
		}
		list = append(list, change)
	}
	return list
}

// finish ends a payment with what was captured of it: what is left of the
// authorization is free again, and the attempt that held it took just that.
func (s *settling) finish(at time.Time) error {
	p := &s.r.After
	p.Status, p.Parked, p.DeclineCode, p.NextAction = Paid, "", "", nil
	part := p.part(s.Attempt.Part)
	s.r.Order.Authorized -= part.Authorized.Minor - part.Captured.Minor
	part.Authorized = part.Captured
	a := *s.Attempt
	a.Verdict, a.Dead, a.AmountMinor, a.Currency, a.EffectiveAt = Succeeded, false, part.Captured.Minor, string(p.Captured.Currency), p.EffectiveAt
	s.r.Attempt = &a
	s.r.Event = "payment.succeeded"
	return s.finishHeld(at)
}

// release ends a payment of which something was captured: the rest was given
// back, or has lapsed.
func (s *settling) release() error {
	s.r.Step = s.step(id.Void)
	if s.Payment.Captured.Minor == 0 { // all that was taken went astray
		return s.end(Canceled, "")
	}
	return s.finish(s.Now)
}

// heldBack judges a success of a charge of which we have captured a part
// already: the payment ends with what we captured. What the channel took beyond
// is nobody's until somebody decides: it stands on suspense, under a case.
func (s *settling) heldBack() error {
	took := money.New(s.Outcome.AmountMinor, money.Currency(s.Outcome.Currency))
	said, at := s.Outcome.AmountMinor, s.when(s.Outcome.EffectiveAt)
	if took.Currency == s.Payment.Amount.Currency {
		took.Minor -= s.Payment.Captured.Minor + s.Strayed
	}
	if err := s.release(); err != nil || took.IsZero() {
		return err
	}
	if s.r.Attempt != nil {
		s.r.Attempt.AmountMinor, s.r.Attempt.Currency = said, s.Outcome.Currency
	}
	s.r.Case = s.open(exception.AmountMismatch, s.r.Step.String(), took,
		"amount_mismatch: the channel took another amount than we captured: "+s.Payment.Captured.Text())
	if !exception.Credible(took) {
		return nil
	}
	j, err := ledger.Unexplained(s.cause(id.Void), s.chart().In(took.Currency), s.Attempt.ChannelAccount,
		"amount_mismatch", took, at)
	s.r.Journals = append(s.r.Journals, j)
	return err
}
