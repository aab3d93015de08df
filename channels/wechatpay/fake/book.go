package fake

// Entry is what the server's book has under a number.
type Entry struct {
	Number, ID, State string
	Amount            int64
	Paid              bool // a customer's money was taken, or a payee's was sent
	Refunded          int64
}

// Book is what stands under a number, of an order, a refund or a transfer.
func (s *Server) Book(number string) []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Entry
	if o := s.orders[number]; o != nil {
		e := Entry{Number: number, ID: o.id, State: o.state, Amount: o.Amount.Total, Paid: o.id != ""}
		for _, r := range o.refunds {
			if r.status != Closed {
				e.Refunded += r.amount
			}
		}
		list = append(list, e)
	}
	if r := s.refunds[number]; r != nil {
		list = append(list, Entry{Number: number, ID: r.id, State: r.status, Amount: r.amount})
	}
	if t := s.transfers[number]; t != nil {
		list = append(list, Entry{Number: number, ID: t.id, State: t.state, Amount: t.Amount, Paid: t.state == Success})
	}
	return list
}

// Balance is the merchant's, in fen.
func (s *Server) Balance() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.balance
}
