package activities

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
	"paysaga/domain/routing"
)

// Health is what this process has lately seen of each channel account: a
// circuit each. It is memory only, since each process judges by its own calls,
// and a new one begins by trusting.
type Health struct {
	config routing.BreakerConfig
	now    func() time.Time

	mu       sync.Mutex
	accounts map[string]watched
}

type watched struct {
	channel string
	breaker routing.Breaker
}

// NewHealth returns a Health that knows nothing. now is the clock; nil:
// time.Now.
func NewHealth(c routing.BreakerConfig, now func() time.Time) *Health {
	if now == nil {
		now = time.Now
	}
	return &Health{config: c, now: now, accounts: map[string]watched{}}
}

// Of returns what is known of the accounts; one that isn't in the answer is
// well.
func (h *Health) Of(open []channels.OpenAccount) map[string]routing.Health {
	now := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	var list map[string]routing.Health
	for _, a := range open {
		if w, ok := h.accounts[a.ID]; ok {
			if list == nil {
				list = make(map[string]routing.Health, len(open))
			}
			list[a.ID] = w.breaker.Health(now, h.config)
		}
	}
	return list
}

// admit asks whether an attempt may begin there: a half-open circuit lets one
// probe through at a time.
func (h *Health) admit(account string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	w, ok := h.accounts[account]
	if !ok {
		return true
	}
	w.breaker, ok = w.breaker.Admit(h.now(), h.config)
	h.accounts[account] = w
	return ok
}

// observe counts the result of a call. A decline is the bank's answer, and the
// channel that gives it is well; so is one that refuses a request as such.
func (h *Health) observe(line channels.CallLine, out payment.Outcome, err error) {
	if errors.Is(err, context.Canceled) { // we hung up
		return
	}
	well := err == nil && out.Verdict != payment.Unknown
	if err != nil {
		kind := fault.Of(err)
		well = kind != fault.KindUnavailable && kind != fault.KindUnknown && kind != fault.KindInternal
	}
	at := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.accounts[line.ChannelAccount]
	w.channel = line.Channel
	w.breaker = w.breaker.Observe(routing.Result{At: at, Well: well, Latency: at.Sub(line.StartedAt)}, h.config)
	h.accounts[line.ChannelAccount] = w
}

// Circuit is one account's, for people and gauges.
type Circuit struct {
	Channel, Account string
	routing.Health
}

// Circuits lists all that is known, by account.
func (h *Health) Circuits() []Circuit {
	now := h.now()
	h.mu.Lock()
	known := maps.Clone(h.accounts)
	h.mu.Unlock()
	list := make([]Circuit, 0, len(known))
	for account, w := range known {
		list = append(list, Circuit{w.channel, account, w.breaker.Health(now, h.config)})
	}
	slices.SortFunc(list, func(a, b Circuit) int { return strings.Compare(a.Account, b.Account) })
	return list
}
