package server

import (
	"net/http"
	"time"
)

// Cancel and capture: what is done to a charge after it was made.

type cancelRequest struct {
	Key string `json:"key"`
}

// cancelCharge is POST /v1/charges/{reference}/cancel. A charge that was paid stays paid and is answered as such. A
// reference that the sandbox doesn't know is closed for ever: absent and cancelled together prove that it is dead.
func (s *Server) cancelCharge(w http.ResponseWriter, r *http.Request) error {
	account, err := s.account(r)
	if err != nil {
		return err
	}
	ref := r.PathValue("reference")
	var q cancelRequest
	if err := decode(r, &q); err != nil {
		return err
	}
	if q.Key == "" {
		q.Key = r.Header.Get("Idempotency-Key")
	}
	if !referenceForm.MatchString(ref) {
		return invalid("reference", "a reference is 1 to 32 of [0-9a-z]")
	}
	if !keyForm.MatchString(q.Key) {
		return invalid("key", "a key is 1 to 255 visible ASCII characters")
	}
	f := s.faults.match("cancel", ref, q.Key)
	if s.before(w, r, f) {
		return nil
	}
	return s.reply(w, r, f, http.StatusOK, s.cancel(account, ref, q.Key))
}

func (s *Server) cancel(account, ref, key string) answer {
	b := s.book
	b.mu.Lock()
	defer b.mu.Unlock()
	now := s.Now()
	c := b.charge(account, ref, now)
	if c == nil {
		c = &Charge{ID: b.next(), Account: account, Key: key, Reference: ref, State: Closed, Tombstone: true,
			CreatedAt: now, UpdatedAt: now}
		b.addCharge(c)
		b.save(c)
		return answerOf(c)
	}
	switch c.State {
	case Pending:
		c.State, c.UpdatedAt = Closed, now
		b.save(c)
	case Authorized:
		c.release(now)
		b.save(c)
	}
	return answerOf(c)
}

type captureRequest struct {
	head
	Final bool `json:"final"`
}

// captureCharge is POST /v1/charges/{reference}/capture; the body's reference names the capture.
func (s *Server) captureCharge(w http.ResponseWriter, r *http.Request) error {
	account, err := s.account(r)
	if err != nil {
		return err
	}
	var q captureRequest
	if err := decode(r, &q); err != nil {
		return err
	}
	if err := q.check(r); err != nil {
		return err
	}
	ref := r.PathValue("reference")
	f := s.faults.match("capture", ref, q.Key)
	if s.before(w, r, f) {
		return nil
	}
	a, status, err := s.capture(account, ref, q, f)
	if err != nil {
		return err
	}
	return s.reply(w, r, f, status, a)
}

func (s *Server) capture(account, ref string, q captureRequest, f fault) (answer, int, error) {
	b := s.book
	b.mu.Lock()
	defer b.mu.Unlock()
	now := s.Now()
	c := b.charge(account, ref, now)
	if c == nil {
		return answer{}, 0, refuse(http.StatusNotFound, "charge_not_found", "there is no charge under this reference")
	}
	for i := range c.Captures {
		p := &c.Captures[i]
		if p.Key != q.Key {
			continue
		}
		if p.BodyHash != q.BodyHash || p.asked() != q.AmountMinor || p.Currency != q.Currency || p.Final != q.Final {
			return answer{}, 0, keyConflict()
		}
		p.Calls++
		return captureAnswer(c, p), http.StatusOK, nil
	}
	switch {
	case c.State == Closed || c.State == Expired || c.State == Declined:
		return answer{}, 0, refuse(http.StatusConflict, "charge_closed", "the authorization has ended")
	case c.State != Authorized:
		return answer{}, 0, refuse(http.StatusConflict, "not_capturable", "the charge is "+string(c.State))
	case q.Currency != c.Currency:
		return answer{}, 0, invalid("currency", "the charge is in another currency")
	case q.AmountMinor > c.AmountMinor-c.CapturedMinor:
		return answer{}, 0, refuse(http.StatusUnprocessableEntity, "amount_exceeds_authorized", "more than what is left of the authorization")
	}
	c.Captures = append(c.Captures, Capture{ID: c.ID + "_c" + itoa(int64(len(c.Captures)+1)), Key: q.Key,
		Reference: q.Reference, BodyHash: q.BodyHash, AmountMinor: q.AmountMinor, Currency: q.Currency, Final: q.Final,
		At: now, Calls: 1})
	p := &c.Captures[len(c.Captures)-1]
	c.UpdatedAt = now
	switch {
	case f.name == "decline":
		p.Decline = &Decline{Code: "do_not_honor"}
		b.save(c)
		return captureAnswer(c, p), http.StatusCreated, nil
	case f.name == "wrong_amount" && q.AmountMinor > 1:
		p.AskedMinor, p.AmountMinor = q.AmountMinor, q.AmountMinor-1
	}
	c.CapturedMinor += p.AmountMinor
	if q.Final || c.CapturedMinor == c.AmountMinor {
		c.release(now)
	}
	b.save(c)
	return captureAnswer(c, p), http.StatusCreated, nil
}

