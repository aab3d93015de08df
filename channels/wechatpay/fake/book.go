package fake

import "time"

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

// Take makes a paid native order without a call, for bills.
func (s *Server) Take(number string, total int64, description string) bool {
	s.mu.Lock()
	s.orders[number] = &order{kind: "native", state: NotPay, expires: s.now().Add(time.Hour), placing: placing{AppID: AppID, MchID: MchID,
		Description: description, OutTradeNo: number, Amount: &amount{total, "CNY"}}}
	s.mu.Unlock()
	return s.Pay(number)
}

// Give refunds a part of an order without a call, and reports whether it may be.
func (s *Server) Give(number, refundNumber string, part int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[number]
	if o == nil || o.id == "" || part > o.Amount.Total {
		return false
	}
	s.settle(s.give(o, giving{OutRefundNo: refundNumber}, part), Success)
	return true
}
