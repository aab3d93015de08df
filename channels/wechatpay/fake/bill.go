package fake

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// trade is a row of the trade bill.
type trade struct {
	at     time.Time
	order  *order
	refund *refund // nil: a payment
}

// flow is a row of the fund-flow bill.
type flow struct {
	at             time.Time
	business, name string
	kind, voucher  string
	id             string
	amount         int64 // above zero: income
	balance        int64 // after it
}

func (s *Server) flow(f flow) {
	if f.amount == 0 {
		return
	}
	s.balance += f.amount
	f.id, f.balance = s.id("19000"), s.balance
	s.flows = append(s.flows, f)
}

// bill is one that can be downloaded for five minutes.
type bill struct {
	content []byte
	until   time.Time
}

func (s *Server) tradeBill(c call) reply {
	return s.offer(c, "bill_type", "ALL", s.TradeBillOf)
}

func (s *Server) fundFlowBill(c call) reply {
	return s.offer(c, "account_type", "BASIC", s.FundFlowBillOf)
}

func (s *Server) offer(c call, name, only string, of func(day time.Time) []byte) reply {
	q := c.URL.Query()
	day, err := time.ParseInLocation(time.DateOnly, q.Get("bill_date"), Beijing)
	if err != nil || q.Get(name) != only || q.Has("tar_type") {
		return paramError(name)
	}
	switch ready := day.AddDate(0, 0, 1).Add(9 * time.Hour); {
	case c.now.Before(ready):
		return refuse(http.StatusBadRequest, "STATEMENT_CREATING", "账单生成中")
	case c.now.Sub(day) > 92*24*time.Hour:
		return paramError("bill_date")
	}
	content := of(day)
	if content == nil {
		return refuse(http.StatusBadRequest, "NO_STATEMENT_EXIST", "账单文件不存在")
	}
	token := rand.Text()
	s.bills[token] = bill{content, c.now.Add(5 * time.Minute)}
	sum := sha1.Sum(content)
	return ok(map[string]string{"hash_type": "SHA1", "hash_value": hex.EncodeToString(sum[:]),
		"download_url": "https://api.mch.weixin.qq.com/v3/billdownload/file?token=" + token})
}

func (s *Server) download(c call) reply {
	b, found := s.bills[c.URL.Query().Get("token")]
	if !found || c.now.After(b.until) {
		return refuse(http.StatusBadRequest, "INVALID_REQUEST", "下载地址已失效")
	}
	return reply{status: http.StatusOK, raw: b.content, unsigned: true}
}

// The columns of the bills.
const (
	TradeColumns = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额," +
		"微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
	TradeSummary    = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
	FundFlowColumns = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号"
	FundFlowSummary = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
)

func yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}

// cells writes a row as bills do: a backtick before each cell.
func cells(list ...string) string { return "`" + strings.Join(list, ",`") + "\r\n" }

func on(at, day time.Time) bool {
	return at.In(Beijing).Format(time.DateOnly) == day.Format(time.DateOnly)
}

// TradeBillOf writes the trade bill of a day; nil if nothing happened on it. The lock is held, or nothing else runs.
func (s *Server) TradeBillOf(day time.Time) []byte {
	var rows strings.Builder
	var n, orders, fees, refunds int64
	for _, t := range s.trades {
		if !on(t.at, day) {
			continue
		}
		n++
		o := t.order
		row := []string{t.at.In(Beijing).Format(time.DateTime), AppID, MchID, "0", "", o.id, o.OutTradeNo,
			"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", o.tradeType()}
		if r := t.refund; r == nil {
			orders, fees = orders+o.Amount.Total, fees+o.fee
			total := yuan(o.Amount.Total)
			row = append(row, "SUCCESS", "OTHERS", "CNY", total, "0.00", "0", "0", "0.00", "0.00", "", "", o.Description, "",
				yuan(o.fee)+"000", "0.60%", total, "0.00", "")
		} else {
			refunds, fees = refunds+r.amount, fees-r.fee
			state := map[string]string{Success: "SUCCESS", "PROCESSING": "PROCESSING", Closed: "FAIL", "ABNORMAL": "CHANGE"}[r.status]
			row = append(row, "REFUND", "OTHERS", "CNY", "0.00", "0.00", r.id, r.no, yuan(r.amount), "0.00", "ORIGINAL", state,
				o.Description, "", yuan(-r.fee)+"000", "0.60%", "0.00", yuan(r.amount), "")
		}
		rows.WriteString(cells(row...))
	}
	if n == 0 {
		return nil
	}
	return []byte("\ufeff" + TradeColumns + "\r\n" + rows.String() + TradeSummary + "\r\n" +
		cells(fmt.Sprintf("%d.0", n), yuan(orders), yuan(refunds), "0.00", yuan(fees)+"000", yuan(orders), yuan(refunds)))
}

// FundFlowBillOf writes the fund-flow bill of a day; nil if nothing happened on it.
func (s *Server) FundFlowBillOf(day time.Time) []byte {
	var rows strings.Builder
	var in, out, incomes, expenses int64
	for _, f := range s.flows {
		if !on(f.at, day) {
			continue
		}
		direction, amount := "收入", f.amount
		if f.amount < 0 {
			direction, amount = "支出", -f.amount
			out, expenses = out+1, expenses+amount
		} else {
			in, incomes = in+1, incomes+amount
		}
		rows.WriteString(cells(f.at.In(Beijing).Format(time.DateTime), f.business, f.id, f.name, f.kind, direction, yuan(amount),
			yuan(f.balance), "system", "", f.voucher))
	}
	if in+out == 0 {
		return nil
	}
	return []byte("\ufeff" + FundFlowColumns + "\r\n" + rows.String() + FundFlowSummary + "\r\n" +
		cells(fmt.Sprintf("%d.0", in+out), fmt.Sprintf("%d.0", in), yuan(incomes), fmt.Sprintf("%d.0", out), yuan(expenses)))
}
