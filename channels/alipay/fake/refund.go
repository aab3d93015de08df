package fake

import "time"

// refund is one in the book.
type refund struct {
	no     string
	of     *trade
	amount int64
	at     time.Time // when it was made; zero while it isn't
	failed bool
}

func (s *Server) refund(r request) answer {
	t := s.trade(r.text("out_trade_no"))
	no := r.text("out_request_no")
	sum, ok := fen(r.text("refund_amount"))
	switch {
	case !ok || !outNo.MatchString(no):
		return business("ACQ.INVALID_PARAMETER")
	case t == nil:
		return business("ACQ.TRADE_NOT_EXIST")
	}
	if f := s.refunds[no]; f != nil {
		if f.of != t || f.amount != sum {
			return business("ACQ.DISCORDANT_REPEAT_REQUEST")
		}
		return s.refundDone(t, "N")
	}
	var under int64
	for _, f := range s.refunds {
		if f.of == t && f.at.IsZero() && !f.failed {
			under += f.amount
		}
	}
	switch {
	case t.status == Finished:
		return business("ACQ.TRADE_HAS_FINISHED")
	case t.status != Success:
		return business("ACQ.TRADE_STATUS_ERROR")
	case t.refunded+under+sum > t.total:
		return business("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
	case s.credit < sum:
		return business("ACQ.SELLER_BALANCE_NOT_ENOUGH")
	}
	f := &refund{no: no, of: t, amount: sum}
	s.refunds[no] = f
	if t.slow {
		return s.refundDone(t, "N")
	}
	s.giveBack(f)
	return s.refundDone(t, "Y")
}

func (s *Server) giveBack(f *refund) {
	t := f.of
	f.at = s.now()
	t.refunded += f.amount
	s.credit -= f.amount
	if t.refunded == t.total {
		t.status, t.endedAt = Closed, f.at
	}
	s.book(movement{trade: t, refund: f, kind: givenBack, amount: -f.amount})
	s.tell(t, f)
}

func (s *Server) refundDone(t *trade, change string) answer {
	a := done(answer{"out_trade_no": t.outNo, "trade_no": t.no, "buyer_user_id": t.buyer, "fund_change": change, "refund_fee": money(t.refunded)})
	if change == "Y" {
		a["gmt_refund_pay"] = s.now().Format(time.DateTime)
	}
	return a
}

func (s *Server) queryRefund(r request) answer {
	t := s.trade(r.text("out_trade_no"))
	f := s.refunds[r.text("out_request_no")]
	switch {
	case t == nil:
		return business("ACQ.TRADE_NOT_EXIST")
	case f == nil || f.of != t:
		return done(nil) // the question worked; there is nothing to tell
	}
	a := done(answer{"out_trade_no": t.outNo, "trade_no": t.no, "out_request_no": f.no, "total_amount": money(t.total), "refund_amount": money(f.amount)})
	switch {
	case f.failed:
		a["refund_status"] = "REFUND_FAIL"
	case f.at.IsZero():
		a["refund_status"] = "REFUND_PROCESSING"
	default:
		a["refund_status"], a["gmt_refund_pay"] = "REFUND_SUCCESS", f.at.Format(time.DateTime)
	}
	return a
}

// FinishRefund ends a refund that takes its time, well or not, and reports whether there was one.
func (s *Server) FinishRefund(no string, well bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.refunds[no]
	if f == nil || !f.at.IsZero() || f.failed {
		return false
	}
	if f.failed = !well; well {
		s.giveBack(f)
	}
	return true
}
