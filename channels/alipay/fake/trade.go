package fake

import (
	"strings"
	"time"
)

// order is what can become a trade: a QR code, or a page that the customer opened.
type order struct {
	outNo, subject string
	total          int64
	expires        time.Time
	notify         string
	qr             string
}

// trade is one in the book.
type trade struct {
	order
	no, status, buyer          string
	createdAt, paidAt, endedAt time.Time
	refunded, fee              int64
	slow                       bool // its refunds take their time
}

// feeBasisPoints is what the server takes of a payment. It keeps it when money goes back.
const feeBasisPoints = 60

// The states of a trade.
const (
	Waiting  = "WAIT_BUYER_PAY"
	Success  = "TRADE_SUCCESS"
	Finished = "TRADE_FINISHED"
	Closed   = "TRADE_CLOSED"
)

// Scenarios of customers' barcodes.
const (
	Pays        = "01"
	Poor        = "02" // not enough money
	Risky       = "03" // refused for good
	Confirms    = "04" // has to confirm on the phone
	Fails       = "05"
	SlowRefunds = "06" // pays; what goes back takes its time
	Busy        = "07" // Alipay fails on the way, and nothing is done
)

// Barcode is what a customer's app shows now. It can be used for a minute.
func (s *Server) Barcode(scenario string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "28" + scenario + s.now().Format("0601021504") + "0042"
}

func (s *Server) barcode(text string) (scenario string, ok bool) {
	if len(text) != 18 || !strings.HasPrefix(text, "28") {
		return "", false
	}
	at, err := time.ParseInLocation("0601021504", text[4:14], Zone)
	return text[2:4], err == nil && s.now().Before(at.Add(2*time.Minute)) // it was cut to the minute
}

// readOrder checks what every kind of charge has in common.
func (s *Server) readOrder(r request) (order, answer) {
	o := order{outNo: r.text("out_trade_no"), subject: r.text("subject"), notify: r.form["notify_url"], expires: s.now().Add(15 * 24 * time.Hour)}
	total, ok := fen(r.text("total_amount"))
	o.total = total
	seller := r.text("seller_id")
	switch {
	case !outNo.MatchString(o.outNo), !ok, o.subject == "", len([]rune(o.subject)) > 256, strings.ContainsAny(o.subject, "/=&"),
		seller != "" && seller != SellerID:
		return o, business("ACQ.INVALID_PARAMETER")
	}
	if text := r.text("time_expire"); text != "" {
		at, err := time.ParseInLocation(expire, text, Zone)
		if err != nil || !at.After(s.now()) {
			return o, business("ACQ.INVALID_PARAMETER")
		}
		o.expires = at
	}
	return o, nil
}

// standing refuses what doesn't fit a trade that is there.
func (s *Server) standing(o order) answer {
	t := s.trade(o.outNo)
	switch {
	case t == nil:
		if old := s.orders[o.outNo]; old != nil && (old.total != o.total || old.subject != o.subject) {
			return business("ACQ.CONTEXT_INCONSISTENT")
		}
		return nil
	case t.total != o.total || t.subject != o.subject:
		return business("ACQ.CONTEXT_INCONSISTENT")
	case t.status == Success || t.status == Finished:
		return business("ACQ.TRADE_HAS_SUCCESS")
	case t.status == Closed:
		return business("ACQ.TRADE_HAS_CLOSE")
	}
	return nil
}

func (s *Server) precreate(r request) answer {
	o, no := s.readOrder(r)
	if no == nil {
		no = s.standing(o)
	}
	if no != nil {
		return no
	}
	old := s.orders[o.outNo]
	if old == nil {
		o.qr = "https://qr.alipay.com/bax" + s.next("q")
		s.orders[o.outNo], old = &o, &o
	}
	if s.conf.ScanAtOnce && s.trades[o.outNo] == nil {
		s.create(*old)
	}
	return done(answer{"out_trade_no": o.outNo, "qr_code": old.qr})
}

func (s *Server) create(o order) *trade {
	t := &trade{order: o, no: s.next("2200"), status: Waiting, buyer: "2088100000000042", createdAt: s.now()}
	s.trades[o.outNo] = t
	return t
}

// trade finds one in its present state: what time does to it is done first.
func (s *Server) trade(outNo string) *trade {
	t := s.trades[outNo]
	switch now := s.now(); {
	case t == nil:
	case t.status == Waiting && !now.Before(t.expires):
		t.status, t.endedAt = Closed, t.expires
		s.tell(t, nil)
	case t.status == Success && now.After(t.paidAt.Add(s.conf.RefundPeriod)):
		t.status = Finished
		s.tell(t, nil)
	}
	return t
}

