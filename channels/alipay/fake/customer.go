package fake

import (
	"encoding/json"
	"net/url"
	"strings"
)

// Scan lets a customer scan the QR code of a number, and reports whether a trade came of it: it is then waiting for the
// payment. An order that is over makes none.
func (s *Server) Scan(outNo string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scan(outNo)
}

func (s *Server) scan(outNo string) bool {
	o := s.orders[outNo]
	switch {
	case s.trade(outNo) != nil:
		return s.trades[outNo].status == Waiting
	case o == nil || !s.now().Before(o.expires):
		return false
	}
	s.create(*o)
	return true
}

// Pay lets a customer pay what waits under a number, scanning first if need be, and reports whether the money was taken.
func (s *Server) Pay(outNo string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.scan(outNo) && (s.trades[outNo] == nil || s.trade(outNo).status != Waiting) {
		return false
	}
	s.paid(s.trades[outNo])
	return true
}

// products are the charges that begin at the customer, with the product that each wants.
var products = map[string]string{"alipay.trade.page.pay": "FAST_INSTANT_TRADE_PAY", "alipay.trade.wap.pay": "QUICK_WAP_WAY",
	"alipay.trade.app.pay": "QUICK_MSECURITY_PAY"}

// Visit is what the customer does with a page's address, or the app with an order string: it is checked like a request,
// and can be paid from then on. What is wrong is Alipay's sub-code.
func (s *Server) Visit(text string) (outNo, wrong string) {
	if _, query, isURL := strings.Cut(text, "?"); isURL {
		text = query
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		return "", "isv.invalid-parameter"
	}
	form := map[string]string{}
	for k, v := range values {
		form[k] = v[0]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, no := s.admit(form)
	if no != nil {
		return "", no["sub_code"].(string)
	}
	product := products[form["method"]]
	if product == "" || r.text("product_code") != product || product != "QUICK_MSECURITY_PAY" && form["return_url"] == "" {
		return "", "ACQ.INVALID_PARAMETER"
	}
	o, no := s.readOrder(r)
	if no == nil {
		no = s.standing(o)
	}
	if no != nil {
		return "", no["sub_code"].(string)
	}
	s.orders[o.outNo] = &o
	raw, _ := json.Marshal(r.biz)
	s.calls = append(s.calls, Call{Method: form["method"], Biz: r.biz, Form: map[string]string{"biz_content": string(raw)}})
	return o.outNo, ""
}
