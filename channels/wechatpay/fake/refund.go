package fake

import (
	"net/http"
	"regexp"
	"strings"
	"time"
)

type giving struct {
	TransactionID string `json:"transaction_id"`
	OutTradeNo    string `json:"out_trade_no"`
	OutRefundNo   string `json:"out_refund_no"`
	Reason        string `json:"reason"`
	NotifyURL     string `json:"notify_url"`
	Amount        *struct {
		Refund   int64  `json:"refund"`
		Total    int64  `json:"total"`
		Currency string `json:"currency"`
	} `json:"amount"`
}

type refund struct {
	of        *order
	no, id    string
	amount    int64
	total     int64
	fee       int64
	status    string
	createdAt time.Time
	doneAt    time.Time
	notifyURL string
}

// Slow, in an order's description, makes its refunds stay PROCESSING until FinishRefund.
const Slow = "slow refunds"

var refundNumber = regexp.MustCompile(`^[0-9A-Za-z_\-|*@]{1,64}$`)

func (s *Server) refund(c call) reply {
	var p giving
	if !c.decode(&p) || !refundNumber.MatchString(p.OutRefundNo) || p.Amount == nil || p.Amount.Refund < 1 ||
		p.Amount.Currency != "CNY" || len(p.Reason) > 80 {
		return paramError("refund")
	}
	o := s.orders[p.OutTradeNo]
	if o == nil && p.TransactionID != "" {
		for _, each := range s.orders {
			if each.id == p.TransactionID {
				o = each
			}
		}
	}
	if o == nil || o.id == "" {
		return refuse(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "订单不存在")
	}
	if r := s.refunds[p.OutRefundNo]; r != nil {
		if r.of != o || r.amount != p.Amount.Refund || r.total != p.Amount.Total {
			return refuse(http.StatusBadRequest, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致")
		}
		return ok(r.object())
	}
	if no, refused := s.mayRefund(o, p, c.now); refused {
		return no
	}
	r := s.give(o, p, p.Amount.Refund)
	if !strings.Contains(o.Description, Slow) {
		s.settle(r, Success)
	}
	return ok(r.object())
}

// give makes a refund that nothing forbids.
func (s *Server) give(o *order, p giving, part int64) *refund {
	now := s.now()
	r := &refund{of: o, no: p.OutRefundNo, id: s.id("50300"), amount: part, total: o.Amount.Total, status: "PROCESSING",
		createdAt: now, notifyURL: p.NotifyURL}
	r.fee = o.fee * r.amount / o.Amount.Total
	s.refunds[r.no] = r
	o.refunds, o.state, o.lastGiven = append(o.refunds, r), Refunded, now
	s.flow(flow{at: now, business: r.id, name: "退款", kind: "退款", amount: -r.amount, voucher: r.no})
	s.flow(flow{at: now, business: r.id, name: "退款", kind: "退还交易手续费", amount: r.fee, voucher: r.no})
	s.trades = append(s.trades, trade{at: now, order: o, refund: r})
	return r
}

func (s *Server) mayRefund(o *order, p giving, now time.Time) (reply, bool) {
	var given int64
	for _, r := range o.refunds {
		if r.status != Closed {
			given += r.amount
		}
	}
	switch {
	case p.Amount.Total != o.Amount.Total:
		return refuse(http.StatusBadRequest, "INVALID_REQUEST", "订单金额不一致"), true
	case given+p.Amount.Refund > o.Amount.Total:
		return refuse(http.StatusBadRequest, "INVALID_REQUEST", "累计退款金额大于支付金额"), true
	case len(o.refunds) >= 50:
		return refuse(http.StatusBadRequest, "INVALID_REQUEST", "退款次数超过限制"), true
	case now.Sub(o.paidAt) > 365*24*time.Hour:
		return refuse(http.StatusForbidden, "TRADE_OVERDUE", "订单已经超过退款期限"), true
	case !s.conf.NoSpacing && now.Sub(o.lastGiven) < time.Minute:
		return refuse(http.StatusTooManyRequests, "FREQUENCY_LIMITED", "频率限制"), true
	case p.Amount.Refund > s.balance:
		return refuse(http.StatusForbidden, "NOT_ENOUGH", "余额不足"), true
	}
	return reply{}, false
}

// settle ends a refund.
func (s *Server) settle(r *refund, status string) {
	now := s.now()
	r.status = status
	switch status {
	case Success:
		r.doneAt = now
	case Closed:
		s.flow(flow{at: now, business: r.id, name: "退款", kind: "退款关闭", amount: r.amount, voucher: r.no})
		s.flow(flow{at: now, business: r.id, name: "交易", kind: "扣除交易手续费", amount: -r.fee, voucher: r.no})
	}
	s.notify(r.notifyURL, "REFUND."+status, "refund", r.no)
}

// FinishRefund settles a refund as SUCCESS, CLOSED or ABNORMAL: from PROCESSING, or from ABNORMAL, which a person mends.
// It reports whether it did.
func (s *Server) FinishRefund(number, status string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.refunds[number]
	if r == nil || r.status != "PROCESSING" && r.status != "ABNORMAL" {
		return false
	}
	s.settle(r, status)
	return true
}

func (s *Server) queryRefund(c call) reply {
	r := s.refunds[c.PathValue("n")]
	if r == nil {
		return refuse(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "退款单不存在")
	}
	return ok(r.object())
}

func (r *refund) object() map[string]any {
	v := map[string]any{"refund_id": r.id, "out_refund_no": r.no, "transaction_id": r.of.id, "out_trade_no": r.of.OutTradeNo,
		"channel": "ORIGINAL", "user_received_account": "支付用户零钱", "create_time": r.createdAt.In(Beijing).Format(time.RFC3339),
		"status": r.status, "funds_account": "AVAILABLE",
		"amount": map[string]any{"total": r.of.Amount.Total, "refund": r.amount, "payer_total": r.of.Amount.Total,
			"payer_refund": r.amount, "settlement_refund": r.amount, "settlement_total": r.of.Amount.Total,
			"discount_refund": 0, "currency": "CNY"}}
	if !r.doneAt.IsZero() {
		v["success_time"] = r.doneAt.In(Beijing).Format(time.RFC3339)
	}
	return v
}

// told is the refund as a callback shows it: other names, and no currency.
func (r *refund) told() map[string]any {
	v := r.object()
	v["mchid"], v["refund_status"] = MchID, r.status
	for _, name := range []string{"status", "channel", "create_time", "funds_account"} {
		delete(v, name)
	}
	v["amount"] = map[string]any{"total": r.of.Amount.Total, "refund": r.amount, "payer_total": r.of.Amount.Total, "payer_refund": r.amount}
	return v
}
