package fake

import (
	"strings"
	"time"
)

// transfer is one in the book.
type transfer struct {
	outNo, no, status, payee string
	amount                   int64
	at                       time.Time
}

// Accounts at Alipay that behave in their own way; every other takes what it is sent.
const (
	Nobody     = "2088000000000404" // there is no such account
	SlowPayee  = "2088000000000202" // takes its time
	BrokePayee = "2088000000000500" // Alipay fails on the way, and nothing is done
)

func (s *Server) transfer(r request) answer {
	no := r.text("out_biz_no")
	sum, ok := fen(r.text("trans_amount"))
	to, _ := r.biz["payee_info"].(map[string]any)
	identity, _ := to["identity"].(string)
	kind, _ := to["identity_type"].(string)
	switch {
	case !outNo.MatchString(no), !ok, identity == "", r.text("product_code") != "TRANS_ACCOUNT_NO_PWD", r.text("biz_scene") != "DIRECT_TRANSFER",
		r.text("order_title") == "", kind == "ALIPAY_USER_ID" && (len(identity) != 16 || !strings.HasPrefix(identity, "2088")):
		return business("INVALID_PARAMETER")
	case sum < 10:
		return business("EXCEED_LIMIT_SM_MIN_AMOUNT")
	}
	if t := s.transfers[no]; t != nil {
		if t.amount != sum || t.payee != identity {
			return business("BIZ_UNIQUE_EXCEPTION")
		}
		return done(answer{"out_biz_no": t.outNo, "order_id": t.no, "pay_fund_order_id": t.no, "status": t.status, "trans_date": t.at.Format(time.DateTime)})
	}
	switch {
	case identity == Nobody:
		return business("PAYEE_NOT_EXIST")
	case identity == BrokePayee:
		return business("SYSTEM_ERROR")
	case s.credit < sum:
		return business("PAYER_BALANCE_NOT_ENOUGH")
	}
	t := &transfer{outNo: no, no: s.next("1100"), status: "SUCCESS", payee: identity, amount: sum, at: s.now()}
	if identity == SlowPayee {
		t.status = "DEALING"
	}
	s.transfers[no] = t
	s.credit -= sum
	s.book(movement{transfer: t, kind: sent, amount: -sum})
	return done(answer{"out_biz_no": t.outNo, "order_id": t.no, "pay_fund_order_id": t.no, "status": t.status, "trans_date": t.at.Format(time.DateTime)})
}

func (s *Server) queryTransfer(r request) answer {
	t := s.transfers[r.text("out_biz_no")]
	if t == nil {
		return business("ORDER_NOT_EXIST")
	}
	return done(t.fields())
}

func (t *transfer) fields() answer {
	a := answer{"out_biz_no": t.outNo, "order_id": t.no, "status": t.status, "trans_amount": money(t.amount), "pay_date": t.at.Format(time.DateTime)}
	if t.status == "FAIL" || t.status == "REFUND" {
		a["error_code"] = "PAYEE_CARD_INVALID"
	}
	return a
}

// FinishTransfer moves a transfer on: SUCCESS, FAIL, or REFUND, by which the money comes back. It reports whether it could.
func (s *Server) FinishTransfer(no, status string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.transfers[no]
	if t == nil || status != "REFUND" && t.status != "DEALING" || status == "REFUND" && t.status != "SUCCESS" {
		return false
	}
	t.status = status
	if status != "SUCCESS" {
		s.credit += t.amount
		s.book(movement{transfer: t, kind: cameBack, amount: t.amount})
	}
	return true
}
