package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// Random Steps, refused ones, repeats and conflicts among them, keep the book as a model in memory has it: I-01 to I-07.
func TestRandomStepsKeepTheBook(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	chart := ledger.Chart{Book: h.Book, Currency: "CNY"}
	accounts := []ledger.Account{chart.Clearing(h.ChannelAccount), chart.Clearing("cha_other"), chart.Available(h.MerchantID), chart.Fees(),
		chart.Clearing("cha_third")}
	model := newModel()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			n++
			step := model.draw(rt, h, accounts, n)
			want := model.expect(step)
			r, err := h.s.Commit(t.Context(), step)
			switch want {
			case "new", "replayed":
				require.NoError(rt, err)
				require.Equal(rt, want == "replayed", r.Replayed)
				require.Equal(rt, want == "replayed", model.book(step))
			default:
				require.True(rt, fault.Is(err, fault.KindConflict, want), "want %s, got %v", want, err)
			}
		}
		for code, minor := range model.balances {
			require.Equal(rt, minor, h.balance(code), code)
		}
	})
	h.db.Audit(t)
}

// model is the book as maps.
type model struct {
	balances map[string]int64
	hashes   map[string]string // cause → content
	steps    []ledger.Step
}

func newModel() *model { return &model{balances: map[string]int64{}, hashes: map[string]string{}} }

// draw makes a Step: a new one, a repeat, or new content under an old cause.
func (m *model) draw(rt *rapid.T, h *shop, accounts []ledger.Account, n int) ledger.Step {
	cause := fmt.Sprintf("%s:cs%d", h.MerchantID, n)
	if len(m.steps) > 0 {
		old := rapid.SampledFrom(m.steps).Draw(rt, "old")
		switch rapid.IntRange(0, 9).Draw(rt, "repeat") {
		case 0:
			return old
		case 1:
			cause = old.Cause
		}
	}
	step := ledger.Step{Book: h.Book, Cause: cause, Business: h.MerchantID, By: ledger.Service("test")}
	pick := rapid.Permutation(accounts).Draw(rt, "accounts")
	legs := rapid.IntRange(2, len(accounts)).Draw(rt, "legs")
	var entries []ledger.Entry
	var sum int64
	for i := range legs - 1 {
		amount := rapid.Int64Range(-1000, 1000).Draw(rt, "amount")
		sum += amount
		entries = append(entries, ledger.Dr(pick[i], money.New(amount, "CNY")))
	}
	entries = append(entries, ledger.Cr(pick[legs-1], money.New(sum, "CNY")))
	j, err := ledger.Post(ledger.Posting{Cause: cause, Kind: "random", EffectiveAt: time.Now()}, entries...)
	if err == nil { // legs of zero may have left too few
		step.Journals = []ledger.Journal{j}
	}
	return step
}

// expect says what Commit has to answer: new, replayed, or the code of a conflict.
func (m *model) expect(s ledger.Step) string {
	if hash, ok := m.hashes[s.Cause]; ok {
		if hash == s.ContentHash() {
			return "replayed"
		}
		return "cause_conflict"
	}
	for _, j := range s.Journals {
		for _, e := range j.Entries() {
			before, after := m.balances[e.Account.Code], m.balances[e.Account.Code]+e.Amount
			if e.Account.Normal == ledger.Credit {
				before, after = -before, -after
			}
			if e.Account.Floored && after < e.Account.Floor && after < before {
				return "insufficient_balance"
			}
		}
	}
	return "new"
}

// book notes a Step that passed, and says whether it stood already.
func (m *model) book(s ledger.Step) bool {
	if _, ok := m.hashes[s.Cause]; ok {
		return true
	}
	m.hashes[s.Cause] = s.ContentHash()
	m.steps = append(m.steps, s)
	for _, j := range s.Journals {
		for _, e := range j.Entries() {
			m.balances[e.Account.Code] += e.Amount
		}
	}
	return false
}

// Money is neither made nor lost while Steps race each other over the same accounts: readers always see the same total.
func TestConcurrentTransfersKeepTheTotal(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	chart := ledger.Chart{Book: h.Book, Currency: "CNY"}
	var wallets []ledger.Account
	for i := range 5 {
		a := chart.Available(h.MerchantID)
		a.Code = fmt.Sprintf("merchant/%s/purse_%d", h.MerchantID, i)
		wallets = append(wallets, a)
	}
	transfer := func(cause string, from, to ledger.Account, minor int64) ledger.Step {
		j, err := ledger.Post(ledger.Posting{Cause: cause, Kind: "transfer", EffectiveAt: time.Now()}, ledger.Dr(from, cny(minor)), ledger.Cr(to, cny(minor)))
		require.NoError(t, err)
		return ledger.Step{Book: h.Book, Cause: cause, By: ledger.Service("test"), Journals: []ledger.Journal{j}}
	}
	for i, w := range wallets {
		h.commit(transfer(fmt.Sprintf("%s:po%d", h.MerchantID, i+1), chart.Clearing(h.ChannelAccount), w, 100))
	}
	together(8, func(worker int) {
		for i := range 40 {
			from, to := wallets[(worker+i)%5], wallets[(worker+3*i+1)%5]
			if from.Code == to.Code {
				continue
			}
			_, err := h.s.Commit(t.Context(), transfer(fmt.Sprintf("%s:w%d/%d", h.MerchantID, worker, i), from, to, int64(1+i)))
			require.True(t, err == nil || fault.Is(err, fault.KindConflict, "insufficient_balance"), "%v", err)
			var total int64
			require.NoError(t, h.db.Owner.QueryRow(t.Context(), `SELECT sum(balance)::bigint FROM accounts WHERE code LIKE '%/purse\_%'`).Scan(&total))
			require.Equal(t, int64(-500), total)
		}
	})
}
