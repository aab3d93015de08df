package server

import (
	"bufio"
	"encoding/json"
	"net/http"
	"time"
)

func (s *Server) routes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("POST /v1/charges", handle(s.createCharge))
	m.HandleFunc("GET /v1/charges/{reference}", handle(s.getCharge))
	m.HandleFunc("POST /v1/charges/{reference}/capture", handle(s.captureCharge))
	m.HandleFunc("POST /v1/charges/{reference}/cancel", handle(s.cancelCharge))
	m.HandleFunc("POST /v1/refunds", s.createMove("refund"))
	m.HandleFunc("GET /v1/refunds/{reference}", s.getMove("refund"))
	m.HandleFunc("POST /v1/payouts", s.createMove("payout"))
	m.HandleFunc("GET /v1/payouts/{reference}", s.getMove("payout"))
	m.HandleFunc("GET /v1/statements/{day}", handle(s.statement))
	m.HandleFunc("GET /pay/{reference}", handle(s.payPage))
	m.HandleFunc("POST /pay/{reference}", handle(s.payPage))
	m.HandleFunc("GET /admin/book", handle(s.showBook))
	m.HandleFunc("GET /admin/summary", handle(s.showSummary))
	m.HandleFunc("POST /admin/pay", handle(s.adminPay))
	m.HandleFunc("POST /admin/refund", s.adminMove("refund"))
	m.HandleFunc("POST /admin/payout", s.adminMove("payout"))
	m.HandleFunc("POST /admin/dispute", handle(s.adminDispute))
	m.HandleFunc("POST /admin/spacing", handle(s.adminSpacing))
	m.HandleFunc("POST /admin/script", handle(s.addScript))
	m.HandleFunc("GET /admin/script", handle(s.showScripts))
	m.HandleFunc("DELETE /admin/script", handle(s.clearScripts))
	m.HandleFunc("POST /admin/callbacks", handle(s.adminCallbacks))
	m.HandleFunc("GET /admin/clock", handle(s.showClock))
	m.HandleFunc("POST /admin/clock", handle(s.setClock))
	m.HandleFunc("POST /admin/reset", handle(s.reset))
	m.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	m.HandleFunc("/", handle(func(http.ResponseWriter, *http.Request) error {
		return refuse(http.StatusNotFound, "no_such_route", "there is nothing here; see docs/sandbox.md")
	}))
	return m
}

// Book is the answer of GET /admin/book?reference=….
type Book struct {
	Charges []Charge `json:"charges"`
	Refunds []Move   `json:"refunds"`
	Payouts []Move   `json:"payouts"`
}

// Summary counts the book. Money stands per currency.
type Summary struct {
	Charges   map[State]int    `json:"charges"`
	Refunds   map[State]int    `json:"refunds"`
	Payouts   map[State]int    `json:"payouts"`
	Captured  map[string]int64 `json:"captured_minor"`
	Refunded  map[string]int64 `json:"refunded_minor"`   // of charges, what is still open or abnormal included
	GivenBack map[string]int64 `json:"given_back_minor"` // by refunds that succeeded
	PaidOut   map[string]int64 `json:"paid_out_minor"`   // by payouts that succeeded
	// PaidTwice counts references under which more than one charge succeeded or is authorized (I-09).
	PaidTwice int `json:"paid_twice"`
	Owed      int `json:"callbacks_owed"`
}

// Lookup returns copies of what a reference, a key or a business id names.
func (s *Server) Lookup(name string) Book {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	out := Book{Charges: []Charge{}, Refunds: []Move{}, Payouts: []Move{}}
	charges, moves := s.book.find(name, s.Now())
	for _, c := range charges {
		out.Charges = append(out.Charges, *c)
	}
	for _, m := range moves {
		if m.Kind == "refund" {
			out.Refunds = append(out.Refunds, *m)
		} else {
			out.Payouts = append(out.Payouts, *m)
		}
	}
	return out
}

// Summarize counts the whole book.
func (s *Server) Summarize() Summary {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	now := s.Now()
	sum := Summary{Charges: map[State]int{}, Refunds: map[State]int{}, Payouts: map[State]int{},
		Captured: map[string]int64{}, Refunded: map[string]int64{}, GivenBack: map[string]int64{}, PaidOut: map[string]int64{}}
	paid := map[string]int{}
	for _, o := range s.book.order {
		switch x := o.(type) {
		case *Charge:
			x.refresh(now)
			sum.Charges[x.State]++
			if x.State == Succeeded || x.State == Authorized {
				if paid[x.Account+x.Reference]++; paid[x.Account+x.Reference] == 2 {
					sum.PaidTwice++
				}
			}
			if x.CapturedMinor > 0 {
				sum.Captured[x.Currency] += x.CapturedMinor
			}
			if x.RefundedMinor > 0 {
				sum.Refunded[x.Currency] += x.RefundedMinor
			}
			if x.Owed {
				sum.Owed++
			}
		case *Move:
			x.refresh(now)
			if x.Owed {
				sum.Owed++
			}
			if x.Kind == "refund" {
				sum.Refunds[x.State]++
				if x.State == Succeeded {
					sum.GivenBack[x.Currency] += x.AmountMinor
				}
			} else {
				sum.Payouts[x.State]++
				if x.State == Succeeded {
					sum.PaidOut[x.Currency] += x.AmountMinor
				}
			}
		}
	}
	return sum
}

