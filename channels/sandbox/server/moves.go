package server

import (
	"net/http"
	"slices"
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
	CallbackURL     string `json:"callback_url"`
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
	case kind == "refund" && q.CallbackURL != "":
		return invalid("callback_url", "a refund calls back where its charge does")
	}
	return checkURL("callback_url", q.CallbackURL)
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
		return s.repeatMove(old, f, now), http.StatusOK, nil
	case *Charge:
		return answer{}, 0, keyConflict()
	}
	if old := b.move(kind, account, q.Reference, now); old != nil && old.Key != q.Key {
		return answer{}, 0, refuse(http.StatusConflict, "reference_taken", "this reference belongs to another key")
	}
	m := &Move{Kind: kind, Account: account, Key: q.Key, Reference: q.Reference, BodyHash: q.BodyHash,
		ChargeReference: q.ChargeReference, Destination: q.Destination, AskedMinor: q.AmountMinor, AmountMinor: q.AmountMinor, Currency: q.Currency,
		Note: q.note(), CallbackURL: q.CallbackURL, CreatedAt: now, UpdatedAt: now, Calls: 1}
	var of *Charge
	if kind == "refund" {
		var err error
		if of, err = b.charged(m, q.ChannelID, now); err == nil {
			err = s.takeBack(m, of, now)
		}
		if err != nil {
			return answer{}, 0, err
		}
		s.decideRefund(m, of, f, now)
	} else {
		s.decideMove(m, f, now)
	}
	m.ID = b.next()
	b.addMove(m)
	b.write(line{Charge: of, Move: m}) // one line: a kill leaves both or neither
	s.armMove(m)
	if f.name == "timeout_after" && m.SettlesAt.IsZero() {
		s.notifyMove(m, of)
	}
	return moveAnswer(m), http.StatusCreated, nil
}

// repeatMove answers a key that was used before. What is abnormal is tried once more.
func (s *Server) repeatMove(m *Move, f fault, now time.Time) answer {
	m.Calls++
	if m.State == Abnormal {
		of := s.book.byID[m.ChargeID] // nil: a payout
		if of != nil {
			s.decideRefund(m, of, f, now)
		} else {
			s.decideMove(m, f, now)
		}
		s.book.write(line{Charge: of, Move: m})
		s.armMove(m)
	} else if m.refresh(now) {
		s.book.saveMove(m)
	}
	return moveAnswer(m)
}

// destinations are accounts that behave in a way of their own. Every other one takes what comes.
var destinations = map[string]string{
	"dest_closed":       "decline",
	"dest_pending":      "pending",
	"dest_abnormal":     "abnormal",
	"dest_returned":     "returned",
	"dest_wrong_amount": "wrong_amount",
}

// decideMove plays the bank that receives a payout. It may run again: whoever repeats an abnormal one tries it once more.
func (s *Server) decideMove(m *Move, f fault, now time.Time) {
	if m.Calls == 1 && !slices.Contains(faultsEffect, f.name) {
		f.name = destinations[m.Destination]
	}
	m.UpdatedAt, m.Decline = now, nil
	switch f.name {
	case "decline":
		m.decline("account_closed", true, nil, now)
	case "abnormal":
		m.State, m.Decline = Abnormal, &Decline{Code: "payout_abnormal"}
	case "pending":
		m.State, m.SettlesAt = Pending, now.Add(s.pendingFor(f))
	default:
		if f.name == "wrong_amount" {
			m.AmountMinor++
		}
		m.State, m.SucceededAt = Succeeded, now
		if f.name == "returned" {
			m.ReturnsAt = now.Add(s.pendingFor(f))
		}
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
