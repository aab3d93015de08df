package wechatpay

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

func orderPath(number string) string {
	return "/v3/pay/transactions/out-trade-no/" + url.PathEscape(number)
}

// transaction is an order as a question and a callback show it.
type transaction struct {
	AppID         string `json:"appid"`
	MchID         string `json:"mchid"`
	OutTradeNo    string `json:"out_trade_no"`
	TransactionID string `json:"transaction_id"`
	State         string `json:"trade_state"`
	SuccessTime   string `json:"success_time"` // RFC 3339; empty or absent while unpaid
	Amount        amount `json:"amount"`
}

// Ask reads what became of an order. Absent means that WeChat has none now; a request on its way may still place it.
func (ch *Channel) Ask(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	s, err := ch.session(c.Account, c.Now)
	if err != nil {
		return payment.Outcome{}, err
	}
	out, err := s.ask(ctx, c.Key, r)
	if err == nil && out.Verdict == payment.Pending && s.now.Sub(c.Key.BornAt) < shownAgain {
		return s.shown(ctx, c.Key, r, out), nil
	}
	return out, err
}

// shownAgain is how long after its intent an unpaid order is asked what its customer was to do. The answer that said so
// may have been lost, and a question doesn't say it: without this the customer would have nothing to scan.
const shownAgain = 5 * time.Minute

// shown adds what the customer does next. The same order again is the same order, so nothing changes by it.
func (s session) shown(ctx context.Context, key channels.Key, r channels.ChargeRequest, out payment.Outcome) payment.Outcome {
	if again, err := s.prepay(ctx, key, r); err == nil && again.Verdict == payment.Pending {
		out.Action = again.Action
	}
	return out
}

func (s session) ask(ctx context.Context, key channels.Key, r channels.ChargeRequest) (payment.Outcome, error) {
	res, err := s.call(ctx, http.MethodGet, orderPath(key.Reference)+"?mchid="+s.mchID, nil)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case res.refused() == "ORDERNOTEXIST":
		return payment.Outcome{Verdict: payment.Absent}, nil
	case res.Status >= 400:
		return res.refusal()
	}
	var t transaction
	if err := json.Unmarshal(res.Body, &t); err != nil {
		return payment.Outcome{}, unreadable("something that isn't an order")
	}
	if t.OutTradeNo != key.Reference {
		return payment.Outcome{}, mismatch()
	}
	out, err := s.outcome(t)
	if out.Verdict == payment.Pending {
		out.ExpiresAt = lapses(key, r)
	}
	return out, err
}

// outcome reads an order's state. What isn't paid isn't final until it is closed: a customer may be typing the password.
func (s session) outcome(t transaction) (payment.Outcome, error) {
	if t.MchID != s.mchID || t.AppID != s.appID {
		return payment.Outcome{}, mismatch()
	}
	out := payment.Outcome{ChannelID: t.TransactionID}
	switch t.State {
	case "SUCCESS", "REFUND": // a refund has begun of what was paid
		if t.TransactionID == "" || t.Amount.Total <= 0 || t.Amount.Currency == "" {
			return payment.Outcome{}, unreadable("a success without its amount")
		}
		out.Verdict, out.AmountMinor, out.Currency = payment.Succeeded, t.Amount.Total, t.Amount.Currency
		out.EffectiveAt = at(t.SuccessTime)
	case "NOTPAY", "USERPAYING", "ACCEPT":
		out.Verdict = payment.Pending
	case "PAYERROR": // this try failed, and the customer may try again: close it before going on
		out = decline(declines["PAYERROR"], "PAYERROR")
	case "CLOSED", "REVOKED":
		out.Verdict, out.Dead = payment.Closed, true
	default:
		return payment.Outcome{}, unreadable("a state that we don't know")
	}
	return out, nil
}

// at reads a time of WeChat's; one that can't be read is none.
func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// Cancel closes the order and asks once more, because WeChat refuses to close what was paid: then the answer is
// Succeeded. Where there is no order it takes the number first.
func (ch *Channel) Cancel(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	s, err := ch.session(c.Account, c.Now)
	if err != nil {
		return payment.Outcome{}, err
	}
	there, err := s.close(ctx, c.Key.Reference)
	if err == nil && !there {
		err = s.seal(ctx, c.Key, r)
	}
	if err != nil {
		return payment.Outcome{}, err
	}
	out, err := s.ask(ctx, c.Key, r)
	if out.Verdict == payment.Absent {
		return payment.Outcome{}, fault.Unknown("channel_answer_mismatch", "WeChat Pay shows nothing of the order that was closed", nil)
	}
	return out, err
}

// close reports whether there is such an order. What a refusal means is for the question after it to show.
func (s session) close(ctx context.Context, number string) (there bool, err error) {
	res, err := s.call(ctx, http.MethodPost, orderPath(number)+"/close", map[string]string{"mchid": s.mchID})
	switch {
	case err != nil:
		return false, err
	case res.refused() == "ORDERNOTEXIST":
		return false, nil
	case res.Status < 300, res.refused() == "ORDERPAID", res.refused() == "ORDERCLOSED":
		return true, nil
	}
	_, err = res.refusal()
	return false, err
}

// seal takes the number of an order that isn't there, so that a request on its way finds it used: it places the order,
// shows it to nobody, and closes it.
func (s session) seal(ctx context.Context, key channels.Key, r channels.ChargeRequest) error {
	out, err := s.prepay(ctx, key, r)
	if err != nil || out.Dead {
		return err
	}
	there, err := s.close(ctx, key.Reference)
	if err == nil && !there {
		err = fault.Unknown("channel_answer_mismatch", "WeChat Pay denies the order that it has just taken", nil)
	}
	return err
}
