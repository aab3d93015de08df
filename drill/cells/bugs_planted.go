//go:build planted

package cells

import (
	"context"
	"slices"
	"strings"
	"sync"

	"paysaga/activities"
	"paysaga/api"
	"paysaga/channels"
	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/workers"
)

// stepChange changes a Step before it is committed, or commits something besides.
type stepChange func(next activities.Committer, ctx context.Context, s ledger.Step) (ledger.Step, error)

type badCommitter struct {
	activities.Committer
	change stepChange
}

func (b *badCommitter) Commit(ctx context.Context, s ledger.Step) (ledger.Receipt, error) {
	s, err := b.change(b.Committer, ctx, s)
	if err != nil {
		return ledger.Receipt{}, err
	}
	return b.Committer.Commit(ctx, s)
}

func withoutJournals(_ activities.Committer, _ context.Context, s ledger.Step) (ledger.Step, error) {
	s.Journals = nil
	return s, nil
}

func withoutReversals(_ activities.Committer, _ context.Context, s ledger.Step) (ledger.Step, error) {
	s.Journals = slices.DeleteFunc(slices.Clone(s.Journals), func(j ledger.Journal) bool { return j.Reverses() != "" })
	return s, nil
}

func withoutCases(_ activities.Committer, _ context.Context, s ledger.Step) (ledger.Step, error) {
	s.Changes = slices.DeleteFunc(slices.Clone(s.Changes), func(c ledger.Change) bool { _, opens := c.(payment.OpenCase); return opens })
	return s, nil
}

// eventAhead tells of a move and then leaves it out: whoever was told was told of something that never was committed.
func eventAhead(_ activities.Committer, _ context.Context, s ledger.Step) (ledger.Step, error) {
	for i, c := range s.Changes {
		if u, ok := c.(payment.Update); ok && u.Event == "payment.succeeded" {
			u.Event = "payment.captured_ahead"
			u.After.Sequence++ // the event's number is one that no commit has
			s.Changes = slices.Clone(s.Changes)
			s.Changes[i] = u
		}
	}
	return s, nil
}

// withoutFee gives the merchant what was ours.
func withoutFee(_ activities.Committer, _ context.Context, s ledger.Step) (ledger.Step, error) {
	s.Journals = slices.Clone(s.Journals)
	for i, j := range s.Journals {
		if j.Kind() != "captured" {
			continue
		}
		legs, lost := []ledger.Entry{}, int64(0)
		for _, e := range j.Entries() {
			if e.Account.Code == "income/fees" {
				lost += e.Amount
				continue
			}
			legs = append(legs, e)
		}
		for k := range legs {
			if strings.HasPrefix(legs[k].Account.Code, "merchant/") {
				legs[k].Amount += lost
				lost = 0
			}
		}
		if again, err := ledger.Post(ledger.Posting{Cause: j.Cause(), Kind: j.Kind(), EffectiveAt: j.EffectiveAt()}, legs...); err == nil {
			s.Journals[i] = again
		}
	}
	return s, nil
}

// twice books a journal once more, under another cause.
func twice(ctx context.Context, c activities.Committer, s ledger.Step, j ledger.Journal, step id.Step) error {
	cause := id.Key(s.Business, step)
	again, err := ledger.Post(ledger.Posting{Cause: cause, Kind: j.Kind(), EffectiveAt: j.EffectiveAt()}, j.Entries()...)
	if err != nil {
		return err
	}
	_, err = c.Commit(ctx, ledger.Step{Book: s.Book, Cause: cause, Business: s.Business, By: s.By, Journals: []ledger.Journal{again}})
	return err
}

func withoutMaturity(_ activities.Committer, _ context.Context, s ledger.Step) (ledger.Step, error) {
	s.Journals = slices.DeleteFunc(slices.Clone(s.Journals), func(j ledger.Journal) bool { return j.Kind() == "matured" })
	return s, nil
}

// afterwards does something after each commit.
type afterwards struct {
	activities.Committer
	do func(context.Context, activities.Committer, ledger.Step)
}

