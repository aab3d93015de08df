package alipay

import (
	"context"

	"paysaga/channels"
	"paysaga/domain/payment"
)

// number names a trade by ours.
type number struct {
	OutTradeNo string `json:"out_trade_no"`
}

// missing is what a query says of a number that Alipay has no trade of.
const missing = "ACQ.TRADE_NOT_EXIST"

// Ask reads what became of a charge.
//
// Before the customer scans the code, opens the page or types the password Alipay has no trade, and says so: while the
// code or the page lives that is Pending, afterwards it is Closed. Only a barcode that Alipay has no trade of is Absent.
func (c *Channel) Ask(ctx context.Context, call channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	s, err := c.session(call)
	if err != nil {
		return payment.Outcome{}, err
	}
	return s.look(ctx, r)
}

func (s *session) look(ctx context.Context, r channels.ChargeRequest) (payment.Outcome, error) {
	t, found, err := s.query(ctx)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case !found:
		return s.unseen(r), nil
	}
	out, err := t.outcome()
	if out.Verdict == payment.Pending {
		out.ExpiresAt = s.expiry(r)
	}
	return out, err
}

// query reads the trade under our number, if there is one.
func (s *session) query(ctx context.Context) (t trade, found bool, err error) {
	v, err := s.call(ctx, request{method: "alipay.trade.query", content: number{s.Key.Reference}}, &t)
	switch {
	case err != nil:
		return trade{}, false, err
	case v.is(missing):
		return trade{}, false, nil
	case !v.done():
		return trade{}, false, v.unexplained()
	case t.OutTradeNo != s.Key.Reference:
		return trade{}, false, foreign()
	}
	return t, true, nil
}

// unseen is the outcome of a charge that Alipay has no trade of.
func (s *session) unseen(r channels.ChargeRequest) payment.Outcome {
	end := s.expiry(r)
	switch {
	case r.Method.Type == payment.MethodBarcode:
		return payment.Outcome{Verdict: payment.Absent}
	case s.Now.Before(end.Add(grace)):
		return payment.Outcome{Verdict: payment.Pending, ExpiresAt: end}
	}
	return payment.Outcome{Verdict: payment.Closed, Dead: true}
}

// Cancel ends a charge that isn't paid. A waiting trade is closed; one of a barcode is revoked, which gives the money back
// if the customer confirms at the same moment. What the customer hasn't scanned or opened can't be closed, because there
// is no trade: it stays Pending until its time is over, and then it is Closed.
func (c *Channel) Cancel(ctx context.Context, call channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	s, err := c.session(call)
	if err != nil {
		return payment.Outcome{}, err
	}
	t, found, err := s.query(ctx)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case r.Method.Type == payment.MethodBarcode && (!found || t.Status == waiting):
		return s.revoke(ctx, r)
	case !found:
		return s.unseen(r), nil
	case t.Status == waiting:
		return s.close(ctx, r)
	}
	return t.outcome()
}

// close is alipay.trade.close: it refuses a trade that was paid.
func (s *session) close(ctx context.Context, r channels.ChargeRequest) (payment.Outcome, error) {
	var a trade
	v, err := s.call(ctx, request{method: "alipay.trade.close", content: number{s.Key.Reference}}, &a)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case v.done() && a.OutTradeNo != s.Key.Reference:
		return payment.Outcome{}, foreign()
	case v.done():
		return payment.Outcome{Verdict: payment.Closed, Dead: true, ChannelID: a.TradeNo}, nil
	case v.is("ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.REASON_ILLEGAL_STATUS", missing):
		return s.again(ctx, r, v)
	}
	return payment.Outcome{}, v.unexplained()
}

// revoke is alipay.trade.cancel: it closes what is unpaid and refunds what is paid. Of a number without a trade it says
// nothing, and doesn't promise that none comes: that is proved by time, since no barcode lives that long.
func (s *session) revoke(ctx context.Context, r channels.ChargeRequest) (payment.Outcome, error) {
	var a struct {
		trade
		Retry  string `json:"retry_flag"`
		Action string `json:"action"`
	}
	v, err := s.call(ctx, request{method: "alipay.trade.cancel", content: number{s.Key.Reference}}, &a)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case v.is("ACQ.TRADE_HAS_FINISHED", "ACQ.TRADE_CANCEL_TIME_OUT", "ACQ.CANCEL_NOT_ALLOWED", "ACQ.REASON_TRADE_STATUS_INVALID",
		"ACQ.REASON_ILLEGAL_STATUS", "ACQ.SELLER_BALANCE_NOT_ENOUGH", "ACQ.REASON_TRADE_BEEN_FREEZEN", "ACQ.REASON_TRADE_REFUND_FEE_ERR"):
		return s.again(ctx, r, v)
	case !v.done():
		return payment.Outcome{}, v.unexplained()
	case a.OutTradeNo != s.Key.Reference:
		return payment.Outcome{}, foreign()
	case a.Retry == "Y":
		return payment.Outcome{Verdict: payment.Unknown, Reason: "alipay asks to cancel once more"}, nil
	case a.Action == "close", a.Action == "refund":
		return payment.Outcome{Verdict: payment.Closed, Dead: true, ChannelID: a.TradeNo}, nil
	case a.Action != "":
		return payment.Outcome{}, unreadable()
	case s.Now.Sub(s.Key.BornAt) >= codeLife:
		return payment.Outcome{Verdict: payment.Closed, Dead: true}, nil
	}
	return payment.Outcome{Verdict: payment.Absent}, nil
}

// again asks what stands after Alipay refused to end a charge: mostly the customer was faster.
func (s *session) again(ctx context.Context, r channels.ChargeRequest, v verdict) (payment.Outcome, error) {
	out, err := s.look(ctx, r)
	if err == nil && !out.Verdict.Known() {
		return payment.Outcome{Verdict: payment.Unknown, Reason: "alipay doesn't end the trade: " + v.word()}, nil
	}
	return out, err
}
