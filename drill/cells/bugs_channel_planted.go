//go:build planted

package cells

import (
	"context"
	"crypto/rand"
	"sync"

	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/channels/sandbox/server"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// badChannel is a channel with what is set replaced.
type badChannel struct {
	channels.Channel
	charge  func(next channels.Channel, ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error)
	ask     func(next channels.Channel, ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error)
	cancel  func(next channels.Channel, ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error)
	capture func(next channels.Channel, ctx context.Context, c channels.Call, q channels.CaptureRequest) (payment.Outcome, error)
	parse   func(next channels.Channel, a channels.Account, raw channels.RawCallback) (channels.Callback, error)
}

func (b *badChannel) Charge(ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error) {
	if b.charge != nil {
		return b.charge(b.Channel, ctx, c, q)
	}
	return b.Channel.Charge(ctx, c, q)
}

func (b *badChannel) Ask(ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error) {
	if b.ask != nil {
		return b.ask(b.Channel, ctx, c, q)
	}
	return b.Channel.Ask(ctx, c, q)
}

func (b *badChannel) Cancel(ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error) {
	if b.cancel != nil {
		return b.cancel(b.Channel, ctx, c, q)
	}
	return b.Channel.Cancel(ctx, c, q)
}

func (b *badChannel) Capture(ctx context.Context, c channels.Call, q channels.CaptureRequest) (payment.Outcome, error) {
	if b.capture != nil {
		return b.capture(b.Channel, ctx, c, q)
	}
	return b.Channel.Capture(ctx, c, q)
}

func (b *badChannel) ParseCallback(a channels.Account, raw channels.RawCallback) (channels.Callback, error) {
	if b.parse != nil {
		return b.parse(b.Channel, a, raw)
	}
	return b.Channel.ParseCallback(a, raw)
}

// fresh is a key that nobody can make again.
func fresh(k channels.Key) channels.Key {
	var entropy [10]byte
	_, _ = rand.Read(entropy[:]) // never fails
	n, _ := channels.NewKey(id.Key(id.New(id.Payment, 1, entropy), id.Step{Code: id.Charge, Ordinal: 1}), k.BodyHash, k.BornAt)
	return n
}

func newKeyPerRetry(b *badChannel) {
	var seen sync.Map
	b.charge = func(next channels.Channel, ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error) {
		if _, before := seen.LoadOrStore(c.Key.ID, true); before {
			c.Key = fresh(c.Key)
		}
		return next.Charge(ctx, c, q)
	}
}

func keyByTheClock(b *badChannel) {
	b.charge = func(next channels.Channel, ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error) {
		c.Key = fresh(c.Key)
		return next.Charge(ctx, c, q)
	}
}

func unknownIsFailed(b *badChannel) {
	b.charge = func(next channels.Channel, ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error) {
		out, err := next.Charge(ctx, c, q)
		if err == nil && out.Verdict == payment.Unknown {
			return payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: "timeout", Hard: true}}, nil
		}
		return out, err
	}
}

func chargedAgain(b *badChannel) {
	b.charge = func(next channels.Channel, ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error) {
		out, err := next.Charge(ctx, c, q)
		if err == nil && out.Verdict == payment.Unknown {
			c.Key = fresh(c.Key)
			return next.Charge(context.WithoutCancel(ctx), c, q)
		}
		return out, err
	}
}

func unverified(b *badChannel) {
	b.parse = func(next channels.Channel, a channels.Account, raw channels.RawCallback) (channels.Callback, error) {
		raw.Header = map[string][]string{sandbox.SignatureHeader: {server.Signature(a.Credentials[sandbox.SecretCallback], raw.Now, raw.Body)}}
		return next.ParseCallback(a, raw)
	}
}

func currencyDropped(b *badChannel) {
	var asked sync.Map
	same := func(c channels.Call, out payment.Outcome) payment.Outcome {
		if q, ok := asked.Load(c.Account.ID); ok && out.Currency != "" {
			out.Currency, out.AmountMinor = q.(channels.ChargeRequest).Currency, q.(channels.ChargeRequest).AmountMinor
		}
		return out
	}
	b.charge = func(next channels.Channel, ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error) {
		asked.Store(c.Account.ID, q)
		return next.Charge(ctx, c, q)
	}
	b.ask = func(next channels.Channel, ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error) {
		out, err := next.Ask(ctx, c, q)
		return same(c, out), err
	}
	b.parse = func(next channels.Channel, a channels.Account, raw channels.RawCallback) (channels.Callback, error) {
		cb, err := next.ParseCallback(a, raw)
		cb.Outcome = same(channels.Call{Account: a}, cb.Outcome)
		return cb, err
	}
}

func capturedMore(b *badChannel) {
	b.capture = func(next channels.Channel, ctx context.Context, c channels.Call, q channels.CaptureRequest) (payment.Outcome, error) {
		out, err := next.Capture(ctx, c, q)
		if out.Verdict == payment.Succeeded && out.AmountMinor < 500 { // what is more than was authorized, nobody would book
			out.AmountMinor += 100
		}
		return out, err
	}
}

func notClosed(b *badChannel) {
	b.cancel = func(channels.Channel, context.Context, channels.Call, channels.ChargeRequest) (payment.Outcome, error) {
		return payment.Outcome{Verdict: payment.Closed, Dead: true}, nil
	}
	b.ask = func(next channels.Channel, ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error) {
		out, err := next.Ask(ctx, c, q)
		if out.Verdict == payment.Pending || out.Verdict == payment.Authorized {
			return payment.Outcome{Verdict: payment.Closed, Dead: true}, err
		}
		return out, err
	}
}

func othersCallback(b *badChannel) {
	var mu sync.Mutex
	first := map[string]string{}
	b.charge = func(next channels.Channel, ctx context.Context, c channels.Call, q channels.ChargeRequest) (payment.Outcome, error) {
		mu.Lock()
		if first[c.Account.ID] == "" {
			first[c.Account.ID] = c.Key.Reference
		}
		mu.Unlock()
		return next.Charge(ctx, c, q)
	}
	b.parse = func(next channels.Channel, a channels.Account, raw channels.RawCallback) (channels.Callback, error) {
		cb, err := next.ParseCallback(a, raw)
		mu.Lock()
		defer mu.Unlock()
		if other := first[a.ID]; err == nil && other != "" {
			cb.Reference = other
		}
		return cb, err
	}
}
