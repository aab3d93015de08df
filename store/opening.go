package store

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// accountRef is what never changes of an account.
type accountRef struct {
	no     int64
	normal ledger.Side
	kind   ledger.Kind
	hot    bool // once hot it stays hot; one that isn't may have become so
}

// is says whether it stands as a journal names it.
func (r accountRef) is(a ledger.Account) bool {
	return r.no != 0 && r.kind == a.Kind && r.normal == a.Normal
}

type accountKey struct {
	book     id.Book
	code     string
	currency money.Currency
}

// accountCache knows accounts by name. They are never removed, so what it knows stays true.
type accountCache struct {
	mu   sync.RWMutex
	refs map[accountKey]accountRef

	asking sync.Mutex
	asked  []*opening // that wait for the next resolution
	busy   bool       // one is under way
}

func (c *accountCache) get(k accountKey) (accountRef, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	r, ok := c.refs[k]
	return r, ok
}

func (c *accountCache) put(k accountKey, r accountRef) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refs == nil || len(c.refs) >= maxCached {
		c.refs = map[accountKey]accountRef{}
	}
	c.refs[k] = r
}

const sqlOpenAccounts = `
	INSERT INTO accounts (book, id, code, currency, owner, kind, normal, floor, opened_at)
	SELECT a.book::book, a.id, a.code, a.currency, nullif(a.owner, ''), a.kind, a.normal, CASE WHEN a.floored THEN a.floor END, a.at
	FROM unnest(@books::text[], @ids::text[], @codes::text[], @currencies::text[], @owners::text[], @kinds::text[], @normals::text[],
		@floored::boolean[], @floors::bigint[], @ats::timestamptz[]) AS a(book, id, code, currency, owner, kind, normal, floored, floor, at)
	ORDER BY a.code, a.currency, a.book
	ON CONFLICT DO NOTHING`

const sqlReadAccounts = `
	SELECT n.book, n.code, n.currency, a.no, a.normal, a.kind, a.hot
	FROM unnest(@books::text[], @codes::text[], @currencies::text[]) AS n(book, code, currency)
	CROSS JOIN LATERAL (SELECT no, normal, kind, hot FROM accounts
		WHERE code = n.code AND currency = n.currency AND book = n.book::book OFFSET 0) a`

// resolveAccounts finds the numbers of the Step's accounts. One that was never posted to is opened first, in a transaction
// of its own: an account without entries means nothing, and opening it here keeps the Step's locks short.
func (w *work) resolveAccounts(ctx context.Context) error {
	if w.allKnown() {
		return nil
	}
	known := map[accountKey]accountRef{} // apart from the cache, which may start anew meanwhile
	var missing []ledger.Account
	want := func(a ledger.Account) {
		key := keyOf(a)
		if _, ok := known[key]; ok {
			return
		}
		r, ok := w.db.accounts.get(key)
		if known[key] = r; !ok {
			missing = append(missing, a)
		}
	}
	for _, j := range w.step.Journals {
		for _, e := range j.Entries() {
			want(e.Account)
		}
	}
	var named []ledger.Account
	for _, m := range w.moves {
		if p, ok := m.(poster); ok {
			named = append(named, p.posts().accounts...)
		}
	}
	for _, a := range named {
		want(a)
	}
	if len(missing) > 0 {
		if err := w.db.openAccounts(ctx, &opening{accounts: missing, at: w.at, refs: known}); err != nil {
			return err
		}
	}
	w.refs = w.refs[:0]
	take := func(a ledger.Account) error {
		r := known[keyOf(a)]
		if !r.is(a) {
			return fault.Internal("an account stands with another kind or side than the chart's: "+a.Code, nil)
		}
		w.refs = append(w.refs, r)
		return nil
	}
	for _, j := range w.step.Journals {
		for _, e := range j.Entries() {
			if err := take(e.Account); err != nil {
				return err
			}
		}
	}
	for _, a := range named {
		if err := take(a); err != nil {
			return err
		}
	}
	if named != nil {
		w.named = known
	}
	return nil
}

