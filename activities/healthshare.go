package activities

import (
	"context"
	"time"

	"paysaga/domain/id"
	"paysaga/domain/routing"
)

// shareTime bounds one round, and slack is by how much the clocks of two
// processes may differ.
const (
	shareTime = 3 * time.Second
	slack     = 10 * time.Second
)

// Share tells the other processes what this one has seen since it last did, and
// takes over what they know. It is to be called every second: what it costs
// doesn't grow with the payments.
func (h *Health) Share(ctx context.Context) error {
	if h.c.Kept == nil {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, shareTime)
	defer stop()
	h.trading.Lock()
	defer h.trading.Unlock()
	for book, accounts := range h.untold() {
		if err := h.trade(ctx, book, accounts, nil); err != nil {
			return err
		}
	}
	list, err := h.c.Kept.Circuits(ctx, h.c.Now().Add(-h.c.Breaker.Span()-slack))
	if err == nil {
		h.take(list)
		h.forget(list)
	}
	return err
}

// untold lists the accounts of which the others have to be told, by book.
func (h *Health) untold() map[id.Book][]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := map[id.Book][]string{}
	for account, w := range h.accounts {
		if len(w.untold) > 0 {
			list[w.Book] = append(list[w.Book], account)
		}
	}
	return list
}

// trade puts what was seen here into the circuits that all share, then does
// something more with them, and takes over what they have become. The caller
// holds trading.
func (h *Health) trade(ctx context.Context, book id.Book, accounts []string, more func(routing.Breaker) routing.Breaker) error {
	told := map[string][]routing.Result{}
	h.mu.Lock()
	for _, account := range accounts {
		w := h.accounts[account]
		told[account], w.untold = w.untold, nil
		h.accounts[account] = w
	}
	h.mu.Unlock()
	list, err := h.c.Kept.MoveCircuits(ctx, book, accounts, func(account string, b routing.Breaker) routing.Breaker {
		b = b.ObserveAll(told[account], h.c.Breaker)
		if more != nil {
			b = more(b)
		}
		return b
	})
	if err != nil { // perhaps it is told twice then: a window forgives that
		h.mu.Lock()
		defer h.mu.Unlock()
		for account, results := range told {
			w := h.accounts[account]
			w.untold = append(results, w.untold...)
			h.accounts[account] = w
		}
		return err
	}
	h.take(list)
	return nil
}

// take takes over what all processes know; what was seen here meanwhile comes
// on top.
func (h *Health) take(list []routing.Watched) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, known := range list {
		w := h.accounts[known.Account]
		w.Book, w.Channel, w.Account = known.Book, known.Channel, known.Account
		h.put(w, known.ObserveAll(w.untold, h.c.Breaker))
	}
}

// forget drops the accounts that nobody has called for a window, and whose
// circuits are closed: nothing is known of them any more.
func (h *Health) forget(list []routing.Watched) {
	kept := make(map[string]bool, len(list))
	for _, w := range list {
		kept[w.Account] = true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for account, w := range h.accounts {
		if !kept[account] && len(w.untold) == 0 {
			delete(h.accounts, account)
		}
	}
}
