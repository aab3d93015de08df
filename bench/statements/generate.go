package statements

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// The sums of every generated line, in minor units: a charge of 12.34 with a fee of 0.08.
const (
	gross = 1234
	fee   = 8
)

// form is a format of statements: what stands before the rows, a row, and what stands behind so many of them. In a row, # is its number.
type form struct {
	head, row string
	foot      func(n int) string
}

// decimal writes hundredths.
func decimal(minor int) string { return fmt.Sprintf("%d.%02d", minor/100, minor%100) }

const reference = "p01m7zzzzzzzzzzzzzz0#ch1" // # has ten digits: then it is one of ours

var wechatTrade = form{
	head: "\ufeff交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号," +
		"退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\r\n",
	row: "`2026-11-20 12:34:56,`wx0123456789abcdef,`1900000001,`0,`,`420000#2026112012345,`" + reference + ",`oUpF8uMuAJO_M2pxb1Q9zNjWeS6o,`NATIVE,`SUCCESS,`OTHERS,`CNY," +
		"`12.34,`0.00,`0,`0,`0.00,`0.00,`,`,`绿茶 tea,`,`0.08000,`0.60%,`12.34,`0.00,`\r\n",
	foot: func(n int) string {
		return "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n" + fmt.Sprintf("`%d.0,`%s,`0.00,`0.00,`%s000,`%s,`0.00\r\n",
			n, decimal(n*gross), decimal(n*fee), decimal(n*gross))
	},
}

var wechatFundFlow = form{
	head: "\ufeff记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号\r\n",
	row:  "`2026-11-20 12:34:56,`420000#2026112012345,`1900000#,`交易,`交易,`收入,`12.34,`1000000.00,`system,`,`" + reference + "\r\n",
	foot: func(n int) string {
		return "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n" + fmt.Sprintf("`%d.0,`%d.0,`%s,`0.0,`0.00\r\n", n, n, decimal(n*gross))
	},
}

var alipayTrade = form{
	head: gbk("#支付宝业务明细查询\r\n#账号：[20880000000000000156]\r\n#起始日期：[2026年11月20日 00:00:00]   终止日期：[2026年11月21日 00:00:00]\r\n" + rule("业务明细列表") +
		"支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）," +
		"商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注\r\n"),
	row: gbk("2026112022#\t," + reference + "\t,交易\t,绿茶,2026-11-20 12:34:50,2026-11-20 12:34:56,\t,\t,\t,\t,*三(185****0000)\t,12.34,12.34,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00," +
		"\t,-0.08,0.00,\r\n"),
	foot: func(n int) string {
		return gbk(rule("业务明细列表结束") + fmt.Sprintf("#交易合计：%d笔，商家实收共%s元，商家优惠共0.00元\r\n#退款合计：0笔，商家实收退款共0.00元，商家优惠退款共0.00元\r\n"+
			"#导出时间：[2026年11月21日 10:00:00]\r\n", n, decimal(n*gross)))
	},
}

func rule(text string) string {
	return "#" + strings.Repeat("-", 41) + text + strings.Repeat("-", 40) + "\r\n"
}

func gbk(text string) string {
	out, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		panic(err) // of our own text above
	}
	return out
}

var paypalSettlement = form{
	head: "\"RH\",2026/11/21 06:00:00 +0000,\"X\",\"MERCHANT1\",009,\n\"FH\",01\n\"SH\",2026/11/20 00:00:00 +0000,2026/11/20 23:59:59 +0000,\"MERCHANT1\",\"\"\n" +
		`"CH","Transaction ID","Invoice ID","PayPal Reference ID","PayPal Reference ID Type","Transaction Event Code","Transaction Initiation Date",` +
		`"Transaction Completion Date","Transaction  Debit or Credit","Gross Transaction Amount","Gross Transaction Currency","Fee Debit or Credit","Fee Amount",` +
		`"Fee Currency","Custom Field","Consumer ID","Payment Tracking ID","Store ID"` + "\n",
	row: `"SB","3CA0000#","","5OR0000#","ODR","T0006",2026/11/20 12:34:50 +0000,2026/11/20 12:34:56 +0000,"CR",1234,"USD","DR",8,"USD","` + reference + `","BUYER","",""` + "\n",
	foot: func(n int) string {
		sums := fmt.Sprintf(`"USD",%d,0,0,%d,"CR",0,"CR",0,"CR",0,"CR",0,"CR",0,"CR",0,%d`, n*gross, n*fee, n)
		return fmt.Sprintf("\"SF\",%s\n\"SC\",%d\n\"RF\",%s\n\"RC\",%d\n\"FF\",01\n", sums, n, sums, n)
	},
}

