package store

import (
	"sync"
	"time"

	"paysaga/channels"
	"paysaga/domain/access"
	"paysaga/domain/rebate"
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

// drop forgets one.
func (t *timed[K, V]) drop(key K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.rows, key)
}

func (t *timed[K, V]) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = map[K]timedRow[V]{}
}

const forEver = 1000 * time.Hour

type caches struct {
	keys     *timed[[32]byte, access.Principal]
	accounts *timed[string, channels.Account]
	open     *timed[[2]string, []channels.OpenAccount]
	own      *timed[[2]string, []string]
	// What these know never changes, so they remember it for as long as there is room.
	campaigns *timed[historyKey, termsHistory]
	versions  *timed[versionKey, *rebate.Rules]
}

func newCaches(life time.Duration, now func() time.Time) caches {
	return caches{
		keys:      newTimed[[32]byte, access.Principal](life, now),
		accounts:  newTimed[string, channels.Account](life, now),
		open:      newTimed[[2]string, []channels.OpenAccount](life, now),
		own:       newTimed[[2]string, []string](life, now),
		campaigns: newTimed[historyKey, termsHistory](forEver, now),
		versions:  newTimed[versionKey, *rebate.Rules](forEver, now),
	}
}
