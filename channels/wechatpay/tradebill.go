package wechatpay

import (
	"slices"
	"time"

	"paysaga/domain/reconcile"
)

// tradeBill is what customers paid and got back on a day, from its ALL, SUCCESS or REFUND form. A few merchants still get
// the form of before 2018, which names some columns otherwise and lacks the last ones.
type tradeBill struct {
	at, transaction, reference, state, currency       int
	settled, fee, ordered                             int
	refundID, refundReference, refund, coupon, change int
	applied                                           int

	rows                                                             int64
	sumSettled, sumRefund, sumCoupon, sumFee, sumOrdered, sumApplied int64
}

// column finds one of the names; -1 is none.
func column(list []string, anyOf ...string) int {
	return slices.IndexFunc(list, func(name string) bool { return slices.Contains(anyOf, name) })
}

func (t *tradeBill) head(list []string) string {
	t.at, t.transaction, t.reference = column(list, "交易时间"), column(list, "微信订单号"), column(list, "商户订单号")
	t.state, t.currency, t.fee = column(list, "交易状态"), column(list, "货币种类"), column(list, "手续费")
	t.settled, t.ordered = column(list, "应结订单金额", "总金额"), column(list, "订单金额")
	for _, i := range []int{t.at, t.transaction, t.reference, t.state, t.currency, t.fee, t.settled} {
		if i < 0 {
			return "a column is missing that every trade bill has"
		}
	}
	t.refundID, t.refundReference, t.change = column(list, "微信退款单号"), column(list, "商户退款单号"), column(list, "退款状态")
	t.refund, t.applied = column(list, "退款金额"), column(list, "申请退款金额")
	t.coupon = column(list, "充值券退款金额", "企业红包退款金额")
	if t.ordered < 0 {
		t.ordered = t.settled
	}
	if t.applied < 0 {
		t.applied = t.refund
	}
	return ""
}

// amounts are one row's, in fen.
type amounts struct{ settled, ordered, refund, applied, coupon, fee int64 }

func (t *tradeBill) amounts(c cells) (a amounts, ok bool) {
	for _, each := range []struct {
		column int
		to     *int64
		sum    *int64
	}{{t.settled, &a.settled, &t.sumSettled}, {t.ordered, &a.ordered, &t.sumOrdered}, {t.refund, &a.refund, &t.sumRefund},
		{t.applied, &a.applied, &t.sumApplied}, {t.coupon, &a.coupon, &t.sumCoupon}, {t.fee, &a.fee, &t.sumFee}} {
		if each.column < 0 {
			continue
		}
		if *each.to, ok = fen(c[each.column]); !ok || !plus(each.sum, *each.to) {
			return a, false
		}
	}
	return a, true
}

func (t *tradeBill) row(c cells, l *reconcile.Line, zone *time.Location) string {
	t.rows++
	a, ok := t.amounts(c)
	if !ok {
		return "an amount isn't one"
	}
	if l.OccurredAt, ok = moment(c[t.at], zone); !ok {
		return "the time isn't one"
	}
	if string(c[t.currency]) != currency {
		return "the currency isn't the yuan"
	}
	if !plain(c[t.transaction]) || len(c[t.transaction]) == 0 || !plain(c[t.reference]) {
		return "a number can't be read"
	}
	l.Currency, l.SettledOn = currency, reconcile.On(l.OccurredAt)
	switch string(c[t.state]) {
	case "SUCCESS":
		return t.paid(c, l, a)
	case "REFUND":
		return t.given(c, l, a, "REFUND")
	case "REVOKED":
		return t.given(c, l, a, "REVOKED")
	}
	return "the state is one that we don't know"
}

// paid reads a payment. Gross is what the customer's order was, which is what a question about it says; coupons of the
// merchant's own that paid a part of it never reach the merchant, so they stand with the fee.
func (t *tradeBill) paid(c cells, l *reconcile.Line, a amounts) string {
	if a.ordered <= 0 || a.settled < 0 || a.settled > a.ordered || a.refund != 0 || a.applied != 0 {
		return "the amounts don't fit a payment"
	}
	l.Kind, l.Detail = reconcile.Charge, "SUCCESS"
	l.Reference, l.ChannelID = string(c[t.reference]), string(c[t.transaction])
	l.Identity = "SUCCESS/" + l.ChannelID
	l.Gross, l.Fee = a.ordered, a.fee+a.ordered-a.settled
	l.Net = l.Gross - l.Fee
	return ""
}

// refundStates are a refund's when the bill was written; it isn't written again.
var refundStates = map[string]string{"SUCCESS": "REFUND SUCCESS", "PROCESSING": "REFUND PROCESSING", "CHANGE": "REFUND CHANGE"}

// given reads a refund: below zero, and its fee as well, which came back with it.
func (t *tradeBill) given(c cells, l *reconcile.Line, a amounts, state string) string {
	if t.refundID < 0 || t.refundReference < 0 || t.refund < 0 || t.change < 0 {
		return "a refund in a bill that has no columns for refunds"
	}
	if a.applied <= 0 || a.refund < 0 || a.refund > a.applied || a.fee > 0 || !plain(c[t.refundID]) || len(c[t.refundID]) == 0 ||
		!plain(c[t.refundReference]) {
		return "the amounts or numbers don't fit a refund"
	}
	l.OriginalID, l.ChannelID, l.Reference = string(c[t.transaction]), string(c[t.refundID]), string(c[t.refundReference])
	l.Identity = state + "/" + l.ChannelID
	if string(c[t.change]) == "FAIL" { // nothing moved, or it has come back
		l.Kind, l.Detail = reconcile.Other, "REFUND FAIL"
		return ""
	}
	l.Kind, l.Detail = reconcile.Refund, state
	if state == "REFUND" {
		if l.Detail = refundStates[string(c[t.change])]; l.Detail == "" {
			return "the refund's state is one that we don't know"
		}
	}
	l.Gross, l.Fee = -a.applied, a.fee-(a.applied-a.refund)
	l.Net = l.Gross - l.Fee
	return ""
}

func (t *tradeBill) foot(s summary) string {
	if n, ok := whole(s["总交易单数"]); !ok || n != t.rows {
		return "the bill states another number of rows than it has"
	}
	for _, each := range []struct {
		sum   int64
		there bool
		names []string
	}{{t.sumSettled, true, []string{"应结订单总金额", "总交易额"}}, {t.sumFee, true, []string{"手续费总金额"}},
		{t.sumRefund, t.refund >= 0, []string{"退款总金额", "总退款金额"}},
		{t.sumCoupon, t.coupon >= 0, []string{"充值券退款总金额", "总企业红包退款金额"}},
		{t.sumOrdered, false, []string{"订单总金额"}}, {t.sumApplied, false, []string{"申请退款总金额"}}} {
		i := slices.IndexFunc(each.names, func(name string) bool { return s[name] != nil })
		if i < 0 && !each.there {
			continue
		}
		if i < 0 {
			return "a sum is missing"
		}
		if n, ok := fen(s[each.names[i]]); !ok || n != each.sum {
			return "the bill states another sum than its rows have"
		}
	}
	return ""
}
