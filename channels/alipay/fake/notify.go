package fake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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
	s.ways = append(s.ways, way{due: s.now()})
}

// pauses are the waits before a callback that wasn't answered with "success" is sent again, under the same id.
var pauses = []time.Duration{4 * time.Minute, 10 * time.Minute, 10 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 15 * time.Hour}

// way is how far a callback has come.
type way struct {
	tries int
	due   time.Time
	done  bool // answered, or given up
}

// Deliver sends what is due by the server's clock, and reports how many callbacks were answered as Alipay wants it: with
// the word success and nothing else.
func (s *Server) Deliver(ctx context.Context, client *http.Client) (answered int) {
	for i, n := range s.due() {
		if n == nil {
			continue
		}
		well := send(ctx, client, *n)
		s.mu.Lock()
		w := &s.ways[i]
		switch {
		case well:
			w.done = true
			answered++
		case w.tries == len(pauses):
			w.done = true
		default:
			w.due = s.now().Add(pauses[w.tries])
			w.tries++
		}
		s.mu.Unlock()
	}
	return answered
}

// due are the callbacks that are to be sent now; nil for the others.
func (s *Server) due() []*Notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Notification, len(s.told))
	for i := range s.told {
		if w := s.ways[i]; !w.done && !s.now().Before(w.due) && s.told[i].URL != "" {
			n := s.told[i]
			list[i] = &n
		}
	}
	return list
}

func send(ctx context.Context, client *http.Client, n Notification) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.URL, bytes.NewReader(n.Body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 100))
	return err == nil && res.StatusCode == http.StatusOK && string(body) == "success"
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
