// Package rules_test proves on PostgreSQL what rules promise of payments that are opened at once, by several processes.
package rules_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/channels/wire"
	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/risk"
	"paysaga/domain/rule"
	"paysaga/domain/trade"
	"paysaga/store"
	"paysaga/store/storetest"
)

// shop is a merchant in a test's own database, and the steps of one or more processes.
type shop struct {
	t  testing.TB
	db *storetest.Database
	storetest.Seed
	processes []*activities.Steps
	n         int
}

type noCalls struct{}

func (noCalls) Note(channels.CallLine) {}

func newShop(t testing.TB, processes int) *shop {
	t.Helper()
	h := &shop{t: t, db: storetest.Open(t)}
	h.Seed = storetest.Plant(t, h.db.Store, id.Test)
	for range processes {
		s, err := store.Open(t.Context(), h.db.Config)
		require.NoError(t, err)
		t.Cleanup(s.Close)
		h.processes = append(h.processes, steps(s, s, nil))
	}
	return h
}

// steps are those of a process that reads its rules from book.
func steps(s *store.Store, book activities.Rulebook, now func() time.Time) *activities.Steps {
	return activities.New(activities.Config{Committer: s, Files: s, Sealer: s, Calls: noCalls{}, Rules: book, Now: now,
		Channels: channels.NewRegistry(sandbox.New(wire.New(wire.Config{})))})
}

// receive commits a payment of the merchant as the API does.
func (h *shop) receive(minor int64) string {
	h.t.Helper()
	h.n++
	s, now, key := h.db.Store, time.Now(), strconv.Itoa(h.n)
	p := payment.Payment{ID: s.Mint(id.Payment), Amount: money.New(minor, "CNY"), Method: payment.MethodCardToken, MerchantID: h.MerchantID,
		CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	_, err := s.Commit(h.t.Context(), ledger.Step{Book: h.Book, Cause: id.Key(p.ID, id.Step{Code: id.Receive, Ordinal: 1}), Business: p.ID,
		By: ledger.Principal{Kind: ledger.ByMerchant, ID: h.KeyID}, Changes: []ledger.Change{payment.Receive{
			Idempotency: access.Idempotency{MerchantID: h.MerchantID, Operation: "POST /v1/payments", Key: key, RequestHash: hash},
			Order:       &trade.Order{Reference: key, Type: trade.Purchase, Currency: "CNY"},
			Payment:     p, Secrets: payment.Secrets{Token: "tok_ok"}, Customer: &payment.Customer{Reference: "c-1"}}}})
	require.NoError(h.t, err)
	return p.ID
}

const hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// open opens a payment in a process, as its saga does: until it is done.
func (h *shop) open(process int, paymentID string) activities.Opened {
	in := activities.OpenInput{Ref: activities.Ref{Book: h.Book, PaymentID: paymentID}, Ordinal: 1, Reviews: true}
	for {
		o, err := h.processes[process].Open(context.Background(), in)
		if err == nil {
			return o
		}
		if h.t.Context().Err() != nil {
			h.t.Error(err)
			return o
		}
	}
}

func (h *shop) save(kind rule.Kind, def any) int {
	h.t.Helper()
	raw, err := json.Marshal(def)
	require.NoError(h.t, err)
	set, err := h.db.Store.SaveRules(h.t.Context(), rule.Set{Book: h.Book, MerchantID: h.MerchantID, Kind: kind, Definition: raw, By: by})
	require.NoError(h.t, err)
	return set.Version
}

func (h *shop) activate(kind rule.Kind, version int) {
	h.t.Helper()
	_, err := h.db.Store.ActivateRules(h.t.Context(), rule.Activation{Book: h.Book, MerchantID: h.MerchantID, Kind: kind, Version: version, By: by})
	require.NoError(h.t, err)
}

var by = ledger.Principal{Kind: ledger.ByOperator, ID: "opr_test", Reason: "a test"}

// count counts rows, as the owner.
func (h *shop) count(sql string, args ...any) (n int64) {
	h.t.Helper()
	require.NoError(h.t, h.db.Owner.QueryRow(h.t.Context(), sql, args...).Scan(&n))
	return n
}

func (h *shop) text(sql string, args ...any) (text string) {
	h.t.Helper()
	require.NoError(h.t, h.db.Owner.QueryRow(h.t.Context(), sql, args...).Scan(&text))
	return text
}

// blindBook can't read lists and counters while it is blind.
type blindBook struct {
	*store.Store
	blind atomic.Bool
}

func (b *blindBook) RiskData(ctx context.Context, book id.Book, merchantID string, values []risk.Listed, counters []risk.Counter) ([]risk.Entry, map[string]risk.Value, error) {
	if b.blind.Load() {
		return nil, nil, errors.New("the table is gone")
	}
	return b.Store.RiskData(ctx, book, merchantID, values, counters)
}
