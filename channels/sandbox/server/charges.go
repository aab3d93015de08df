package server

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"
)

// answer is how the protocol shows a charge, a capture, a refund or a payout.
type answer struct {
	ID              string    `json:"id"`
	Reference       string    `json:"reference"`
	Key             string    `json:"key"`
	ChargeReference string    `json:"charge_reference,omitempty"`
	State           State     `json:"state"`
	AmountMinor     int64     `json:"amount_minor"`
	Currency        string    `json:"currency"`
	CapturedMinor   int64     `json:"captured_minor,omitempty"`
	RefundedMinor   int64     `json:"refunded_minor,omitempty"`
	Decline         *Decline  `json:"decline,omitempty"`
	Action          *Action   `json:"action,omitempty"`
	CreatedAt       time.Time `json:"created_at,omitzero"`
	ExpiresAt       time.Time `json:"expires_at,omitzero"`
	SucceededAt     time.Time `json:"succeeded_at,omitzero"`
}

func answerOf(c *Charge) answer {
	a := answer{ID: c.ID, Reference: c.Reference, Key: c.Key, State: c.State, AmountMinor: c.AmountMinor,
		Currency: c.Currency, CapturedMinor: c.CapturedMinor, RefundedMinor: c.RefundedMinor, Decline: c.Decline,
		CreatedAt: c.CreatedAt, SucceededAt: c.SucceededAt}
	if c.State == Pending {
		a.Action = c.Action
	}
	if c.State == Pending || c.State == Authorized {
		a.ExpiresAt = c.ExpiresAt
	}
	return a
}

type chargeRequest struct {
	head
	Method      Method     `json:"method"`
	Capture     bool       `json:"capture"`
	Description string     `json:"description"`
	CallbackURL string     `json:"callback_url"`
	ReturnURL   string     `json:"return_url"`
	ExpiresAt   *time.Time `json:"expires_at"`
}

func (q *chargeRequest) check(r *http.Request) error {
	if err := q.head.check(r); err != nil {
		return err
	}
	switch q.Method.Type {
	case "qr", "redirect":
		if q.Method.Token != "" {
			return invalid("method", "only card_token takes a token")
		}
	case "card_token":
		if q.Method.Token == "" || len(q.Method.Token) > 255 {
			return invalid("method", "card_token needs a token")
		}
	default:
		return invalid("method", "method.type is qr, redirect or card_token")
	}
	if len(q.Description) > 1000 {
		return invalid("description", "a description is at most 1000 bytes")
	}
	if err := checkURL("callback_url", q.CallbackURL); err != nil {
		return err
	}
	return checkURL("return_url", q.ReturnURL)
}

// same reports whether a repeat asks for what the charge was made of. The caller's hash is not believed alone.
func (q *chargeRequest) same(c *Charge) bool {
	return q.BodyHash == c.BodyHash && q.AmountMinor == c.AskedMinor && q.Currency == c.Currency &&
		q.Method == c.Method && q.Capture == c.Capture && q.Reference == c.Reference
}

// createCharge is POST /v1/charges.
func (s *Server) createCharge(w http.ResponseWriter, r *http.Request) error {
	account, err := s.account(r)
	if err != nil {
		return err
	}
	var q chargeRequest
	if err := decode(r, &q); err != nil {
		return err
	}
	if err := q.check(r); err != nil {
		return err
	}
	f := s.faults.match("charge", q.Reference, q.Key)
	if f.name == "" && q.Method.Token != "" {
		f = s.faults.ofToken(q.Method.Token, account, q.Key)
	}
	if s.before(w, r, f) {
		return nil
	}
	base := s.conf.PublicURL
	if base == "" {
		base = "http://" + r.Host
	}
	a, status, err := s.charge(account, base, &q, f)
	if err != nil {
		return err
	}
	return s.reply(w, r, f, status, a)
}

// reply sends an answer, or what a fault makes of it.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, f fault, status int, a answer) error {
	if f.name != "" && s.after(w, r, f) {
		return nil
	}
	twist(f, &a)
	writeJSON(w, status, a)
	return nil
}

// charge finds the charge of a key, or makes it.
func (s *Server) charge(account, base string, q *chargeRequest, f fault) (answer, int, error) {
	b := s.book
	b.mu.Lock()
	defer b.mu.Unlock()
	now := s.Now()
	switch old := b.remembered(account, q.Key, now, s.conf.KeyLife).(type) {
	case *Charge:
		return repeat(b, old, q, now)
	case *Move:
		return answer{}, 0, keyConflict()
	}
	if old := b.charge(account, q.Reference, now); old != nil {
		if old.State == Closed || old.State == Expired {
			return answer{}, 0, refuse(http.StatusConflict, "reference_closed", "this reference was closed and can't be charged any more")
		}
		if old.Key != q.Key {
			return answer{}, 0, refuse(http.StatusConflict, "reference_taken", "this reference belongs to another key")
		}
		// The key was forgotten: like a real channel, the sandbox takes the repeat for a new charge.
	}
	c := &Charge{ID: b.next(), Account: account, Key: q.Key, Reference: q.Reference, BodyHash: q.BodyHash,
		AskedMinor: q.AmountMinor, AmountMinor: q.AmountMinor, Currency: q.Currency, Method: q.Method, Capture: q.Capture,
		Description: q.Description, CallbackURL: q.CallbackURL, ReturnURL: q.ReturnURL,
		CreatedAt: now, UpdatedAt: now, Calls: 1}
	if q.ExpiresAt != nil {
		c.ExpiresAt = q.ExpiresAt.UTC()
	}
	s.decide(c, f, base, now)
	b.addCharge(c)
	b.save(c)
	s.arm(c)
	if f.name == "timeout_after" && c.SettlesAt.IsZero() && c.Action == nil {
		s.notify(c)
	}
	return answerOf(c), http.StatusCreated, nil
}

