package store

import (
	"time"

	"paysaga/domain/access"
	"paysaga/domain/accrual"
	"paysaga/domain/dispute"
	"paysaga/domain/exception"
	"paysaga/domain/ledger"
	"paysaga/domain/transfer"
)

// found is what a batch found, under lock or before its unique keys decide, and what its accepted Steps have made of it.
type found struct {
	orders    shelf[string, orderRow]
	payments  shelf[string, lockedPayment]
	wholes    shelf[string, wholePayment]    // payments, where more than lockedPayment is needed
	attempts  shelf[string, []lockedAttempt] // of a payment
	captures  shelf[string, lockedCapture]
	refunds   shelf[string, lockedRefund]
	payouts   shelf[string, lockedPayout]
	transfers shelf[string, transfer.Transfer]
	disputes  shelf[string, dispute.Dispute]
	rebates   shelf[string, accrual.Accrual]
	runs      shelf[string, accrual.Run] // settlements
	openRuns  shelf[string, string]      // a campaign → its open settlement
	lastRuns  shelf[string, int]         // a campaign's date → how many settlements it has had
	reratings shelf[string, accrual.Rerating]
	rerated   shelf[string, string] // a campaign → its open re-rating
	cases     shelf[string, exception.Case]
	callbacks shelf[string, bool] // disposed
	counters  shelf[string, lockedCounter]
	caps      shelf[string, lockedCap]
	rules     shelf[ruleKey, lockedRules]
	campaigns shelf[string, lockedCampaign]
	accounts  shelf[int64, accountState]
	users     shelf[userKey, userRow]
	holders   shelf[string, holder]
	placed    shelf[string, string] // a merchant's reference → the order

	causes   map[string]*causeRow
	keys     map[access.Idempotency]*keyRow
	reversed map[string]*reversedJournal

	touched []interface{ settle(keep bool) } // shelves that hold something of the Step that is being judged
}

func newFound() *found {
	f := &found{causes: map[string]*causeRow{}, keys: map[access.Idempotency]*keyRow{}, reversed: map[string]*reversedJournal{}}
	for _, s := range []interface{ init(*found) }{&f.orders, &f.payments, &f.wholes, &f.attempts, &f.captures, &f.refunds, &f.payouts,
		&f.transfers, &f.disputes, &f.rebates, &f.runs, &f.openRuns, &f.lastRuns, &f.reratings, &f.rerated, &f.cases, &f.callbacks,
		&f.counters, &f.caps, &f.rules, &f.campaigns, &f.accounts, &f.users, &f.holders, &f.placed} {
		s.init(f)
	}
	return f
}

// keep makes what a Step has changed true for the Steps after it.
func (f *found) keep() { f.settle(true) }

// drop forgets what a Step has changed.
func (f *found) drop() { f.settle(false) }

func (f *found) settle(keep bool) {
	for _, s := range f.touched {
		s.settle(keep)
	}
	f.touched = f.touched[:0]
}

// shelf holds rows by key. A Step that is being judged works on copies of its own.
type shelf[K comparable, V any] struct {
	base, mine map[K]*V
	found      *found
}

func (s *shelf[K, V]) init(f *found) { s.base, s.mine, s.found = map[K]*V{}, map[K]*V{}, f }

// get is the Step's own copy of a row; nil: there is none. What it changes there counts once the Step is accepted. The
// copy is shallow: a slice has to be cloned before its elements change.
func (s *shelf[K, V]) get(key K) *V {
	if v := s.mine[key]; v != nil {
		return v
	}
	v := s.base[key]
	if v == nil {
		return nil
	}
	mine := *v
	s.own(key, &mine)
	return &mine
}

func (s *shelf[K, V]) put(key K, v V) { s.own(key, &v) }

func (s *shelf[K, V]) own(key K, v *V) {
	if len(s.mine) == 0 {
		s.found.touched = append(s.found.touched, s)
	}
	s.mine[key] = v
}

// find puts what the database holds.
func (s *shelf[K, V]) find(key K, v V) { s.base[key] = &v }

func (s *shelf[K, V]) settle(keep bool) {
	if keep {
		for k, v := range s.mine {
			s.base[k] = v
		}
	}
	clear(s.mine)
}

// causeRow is a cause that stands.
type causeRow struct {
	hash []byte
	own  bool // it is a Step's own, not one of its journals'
	at   time.Time
}

// keyRow is an idempotency key that stands.
type keyRow struct {
	hash   string // hex
	object string
	at     time.Time
}

// keyOfRequest is what makes an idempotency key unique in its book.
func keyOfRequest(k access.Idempotency) access.Idempotency {
	k.RequestHash = ""
	return k
}

// accountState is an account's row under lock. A hot one has none that is locked: only what never changes is known.
type accountState struct {
	accountRef
	balance int64
	last    ledger.Number
	was     ledger.Number // last, before the batch
	by      *flight       // the batch that left it so; nil: it was read
	floor   *int64        // on the normal side
	closed  bool
}

// reversedJournal is a journal that a Step reverses.
type reversedJournal struct {
	number ledger.Number
	legs   map[int64]int64 // account → amount
	by     bool            // it is reversed already
}
