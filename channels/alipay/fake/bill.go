package fake

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// billLife is how long a bill's address can be used.
const billLife = 30 * time.Second

type download struct {
	zip []byte
	at  time.Time
}

// billURL answers with the address of a day's bill. The present day has none yet, and the one before not until ten.
func (s *Server) billURL(r request) answer {
	day, err := time.ParseInLocation(time.DateOnly, r.text("bill_date"), Zone)
	kind := r.text("bill_type")
	switch {
	case err != nil || kind != "trade" && kind != "signcustomer":
		return invalid("isv.invalid-arguments")
	case s.now().Before(day.AddDate(0, 0, 1).Add(10*time.Hour)) || s.now().After(day.AddDate(0, 30, 0)):
		return business("isp.bill_not_exist")
	}
	token := s.next("b")
	s.bills[token] = download{s.zip(kind, day), s.now()}
	return done(answer{"bill_download_url": "http://" + r.host + "/bill/" + token})
}

func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.bills[r.PathValue("token")]
	if !ok || s.now().After(b.at.Add(billLife)) {
		http.Error(w, "expired", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	_, _ = w.Write(b.zip)
}

// Bill is the zip of a day, of kind trade or signcustomer, as it would be sent.
func (s *Server) Bill(kind string, day time.Time) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.zip(kind, day)
}

func (s *Server) zip(kind string, day time.Time) []byte {
	name, text := "业务明细", s.tradeBill(day)
	if kind == "signcustomer" {
		name, text = "账务明细", s.accountBill(day)
	}
	prefix := SellerID + "_" + day.Format("20060102") + "_" + name
	return Zip(map[string]string{prefix + ".csv": text, prefix + "(汇总).csv": "#支付宝" + name + "查询\r\n#" + name + "汇总\r\n"})
}

// Zip packs files as Alipay does: names and contents in GBK, with their sizes behind them.
func Zip(files map[string]string) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, last := range []bool{true, false} { // the summary first: which comes first isn't promised
		for name, text := range files {
			if strings.Contains(name, "汇总") != last {
				continue
			}
			w, err := z.CreateHeader(&zip.FileHeader{Name: GBK(name), NonUTF8: true, Method: zip.Deflate})
			if err == nil {
				_, err = w.Write([]byte(GBK(text)))
			}
			if err != nil {
				panic(err)
			}
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// GBK is a text in the encoding of bills.
func GBK(text string) string {
	out, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		panic(err)
	}
	return out
}

func rule(text string) string { return "#" + strings.Repeat("-", 41) + text + strings.Repeat("-", 40) }

func head(title, list string, day time.Time) []string {
	from := day.Format("2006年01月02日 15:04:05")
	return []string{"#支付宝" + title + "查询", "#账号：[" + SellerID + "0156]",
		"#起始日期：[" + from + "]   终止日期：[" + day.AddDate(0, 0, 1).Format("2006年01月02日 15:04:05") + "]", rule(list)}
}

// TradeColumns are the trade bill's, AccountColumns the account bill's.
const (
	TradeColumns = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）," +
		"支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
	AccountColumns = "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,交易渠道,业务类型,备注"
)

func (s *Server) tradeBill(day time.Time) string {
	list := append(head("业务明细", "业务明细列表", day), TradeColumns)
	var paid, back sum
	for _, m := range s.day(day.Format(time.DateOnly)) {
		word, request, cost := "交易", "", ""
		switch m.kind {
		case charged:
			paid.add(m.amount)
			cost = money(-m.trade.fee)
		case givenBack:
			back.add(m.amount)
			word, request, cost = "退款", m.refund.no, "0.00"
		default:
			continue
		}
		list = append(list, fmt.Sprintf("%s\t,%s\t,%s\t,%s,%s,%s,\t,\t,\t,\t,*三(185****0000)\t,%s,%s,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,%s\t,%s,0.00,",
			m.trade.no, m.trade.outNo, word, m.trade.subject, m.trade.createdAt.Format(time.DateTime), m.at.Format(time.DateTime), money(m.amount), money(m.amount),
			request, cost))
	}
	list = append(list, rule("业务明细列表结束"), fmt.Sprintf("#交易合计：%d笔，商家实收共%s元，商家优惠共0.00元", paid.lines, money(paid.fen)),
		fmt.Sprintf("#退款合计：%d笔，商家实收退款共%s元，商家优惠退款共0.00元", back.lines, money(back.fen)), "#导出时间：["+s.now().Format("2006年01月02日 15:04:05")+"]")
	return strings.Join(list, "\r\n") + "\r\n"
}

type sum struct {
	lines int
	fen   int64
}

func (s *sum) add(n int64) { s.lines, s.fen = s.lines+1, s.fen+n }

func (s *Server) accountBill(day time.Time) string {
	list := append(head("账务明细", "账务明细列表", day), AccountColumns)
	var in, out sum
	for _, m := range s.day(day.Format(time.DateOnly)) {
		came, went := money(m.amount), ""
		if m.amount < 0 {
			came, went = "", money(m.amount)
			out.add(m.amount)
		} else {
			in.add(m.amount)
		}
		number, ours, subject := "", "", ""
		switch {
		case m.trade != nil:
			number, ours, subject = m.trade.no, m.trade.outNo, m.trade.subject
		case m.transfer != nil:
			number, ours = m.transfer.no, m.transfer.outNo
		}
		list = append(list, fmt.Sprintf("%s\t,%s\t,%s\t,%s,%s,*三(185****0000)\t,%s,%s,%s,支付宝\t,%s\t,", m.no, number, ours, subject,
			m.at.Format(time.DateTime), came, went, money(m.balance), m.kind))
	}
	list = append(list, rule("账务明细列表结束"), fmt.Sprintf("#支出合计：%d笔，共%s元", out.lines, money(out.fen)),
		fmt.Sprintf("#收入合计：%d笔，共%s元", in.lines, money(in.fen)), "#导出时间：["+s.now().Format("2006年01月02日 15:04:05")+"]")
	return strings.Join(list, "\r\n") + "\r\n"
}
