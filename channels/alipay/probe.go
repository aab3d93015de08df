package alipay

import (
	"context"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
)

// Probe asks about a trade that doesn't exist: the answer is signed only for who is known, so it proves the address, the
// application, our key and Alipay's.
func (c *Channel) Probe(ctx context.Context, a channels.Account) error {
	denied := func(what string) error { return fault.Denied("credentials_refused", what) }
	s, err := c.session(channels.Call{Account: a, Now: time.Now()})
	if err != nil {
		return denied(fault.As(err).Message)
	}
	var t trade
	v, err := s.call(ctx, request{method: "alipay.trade.query", content: number{"paysaga_probe"}}, &t)
	switch {
	case fault.Is(err, fault.KindUnknown, "channel_answer_forged"):
		return denied("alipay answers, but not with the account's " + PublicKey + ": is that Alipay's key, and not the application's?")
	case fault.Is(err, fault.KindUnknown, "channel_certificate_changed"), fault.Of(err) == fault.KindInternal:
		return denied(fault.As(err).Message)
	case err != nil:
		return err
	case !v.done() && !v.is(missing):
		return v.unexplained()
	}
	return nil
}