func (s *Server) paid(t *trade) {
	t.status, t.paidAt = Success, s.now()
	s.credit += t.total
	s.book(movement{trade: t, kind: charged, amount: t.total})
	if t.fee = (t.total*feeBasisPoints + 5000) / 10000; t.fee > 0 {
		s.credit -= t.fee
		s.book(movement{trade: t, kind: fee, amount: -t.fee})
	}
	s.tell(t, nil)
}

func (s *Server) pay(r request) answer {
	o, no := s.readOrder(r)
	scenario, alive := s.barcode(r.text("auth_code"))
	switch {
	case no != nil:
		return no
	case r.text("scene") != "bar_code" || r.text("timeout_express") == "":
		return business("ACQ.INVALID_PARAMETER")
	}
	if no := s.standing(o); no != nil {
		return no
	}
	t := s.trades[o.outNo]
	switch {
	case t != nil: // waits for the customer
		return s.waitingPay(t)
	case !alive:
		return business("ACQ.PAYMENT_AUTH_CODE_INVALID")
	}
	switch scenario {
	case Poor:
		return business("ACQ.BUYER_BALANCE_NOT_ENOUGH")
	case Risky:
		return business("ACQ.PAYMENT_REQUEST_HAS_RISK")
	case Fails:
		return business("ACQ.PAYMENT_FAIL")
	case Busy:
		return business("ACQ.SYSTEM_ERROR")
	case Confirms:
		o.expires = s.now().Add(3 * time.Minute)
		return s.waitingPay(s.create(o))
	}
	t = s.create(o)
	t.slow = scenario == SlowRefunds
	s.paid(t)
	return done(answer{"out_trade_no": t.outNo, "trade_no": t.no, "total_amount": money(t.total), "receipt_amount": money(t.total),
		"buyer_pay_amount": money(t.total), "buyer_user_id": t.buyer, "gmt_payment": t.paidAt.Format(time.DateTime),
		"fund_bill_list": funds(t.total)})
}

func (s *Server) waitingPay(t *trade) answer {
	return answer{"code": "10003", "msg": "order success pay inprocess", "out_trade_no": t.outNo, "trade_no": t.no, "total_amount": money(t.total)}
}

func funds(total int64) []answer {
	return []answer{{"amount": money(total), "fund_channel": "ALIPAYACCOUNT"}}
}

func (s *Server) query(r request) answer {
	t := s.trade(r.text("out_trade_no"))
	if t == nil {
		return business("ACQ.TRADE_NOT_EXIST")
	}
	a := done(answer{"out_trade_no": t.outNo, "trade_no": t.no, "trade_status": t.status, "total_amount": money(t.total),
		"buyer_logon_id": "185******00", "buyer_user_id": t.buyer, "buyer_pay_amount": "0.00", "receipt_amount": "0.00",
		"point_amount": "0.00", "invoice_amount": "0.00"})
	if !t.paidAt.IsZero() {
		a["buyer_pay_amount"], a["receipt_amount"], a["send_pay_date"] = money(t.total), money(t.total), t.paidAt.Format(time.DateTime)
		a["fund_bill_list"] = funds(t.total)
	}
	return a
}

func (s *Server) close(r request) answer {
	t := s.trade(r.text("out_trade_no"))
	switch {
	case t == nil:
		return business("ACQ.TRADE_NOT_EXIST")
	case t.status == Closed && t.paidAt.IsZero(): // closed before
	case t.status != Waiting:
		return business("ACQ.TRADE_STATUS_ERROR")
	default:
		t.status, t.endedAt = Closed, s.now()
		s.tell(t, nil)
	}
	return done(answer{"out_trade_no": t.outNo, "trade_no": t.no})
}

// cancel closes what is unpaid and refunds what is paid. A number without a trade is no error, and stays open: whether
// Alipay would refuse a payment that comes later isn't written anywhere, so it is assumed that it wouldn't.
func (s *Server) cancel(r request) answer {
	out := r.text("out_trade_no")
	a := done(answer{"out_trade_no": out, "retry_flag": "N"})
	t := s.trade(out)
	switch {
	case t == nil:
		return a
	case t.status == Finished:
		return business("ACQ.TRADE_HAS_FINISHED")
	case t.status == Success && t.refunded > 0:
		return business("ACQ.REASON_TRADE_REFUND_FEE_ERR")
	case t.status == Success:
		a["action"] = "refund"
		f := &refund{no: out, of: t, amount: t.total}
		s.refunds["cancel "+out] = f
		s.giveBack(f)
	case t.status == Waiting:
		a["action"] = "close"
		t.status, t.endedAt = Closed, s.now()
		s.tell(t, nil)
	default:
		a["action"] = "close"
	}
	a["trade_no"] = t.no
	return a
}