func (a *afterwards) Commit(ctx context.Context, s ledger.Step) (ledger.Receipt, error) {
	r, err := a.Committer.Commit(ctx, s)
	if err == nil {
		a.do(ctx, a.Committer, s)
	}
	return r, err
}

// booked remembers what was booked for whom, for the bug that books it again.
var (
	bookedMu   sync.Mutex
	bookedStep = map[string]ledger.Step{}
	bookedBy   activities.Committer
)

func remembering(c *activities.Config) {
	bookedMu.Lock()
	bookedBy = c.Committer
	bookedMu.Unlock()
	c.Committer = &afterwards{Committer: c.Committer, do: func(_ context.Context, _ activities.Committer, s ledger.Step) {
		if len(s.Journals) > 0 {
			bookedMu.Lock()
			bookedStep[s.Business] = s
			bookedMu.Unlock()
		}
	}}
}

type badInbox struct{ api.Inbox }

func (b badInbox) ReceiveCallback(ctx context.Context, cb channels.Received) (string, bool, error) {
	name, isNew, err := b.Inbox.ReceiveCallback(ctx, cb)
	if err == nil && !isNew {
		business, _, _ := id.ParseReference(cb.Reference)
		bookedMu.Lock()
		s, by := bookedStep[business], bookedBy
		bookedMu.Unlock()
		for _, j := range s.Journals {
			if j.Kind() == "captured" {
				_ = twice(ctx, by, s, j, id.Step{Code: id.Charge, Ordinal: 9})
			}
		}
	}
	return name, isNew, err
}

func bookedTwice(p *api.Parts) { p.Inbox = badInbox{p.Inbox} }

type badSettler struct{ workers.Settler }

func (b badSettler) Settle(ctx context.Context, in activities.Settlement) (payment.Payment, error) {
	if in.Outcome.Verdict == payment.Succeeded {
		return payment.Payment{}, nil
	}
	return b.Settler.Settle(ctx, in)
}

func lateIsDropped(c *workers.RelayConfig) { c.Settler = badSettler{c.Settler} }

type badReader struct {
	api.Reader
	mu   *sync.Mutex
	seen map[string]payment.Payment
}

func (b badReader) Payment(ctx context.Context, book id.Book, merchantID, paymentID string) (payment.Payment, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p, ok := b.seen[paymentID]; ok {
		return p, nil
	}
	p, err := b.Reader.Payment(ctx, book, merchantID, paymentID)
	if err == nil {
		b.seen[paymentID] = p
	}
	return p, err
}

func stale(p *api.Parts) {
	p.Reader = badReader{p.Reader, &sync.Mutex{}, map[string]payment.Payment{}}
}

// badBook receives for the API.
type badBook struct {
	api.Book
	ignoreKeys, acknowledge bool
}

func (b badBook) Commit(ctx context.Context, s ledger.Step) (ledger.Receipt, error) {
	for i, c := range s.Changes {
		if r, ok := c.(payment.Receive); ok && b.ignoreKeys {
			r.Idempotency.Key += r.Payment.ID
			if r.Order != nil { // one reference stands for one order: the doubled one has another
				o := *r.Order
				r.Order = &o
			}
			s.Changes[i] = r
		}
	}
	receipt, err := b.Book.Commit(ctx, s)
	if err != nil && b.acknowledge && strings.HasPrefix(s.Business, string(id.Refund)) {
		return ledger.Receipt{Cause: s.Cause, Object: s.Business}, nil
	}
	return receipt, err
}

func (b badBook) Replayed(ctx context.Context, book id.Book, key access.Idempotency) (string, bool, error) {
	switch {
	case b.ignoreKeys:
		return "", false, nil
	case b.acknowledge && strings.HasSuffix(key.Operation, "/refunds"): // so that only the lock is left to refuse it
		return "", true, nil
	}
	return b.Book.Replayed(ctx, book, key)
}

func keyIgnored(p *api.Parts)   { p.Book = badBook{Book: p.Book, ignoreKeys: true} }
func unarbitrated(p *api.Parts) { p.Book = badBook{Book: p.Book, acknowledge: true} }
