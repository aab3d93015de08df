package payment

import (
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/trade"
)

// Case is all that Settle looks at.
type Case struct {
	Payment Payment
	Attempt *Attempt // nil: no intent was ever committed
	Terms   Terms
	Now     time.Time
	Outcome Outcome
	// Last: no other channel is left to try after a "no".
	Last bool
	// End is what a closed attempt makes of the payment: Canceled, Expired or,
	// when no channel could be reached, Failed. Empty: closed only to make room
	// for the next channel.
	End Status
	// EndCode is the decline code when End is Failed.
	EndCode string
}

// Ruling is what an outcome does: one Step's worth of moves and postings.
// Nothing set but Quiet means that everything stands already.
type Ruling struct {
	Quiet    bool
	Step     id.Step // the Step's place in the payment: its cause is <id>:<Step>
	After    Payment
	Event    string // empty: nothing that a merchant sees changed
	Attempt  *Attempt
	Journals []ledger.Journal
	Case     *OpenCase
	// Order is what the order's sums change by.
	Order trade.Change
}

// Settle says what an outcome means for a payment (I-15, I-16). It never moves
// to a worse answer than it has: a terminal payment stays, and an outcome that
// contradicts it is fault.Conflict "contradicts_state", for a case of its own.
func Settle(c Case) (Ruling, error) {
	if c.Payment.Status.Terminal() {
		return settled(c)
	}
	s := settling{Case: c, r: Ruling{After: c.Payment}}
	s.r.After.Parts = append([]Part(nil), c.Payment.Parts...)
	if c.Attempt != nil {
		a := *c.Attempt
		s.r.Attempt = &a
		s.note()
	}
	var err error
	switch c.Outcome.Verdict {
	case Unknown, Absent:
		err = s.unknown()
	case Pending:
		err = s.pending()
	case Succeeded:
		err = s.succeeded()
	case Authorized:
		err = s.authorized()
	case Declined:
		err = s.declined()
	case Closed:
		err = s.closed()
	default:
		err = fault.Internal("a channel's verdict is not one of the contract: "+string(c.Outcome.Verdict), nil)
	}
	if err != nil {
		return Ruling{}, err
	}
	return s.done()
}

// settled compares an outcome with a payment that has ended.
func settled(c Case) (Ruling, error) {
	v := c.Outcome.Verdict
	paid := c.Payment.Status == Paid
	switch {
	case v == Succeeded && !paid, v == Authorized && !paid,
		paid && (v == Declined || v == Closed),
		paid && v == Succeeded && c.Outcome.AmountMinor != c.Payment.Captured.Minor:
		return Ruling{}, fault.Conflict("contradicts_state", "the channel says "+string(v)+", the payment is "+string(c.Payment.Status))
	}
	return Ruling{Quiet: true, After: c.Payment}, nil
}

type settling struct {
	Case
	r Ruling
}

func (s *settling) ordinal() int {
	if s.Attempt == nil {
		return 1
	}
	return s.Attempt.Ordinal
}

func (s *settling) step(code id.Code) id.Step { return id.Step{Code: code, Ordinal: s.ordinal()} }

func (s *settling) cause(code id.Code) string { return id.Key(s.Payment.ID, s.step(code)) }

