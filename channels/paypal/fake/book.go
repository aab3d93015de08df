package fake

// Order is an order in the server's book, in minor units of ISO 4217.
type Order struct {
	ID, Status, Intent, Custom      string
	Minor, Held, Captured, Refunded int64
}

// Refund is a refund in the server's book.
type Refund struct {
	ID, Status, Custom, Order string
	Minor                     int64
}

// Orders are all orders, oldest first.
func (s *Server) Orders() []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Order
	for _, o := range s.orders {
		v := Order{ID: o.id, Status: o.status, Intent: o.intent, Custom: o.custom, Minor: o.minor}
		for _, p := range o.auths {
			if p.status == "CREATED" && !p.renewed {
				v.Held += p.minor
			}
		}
		for _, p := range o.captures {
			if p.status != "DECLINED" && p.status != "PENDING" {
				v.Captured += p.minor
				v.Refunded += p.refunded
			}
		}
		list = append(list, v)
	}
	return list
}

// Refunds are all refunds, oldest first.
func (s *Server) Refunds() []Refund {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Refund
	for _, o := range s.orders {
		for _, p := range o.refunds {
			list = append(list, Refund{p.id, p.status, p.custom, o.id, p.minor})
		}
	}
	return list
}

// Approve lets the customer approve an order on PayPal's page, and reports whether the page let them.
func (s *Server) Approve(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.find(id)
	if o == nil || !o.redirect || o.status != "CREATED" {
		return false
	}
	o.status = "APPROVED"
	s.tell("CHECKOUT.ORDER.APPROVED", "checkout-order", o.id, s.view(o))
	return true
}

// Stumble lets the next captures of an order fail before they do anything.
func (s *Server) Stumble(id string, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.find(id); o != nil {
		o.stumbles = times
	}
}

// FinishRefund settles or declines a refund that is pending, or returns one that is complete.
func (s *Server) FinishRefund(id, act string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := (*payment)(nil)
	for _, o := range s.orders {
		for _, each := range o.refunds {
			if each.id == id {
				p = each
			}
		}
	}
	if p == nil || (p.status == "PENDING") == (act == "return") || p.status == "FAILED" {
		return false
	}
	if act == "settle" {
		p.status = "COMPLETED"
		s.tell("PAYMENT.CAPTURE.REFUNDED", "refund", p.id, s.payView(p, true))
		return true
	}
	p.status = "FAILED"
	p.from.back(-p.minor)
	s.tell("PAYMENT.REFUND.FAILED", "refund", p.id, s.payView(p, true))
	return true
}