var stripeBalance = form{
	head: "balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,reporting_category,source_id,customer_facing_amount,customer_facing_currency," +
		"payment_metadata[paysaga_reference]\n",
	row:  "txn_#,2026-11-20 10:00:00,2026-11-22 00:00:00,usd,12.34,0.08,12.26,charge,ch_#,12.34,usd," + reference + "\n",
	foot: func(int) string { return "" },
}

var sandboxMoves = form{
	head: "kind,id,reference,key,original_id,amount_minor,fee_minor,currency,occurred_at\n",
	row:  "charge,sbx_#," + reference + ",k,,1234,8,CNY,2026-11-20T12:34:56Z\n",
	foot: func(n int) string { return fmt.Sprintf("end,%d\n", n) },
}

// bankDay has its closing balance before its rows, so it is made for a number of them.
func bankDay(n int) form {
	balance := func(code string, minor int) string {
		return fmt.Sprintf(`<Bal><Tp><CdOrPrtry><Cd>%s</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">%s</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-20</Dt></Dt></Bal>`, code, decimal(minor))
	}
	return form{
		head: `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>C1</MsgId>` +
			`<CreDtTm>2026-11-21T06:00:00Z</CreDtTm></GrpHdr><Stmt><Id>R1</Id><CreDtTm>2026-11-21T06:00:00Z</CreDtTm><Acct><Id><IBAN>DE89370400440532013000</IBAN></Id>` +
			`<Ccy>EUR</Ccy></Acct>` + balance("OPBD", 0) + balance("CLBD", n*gross) + fmt.Sprintf(`<TxsSummry><TtlNtries><NbOfNtries>%d</NbOfNtries></TtlNtries></TxsSummry>`, n) + "\n",
		row: `<Ntry><Amt Ccy="EUR">12.34</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-20</Dt></BookgDt><AcctSvcrRef>B#</AcctSvcrRef>` +
			`<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls><TxDtls><Refs><AcctSvcrRef>B#</AcctSvcrRef></Refs>` +
			`</TxDtls></NtryDtls></Ntry>` + "\n",
		foot: func(int) string { return "</Stmt></BkToCstmrStmt></Document>\n" },
	}
}

// generated writes a statement of n rows as it is read: nothing of it is ever kept.
type generated struct {
	form
	n, done int
	parts   []string // of the row, between its numbers
	buffer  []byte
	rest    []byte
	ended   bool
}

func generate(f form, n int) io.Reader {
	return &generated{form: f, n: n, parts: strings.Split(f.row, "#"), rest: []byte(f.head)}
}

// firstNumber makes all numbers of rows ten digits long.
const firstNumber = 1_000_000_000

func (g *generated) Read(p []byte) (int, error) {
	if len(g.rest) == 0 && !g.fill() {
		return 0, io.EOF
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

func (g *generated) fill() bool {
	g.buffer = g.buffer[:0]
	for g.done < g.n && len(g.buffer) < 256<<10 {
		for i, part := range g.parts {
			if i > 0 {
				g.buffer = strconv.AppendInt(g.buffer, int64(firstNumber+g.done), 10)
			}
			g.buffer = append(g.buffer, part...)
		}
		g.done++
	}
	if len(g.buffer) == 0 && !g.ended {
		g.buffer, g.ended = append(g.buffer, g.foot(g.n)...), true
	}
	g.rest = g.buffer
	return len(g.rest) > 0
}
