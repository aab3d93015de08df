package fake

import "slices"

// Intent is a payment intent in the server's book, in Stripe's units.
type Intent struct {
	ID, Status, Currency         string
	Amount, Received, Capturable int64
	Refunded                     int64
	Livemode                     bool
	Charged                      bool // money was moved or reserved at some time
	Metadata                     map[string]string
}

// Refund is a refund in the server's book.
type Refund struct {
	ID, Status, Currency, Intent string
	Amount                       int64
	Metadata                     map[string]string
}

// Intents are all payment intents, oldest first.
func (s *Server) Intents() []Intent {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Intent, len(s.intents))
	for n, i := range s.intents {
		out[n] = Intent{ID: i.id, Status: i.status, Currency: i.currency, Amount: i.amount, Received: i.received,
			Livemode: i.live, Charged: i.charge != nil, Metadata: i.metadata}
		if i.status == "requires_capture" {
			out[n].Capturable = i.amount
		}
		if i.charge != nil {
			out[n].Refunded = i.charge.refunded
		}
	}
	return out
}

// Refunds are all refunds, oldest first.
func (s *Server) Refunds() []Refund {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Refund, len(s.refunds))
	for n, f := range s.refunds {
		out[n] = Refund{ID: f.id, Status: f.status, Currency: f.of.currency, Intent: f.of.id, Amount: f.amount, Metadata: f.metadata}
	}
	return out
}

// Approve lets the customer pay or authenticate an intent that asks for it. It reports whether one did.
func (s *Server) Approve(id string) bool {
	return s.act(id, func(i *intent, r request) { s.pay(i, r.now) })
}

// Refuse lets the customer's authentication fail.
func (s *Server) Refuse(id string) bool {
	return s.act(id, func(i *intent, _ request) {
		s.decline(i, card{code: "payment_intent_authentication_failure"})
	})
}

func (s *Server) act(id string, do func(*intent, request)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := slices.IndexFunc(s.intents, func(i *intent) bool { return i.id == id })
	if n < 0 || s.intents[n].status != "requires_action" {
		return false
	}
	i := s.intents[n]
	r := request{now: s.now(), live: i.live}
	do(i, r)
	s.tellIntent(i, r)
	return true
}

// SetStatus forces a status that the fake never reaches by itself, such as "processing".
func (s *Server) SetStatus(id, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.intents {
		if i.id == id {
			i.status = status
		}
	}
}
