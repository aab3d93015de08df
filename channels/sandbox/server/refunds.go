package server

import (
	"net/http"
	"slices"
	"time"
)

// What the sandbox does with refunds beyond making them: they settle later, turn out abnormal, come back after their
// success, and are spaced, as those of real channels are.

// Spacing limits the refunds of one charge; zero means no limit.
type Spacing struct {
	MinInterval time.Duration // between two refunds
	Max         int           // how many, failed ones included
	MaxAge      time.Duration // of the charge, from its success
}

// refundTokens are cards whose refunds behave in a way of their own. The charge itself succeeds.
var refundTokens = map[string]string{
	"tok_refund_pending":      "pending",
	"tok_refund_declined":     "decline",
	"tok_refund_abnormal":     "abnormal",
	"tok_refund_returned":     "returned",
	"tok_refund_wrong_amount": "wrong_amount",
}

// charged finds the charge that a refund names.
func (b *book) charged(m *Move, id string, now time.Time) (*Charge, error) {
	c := b.charge(m.Account, m.ChargeReference, now)
	if id != "" {
		// The channel's own id is more exact than the reference: a charge that was paid twice has two.
		exact := b.byID[id]
		if exact == nil || c == nil || exact.Account != m.Account || exact.Reference != c.Reference {
			return nil, refuse(http.StatusNotFound, "charge_not_found", "there is no such charge under this reference")
		}
		c = exact
	}
	if c == nil {
		return nil, refuse(http.StatusNotFound, "charge_not_found", "there is no charge under this reference")
	}
	return c, nil
}

// takeBack checks a refund against its charge and counts it there: never more than was captured (I-12).
func (s *Server) takeBack(m *Move, c *Charge, now time.Time) error {
	switch {
	case c.CapturedMinor == 0:
		return refuse(http.StatusConflict, "not_refundable", "nothing was captured of this charge")
	case m.Currency != c.Currency:
		return invalid("currency", "the charge is in another currency")
	case m.AmountMinor > c.CapturedMinor-c.RefundedMinor-c.disputed():
		return refuse(http.StatusUnprocessableEntity, "amount_exceeds_captured", "more than what is left of the charge")
	}
	if err := s.spaced(c, now); err != nil {
		return err
	}
	m.ChargeID, m.CallbackURL = c.ID, c.CallbackURL
	c.RefundedMinor += m.AmountMinor
	c.UpdatedAt = now
	return nil
}

// spaced judges a refund by what was refunded of its charge before. A repeat under its key never gets here.
func (s *Server) spaced(c *Charge, now time.Time) error {
	rule, of, last := s.book.spacing, 0, time.Time{}
	for _, m := range s.book.group(c.Key).moves {
		if m.ChargeID == c.ID {
			of++
			last = m.CreatedAt
		}
	}
	switch {
	case rule.Max > 0 && of >= rule.Max:
		return refuse(http.StatusUnprocessableEntity, "too_many_refunds", "this charge was refunded as often as it can be")
	case rule.MaxAge > 0 && now.Sub(c.SucceededAt) > rule.MaxAge:
		return refuse(http.StatusUnprocessableEntity, "charge_too_old", "this charge is too old to be refunded")
	case rule.MinInterval > 0 && of > 0 && now.Sub(last) < rule.MinInterval:
		return tooSoon(rule.MinInterval - now.Sub(last))
	}
	return nil
}

func tooSoon(wait time.Duration) *problem {
	p := refuse(http.StatusTooManyRequests, "frequency_limit", "refunds of one charge need time between them")
	p.retryAfter = int64((wait + time.Second - 1) / time.Second)
	return p
}

// decideRefund plays the bank that gets the money back. It may run again: whoever repeats an abnormal refund tries it
// once more.
func (s *Server) decideRefund(m *Move, c *Charge, f fault, now time.Time) {
	// What is scripted for the answer only takes nothing from what the token says of the effect.
	if m.Calls == 1 && !slices.Contains(faultsEffect, f.name) {
		f.name = refundTokens[c.Method.Token]
	}
	m.UpdatedAt, m.Decline = now, nil
	switch f.name {
	case "decline":
		m.decline("account_closed", true, c, now)
	case "abnormal":
		m.State, m.Decline = Abnormal, &Decline{Code: "refund_abnormal"}
	case "pending":
		m.State, m.SettlesAt = Pending, now.Add(s.pendingFor(f))
	default:
		if f.name == "wrong_amount" {
			m.misjudge(c)
		}
		m.State, m.SucceededAt = Succeeded, now
		if f.name == "returned" {
			m.ReturnsAt = now.Add(s.pendingFor(f))
		}
	}
}

// misjudge gives one minor unit more than asked, or less where there is no more.
func (m *Move) misjudge(c *Charge) {
	by := int64(1)
	if c.RefundedMinor == c.CapturedMinor && m.AmountMinor > 1 {
		by = -1
	}
	m.AmountMinor += by
	c.RefundedMinor += by
}

// decline ends a refund or, without a charge, a payout for good: the money is the merchant's again.
func (m *Move) decline(code string, hard bool, c *Charge, now time.Time) {
	m.State, m.Decline, m.UpdatedAt = Declined, &Decline{Code: code, Hard: hard}, now
	m.SettlesAt, m.ReturnsAt = time.Time{}, time.Time{}
	if c != nil {
		c.RefundedMinor -= m.AmountMinor
		c.UpdatedAt = now
	}
}