func keyConflict() error {
	return refuse(http.StatusConflict, "key_conflict", "this key was used with another body")
}

func repeat(b *book, c *Charge, q *chargeRequest, now time.Time) (answer, int, error) {
	if c.Tombstone {
		return answer{}, 0, refuse(http.StatusConflict, "reference_closed", "this reference was closed and can't be charged any more")
	}
	if !q.same(c) {
		return answer{}, 0, keyConflict()
	}
	c.Calls++
	if c.refresh(now) {
		b.save(c)
	}
	return answerOf(c), http.StatusOK, nil
}

// remembered returns what stands under a key, nil once the key is forgotten.
func (b *book) remembered(account, key string, now time.Time, life time.Duration) any {
	entry := b.keys[account+"/"+key]
	var born time.Time
	switch o := entry.(type) {
	case *Charge:
		born = o.CreatedAt
	case *Move:
		born = o.CreatedAt
	}
	if now.Sub(born) > life {
		return nil
	}
	return entry
}

// decide plays the bank.
func (s *Server) decide(c *Charge, f fault, base string, now time.Time) {
	if due(c.ExpiresAt, now) {
		c.State = Expired
		return
	}
	switch c.Method.Type {
	case "qr":
		s.awaitCustomer(c, "qr_code", base, now)
		return
	case "redirect":
		s.awaitCustomer(c, "redirect", base, now)
		return
	}
	switch c.Method.Token {
	case "tok_ok", "tok_authorize", "tok_timeout_before", "tok_timeout_after", "tok_500", "tok_429", "tok_garbage",
		"tok_slow", "tok_wrong_amount", "tok_pending", "tok_refund_pending", "tok_refund_declined", "tok_refund_abnormal",
		"tok_refund_returned", "tok_refund_wrong_amount":
	case "tok_insufficient_funds":
		c.State, c.Decline = Declined, &Decline{Code: "insufficient_funds"}
		return
	case "tok_stolen":
		c.State, c.Decline = Declined, &Decline{Code: "stolen_card", Hard: true}
		return
	default:
		c.State, c.Decline = Declined, &Decline{Code: "invalid_token", Hard: true}
		return
	}
	switch {
	case f.name == "decline":
		c.State, c.Decline = Declined, &Decline{Code: "do_not_honor"}
	case f.name == "pending" || c.Method.Token == "tok_pending":
		c.State, c.SettlesAt = Pending, now.Add(s.pendingFor(f))
	default:
		if f.name == "wrong_amount" || c.Method.Token == "tok_wrong_amount" {
			c.AmountMinor++
		}
		if !c.Capture || c.Method.Token == "tok_authorize" {
			c.State, c.ExpiresAt = Authorized, now.Add(s.conf.AuthorizedFor)
		} else {
			c.succeed(c.AmountMinor, now)
		}
	}
}

func (s *Server) pendingFor(f fault) time.Duration {
	if f.delay > 0 {
		return f.delay
	}
	return s.conf.PendingDelay
}

func (s *Server) awaitCustomer(c *Charge, action, base string, now time.Time) {
	if c.ExpiresAt.IsZero() {
		c.ExpiresAt = now.Add(s.conf.PayableFor)
	}
	c.State = Pending
	c.Action = &Action{Type: action, URL: base + "/pay/" + c.Reference + "?t=" + ticket(c)}
}

// ticket is what makes a pay page's address hard to guess, as far as a sandbox needs that.
func ticket(c *Charge) string {
	sum := sha256.Sum256([]byte("ticket\n" + c.Account + "\n" + c.ID))
	return hex.EncodeToString(sum[:8])
}

// getCharge is GET /v1/charges/{reference}.
func (s *Server) getCharge(w http.ResponseWriter, r *http.Request) error {
	account, err := s.account(r)
	if err != nil {
		return err
	}
	ref := r.PathValue("reference")
	f := s.faults.match("ask", ref, s.keyOf(account, ref))
	if s.before(w, r, f) {
		return nil
	}
	a, err := s.look(account, ref)
	if err != nil {
		if s.after(w, r, f) {
			return nil
		}
		return err
	}
	return s.reply(w, r, f, http.StatusOK, a)
}

func (s *Server) look(account, ref string) (answer, error) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	c := s.book.charge(account, ref, s.Now())
	if c == nil {
		return answer{}, refuse(http.StatusNotFound, "charge_not_found", "there is no charge under this reference")
	}
	return answerOf(c), nil
}

// keyOf finds the key of a reference, so that a script that names a key or a business id fits questions too.
func (s *Server) keyOf(account, ref string) string {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	if c := s.book.charges[account+"/"+ref]; c != nil {
		return c.Key
	}
	return ""
}