// allKnown resolves the accounts of a Step of journals alone, if the cache knows them all, as it nearly always does.
func (w *work) allKnown() bool {
	if len(w.moves) > 0 {
		return false
	}
	for _, j := range w.step.Journals {
		w.refs = slices.Grow(w.refs, len(j.Entries()))
		for _, e := range j.Entries() {
			r, ok := w.db.accounts.get(keyOf(e.Account))
			if !ok || !r.is(e.Account) {
				return false
			}
			w.refs = append(w.refs, r)
		}
	}
	return true
}

func keyOf(a ledger.Account) accountKey { return accountKey{a.Book, a.Code, a.Currency} }

// opening is what a Step asks for: accounts that the cache doesn't know.
type opening struct {
	accounts []ledger.Account
	at       time.Time
	refs     map[accountKey]accountRef // where they are noted; the resolution's own until done
	done     chan struct{}
	err      error
}

// openTime bounds a resolution: those who wait for it may wait less.
const openTime = 20 * time.Second

// openAccounts resolves what o asks for together with what others ask meanwhile. One resolution is under way at a time: after a start
// hundreds of Steps need the same few accounts at once.
func (d *database) openAccounts(ctx context.Context, o *opening) error {
	if err := ctx.Err(); err != nil {
		return failure(err)
	}
	c := &d.accounts
	o.done = make(chan struct{})
	c.asking.Lock()
	c.asked = append(c.asked, o)
	if !c.busy {
		c.busy = true
		go d.openAsked()
	}
	c.asking.Unlock()
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
		return failure(ctx.Err())
	}
}

// openAsked resolves until nobody asks any more.
func (d *database) openAsked() {
	c := &d.accounts
	for {
		c.asking.Lock()
		list := c.asked
		if c.asked = nil; len(list) == 0 {
			c.busy = false
			c.asking.Unlock()
			return
		}
		c.asking.Unlock()
		err := d.openAll(list)
		for _, o := range list {
			// An account that is refused is its Step's trouble alone.
			if o.err = err; err != nil && len(list) > 1 && fault.Of(err) != fault.KindUnavailable {
				o.err = d.openAll([]*opening{o})
			}
			close(o.done)
		}
	}
}

// openAll finds the accounts, opens those that aren't there, and tells everyone theirs.
func (d *database) openAll(list []*opening) error {
	ctx, cancel := context.WithTimeout(context.Background(), openTime)
	defer cancel()
	found := map[accountKey]accountRef{}
	missing := accountRows{}
	for _, o := range list {
		for _, a := range o.accounts {
			k := keyOf(a)
			if _, ok := found[k]; ok {
				continue
			}
			r, ok := d.accounts.get(k) // the resolution before this one may have found it
			if found[k] = r; !ok {
				missing.add(a, o.at)
			}
		}
	}
	if err := d.readAccounts(ctx, missing, found); err != nil {
		return err
	}
	missing = missing.without(found)
	if len(missing.list) > 0 {
		if _, err := d.pool.Exec(ctx, sqlOpenAccounts, missing.args()); err != nil {
			return failure(err)
		}
		// Those that another process opened meanwhile are read, too.
		if err := d.readAccounts(ctx, missing, found); err != nil {
			return err
		}
	}
	for _, o := range list {
		for _, a := range o.accounts {
			o.refs[keyOf(a)] = found[keyOf(a)]
		}
	}
	return nil
}

func (d *database) readAccounts(ctx context.Context, wanted accountRows, found map[accountKey]accountRef) error {
	if len(wanted.list) == 0 {
		return nil
	}
	rows, _ := d.pool.Query(ctx, sqlReadAccounts, wanted.args())
	var k accountKey
	var r accountRef
	_, err := pgx.ForEachRow(rows, []any{&k.book, &k.code, &k.currency, &r.no, &r.normal, &r.kind, &r.hot}, func() error {
		d.accounts.put(k, r)
		found[k] = r
		return nil
	})
	return failure(err)
}