func (s *Server) showBook(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get("all") == "1" {
		return s.dump(w)
	}
	name := r.URL.Query().Get("reference")
	if name == "" {
		return refuse(http.StatusBadRequest, "reference_missing", "name a reference, a key or a payment id, or ask for ?all=1 or /admin/summary")
	}
	writeJSON(w, http.StatusOK, s.Lookup(name))
	return nil
}

// dump writes the whole book as JSON lines, without holding its mutex for long.
func (s *Server) dump(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	const step = 256
	for from := 0; ; from += step {
		page := s.slice(from, from+step)
		for _, l := range page {
			if err := enc.Encode(l); err != nil {
				return nil // the reader left
			}
		}
		if len(page) < step {
			_ = out.Flush()
			return nil
		}
	}
}

func (s *Server) slice(from, to int) []line {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	now := s.Now()
	var page []line
	for i := from; i < min(to, len(s.book.order)); i++ {
		switch x := s.book.order[i].(type) {
		case *Charge:
			x.refresh(now)
			c := *x
			page = append(page, line{Charge: &c})
		case *Move:
			x.refresh(now)
			m := *x
			page = append(page, line{Move: &m})
		}
	}
	return page
}

func (s *Server) showSummary(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, s.Summarize())
	return nil
}

type payRequest struct {
	Reference string `json:"reference"` // a reference, a key or a payment id
	pay
}

// adminPay lets the customer pay, or decline.
func (s *Server) adminPay(w http.ResponseWriter, r *http.Request) error {
	var q payRequest
	if err := decode(r, &q); err != nil {
		return err
	}
	switch {
	case q.AmountMinor < 0 || q.AmountMinor > maxAmount:
		return invalid("amount_minor", "amount_minor is a positive integer")
	case q.Currency != "" && !currencyForm.MatchString(q.Currency):
		return invalid("currency", "currency is three capital letters")
	case q.Times < 0 || q.Times > 10:
		return invalid("times", "times is between 1 and 10")
	}
	if err := s.payNamed(q); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.Lookup(q.Reference))
	return nil
}

func (s *Server) payNamed(q payRequest) error {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	c := s.newest(q.Reference)
	if c == nil {
		return refuse(http.StatusNotFound, "charge_not_found", "there is no charge under this name")
	}
	return s.pay(c, q.pay, s.Now())
}

// Pay lets the customer pay what a reference, a key or a payment id names, as POST /admin/pay does.
func (s *Server) Pay(name string) error { return s.payNamed(payRequest{Reference: name}) }

// Callback returns what the sandbox would send now about a charge or a refund: the body, and the value of Sandbox-Signature.
func (s *Server) Callback(name string) (body []byte, signature string) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	var d delivery
	if c := s.newest(name); c != nil {
		d = s.deliveryOf(c)
	} else if m := s.moveNamed(name, ""); m != nil {
		d = s.deliveryOfMove(m)
	} else {
		return nil, ""
	}
	return d.body, Signature(d.secret, s.Now(), d.body)
}

// newest is the last charge under a name that isn't an extra payment; the book's mutex is held.
func (s *Server) newest(name string) (last *Charge) {
	charges, _ := s.book.find(name, s.Now())
	for _, c := range charges {
		if !c.Extra {
			last = c
		}
	}
	return last
}

func (s *Server) addScript(w http.ResponseWriter, r *http.Request) error {
	var sc Script
	if err := decode(r, &sc); err != nil {
		return err
	}
	if err := s.faults.add(sc); err != nil {
		return err
	}
	return s.showScripts(w, r)
}

func (s *Server) showScripts(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, map[string]any{"scripts": s.faults.list()})
	return nil
}

func (s *Server) clearScripts(w http.ResponseWriter, r *http.Request) error {
	s.faults.clear()
	return s.showScripts(w, r)
}

func (s *Server) showClock(w http.ResponseWriter, _ *http.Request) error {
	s.clock.Lock()
	offset := s.offset
	s.clock.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"now": s.Now(), "offset": offset.String()})
	return nil
}

// setClock moves the sandbox's clock against the real one, and lets happen what is due by it.
func (s *Server) setClock(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		Offset string `json:"offset"`
	}
	if err := decode(r, &q); err != nil {
		return err
	}
	d, err := time.ParseDuration(q.Offset)
	if err != nil {
		return invalid("offset", `offset is a duration such as "25h"`)
	}
	s.SetOffset(d)
	return s.showClock(w, r)
}

// SetOffset moves the sandbox's clock against the real one.
func (s *Server) SetOffset(d time.Duration) {
	s.clock.Lock()
	s.offset = d
	s.clock.Unlock()
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	for _, c := range s.book.byID {
		s.arm(c)
	}
	for _, m := range s.book.moveByID {
		s.armMove(m)
	}
}

// reset empties the book and forgets all scripts. Numbers go on, so that an id never comes twice.
func (s *Server) reset(w http.ResponseWriter, _ *http.Request) error {
	s.faults.clear()
	s.book.mu.Lock()
	err := s.book.reset()
	s.book.mu.Unlock()
	if err != nil {
		return err
	}
	s.SetOffset(0)
	writeJSON(w, http.StatusOK, map[string]string{"status": "empty"})
	return nil
}
