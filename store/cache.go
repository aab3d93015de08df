package store

import (
	"sync"
	"time"

	"paysaga/channels"
	"paysaga/domain/access"
)

// maxCached bounds each cache; a full one starts anew, which costs one read per entry.
const maxCached = 100_000

// timed remembers values for a while.
type timed[K comparable, V any] struct {
	life time.Duration
	now  func() time.Time

	mu   sync.RWMutex
	rows map[K]timedRow[V]
}

type timedRow[V any] struct {
	value V
	until time.Time
}

func newTimed[K comparable, V any](life time.Duration, now func() time.Time) *timed[K, V] {
	return &timed[K, V]{life: life, now: now, rows: map[K]timedRow[V]{}}
}

// get returns what is remembered, or reads and remembers it. Failures are not remembered: whoever guesses keys could fill
// the memory with them.
func (t *timed[K, V]) get(key K, read func() (V, error)) (V, error) {
	now := t.now()
	t.mu.RLock()
	row, ok := t.rows[key]
	t.mu.RUnlock()
	if ok && now.Before(row.until) {
		return row.value, nil
	}
	v, err := read()
	if err != nil || t.life < 0 {
		return v, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.rows) >= maxCached {
		t.rows = map[K]timedRow[V]{}
	}
	t.rows[key] = timedRow[V]{v, now.Add(t.life)}
	return v, nil
}

func (t *timed[K, V]) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = map[K]timedRow[V]{}
}

type caches struct {
	keys     *timed[[32]byte, access.Principal]
	accounts *timed[string, channels.Account]
	open     *timed[[2]string, []channels.OpenAccount]
}

func newCaches(life time.Duration, now func() time.Time) caches {
	return caches{
		keys:     newTimed[[32]byte, access.Principal](life, now),
		accounts: newTimed[string, channels.Account](life, now),
		open:     newTimed[[2]string, []channels.OpenAccount](life, now),
	}
}
