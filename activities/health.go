package activities

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/routing"
)

// Circuits keeps what all processes know of the channel accounts.
type Circuits interface {
	// Circuits lists those that are open, and those that have changed since.
	Circuits(ctx context.Context, since time.Time) ([]routing.Watched, error)
	// MoveCircuits changes the circuits of a book's accounts under their locks, and returns them. move is called once for each.
	MoveCircuits(ctx context.Context, book id.Book, accounts []string, move func(account string, b routing.Breaker) routing.Breaker) ([]routing.Watched, error)
}

// HealthConfig is what a Health needs. The zero value is one that shares
// nothing.
type HealthConfig struct {
	Breaker routing.BreakerConfig
	Kept    Circuits      // nil: the process knows its own calls alone
	Changed func(Circuit) // hears of a circuit that opens or closes; it must not block. nil: nobody does
	Now     func() time.Time
}

// Health is what was lately seen of each channel account: a circuit each. A
// process judges by its own calls at once, and by those of all the others a
// second later (Share). A new one begins with what they know.
type Health struct {
	c HealthConfig

	trading  sync.Mutex // held over a trade, so that an older answer never replaces a newer one
	mu       sync.Mutex
	accounts map[string]watched
}

type watched struct {
	routing.Watched
	untold []routing.Result // seen here, and not yet told the others
}

// untoldLimit bounds what is kept for the others while they can't be told; what
// is older than a window means nothing any more.
const untoldLimit = 10_000

// NewHealth completes c with its defaults.
func NewHealth(c HealthConfig) *Health {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Changed == nil {
		c.Changed = func(Circuit) {}
	}
	return &Health{c: c, accounts: map[string]watched{}}
}

// Of returns what is known of the accounts; one that isn't in the answer is
// well.
func (h *Health) Of(open []channels.OpenAccount) map[string]routing.Health {
	now := h.c.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	var list map[string]routing.Health
	for _, a := range open {
		if w, ok := h.accounts[a.ID]; ok {
			if list == nil {
				list = make(map[string]routing.Health, len(open))
			}
			list[a.ID] = w.Health(now, h.c.Breaker)
		}
	}
	return list
}

// claimTime bounds how long a probe waits for the word of the others.
const claimTime = time.Second

// admit asks whether a payment's attempt may begin there: a half-open circuit
// lets one probe through at a time, over all processes. Only such a probe costs
// a round trip. While the others can't be asked, this process decides: it can't
// commit the intent either then.
func (h *Health) admit(ctx context.Context, book id.Book, account, paymentID string) bool {
	now := h.c.Now()
	h.mu.Lock()
	w, known := h.accounts[account]
	after, ok := w.Admit(now, h.c.Breaker, paymentID)
	probe := known && ok && w.State(now, h.c.Breaker) == routing.HalfOpen
	if probe {
		w.Breaker = after
		h.accounts[account] = w
	}
	h.mu.Unlock()
	if !probe || h.c.Kept == nil {
		return ok
	}
	ctx, stop := context.WithTimeout(ctx, claimTime)
	defer stop()
	h.trading.Lock()
	defer h.trading.Unlock()
	err := h.trade(ctx, book, []string{account}, func(b routing.Breaker) routing.Breaker {
		b, ok = b.Admit(now, h.c.Breaker, paymentID)
		return b
	})
	return ok || err != nil
}

// observe counts the result of a call. A decline is the bank's answer, and the
// channel that gives it is well; so is one that refuses a request as such.
func (h *Health) observe(line channels.CallLine, out payment.Outcome, err error) {
	if errors.Is(err, context.Canceled) { // we hung up
		return
	}
	at := h.c.Now()
	r := routing.Result{At: at, Well: err == nil && out.Verdict != payment.Unknown, Latency: at.Sub(line.StartedAt)}
	if err != nil {
		f := fault.As(err)
		r.Well = f.Kind != fault.KindUnavailable && f.Kind != fault.KindUnknown && f.Kind != fault.KindInternal
		r.Fault = string(f.Kind) + " " + f.Code
	} else if !r.Well {
		r.Fault = string(fault.KindUnknown)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.accounts[line.ChannelAccount]
	w.Book, w.Channel, w.Account = line.Book, line.Channel, line.ChannelAccount
	if h.c.Kept != nil {
		w.untold = append(w.untold, r)
		w.untold = w.untold[max(0, len(w.untold)-untoldLimit):]
	}
	h.put(w, w.Observe(r, h.c.Breaker))
}

// put keeps an account's circuit as it is now, under mu.
func (h *Health) put(w watched, b routing.Breaker) {
	turned := w.OpenedAt.IsZero() != b.OpenedAt.IsZero()
	w.Breaker = b
	h.accounts[w.Account] = w
	if turned {
		h.c.Changed(Circuit{w.Channel, w.Account, b.Health(h.c.Now(), h.c.Breaker)})
	}
}

// Circuit is one account's, for people and gauges.
type Circuit struct {
	Channel, Account string
	routing.Health
}

// Circuits lists all that is known, by account.
func (h *Health) Circuits() []Circuit {
	now := h.c.Now()
	h.mu.Lock()
	list := make([]Circuit, 0, len(h.accounts))
	for _, w := range h.accounts {
		list = append(list, Circuit{w.Channel, w.Account, w.Health(now, h.c.Breaker)})
	}
	h.mu.Unlock()
	slices.SortFunc(list, func(a, b Circuit) int { return strings.Compare(a.Account, b.Account) })
	return list
}
