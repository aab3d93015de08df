// Package wechatpay is the channel of WeChat Pay's API v3 for a merchant of mainland China, with the crypto of the
// standard library. docs/wechatpay.md says how an account is set up.
//
// Every answer that is believed has been verified over its raw bytes, by WeChat Pay's public key or by a platform
// certificate; an account may have both while it changes from one to the other. Of an account the adapter keeps in
// memory what its credentials open, and the certificates that it has fetched with them; nothing else between calls.
package wechatpay

import (
	"context"
	"net/http"
	"time"

	"paysaga/channels"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// Name is the channel's name in paths, queues and accounts.
const Name = "wechatpay"

// DefaultURL is WeChat Pay's public address.
const DefaultURL = "https://api.mch.weixin.qq.com"

// The kinds of statements.
const (
	Trade    = "trade"    // what customers paid and got back, with fees; of the day that it happened
	FundFlow = "fundflow" // what moved the basic account's balance
)

// currency is the only one: a merchant of mainland China is paid in yuan. Amounts are integers of fen at WeChat, as ours.
const currency = "CNY"

// What WeChat Pay's documentation says of refunds.
const (
	refundInterval = time.Minute
	maxRefunds     = 50
	maxRefundAge   = 365 * 24 * time.Hour
)

// Channel is the adapter. It is safe for concurrent use.
type Channel struct {
	channels.Unsupported
	wire  *wire.Client
	now   func() time.Time
	vault *vault
}

var _ channels.Channel = (*Channel)(nil)

// New returns the adapter over the shared HTTP client.
func New(c *wire.Client) *Channel { return &Channel{wire: c, now: time.Now, vault: newVault()} }

// Clocked returns an adapter whose statements and probes are signed at another time than the machine's. All other calls
// bring their own.
func (ch Channel) Clocked(now func() time.Time) *Channel {
	ch.now = now
	return &ch
}

// Describe says what the adapter offers: everything but authorizations, which WeChat Pay has none of.
func (*Channel) Describe() channels.Description {
	return channels.Description{
		Name: Name,
		Operations: []channels.Operation{channels.OpCharge, channels.OpCancel, channels.OpAsk, channels.OpRefund, channels.OpAskRefund,
			channels.OpPayout, channels.OpAskPayout, channels.OpCallback, channels.OpStatement, channels.OpProbe},
		Methods:    []payment.MethodType{payment.MethodQR, payment.MethodRedirect, payment.MethodMiniProgram, payment.MethodInApp},
		Currencies: []string{currency},
		// Numbers are recognised for ever.
		KeyLife: 0,
		// An order that isn't there may still be made by a request on its way: Cancel takes its number, see seal.
		AbsenceIsFinal:    false,
		MinRefundInterval: refundInterval, MaxRefunds: maxRefunds, MaxRefundAge: maxRefundAge,
		Statements:  []string{Trade, FundFlow},
		Credentials: credentials,
		Reply:       channels.Reply{Status: http.StatusNoContent},
	}
}

// Probe asks for the platform certificates, or, where the account has WeChat Pay's public key, for an order that nobody
// has: both take a signature that WeChat accepts and answer with one that we have to verify.
func (ch *Channel) Probe(ctx context.Context, a channels.Account) error {
	s, err := ch.session(a, ch.now())
	if err != nil {
		return fault.Denied("credentials_refused", fault.As(err).Message)
	}
	if s.public == nil {
		return probed(s.certs.refresh(ctx, s))
	}
	res, err := s.call(ctx, http.MethodGet, orderPath("probe0000000000000000000000000000")+"?mchid="+s.mchID, nil)
	if err != nil {
		return probed(err)
	}
	if res.Status < 300 || res.refused() == "ORDERNOTEXIST" {
		return nil
	}
	_, err = res.refusal()
	return probed(err)
}

// probed says what to do about credentials that don't work.
func probed(err error) error {
	if fault.Of(err) == fault.KindInternal {
		return fault.Denied("credentials_refused", "WeChat Pay refuses the credentials: compare mch_id, serial_no and private_key with "+
			"the API certificate that the merchant platform shows, api_v3_key and public_key with its API security page")
	}
	return err
}
