package wechatpay

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// prepayLife is how long a QR code or a prepay id can be paid.
const prepayLife = 2 * time.Hour

// beijing is WeChat Pay's own time; it has had no summer time since 1991.
var beijing = time.FixedZone("Asia/Shanghai", 8*3600)

type amount struct {
	Total    int64  `json:"total"`
	Currency string `json:"currency"`
}

type payer struct {
	OpenID string `json:"openid"`
}

type h5 struct {
	Type string `json:"type"`
}

type scene struct {
	CustomerIP string `json:"payer_client_ip"`
	H5         h5     `json:"h5_info"`
}

// order is a prepay request. It is a function of the frozen request, so that a repeat has the same content (I-13).
type order struct {
	AppID       string `json:"appid"`
	MchID       string `json:"mchid"`
	Description string `json:"description"`
	OutTradeNo  string `json:"out_trade_no"`
	TimeExpire  string `json:"time_expire,omitempty"`
	NotifyURL   string `json:"notify_url"`
	Amount      amount `json:"amount"`
	Payer       *payer `json:"payer,omitempty"`
	Scene       *scene `json:"scene_info,omitempty"`
}

// Charge places an order: a QR code, a mobile page, or what the merchant's app or mini program hands to WeChat's SDK.
// Whoever asks again under the key gets the same order, as it stands by then.
func (ch *Channel) Charge(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	s, err := ch.session(c.Account, c.Now)
	if err != nil {
		return payment.Outcome{}, err
	}
	return s.prepay(ctx, c.Key, r)
}

func (s session) prepay(ctx context.Context, key channels.Key, r channels.ChargeRequest) (payment.Outcome, error) {
	kind, o, err := s.order(key, r)
	if err != nil {
		return payment.Outcome{}, err
	}
	res, err := s.call(ctx, http.MethodPost, "/v3/pay/transactions/"+kind, o)
	if err != nil {
		return payment.Outcome{}, err
	}
	if res.Status >= 400 {
		return s.noOrder(ctx, key, r, res)
	}
	action, err := s.action(kind, key, r, res)
	if err != nil {
		return payment.Outcome{}, err
	}
	return payment.Outcome{Verdict: payment.Pending, Action: action, ExpiresAt: lapses(key, r)}, nil
}

// noOrder reads a refused order.
func (s session) noOrder(ctx context.Context, key channels.Key, r channels.ChargeRequest, res answer) (payment.Outcome, error) {
	switch res.refused() {
	case "ORDERPAID": // by whoever got the first answer
		out, err := s.ask(ctx, key, r)
		if err == nil && out.Verdict == payment.Succeeded && (out.AmountMinor != r.AmountMinor || out.Currency != r.Currency) {
			return payment.Outcome{}, keyReused()
		}
		return out, err
	case "ORDERCLOSED":
		return closed, nil
	}
	if n, ok := declines[res.code()]; ok {
		// Nothing says that the order wasn't placed: cancel it before the next channel.
		return decline(n, res.code()), nil
	}
	return res.refusal()
}

// declined is a no of WeChat's in our words.
type declined struct {
	code string
	hard bool
}

// declines are somebody's no to an order; domain/routing explains them.
var declines = map[string]declined{
	"TRADE_ERROR":   {"processing_error", false},
	"ACCOUNT_ERROR": {"not_permitted", true},
	"RULE_LIMIT":    {"limit_exceeded", false},
	"PAYERROR":      {"declined", false}, // a trade_state
}

func decline(n declined, channel string) payment.Outcome {
	out := no(n.code, channel, false)
	out.Decline.Hard = n.hard
	return out
}

// lapses is when nobody can pay any more with what they were shown.
func lapses(key channels.Key, r channels.ChargeRequest) time.Time {
	at := key.BornAt.Add(prepayLife)
	if r.ExpiresAt != nil && r.ExpiresAt.Before(at) {
		at = *r.ExpiresAt
	}
	return at
}

