package fake

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Notification is a callback that the server would send to the address that its trade was made with.
type Notification struct {
	URL, ID, About, Status string
	Body                   []byte
}

// Notifications are all so far, in order.
func (s *Server) Notifications() []Notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Notification(nil), s.told...)
}

// tell builds the callback about what a trade has just become, or about a refund of it.
func (s *Server) tell(t *trade, f *refund) {
	s.told = append(s.told, s.notification(t, f))
}

func (s *Server) notification(t *trade, f *refund) Notification {
	now := s.now()
	p := map[string]string{
		"notify_time": now.Format(time.DateTime), "notify_type": "trade_status_sync", "app_id": AppID, "charset": "utf-8", "version": "1.0",
		"sign_type": "RSA2", "auth_app_id": AppID, "trade_no": t.no, "out_trade_no": t.outNo, "trade_status": t.status,
		"total_amount": money(t.total), "subject": t.subject, "buyer_id": t.buyer, "buyer_logon_id": "185******00", "seller_id": SellerID,
		"gmt_create": t.createdAt.Format(time.DateTime),
	}
	if !t.paidAt.IsZero() {
		p["gmt_payment"] = t.paidAt.Format(time.DateTime)
		p["receipt_amount"], p["buyer_pay_amount"], p["invoice_amount"], p["point_amount"] = money(t.total), money(t.total), money(t.total), "0.00"
		p["fund_bill_list"] = `[{"amount":"` + money(t.total) + `","fundChannel":"ALIPAYACCOUNT"}]`
	}
	if !t.endedAt.IsZero() {
		p["gmt_close"] = t.endedAt.Format(time.DateTime)
	}
	if f != nil {
		p["out_biz_no"], p["refund_fee"], p["gmt_refund"] = f.no, money(t.refunded), f.at.Format("2006-01-02 15:04:05.000")
	}
	s.last++
	p["notify_id"] = fmt.Sprintf("%s%026d", now.Format("20060102"), s.last)
	return Notification{URL: t.notify, ID: p["notify_id"], About: t.outNo, Status: t.status, Body: s.Notify(p)}
}

// Notify signs parameters as a callback, and writes it.
func (s *Server) Notify(p map[string]string) []byte {
	p = clone(p)
	p["sign"] = s.Sign([]byte(content(p, "sign", "sign_type")))
	form := url.Values{}
	for k, v := range p {
		form.Set(k, v)
	}
	return []byte(form.Encode())
}

// Callback is what the server would send now about a trade, a refund or a transfer of ours; nil about nothing.
func (s *Server) Callback(no string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.trade(no); t != nil {
		return s.notification(t, nil).Body
	}
	if f := s.refunds[no]; f != nil {
		return s.notification(f.of, f).Body
	}
	t := s.transfers[no]
	if t == nil {
		return nil
	}
	biz, err := json.Marshal(t.fields())
	if err != nil {
		panic(err)
	}
	s.last++
	return s.Notify(map[string]string{"notify_id": fmt.Sprintf("m%030d", s.last), "utc_timestamp": strconv.FormatInt(s.now().UnixMilli(), 10),
		"msg_method": "alipay.fund.trans.order.changed", "app_id": AppID, "version": "1.1", "charset": "utf-8", "sign_type": "RSA2", "biz_content": string(biz)})
}
