package fake

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

type amount struct {
	Total    int64  `json:"total"`
	Currency string `json:"currency"`
}

// placing is the body of an order.
type placing struct {
	AppID       string  `json:"appid"`
	MchID       string  `json:"mchid"`
	Description string  `json:"description"`
	OutTradeNo  string  `json:"out_trade_no"`
	TimeExpire  string  `json:"time_expire"`
	NotifyURL   string  `json:"notify_url"`
	Attach      string  `json:"attach"`
	Amount      *amount `json:"amount"`
	Payer       *struct {
		OpenID string `json:"openid"`
	} `json:"payer"`
	Scene *struct {
		CustomerIP string `json:"payer_client_ip"`
		H5         struct {
			Type string `json:"type"`
		} `json:"h5_info"`
	} `json:"scene_info"`
}

// The states of orders.
const (
	NotPay     = "NOTPAY"
	UserPaying = "USERPAYING"
	Success    = "SUCCESS"
	Refunded   = "REFUND"
	Closed     = "CLOSED"
	PayError   = "PAYERROR"
)

type order struct {
	placing
	kind      string
	state     string
	id        string // the transaction's, once it is paid
	prepay    string
	paidAt    time.Time
	expires   time.Time
	fee       int64
	refunds   []*refund
	lastGiven time.Time
}

var number = regexp.MustCompile(`^[0-9A-Za-z_\-|*]{6,32}$`)

// wrong names a field that WeChat would refuse.
func (p placing) wrong(kind string, now time.Time) string {
	expires, err := time.Parse(time.RFC3339, p.TimeExpire)
	notify, urlErr := url.Parse(p.NotifyURL)
	switch n := utf8.RuneCountInString(p.Description); {
	case p.AppID != AppID:
		return "appid"
	case p.MchID != MchID:
		return "mchid"
	case n < 1 || n > 127:
		return "description"
	case !number.MatchString(p.OutTradeNo):
		return "out_trade_no"
	case p.TimeExpire != "" && (err != nil || expires.Before(now.Add(time.Minute))):
		return "time_expire"
	case urlErr != nil || notify.Scheme != "https" || notify.RawQuery != "" || len(p.NotifyURL) > 255:
		return "notify_url"
	case p.Amount == nil || p.Amount.Total < 1 || p.Amount.Currency != "CNY":
		return "amount"
	case (kind == "jsapi") != (p.Payer != nil) || p.Payer != nil && p.Payer.OpenID == "":
		return "payer"
	case kind == "h5" && (p.Scene == nil || p.Scene.H5.Type == ""):
		return "scene_info"
	}
	if p.Scene != nil {
		if _, err := netip.ParseAddr(p.Scene.CustomerIP); err != nil {
			return "payer_client_ip"
		}
	}
	return ""
}

func (s *Server) place(kind string, c call) reply {
	var p placing
	if !c.decode(&p) {
		return paramError("body")
	}
	o := s.orders[p.OutTradeNo]
	if o == nil {
		if wrong := p.wrong(kind, c.now); wrong != "" {
			return paramError(wrong)
		}
		o = &order{placing: p, kind: kind, state: NotPay, prepay: s.id("wx"), expires: c.now.Add(7 * 24 * time.Hour)}
		if p.TimeExpire != "" {
			o.expires, _ = time.Parse(time.RFC3339, p.TimeExpire)
		}
		s.orders[p.OutTradeNo] = o
	}
	s.lapse(o, c.now)
	switch {
	case o.state == Success || o.state == Refunded:
		return refuse(http.StatusBadRequest, "ORDERPAID", "该订单已支付")
	case o.state == Closed:
		return refuse(http.StatusBadRequest, "ORDER_CLOSED", "该订单已关闭")
	case o.kind != kind || same(o.placing) != same(p):
		return refuse(http.StatusBadRequest, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致")
	}
	switch kind {
	case "native":
		return ok(map[string]string{"code_url": "weixin://wxpay/bizpayurl?pr=" + o.prepay})
	case "h5":
		return ok(map[string]string{"h5_url": "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=" + o.prepay + "&package=1"})
	}
	return ok(map[string]string{"prepay_id": o.prepay})
}

func same(p placing) string {
	text, _ := json.Marshal(p)
	return string(text)
}

// lapse closes an order whose time is over.
func (s *Server) lapse(o *order, now time.Time) {
	if (o.state == NotPay || o.state == PayError) && !now.Before(o.expires) {
		o.state = Closed
	}
}

func (s *Server) query(c call) reply {
	o := s.orders[c.PathValue("n")]
	switch {
	case c.URL.Query().Get("mchid") != MchID:
		return paramError("mchid")
	case o == nil:
		return refuse(http.StatusNotFound, "ORDER_NOT_EXIST", "订单不存在")
	}
	s.lapse(o, c.now)
	return ok(o.object())
}

// object is the order as questions and callbacks show it.
func (o *order) object() map[string]any {
	v := map[string]any{"appid": o.AppID, "mchid": o.MchID, "out_trade_no": o.OutTradeNo, "trade_state": o.state,
		"trade_state_desc": o.state, "amount": map[string]any{"total": o.Amount.Total, "currency": "CNY"}}
	if o.id != "" {
		v["transaction_id"], v["bank_type"], v["trade_type"] = o.id, "OTHERS", o.tradeType()
		v["success_time"] = o.paidAt.In(Beijing).Format(time.RFC3339)
		v["payer"] = map[string]any{"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}
		v["amount"] = map[string]any{"total": o.Amount.Total, "payer_total": o.Amount.Total, "currency": "CNY", "payer_currency": "CNY"}
	}
	return v
}

func (o *order) tradeType() string {
	if o.kind == "h5" {
		return "MWEB"
	}
	return strings.ToUpper(o.kind)
}

func (s *Server) close(c call) reply {
	var p struct {
		MchID string `json:"mchid"`
	}
	if !c.decode(&p) || p.MchID != MchID {
		return paramError("mchid")
	}
	o := s.orders[c.PathValue("n")]
	if o == nil {
		return refuse(http.StatusNotFound, "ORDER_NOT_EXIST", "订单不存在")
	}
	s.lapse(o, c.now)
	switch o.state {
	case Success, Refunded:
		return refuse(http.StatusBadRequest, "ORDER_PAID", "该订单已支付")
	case Closed:
		return refuse(http.StatusBadRequest, "ORDER_CLOSED", "该订单已关闭")
	}
	o.state = Closed
	return reply{status: http.StatusNoContent}
}

// Pay lets the customer pay an order, and reports whether the server took the money.
func (s *Server) Pay(number string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, now := s.orders[number], s.now()
	if o == nil {
		return false
	}
	s.lapse(o, now)
	if o.state == Closed || o.id != "" {
		return false
	}
	o.state, o.id, o.paidAt = Success, s.id("42000"), now
	o.fee = (o.Amount.Total*s.conf.FeeBasisPoints + 5000) / 10000
	s.trades = append(s.trades, trade{at: now, order: o})
	s.flow(flow{at: now, business: o.id, name: "交易", kind: "交易", amount: o.Amount.Total, voucher: o.OutTradeNo})
	s.flow(flow{at: now, business: o.id, name: "交易", kind: "扣除交易手续费", amount: -o.fee, voucher: o.OutTradeNo})
	s.notify(o.NotifyURL, "TRANSACTION.SUCCESS", "transaction", o.OutTradeNo)
	return true
}

// SetState puts an unpaid order into a state that the fake never reaches by itself, such as PAYERROR.
func (s *Server) SetState(number, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[number].state = state
}
