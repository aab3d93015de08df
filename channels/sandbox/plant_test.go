package sandbox_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"paysaga/channels"
	"paysaga/channels/sandbox/server"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// plantEnv makes the harness wrap its adapter with a planted bug.
const plantEnv = "SANDBOX_TEST_PLANT"

// plants are adapters with one bug each, and the case that has to see it.
var plants = map[string]struct {
	plant func(channels.Channel) channels.Channel
	seen  string
}{
	"a lost answer is tried again under a new key": {func(c channels.Channel) channels.Channel {
		return bug{Channel: c, charge: func(ctx context.Context, call channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
			out, err := c.Charge(ctx, call, r)
			if fault.Of(err) == fault.KindUnknown {
				call.Key = fresh(call.Key)
				return c.Charge(ctx, call, r)
			}
			return out, err
		}}
	}, "an answer that was lost is Unknown, and asking finds the charge"},
	"unknown is taken for a decline": {func(c channels.Channel) channels.Channel {
		return bug{Channel: c, charge: func(ctx context.Context, call channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
			out, err := c.Charge(ctx, call, r)
			if fault.Of(err) == fault.KindUnknown {
				return payment.Outcome{Verdict: payment.Declined, Dead: true}, nil
			}
			return out, err
		}}
	}, "a request that was lost is Unknown, then absent, then done once under the same key"},
	"a question that fails is taken for absent": {func(c channels.Channel) channels.Channel {
		return bug{Channel: c, ask: func(ctx context.Context, call channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
			out, err := c.Ask(ctx, call, r)
			if err != nil {
				return payment.Outcome{Verdict: payment.Absent}, nil
			}
			return out, err
		}}
	}, "a question without a clear answer stays open"},
	"a key is made by each process": {func(c channels.Channel) channels.Channel {
		run := fresh(channels.Key{}).ID
		return bug{Channel: c, charge: func(ctx context.Context, call channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
			call.Key.ID += run
			return c.Charge(ctx, call, r)
		}}
	}, "a new process repeats into the same charge"},
	"the amount is the request's": {func(c channels.Channel) channels.Channel {
		return bug{Channel: c, charge: func(ctx context.Context, call channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
			out, err := c.Charge(ctx, call, r)
			out.AmountMinor = r.AmountMinor
			return out, err
		}}
	}, "a wrong amount shows in the outcome"},
	"a cancel is believed before it is made": {func(c channels.Channel) channels.Channel {
		return bug{Channel: c, cancel: func(context.Context, channels.Call, channels.ChargeRequest) (payment.Outcome, error) {
			return payment.Outcome{Verdict: payment.Closed, Dead: true}, nil
		}}
	}, "an unpaid charge is closed, and then can't be paid any more"},
	"a slowing channel is taken for unknown": {func(c channels.Channel) channels.Channel {
		return bug{Channel: c, charge: func(ctx context.Context, call channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
			out, err := c.Charge(ctx, call, r)
			if fault.Of(err) == fault.KindUnavailable {
				err = fault.Unknown("channel_answer_lost", "lost", nil)
			}
			return out, err
		}}
	}, "a channel that asks to slow down did nothing"},
	"keys are said to be remembered for ever": {func(c channels.Channel) channels.Channel {
		return bug{Channel: c, describe: func(d channels.Description) channels.Description { d.KeyLife = 0; return d }}
	}, "an old key sends nothing"},
	"an authorization is taken for paid": {func(c channels.Channel) channels.Channel {
		return bug{Channel: c, charge: func(ctx context.Context, call channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
			out, err := c.Charge(ctx, call, r)
			if out.Verdict == payment.Authorized {
				out.Verdict = payment.Succeeded
			}
			return out, err
		}}
	}, "an authorization reserves and takes nothing"},
	"a refund has a new key each time": {func(c channels.Channel) channels.Channel {
		return bug{Channel: c, refund: func(ctx context.Context, call channels.Call, r channels.RefundRequest) (payment.Outcome, error) {
			call.Key = fresh(call.Key)
			return c.Refund(ctx, call, r)
		}}
	}, "a refund is made once per key"},
	"a callback's age is not looked at": {func(c channels.Channel) channels.Channel {
		return bug{Channel: c, callback: func(a channels.Account, raw channels.RawCallback) (channels.Callback, error) {
			raw.Now = time.Now()
			return c.ParseCallback(a, raw)
		}}
	}, "a callback out of its time is denied"},
	"a callback's signature is not looked at": {func(c channels.Channel) channels.Channel {
		return bug{Channel: c, callback: func(a channels.Account, raw channels.RawCallback) (channels.Callback, error) {
			raw.Header = map[string][]string{"Sandbox-Signature": {server.Signature(a.Credentials["callback_secret"], raw.Now, raw.Body)}}
			return c.ParseCallback(a, raw)
		}}
	}, "a callback signed by another is denied"},
}

