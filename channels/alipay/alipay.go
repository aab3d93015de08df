// Package alipay is the channel of Alipay's open platform for merchants in mainland China: QR codes, web and app pages,
// customers' barcodes, refunds, transfers to Alipay accounts, and the bills of the day.
//
// Alipay has one gateway. A request is a signed form; an answer is JSON whose one value is signed as it stands, so it is
// verified over the bytes that arrived and only then read. docs/alipay.md says how an account is set up.
package alipay

import (
	"time"

	"paysaga/channels"
	"paysaga/channels/wire"
	"paysaga/domain/payment"
)

// Name is the channel's name in paths, queues and accounts.
const Name = "alipay"

// DefaultURL is Alipay's gateway, when an account doesn't name another.
const DefaultURL = "https://openapi.alipay.com/gateway.do"

const (
	yuan = "CNY"
	// tradeLife is how long an unpaid charge of ours can be paid when the payment doesn't say. Alipay's QR codes live as
	// long by themselves.
	tradeLife = 2 * time.Hour
	// barcodeWait is how long Alipay waits for the customer who has to confirm a barcode payment.
	barcodeWait = 3 * time.Minute
	// codeLife is longer than any customer's barcode can be used: Alipay's app shows a new one each minute.
	codeLife = 2 * time.Minute
	// grace is added to the end of a charge before it is believed: our clock and Alipay's may differ, and a payment that
	// began in time may take a while.
	grace = 10 * time.Minute
)

// zone is Alipay's only time zone.
var zone = time.FixedZone("CST", 8*60*60)

const stamp = time.DateTime

// Channel is the adapter. It is safe for concurrent use and keeps nothing between calls.
type Channel struct {
	channels.Unsupported
	wire *wire.Client
}

var _ channels.Channel = (*Channel)(nil)

// New returns the adapter. It keeps no credentials: each call brings its account's.
func New(client *wire.Client) *Channel { return &Channel{wire: client} }

// Describe says what the adapter offers. Authorizations are not offered: Alipay sells them as another product.
func (*Channel) Describe() channels.Description {
	return channels.Description{
		Name: Name,
		Operations: []channels.Operation{channels.OpCharge, channels.OpCancel, channels.OpAsk, channels.OpRefund, channels.OpAskRefund,
			channels.OpPayout, channels.OpAskPayout, channels.OpCallback, channels.OpStatement, channels.OpProbe},
		Methods:    []payment.MethodType{payment.MethodQR, payment.MethodRedirect, payment.MethodInApp, payment.MethodBarcode},
		Currencies: []string{yuan},
		// Alipay knows an out_trade_no, an out_request_no and an out_biz_no for ever.
		KeyLife: 0,
		// No number can be closed before there is a trade, and one comes to be when the customer scans or opens the page.
		AbsenceIsFinal: false,
		MaxRefundAge:   365 * 24 * time.Hour, // the longest that a contract allows
		Credentials:    credentials,
		Statements:     []string{BillTrade, BillAccount},
		Reply:          channels.Reply{Status: 200, Type: "text/plain; charset=utf-8", Body: "success"},
	}
}