// order writes the request, and says which of the four ways to pay it is.
func (s session) order(key channels.Key, r channels.ChargeRequest) (kind string, o order, err error) {
	switch {
	case r.Currency != currency || r.AmountMinor <= 0:
		return "", order{}, fault.Invalid("currency_unsupported", "currency", "WeChat Pay takes yuan, one fen at least")
	case !r.Capture:
		return "", order{}, fault.Invalid("authorize_unsupported", "capture", "WeChat Pay can't hold money back for later: capture has to be automatic")
	case r.CallbackURL == "":
		return "", order{}, fault.Internal("WeChat Pay needs a public address for its callbacks", nil)
	}
	o = order{AppID: s.appID, MchID: s.mchID, Description: describe(r.Description, key), OutTradeNo: key.Reference,
		NotifyURL: r.CallbackURL, Amount: amount{r.AmountMinor, currency}}
	if r.ExpiresAt != nil {
		o.TimeExpire = r.ExpiresAt.In(beijing).Truncate(time.Second).Format(time.RFC3339)
	}
	kind, err = o.by(r.Method)
	return kind, o, err
}

func (o *order) by(m payment.Method) (kind string, err error) {
	switch m.Type {
	case payment.MethodQR:
		return "native", nil
	case payment.MethodInApp:
		return "app", nil
	case payment.MethodMiniProgram:
		if m.Token == "" || len(m.Token) > 128 {
			return "", fault.Invalid("token_unsupported", "method.token", "WeChat Pay wants the payer's openid")
		}
		o.Payer = &payer{OpenID: m.Token}
		return "jsapi", nil
	case payment.MethodRedirect:
		if m.Device != payment.Mobile {
			return "", fault.Invalid("device_unsupported", "method.device", "WeChat Pay's page is for mobile browsers: show a qr on others")
		}
		if _, err := netip.ParseAddr(m.CustomerIP); err != nil {
			return "", fault.Invalid("customer_ip_required", "method.customer_ip", "WeChat Pay compares the customer's address with who opens its page")
		}
		o.Scene = &scene{CustomerIP: m.CustomerIP, H5: h5{Type: "Wap"}}
		return "h5", nil
	}
	return "", fault.Invalid("method_unsupported", "method.type", "WeChat Pay does not offer this method")
}

// describe is what the customer reads: required, at most 127 characters, and free of what could be taken for the
// structure of a bill.
func describe(text string, key channels.Key) string {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '`' || unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, text))
	if runes := []rune(text); len(runes) > 127 {
		text = string(runes[:127])
	}
	if text == "" {
		return key.Reference
	}
	return text
}

// action is what the customer does next.
func (s session) action(kind string, key channels.Key, r channels.ChargeRequest, res answer) (*payment.Action, error) {
	var a struct {
		CodeURL  string `json:"code_url"`
		H5URL    string `json:"h5_url"`
		PrepayID string `json:"prepay_id"`
	}
	if json.Unmarshal(res.Body, &a) != nil {
		return nil, unreadable("something that isn't JSON")
	}
	switch {
	case kind == "native" && a.CodeURL != "":
		return &payment.Action{Type: payment.ActionQR, URL: a.CodeURL}, nil
	case kind == "h5" && strings.HasPrefix(a.H5URL, "https://"):
		if r.ReturnURL != "" {
			a.H5URL += joint(a.H5URL) + "redirect_url=" + url.QueryEscape(r.ReturnURL)
		}
		return &payment.Action{Type: payment.ActionRedirect, URL: a.H5URL}, nil
	case (kind == "jsapi" || kind == "app") && a.PrepayID != "":
		p, err := s.sdk(kind, key, a.PrepayID)
		return &payment.Action{Type: payment.ActionSDK, Parameters: p}, err
	}
	return nil, unreadable("an order that can't be paid")
}

// joint is what goes before one more parameter.
func joint(address string) string {
	if strings.Contains(address, "?") {
		return "&"
	}
	return "?"
}

// sdk signs what WeChat's SDK is started with. Time and nonce are the key's, so that a repeat hands out the same.
func (s session) sdk(kind string, key channels.Key, prepay string) (map[string]string, error) {
	stamp, nonce := strconv.FormatInt(key.BornAt.Unix(), 10), key.Reference
	signed := "prepay_id=" + prepay
	if kind == "app" {
		signed = prepay
	}
	signature, err := sign(s.key, message(s.appID, stamp, nonce, signed))
	if err != nil {
		return nil, fault.Internal("the order can't be signed", nil)
	}
	if kind == "app" {
		return map[string]string{"appid": s.appID, "partnerid": s.mchID, "prepayid": prepay, "package": "Sign=WXPay",
			"noncestr": nonce, "timestamp": stamp, "sign": signature}, nil
	}
	return map[string]string{"appId": s.appID, "timeStamp": stamp, "nonceStr": nonce, "package": signed,
		"signType": "RSA", "paySign": signature}, nil
}
