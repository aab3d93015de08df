package store

import (
	"context"
	"sync"

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

type accountKey struct {
	book     id.Book
	code     string
	currency money.Currency
}

// accountCache knows accounts by name. They are never removed, so what it knows stays true.
type accountCache struct {
	mu   sync.RWMutex
	refs map[accountKey]accountRef
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
	SELECT @book, a.id, a.code, a.currency, nullif(a.owner, ''), a.kind, a.normal, CASE WHEN a.floored THEN a.floor END, @at
	FROM unnest(@ids::text[], @codes::text[], @currencies::text[], @owners::text[], @kinds::text[], @normals::text[],
		@floored::boolean[], @floors::bigint[]) AS a(id, code, currency, owner, kind, normal, floored, floor)
	ORDER BY a.code, a.currency
	ON CONFLICT DO NOTHING`

const sqlReadAccounts = `
	SELECT code, currency, no, normal, kind, hot
	FROM accounts WHERE book = $1 AND (code, currency) IN (SELECT * FROM unnest($2::text[], $3::text[]))`

// resolveAccounts finds the numbers of the Step's accounts. One that was never posted to is opened first, in a transaction
// of its own: an account without entries means nothing, and opening it here keeps the Step's locks short.
func (w *work) resolveAccounts(ctx context.Context) error {
	known := map[accountKey]accountRef{} // apart from the cache, which may start anew meanwhile
	var missing []ledger.Account
	for _, j := range w.step.Journals {
		for _, e := range j.Entries() {
			key := keyOf(e.Account)
			if _, ok := known[key]; ok {
				continue
			}
			r, ok := w.db.accounts.get(key)
			if known[key] = r; !ok {
				missing = append(missing, e.Account)
			}
		}
	}
	if len(missing) > 0 {
		if err := w.openAccounts(ctx, missing, known); err != nil {
			return err
		}
	}
	for _, j := range w.step.Journals {
		for _, e := range j.Entries() {
			r := known[keyOf(e.Account)]
			if r.no == 0 || r.kind != e.Account.Kind || r.normal != e.Account.Normal {
				return fault.Internal("an account stands with another kind or side than the chart's: "+e.Account.Code, nil)
			}
			w.refs = append(w.refs, r)
		}
	}
	return nil
}

func keyOf(a ledger.Account) accountKey { return accountKey{a.Book, a.Code, a.Currency} }

func (w *work) openAccounts(ctx context.Context, list []ledger.Account, known map[accountKey]accountRef) error {
	var ids, codes, currencies, owners, kinds, normals []string
	var floored []bool
	var floors []int64
	for _, a := range list {
		ids, codes, currencies = append(ids, mint(id.Account, w.at)), append(codes, a.Code), append(currencies, string(a.Currency))
		owners, kinds, normals = append(owners, a.Owner), append(kinds, string(a.Kind)), append(normals, string(a.Normal))
		floored, floors = append(floored, a.Floored), append(floors, a.Floor)
	}
	b := &pgx.Batch{}
	b.Queue(sqlOpenAccounts, pgx.NamedArgs{"book": w.step.Book, "at": w.at, "ids": ids, "codes": codes, "currencies": currencies,
		"owners": owners, "kinds": kinds, "normals": normals, "floored": floored, "floors": floors})
	b.Queue(sqlReadAccounts, w.step.Book, codes, currencies).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			k := accountKey{book: w.step.Book}
			var r accountRef
			if err := rows.Scan(&k.code, &k.currency, &r.no, &r.normal, &r.kind, &r.hot); err != nil {
				return err
			}
			w.db.accounts.put(k, r)
			known[k] = r
		}
		return rows.Err()
	})
	return failure(w.db.pool.SendBatch(ctx, b).Close())
}
