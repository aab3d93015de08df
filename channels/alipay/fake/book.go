package fake

import (
	"slices"
	"strings"
	"time"
)

// Trade is one in the server's book, in fen.
type Trade struct {
	No, OutNo, Status string
	Total, Refunded   int64
	PaidAt            time.Time
}

// Refund is one in the server's book.
type Refund struct {
	No, TradeNo string
	Amount      int64
	Done        bool
}

// Transfer is one in the server's book.
type Transfer struct {
	No, OutNo, Status string
	Amount            int64
}

// Trade finds one by our number.
func (s *Server) Trade(outNo string) (Trade, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.trade(outNo)
	if t == nil {
		return Trade{}, false
	}
	return Trade{No: t.no, OutNo: t.outNo, Status: t.status, Total: t.total, Refunded: t.refunded, PaidAt: t.paidAt}, true
}

// Refund finds one by its request number.
func (s *Server) Refund(no string) (Refund, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.refunds[no]
	if f == nil {
		return Refund{}, false
	}
	return Refund{No: f.no, TradeNo: f.of.no, Amount: f.amount, Done: !f.at.IsZero()}, true
}

// Transfer finds one by our number.
func (s *Server) Transfer(outNo string) (Transfer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.transfers[outNo]
	if t == nil {
		return Transfer{}, false
	}
	return Transfer{No: t.no, OutNo: t.outNo, Status: t.status, Amount: t.amount}, true
}

// movement is a change of the merchant's balance.
type movement struct {
	no       string
	kind     kind
	trade    *trade
	refund   *refund
	transfer *transfer
	amount   int64 // with its sign
	at       time.Time
	balance  int64
}

type kind string

const (
	charged   kind = "在线支付"
	givenBack kind = "交易退款"
	sent      kind = "转账"
	cameBack  kind = "转账退回"
	fee       kind = "收费"
	withdrawn kind = "提现"
)

func (s *Server) book(m movement) {
	m.no, m.at, m.balance = s.next("8888"), s.now(), s.credit
	s.log = append(s.log, m)
}

// Withdraw takes money out of the merchant's account to its bank: a movement that no request of ours made.
func (s *Server) Withdraw(sum int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.credit -= sum
	s.book(movement{kind: withdrawn, amount: -sum})
}

// day are the movements of a day, as the bill has them.
func (s *Server) day(date string) []movement {
	return slices.DeleteFunc(slices.Clone(s.log), func(m movement) bool { return !strings.HasPrefix(m.at.Format(time.DateTime), date) })
}