// note writes on the attempt what its channel said; what is known stays.
func (s *settling) note() {
	a, o := s.r.Attempt, s.Outcome
	if a.Verdict.Known() && !o.Verdict.Known() {
		return
	}
	if o.Verdict != Absent {
		a.Verdict = o.Verdict
	}
	a.Dead = a.Dead || o.Dead || o.Verdict == Closed
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

// unknown puts the amount on the memo accounts, once (I-14).
func (s *settling) unknown() error {
	if s.Attempt == nil {
		return fault.Internal("an unknown outcome without an attempt", nil)
	}
	if s.Payment.InDoubt || s.Payment.Status != Processing {
		s.r.Quiet = true // what is pending or authorized isn't in doubt because one question failed
		return nil
	}
	j, err := ledger.InDoubt(s.cause(id.InDoubt), s.chart(), s.Attempt.ChannelAccount, s.Payment.Amount, s.Now)
	if err != nil {
		return err
	}
	s.r.Step, s.r.Event = s.step(id.InDoubt), "payment.in_doubt"
	s.r.After.InDoubt = true
	s.r.Journals = append(s.r.Journals, j)
	return nil
}

func (s *settling) pending() error {
	s.r.Step = s.step(id.Pending)
	if s.Outcome.Action != nil {
		s.r.After.Status = RequiresAction
		s.r.After.NextAction = s.Outcome.Action
		s.r.Event = "payment.requires_action"
	} else if s.Attempt != nil && s.Attempt.Verdict == Pending {
		s.r.Quiet = true // asked again: still pending
		return nil
	}
	if s.Payment.Status == RequiresAction {
		s.r.Quiet = true
		return nil
	}
	return s.resolveDoubt()
}

func (s *settling) succeeded() error {
	s.r.Step = s.step(id.Charge)
	if s.Payment.Status == Reserved {
		s.r.Step = s.step(id.Capture)
	}
	if err := s.resolveDoubt(); err != nil {
		return err
	}
	if s.differs() {
		return s.mismatch()
	}
	return s.capture(s.Payment.Amount, s.effectiveAt())
}

// capture books gross as the merchant's, whole, in this Step.
func (s *settling) capture(gross money.Amount, at time.Time) error {
	fee, err := s.Terms.Fee(gross)
	if err != nil {
		return err
	}
	sale := ledger.Capture{Chart: s.chart(), ChannelAccount: s.Attempt.ChannelAccount,
		Merchant: s.Payment.MerchantID, Gross: gross, Fee: fee, At: at}
	j, err := ledger.Captured(id.Key(s.Payment.ID, s.r.Step), sale)
	if err != nil {
		return err
	}
	s.r.Journals = append(s.r.Journals, j)
	if err := s.mature(sale); err != nil {
		return err
	}
	s.sold(gross, fee, at)
	return nil
}

// mature makes the money available in the same Step, for a merchant without a
// settlement delay.
func (s *settling) mature(sale ledger.Capture) error {
	if s.Terms.SettlementDays > 0 || sale.Fee.Minor == sale.Gross.Minor {
		return nil
	}
	j, err := ledger.Matured(s.cause(id.Mature), sale)
	if err != nil {
		return err
	}
	s.r.Journals = append(s.r.Journals, j)
	return nil
}

// sold moves the payment to succeeded.
func (s *settling) sold(gross, fee money.Amount, at time.Time) {
	p := &s.r.After
	p.Status, p.Parked, p.DeclineCode, p.NextAction = Paid, "", "", nil
	p.Captured, p.Fee, p.EffectiveAt = gross, fee, at
	p.BusinessDate = s.Terms.BusinessDate(at)
	part := &p.Parts[s.Attempt.Part-1]
	s.r.Order = trade.Change{Authorized: -part.Authorized.Minor, Paid: gross.Minor}
	part.Authorized, part.Captured = gross, gross // I-09: captured never exceeds authorized
	s.r.Event = "payment.succeeded"
}

// differs: the channel took another amount, or another currency, than meant.
func (s *settling) differs() bool {
	return s.Outcome.AmountMinor != s.Payment.Amount.Minor || s.Outcome.Currency != string(s.Payment.Amount.Currency)
}

// mismatch puts what came in on suspense, opens a case, and parks: only a
// person or a policy may say whose it is.
func (s *settling) mismatch() error {
	cur, err := money.ParseCurrency(s.Outcome.Currency)
	if err != nil {
		return err
	}
	took := money.New(s.Outcome.AmountMinor, cur)
	s.r.After.Parked = "amount_mismatch: the channel took " + took.Text() + ", meant was " + s.Payment.Amount.Text()
	s.r.After.NextAction = nil
	s.r.Event = "payment.parked"
	s.r.Case = &OpenCase{ID: MismatchCase(s.Payment.ID), Book: s.Payment.Book,
		MerchantID: s.Payment.MerchantID, PaymentID: s.Payment.ID, ChannelAccount: s.Attempt.ChannelAccount,
		Kind: "amount_mismatch", Amount: took, Reason: s.r.After.Parked}
	if took.Minor <= 0 {
		return nil
	}
	chart := s.chart()
	chart.Currency = cur
	j, err := ledger.Unexplained(id.Key(s.Payment.ID, s.r.Step), chart, s.Attempt.ChannelAccount, "amount_mismatch", took, s.effectiveAt())
	if err != nil {
		return err
	}
	s.r.Journals = append(s.r.Journals, j)
	return nil
}

func (s *settling) authorized() error {
	if s.Payment.Status == Reserved {
		s.r.Quiet = true
		return nil
	}
	s.r.Step = s.step(id.Charge)
	if err := s.resolveDoubt(); err != nil {
		return err
	}
	p := &s.r.After
	p.NextAction = nil
	if s.differs() {
		p.Parked = "amount_mismatch: another amount was authorized"
		s.r.Event = "payment.parked"
		return nil
	}
	p.Status, p.Parked = Reserved, ""
	p.Parts[s.Attempt.Part-1].Authorized = s.Payment.Amount
	s.r.Order = trade.Change{Authorized: s.Payment.Amount.Minor}
	s.r.Event = "payment.authorized"
	return nil
}

func (s *settling) declined() error {
	s.r.Step = s.step(id.Charge)
	if err := s.resolveDoubt(); err != nil {
		return err
	}
	if !s.Last {
		return nil
	}
	p := &s.r.After
	p.Status, p.Parked, p.NextAction = Failed, "", nil
	p.DeclineCode = "declined"
	if s.Outcome.Decline != nil {
		p.DeclineCode = s.Outcome.Decline.Code
	}
	s.r.Event = "payment.failed"
	return nil
}

func (s *settling) closed() error {
	s.r.Step = s.step(id.Close)
	if s.Payment.Status == Reserved {
		s.r.Step = s.step(id.Void)
	}
	if err := s.resolveDoubt(); err != nil {
		return err
	}
	if s.End == "" {
		return nil
	}
	p := &s.r.After
	p.Status, p.Parked, p.NextAction = s.End, "", nil
	for i := range p.Parts { // what was reserved is free again
		s.r.Order.Authorized -= p.Parts[i].Authorized.Minor
		p.Parts[i].Authorized = money.Zero(p.Amount.Currency)
	}
	if s.End == Failed {
		p.DeclineCode = s.EndCode
	}
	s.r.Event = "payment." + string(s.End)
	return nil
}

// resolveDoubt reverses the memo posting once the outcome is known (I-07).
func (s *settling) resolveDoubt() error {
	if !s.Payment.InDoubt {
		return nil
	}
	memo, err := ledger.InDoubt(s.cause(id.InDoubt), s.chart(), s.Attempt.ChannelAccount, s.Payment.Amount, s.Now)
	if err != nil {
		return err
	}
	j, err := memo.Reverse(s.cause(id.Undo), s.Now)
	if err != nil {
		return err
	}
	s.r.Journals = append(s.r.Journals, j)
	s.r.After.InDoubt = false
	return nil
}

// done checks the edge and counts the move.
func (s *settling) done() (Ruling, error) {
	if s.r.Quiet {
		return Ruling{Quiet: true, After: s.Payment}, nil
	}
	if !s.Payment.Status.CanBecome(s.r.After.Status) { // I-15
		return Ruling{}, fault.Conflict("edge_refused", "a payment that is "+string(s.Payment.Status)+" can't become "+string(s.r.After.Status))
	}
	if s.r.Event == "" && s.r.After.InDoubt != s.Payment.InDoubt {
		s.r.Event = "payment.updated"
	}
	if s.r.Event == "" { // only the attempt learned something
		s.r.After = s.Payment
		return s.r, nil
	}
	s.r.After.Sequence++
	s.r.After.UpdatedAt = s.Now
	return s.r, nil
}

func (s *settling) chart() ledger.Chart {
	return ledger.Chart{Book: s.Payment.Book, Currency: s.Payment.Amount.Currency}
}

func (s *settling) effectiveAt() time.Time {
	if s.Outcome.EffectiveAt.IsZero() {
		return s.Now
	}
	return s.Outcome.EffectiveAt
}
