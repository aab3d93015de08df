package server

import (
	"net/http"
	"time"
)

// Refunds and payouts: money that leaves.

type moveRequest struct {
	head
	ChargeReference string `json:"charge_reference"`
	ChannelID       string `json:"channel_id"`
	Reason          string `json:"reason"`
	Destination     string `json:"destination"`
	Note            string `json:"note"`
}

func (q *moveRequest) check(r *http.Request, kind string) error {
	if err := q.head.check(r); err != nil {
		return err
	}
	switch {
	case kind == "refund" && !referenceForm.MatchString(q.ChargeReference):
		return invalid("charge_reference", "charge_reference names the charge to refund")
	case kind == "refund" && q.Destination != "":
		return invalid("destination", "a refund goes back where the charge came from")
	case kind == "payout" && (q.Destination == "" || len(q.Destination) > 255):
		return invalid("destination", "a payout needs a destination")
	case kind == "payout" && q.ChargeReference != "":
		return invalid("charge_reference", "a payout has no charge")
	case len(q.Reason) > 1000 || len(q.Note) > 1000:
		return invalid("note", "a note is at most 1000 bytes")
	}
	return nil
}

func (q *moveRequest) note() string { return q.Reason + q.Note }

func (q *moveRequest) same(m *Move) bool {
	return q.BodyHash == m.BodyHash && q.AmountMinor == m.AskedMinor && q.Currency == m.Currency &&
		q.Reference == m.Reference && q.ChargeReference == m.ChargeReference && q.Destination == m.Destination
}

func moveAnswer(m *Move) answer {
	return answer{ID: m.ID, Reference: m.Reference, Key: m.Key, ChargeReference: m.ChargeReference, State: m.State,
		AmountMinor: m.AmountMinor, Currency: m.Currency, Decline: m.Decline, CreatedAt: m.CreatedAt, SucceededAt: m.SucceededAt}
}

// createMove is POST /v1/refunds and POST /v1/payouts.
func (s *Server) createMove(kind string) http.HandlerFunc {
	return handle(func(w http.ResponseWriter, r *http.Request) error {
		account, err := s.account(r)
		if err != nil {
			return err
		}
		var q moveRequest
		if err := decode(r, &q); err != nil {
			return err
		}
		if err := q.check(r, kind); err != nil {
			return err
		}
		f := s.faults.match(kind, q.Reference, q.Key)
		if s.before(w, r, f) {
			return nil
		}
		a, status, err := s.move(kind, account, &q, f)
		if err != nil {
			return err
		}
		return s.reply(w, r, f, status, a)
	})
}

func (s *Server) move(kind, account string, q *moveRequest, f fault) (answer, int, error) {
	b := s.book
	b.mu.Lock()
	defer b.mu.Unlock()
	now := s.Now()
	switch old := b.remembered(account, q.Key, now, s.conf.KeyLife).(type) {
	case *Move:
		if old.Kind != kind || !q.same(old) {
			return answer{}, 0, keyConflict()
		}
		old.Calls++
		if old.refresh(now) {
			b.saveMove(old)
		}
		return moveAnswer(old), http.StatusOK, nil
	case *Charge:
		return answer{}, 0, keyConflict()
	}
	if old := b.move(kind, account, q.Reference, now); old != nil && old.Key != q.Key {
		return answer{}, 0, refuse(http.StatusConflict, "reference_taken", "this reference belongs to another key")
	}
	m := &Move{Kind: kind, Account: account, Key: q.Key, Reference: q.Reference, BodyHash: q.BodyHash,
		ChargeReference: q.ChargeReference, Destination: q.Destination, AskedMinor: q.AmountMinor, AmountMinor: q.AmountMinor, Currency: q.Currency,
		Note: q.note(), CreatedAt: now, UpdatedAt: now, Calls: 1}
	var of *Charge
	if kind == "refund" {
		var err error
		if of, err = b.takeBack(m, q.ChannelID, f, now); err != nil {
			return answer{}, 0, err
		}
	}
	m.ID = b.next()
	s.decideMove(m, f, now)
	b.addMove(m)
	b.write(line{Charge: of, Move: m}) // one line: a kill leaves both or neither
	return moveAnswer(m), http.StatusCreated, nil
}

// takeBack checks a refund against its charge and counts it there: never more than was captured (I-12).
func (b *book) takeBack(m *Move, id string, f fault, now time.Time) (*Charge, error) {
	c := b.charge(m.Account, m.ChargeReference, now)
	if id != "" {
		// The channel's own id is more exact than the reference: a charge that was paid twice has two.
		exact := b.byID[id]
		if exact == nil || c == nil || exact.Account != m.Account || exact.Reference != c.Reference {
			return nil, refuse(http.StatusNotFound, "charge_not_found", "there is no such charge under this reference")
		}
		c = exact
	}
	switch {
	case c == nil:
		return nil, refuse(http.StatusNotFound, "charge_not_found", "there is no charge under this reference")
	case c.CapturedMinor == 0:
		return nil, refuse(http.StatusConflict, "not_refundable", "nothing was captured of this charge")
	case m.Currency != c.Currency:
		return nil, invalid("currency", "the charge is in another currency")
	case m.AmountMinor > c.CapturedMinor-c.RefundedMinor:
		return nil, refuse(http.StatusUnprocessableEntity, "amount_exceeds_captured", "more than what is left of the charge")
	}
	m.ChargeID = c.ID
	if f.name != "decline" {
		c.RefundedMinor += m.AmountMinor
		c.UpdatedAt = now
	}
	return c, nil
}

// decideMove plays the receiving bank. Destinations are test words like the tokens of charges.
func (s *Server) decideMove(m *Move, f fault, now time.Time) {
	switch {
	case f.name == "decline" || m.Destination == "dest_closed":
		m.State, m.Decline = Declined, &Decline{Code: "account_closed", Hard: true}
	case f.name == "pending" || m.Destination == "dest_pending":
		m.State, m.SettlesAt = Pending, now.Add(s.pendingFor(f))
	default:
		if f.name == "wrong_amount" {
			m.AmountMinor++
		}
		m.State, m.SucceededAt = Succeeded, now
	}
}

// getMove is GET /v1/refunds/{reference} and GET /v1/payouts/{reference}.
func (s *Server) getMove(kind string) http.HandlerFunc {
	return handle(func(w http.ResponseWriter, r *http.Request) error {
		account, err := s.account(r)
		if err != nil {
			return err
		}
		ref := r.PathValue("reference")
		f := s.faults.match("ask_"+kind, ref, "")
		if s.before(w, r, f) {
			return nil
		}
		a, err := s.lookMove(kind, account, ref)
		if err != nil {
			return err
		}
		return s.reply(w, r, f, http.StatusOK, a)
	})
}

func (s *Server) lookMove(kind, account, ref string) (answer, error) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	m := s.book.move(kind, account, ref, s.Now())
	if m == nil {
		return answer{}, refuse(http.StatusNotFound, kind+"_not_found", "there is no "+kind+" under this reference")
	}
	return moveAnswer(m), nil
}
