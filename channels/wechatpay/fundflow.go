package wechatpay

import (
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"paysaga/domain/id"
	"paysaga/domain/reconcile"
)

// fundFlowBill is what moved the balance of the merchant's basic account on a day.
type fundFlowBill struct {
	at, business, flow, name, kind, direction, amount, balance, voucher int

	in, out, sumIn, sumOut int64
}

func (b *fundFlowBill) head(list []string) string {
	b.at, b.business, b.flow = column(list, "记账时间"), column(list, "微信支付业务单号"), column(list, "资金流水单号")
	b.name, b.kind, b.direction = column(list, "业务名称"), column(list, "业务类型"), column(list, "收支类型")
	// The brackets are of either width.
	b.amount, b.balance = column(list, "收支金额(元)", "收支金额（元）"), column(list, "账户结余(元)", "账户结余（元）")
	b.voucher = column(list, "业务凭证号")
	for _, i := range []int{b.at, b.business, b.flow, b.name, b.kind, b.direction, b.amount, b.balance, b.voucher} {
		if i < 0 {
			return "a column is missing that every fund-flow bill has"
		}
	}
	return ""
}

const (
	income  = "收入"
	expense = "支出"
)

// movement is a kind of movement and its direction.
type movement struct{ kind, direction string }

// movements are WeChat's kinds in ours. It adds new ones as its business grows: those are Other, with WeChat's own word.
var movements = map[movement]reconcile.Kind{
	{"交易", income}:       reconcile.Charge,
	{"退款", expense}:      reconcile.Refund,
	{"退款关闭", income}:     reconcile.RefundReturned,
	{"扣除交易手续费", expense}: reconcile.Fee,
	{"退还交易手续费", income}:  reconcile.Fee,
	{"提现", expense}:      reconcile.Settlement,
	{"充值", income}:       reconcile.TopUp,
	{"企业付款", expense}:    reconcile.Payout,
	{"商家转账", expense}:    reconcile.Payout,
	{"商家转账退回", income}:   reconcile.PayoutReturned,
}

func (b *fundFlowBill) row(c cells, l *reconcile.Line, zone *time.Location) string {
	amount, ok := fen(c[b.amount])
	balance, known := fen(c[b.balance])
	if !ok || !known || amount < 0 {
		return "an amount isn't one"
	}
	if l.OccurredAt, ok = moment(c[b.at], zone); !ok {
		return "the time isn't one"
	}
	if !plain(c[b.business]) || !plain(c[b.flow]) || len(c[b.flow]) == 0 || !word(c[b.name]) || !word(c[b.kind]) {
		return "a number or a name can't be read"
	}
	direction := string(c[b.direction])
	switch direction {
	case income:
		b.in++
		ok = plus(&b.sumIn, amount)
	case expense:
		b.out++
		ok = plus(&b.sumOut, amount)
		amount = -amount
	default:
		return "the direction is neither in nor out"
	}
	if !ok {
		return "the sums are beyond what can be counted"
	}
	b.fill(c, l, amount, balance)
	return ""
}

func (b *fundFlowBill) fill(c cells, l *reconcile.Line, amount, balance int64) {
	kind, ok := movements[movement{string(c[b.kind]), string(c[b.direction])}]
	if !ok {
		kind = reconcile.Other
	}
	l.Kind, l.Detail, l.Currency = kind, string(c[b.name])+"/"+string(c[b.kind]), currency
	l.SettledOn = reconcile.On(l.OccurredAt)
	l.ChannelID = string(c[b.business])
	if ref := string(c[b.voucher]); ours(ref) {
		l.Reference = ref
	}
	l.Net = amount
	if kind == reconcile.Fee {
		l.Fee = -amount
	} else {
		l.Gross = amount
	}
	// A payment and its fee may share a number; with what was left afterwards no two rows are the same.
	l.Identity = string(c[b.flow]) + "/" + strconv.FormatInt(amount, 10) + "/" + strconv.FormatInt(balance, 10)
}

// ours says whether a voucher's number is one of our references: the field is the merchant's, and others write there too.
func ours(text string) bool {
	_, _, err := id.ParseReference(text)
	return err == nil
}

// word is a name of WeChat's: letters, not too long.
func word(text []byte) bool {
	if len(text) > 96 || !utf8.Valid(text) {
		return false
	}
	for _, r := range string(text) {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

func (b *fundFlowBill) foot(s summary) string {
	for name, n := range map[string]int64{"资金流水总笔数": b.in + b.out, "收入笔数": b.in, "支出笔数": b.out} {
		if stated, ok := whole(s[name]); !ok || stated != n {
			return "the bill states another number of rows than it has"
		}
	}
	for name, n := range map[string]int64{"收入金额": b.sumIn, "支出金额": b.sumOut} {
		if stated, ok := fen(s[name]); !ok || stated != n {
			return "the bill states another sum than its rows have"
		}
	}
	return ""
}
