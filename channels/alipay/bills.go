package alipay

import (
	"bytes"
	"strings"

	"paysaga/domain/id"
	"paysaga/domain/reconcile"
)

// The columns of the trade bill that are read, by where they stand in its layout.
const (
	tradeNo = iota
	tradeOurs
	tradeKind
	tradeDone
	tradeTotal
	tradeReceived
	tradeRequest
	tradeFee
)

// The columns of the account bill.
const (
	logNo = iota
	logBusiness
	logOurs
	logAt
	logIn
	logOut
	logBalance
	logKind
)

var layouts = map[string]*layout{
	BillTrade: {
		mark:    encoded("业务明细列表结束"),
		columns: []string{"支付宝交易号", "商户订单号", "业务类型", "完成时间", "订单金额（元）", "商家实收（元）", "退款批次号/请求号", "服务费（元）"},
		read:    readTrade,
		in:      footer{"#交易合计：", "商家实收共"}, out: footer{"#退款合计：", "商家实收退款共"},
	},
	BillAccount: {
		mark:    encoded("账务明细列表结束"),
		columns: []string{"账务流水号", "业务流水号", "商户订单号", "发生时间", "收入金额（+元）", "支出金额（-元）", "账户余额（元）", "业务类型"},
		read:    readMovement,
		in:      footer{"#收入合计：", "共"}, out: footer{"#支出合计：", "共"},
	},
}

var (
	wordPaid   = encoded("交易")
	wordRefund = encoded("退款")
)

// readTrade reads a line of the trade bill. Gross is what the merchant received (商家实收): where it ran a discount of its
// own that is less than the order, and differs from what was asked for. The service fee is below zero when it was taken.
// The fee of a line isn't part of the file's own sums, the received amount is.
func readTrade(b *bill, l *reconcile.Line) (*sums, int64, string) {
	received, ok := fen(b.cell(tradeReceived))
	fee, feeOK := fen(b.cell(tradeFee))
	if _, totalOK := fen(b.cell(tradeTotal)); !ok || !feeOK || !totalOK || len(b.cell(tradeReceived)) == 0 {
		return nil, 0, "an amount can't be read"
	}
	at, ok := instant(b.cell(tradeDone))
	if !ok {
		return nil, 0, "the time can't be read"
	}
	l.ChannelID, l.OccurredAt, l.SettledOn = string(b.cell(tradeNo)), at, reconcile.On(at)
	l.Gross, l.Fee, l.Net = received, -fee, received+fee
	if l.ChannelID == "" {
		return nil, 0, "the line has no number of Alipay's"
	}
	kind, request := b.cell(tradeKind), string(b.cell(tradeRequest))
	l.Detail = b.word(tradeKind)
	switch {
	case bytes.Equal(kind, wordPaid):
		l.Kind, l.Reference, l.Identity = reconcile.Charge, string(b.cell(tradeOurs)), "paid/"+l.ChannelID
		if received < 0 {
			return nil, 0, "a payment is below zero"
		}
		return &b.in, received, ""
	case bytes.Equal(kind, wordRefund):
		l.Kind, l.Reference, l.OriginalID = reconcile.Refund, request, l.ChannelID
		l.Identity = "refund/" + l.ChannelID + "/" + request
		if request == "" { // made by hand, at Alipay
			l.Identity += string(b.cell(tradeDone))
		}
		if received > 0 {
			return nil, 0, "a refund is above zero"
		}
		return &b.out, -received, ""
	}
	// A word that we don't know moved money all the same. On which side the file counts it shows its sign.
	l.Kind, l.Reference, l.Identity = reconcile.Other, string(b.cell(tradeOurs)), l.Detail+"/"+l.ChannelID+"/"+request+string(b.cell(tradeDone))
	if received < 0 {
		return &b.out, -received, ""
	}
	return &b.in, received, ""
}

// movements are Alipay's words for what moved the balance.
var movements = map[string]struct{ in, out reconcile.Kind }{
	"在线支付": {reconcile.Charge, reconcile.Other},
	"交易付款": {reconcile.Charge, reconcile.Other},
	"交易":   {reconcile.Charge, reconcile.Other},
	"交易退款": {reconcile.RefundReturned, reconcile.Refund},
	"退款":   {reconcile.RefundReturned, reconcile.Refund},
	"收费":   {reconcile.Fee, reconcile.Fee},
	"服务费":  {reconcile.Fee, reconcile.Fee},
	"退费":   {reconcile.Fee, reconcile.Fee},
	"转账":   {reconcile.Transfer, reconcile.Payout},
	"转账退回": {reconcile.PayoutReturned, reconcile.Other},
	"提现":   {reconcile.Settlement, reconcile.Settlement},
	"充值":   {reconcile.TopUp, reconcile.Other},
}

// readMovement reads a line of the account bill. A fee stands alone there: nothing is gross of it. Of a refund the file
// says which trade it was of (商户订单号 is the payment's number), and not which of its refunds.
func readMovement(b *bill, l *reconcile.Line) (*sums, int64, string) {
	in, ok := fen(b.cell(logIn))
	out, outOK := fen(b.cell(logOut))
	if out = max(out, -out); !ok || !outOK || in < 0 || in > 0 == (out > 0) {
		return nil, 0, "the amount can't be read: either something came in or something went out"
	}
	if _, ok := fen(b.cell(logBalance)); !ok {
		return nil, 0, "the balance can't be read"
	}
	at, ok := instant(b.cell(logAt))
	if !ok {
		return nil, 0, "the time can't be read"
	}
	number := string(b.cell(logNo))
	if number == "" {
		return nil, 0, "the line has no number of Alipay's"
	}
	l.ChannelID, l.Identity, l.OccurredAt, l.SettledOn = string(b.cell(logBusiness)), number, at, reconcile.On(at)
	if l.ChannelID == "" {
		l.ChannelID = number
	}
	l.Detail, l.Kind = b.word(logKind), reconcile.Other
	l.Gross, l.Net = in-out, in-out
	if kind, known := movements[strings.TrimSpace(l.Detail)]; known {
		if l.Kind = kind.out; in > 0 {
			l.Kind = kind.in
		}
	}
	ours := string(b.cell(logOurs))
	switch l.Kind {
	case reconcile.Refund, reconcile.RefundReturned:
		l.OriginalID = l.ChannelID
	case reconcile.Fee:
		l.OriginalID, l.Gross, l.Fee = l.ChannelID, 0, -l.Net
	case reconcile.Transfer:
		if l.Reference = ours; isPayout(ours) { // what we had sent came back
			l.Kind = reconcile.PayoutReturned
		}
	default:
		l.Reference = ours
	}
	if in > 0 {
		return &b.in, in, ""
	}
	return &b.out, out, ""
}

// isPayout says whether a number is one of our payouts'.
func isPayout(ours string) bool {
	business, step, err := id.ParseReference(ours)
	return err == nil && strings.HasPrefix(business, string(id.Payout)) && step.Code == id.PayoutOut
}