// asked is what the capture's caller asked for.
func (p *Capture) asked() int64 {
	if p.AskedMinor > 0 {
		return p.AskedMinor
	}
	return p.AmountMinor
}

func captureAnswer(c *Charge, p *Capture) answer {
	a := answer{ID: p.ID, Reference: p.Reference, Key: p.Key, ChargeReference: c.Reference, State: Succeeded,
		AmountMinor: p.AmountMinor, Currency: p.Currency, CapturedMinor: c.CapturedMinor, CreatedAt: p.At, SucceededAt: p.At}
	if p.Decline != nil {
		a.State, a.Decline, a.SucceededAt = Declined, p.Decline, time.Time{}
	}
	return a
}

// pay is what the customer does at the pay page, or a test through the admin API.
type pay struct {
	AmountMinor int64  `json:"amount_minor"` // 0: what was asked
	Currency    string `json:"currency"`     // empty: what was asked
	Times       int    `json:"times"`        // default 1; each further payment is a charge of its own in the book
	Again       bool   `json:"again"`        // pay a charge once more that is paid already
	AfterClose  bool   `json:"after_close"`  // pay although it was closed, expired or declined
	Decline     bool   `json:"decline"`
	DeclineCode string `json:"decline_code"` // default customer_declined
	Hard        bool   `json:"hard"`
}

// pay applies the customer's act to a charge; the book's mutex is held.
func (s *Server) pay(c *Charge, p pay, now time.Time) error {
	switch {
	case c.Tombstone:
		return refuse(http.StatusConflict, "charge_closed", "this reference was cancelled before there was a charge")
	case c.State == Closed || c.State == Expired || c.State == Declined:
		if !p.AfterClose {
			return refuse(http.StatusConflict, "charge_closed", "the charge is "+string(c.State)+"; after_close pays nevertheless")
		}
		c.Late = true
	case c.State == Succeeded && !p.Again:
		return refuse(http.StatusConflict, "charge_paid", "the charge is paid; again pays once more")
	case c.State == Authorized:
		return refuse(http.StatusConflict, "charge_authorized", "an authorization is captured, not paid")
	}
	if p.Decline {
		if c.State != Pending {
			return refuse(http.StatusConflict, "charge_"+string(c.State), "only a pending charge can be declined")
		}
		if p.DeclineCode == "" {
			p.DeclineCode = "customer_declined"
		}
		c.State, c.Decline, c.UpdatedAt = Declined, &Decline{Code: p.DeclineCode, Hard: p.Hard}, now
		s.notify(c)
		return nil
	}
	if p.AmountMinor == 0 {
		p.AmountMinor = c.AskedMinor
	}
	if p.Currency == "" {
		p.Currency = c.Currency
	}
	more := max(p.Times, 1)
	if c.State != Succeeded {
		c.Currency, c.Decline = p.Currency, nil
		c.succeed(p.AmountMinor, now)
		s.notify(c)
		more--
	}
	for range more {
		e := *c
		e.ID, e.Extra, e.Captures, e.Events, e.RefundedMinor = s.book.next(), true, nil, 0, 0
		e.CreatedAt, e.Currency = now, p.Currency
		e.succeed(p.AmountMinor, now)
		s.book.addCharge(&e)
		s.notify(&e)
	}
	return nil
}