// bug is an adapter with what is set replaced.
type bug struct {
	channels.Channel
	charge, cancel, ask func(context.Context, channels.Call, channels.ChargeRequest) (payment.Outcome, error)
	refund              func(context.Context, channels.Call, channels.RefundRequest) (payment.Outcome, error)
	callback            func(channels.Account, channels.RawCallback) (channels.Callback, error)
	describe            func(channels.Description) channels.Description
}

func (b bug) Charge(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	if b.charge == nil {
		return b.Channel.Charge(ctx, c, r)
	}
	return b.charge(ctx, c, r)
}

func (b bug) Cancel(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	if b.cancel == nil {
		return b.Channel.Cancel(ctx, c, r)
	}
	return b.cancel(ctx, c, r)
}

func (b bug) Ask(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	if b.ask == nil {
		return b.Channel.Ask(ctx, c, r)
	}
	return b.ask(ctx, c, r)
}

func (b bug) Refund(ctx context.Context, c channels.Call, r channels.RefundRequest) (payment.Outcome, error) {
	if b.refund == nil {
		return b.Channel.Refund(ctx, c, r)
	}
	return b.refund(ctx, c, r)
}

func (b bug) ParseCallback(a channels.Account, raw channels.RawCallback) (channels.Callback, error) {
	if b.callback == nil {
		return b.Channel.ParseCallback(a, raw)
	}
	return b.callback(a, raw)
}

func (b bug) Describe() channels.Description {
	if b.describe == nil {
		return b.Channel.Describe()
	}
	return b.describe(b.Channel.Describe())
}

// fresh is a key that nobody can make again.
func fresh(k channels.Key) channels.Key {
	var entropy [10]byte
	_, _ = rand.Read(entropy[:])
	step := id.Step{Code: id.Charge, Ordinal: 1}
	prefix := id.Payment
	if strings.HasPrefix(k.ID, string(id.Refund)) {
		step.Code, prefix = id.RefundOut, id.Refund
	}
	n, _ := channels.NewKey(id.Key(id.New(prefix, 1, entropy), step), k.BodyHash, k.BornAt)
	if k.ID == "" {
		n.ID = hex.EncodeToString(entropy[:])
	}
	return n
}

// A suite that no bug fails proves nothing: each planted bug has to fail the case that is about it.
func TestPlantedBugsAreSeen(t *testing.T) {
	t.Parallel()
	for name, p := range plants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run", "^TestTheSandboxPassesTheConformanceSuite$/^"+
				strings.ReplaceAll(p.seen, " ", "_")+"$")
			cmd.Env = append(os.Environ(), plantEnv+"="+name)
			out, err := cmd.CombinedOutput()
			assert.Error(t, err, "the suite passed: %s", out)
			assert.Contains(t, string(out), "--- FAIL: TestTheSandboxPassesTheConformanceSuite/"+strings.ReplaceAll(p.seen, " ", "_"))
		})
	}
}