// act is the body of POST /admin/refund and /admin/payout: what becomes of one after its answer.
type act struct {
	Reference string `json:"reference"` // a reference, a key, or a refund's or payout's id
	Act       string `json:"act"`       // settle, decline, abnormal, return
}

func (s *Server) adminMove(kind string) http.HandlerFunc {
	return handle(func(w http.ResponseWriter, r *http.Request) error {
		var q act
		if err := decode(r, &q); err != nil {
			return err
		}
		if err := s.finishMove(kind, q.Reference, q.Act); err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, s.Lookup(q.Reference))
		return nil
	})
}

// FinishRefund does what POST /admin/refund does: "settle" makes an open refund succeed, "decline" ends it dead,
// "abnormal" makes of it a no that isn't final, and "return" takes back one that succeeded. It calls back.
func (s *Server) FinishRefund(name, act string) error { return s.finishMove("refund", name, act) }

// FinishPayout does what POST /admin/payout does, with a payout.
func (s *Server) FinishPayout(name, act string) error { return s.finishMove("payout", name, act) }

func (s *Server) finishMove(kind, name, act string) error {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	m := s.moveNamed(name, kind)
	if m == nil {
		return refuse(http.StatusNotFound, kind+"_not_found", "there is no "+kind+" under this name")
	}
	now, c := s.Now(), s.book.byID[m.ChargeID]
	open := m.State == Pending || m.State == Abnormal
	switch {
	case act == "settle" && open:
		m.State, m.Decline, m.SucceededAt, m.UpdatedAt, m.SettlesAt = Succeeded, nil, now, now, time.Time{}
	case act == "decline" && open:
		m.decline("account_closed", true, c, now)
	case act == "abnormal" && m.State == Pending:
		m.State, m.Decline, m.UpdatedAt, m.SettlesAt = Abnormal, &Decline{Code: kind + "_abnormal"}, now, time.Time{}
	case act == "return" && m.State == Succeeded:
		m.decline(kind+"_returned", true, c, now)
	case act == "settle" || act == "decline" || act == "abnormal" || act == "return":
		return refuse(http.StatusConflict, kind+"_"+string(m.State), "the "+kind+" is "+string(m.State))
	default:
		return invalid("act", "act is settle, decline, abnormal or return")
	}
	s.notifyMove(m, c)
	return nil
}

// moveNamed is the last refund or payout under a name; an empty kind takes either. The book's mutex is held.
func (s *Server) moveNamed(name, kind string) (last *Move) {
	_, moves := s.book.find(name, s.Now())
	for _, m := range moves {
		if kind == "" || m.Kind == kind {
			last = m
		}
	}
	return last
}

// notifyMove writes a refund and its charge, or a payout, down, and owes the caller a callback; the book's mutex is held.
func (s *Server) notifyMove(m *Move, of *Charge) {
	m.Events++
	m.Owed = m.CallbackURL != ""
	s.book.write(line{Charge: of, Move: m})
	if m.Owed {
		s.sender.enqueue(s.deliveryOfMove(m))
	}
}

// armMove sees to it that a refund which settles, or comes back, by itself does so and calls back.
func (s *Server) armMove(m *Move) {
	at := m.SettlesAt
	if at.IsZero() {
		at = m.ReturnsAt
	}
	if at.IsZero() {
		return
	}
	id := m.ID
	time.AfterFunc(max(0, at.Sub(s.Now())), func() { s.settleMove(id) })
}

// settleMove runs when a move's time has come, perhaps more than once: what is due is taken away when it was done.
func (s *Server) settleMove(id string) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	m, now := s.book.moveByID[id], s.Now()
	if m == nil || s.book.closed {
		return
	}
	m.refresh(now)
	switch {
	case !m.SettlesAt.IsZero() && m.State == Succeeded:
		m.SettlesAt = time.Time{}
		s.notifyMove(m, nil)
	case due(m.ReturnsAt, now) && m.State == Succeeded:
		c := s.book.byID[m.ChargeID]
		m.decline(m.Kind+"_returned", true, c, now)
		s.notifyMove(m, c)
	default:
		s.armMove(m) // the clock was moved back, or the timer was early
	}
}

// SetSpacing changes how the refunds of a charge are spaced, as POST /admin/spacing does.
func (s *Server) SetSpacing(r Spacing) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	s.book.spacing = r
}

func (s *Server) adminSpacing(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		MinIntervalMS int64 `json:"min_interval_ms"`
		Max           int   `json:"max"`
		MaxAgeMS      int64 `json:"max_age_ms"`
	}
	if err := decode(r, &q); err != nil {
		return err
	}
	const year = 366 * 24 * 3_600_000
	if q.MinIntervalMS < 0 || q.MinIntervalMS > year || q.Max < 0 || q.MaxAgeMS < 0 || q.MaxAgeMS > 10*year {
		return invalid("spacing", "spacing is min_interval_ms, max and max_age_ms, none of them negative")
	}
	s.SetSpacing(Spacing{MinInterval: time.Duration(q.MinIntervalMS) * time.Millisecond, Max: q.Max,
		MaxAge: time.Duration(q.MaxAgeMS) * time.Millisecond})
	writeJSON(w, http.StatusOK, q)
	return nil
}
