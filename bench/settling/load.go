package settling

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/access"
	"paysaga/domain/accrual"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/rebate"
	"paysaga/domain/trade"
	"paysaga/store"
)

const (
	// clients commit at once, as the steps of the saga do.
	clients = 256
	// perStep is how many rebates a Step promises.
	perStep = 32
	cny     = money.Currency("CNY")
)

// Load is a campaign with vested rebates of many users.
type Load struct {
	Store    *store.Store
	Merchant string
	Campaign string
	Order    string
	Users    []string
	Rebates  int
	Amount   int64 // minor units, of all rebates together
}

func (l *Load) chart() ledger.Chart { return ledger.Chart{Book: id.Test, Currency: cny} }

func step(cause string, changes ...ledger.Change) ledger.Step {
	return ledger.Step{Book: id.Test, Cause: cause, By: ledger.Service("bench"), Changes: changes}
}

// NewLoad makes merchant, order, funded campaign and users. owner is the
// database as its owner reaches it: users are written at once.
func NewLoad(ctx context.Context, s *store.Store, owner string, users, rebates int) (*Load, error) {
	l := &Load{Store: s, Campaign: s.Mint(id.Campaign), Order: s.Mint(id.Order), Rebates: rebates}
	var err error
	if l.Merchant, err = s.CreateMerchant(ctx, store.Merchant{Book: id.Test, Name: "Settlement"}); err != nil {
		return nil, err
	}
	budget := int64(rebates) * 100 // of each rebate at most 0.99
	key := func(operation string) access.Idempotency {
		return access.Idempotency{MerchantID: l.Merchant, Operation: operation, Key: operation, RequestHash: strings.Repeat("00", 32)}
	}
	order := trade.Order{ID: l.Order, Reference: "bench", Type: trade.Purchase, Currency: cny,
		Lines: []trade.Line{{SKU: "tea", Quantity: 1, UnitPrice: money.New(budget, cny), Discount: money.Zero(cny), Tax: money.Zero(cny)}}}
	funds, err := ledger.Post(ledger.Posting{Cause: id.Key(s.Mint(id.Request), id.Step{Code: id.Explain, Ordinal: 1}), Kind: "explained"},
		ledger.Dr(l.chart().Fees(), money.New(budget, cny)), ledger.Cr(l.chart().Available(l.Merchant), money.New(budget, cny)))
	if err != nil {
		return nil, err
	}
	funding := s.Mint(id.Transfer)
	given := step(funds.Cause())
	given.Journals = []ledger.Journal{funds}
	for _, one := range []ledger.Step{
		step(id.Key(l.Order, id.Step{Code: id.Receive, Ordinal: 1}), trade.Receive{Idempotency: key("order"), Order: order}),
		step(id.Key(l.Campaign, id.Step{Code: id.Receive, Ordinal: 1}), rebate.Create{Idempotency: key("campaign"),
			Campaign: rebate.Campaign{ID: l.Campaign, MerchantID: l.Merchant, Name: "Bench", Currency: cny,
				Terms: rebate.Terms{StartsAt: time.Now().Add(-time.Hour), EndsAt: time.Now().AddDate(1, 0, 0)}}}),
		given,
		step(id.Key(funding, id.Step{Code: id.Move, Ordinal: 1}), rebate.Fund{Idempotency: key("fund"), ID: funding, CampaignID: l.Campaign,
			MerchantID: l.Merchant, Amount: money.New(budget, cny)}),
	} {
		if _, err := s.Commit(ctx, one); err != nil {
			return nil, err
		}
	}
	return l, l.addUsers(ctx, owner, users)
}

func (l *Load) addUsers(ctx context.Context, owner string, n int) error {
	conn, err := pgx.Connect(ctx, owner)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows := make([][]any, n)
	for i := range rows {
		user := l.Store.Mint(id.User)
		l.Users = append(l.Users, user)
		rows[i] = []any{"test", user, l.Merchant, user, time.Now()}
	}
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"users"}, []string{"book", "id", "merchant_id", "reference", "created_at"}, pgx.CopyFromRows(rows))
	return err
}

// Promise promises all rebates, vested since yesterday. It tells how far it is.
func (l *Load) Promise(ctx context.Context, told func(done int)) error {
	var next, done, amount atomic.Int64
	r := rand.New(rand.NewPCG(1, 2))
	sizes := make([]int64, 997)
	for i := range sizes {
		sizes[i] = 1 + r.Int64N(99)
	}
	err := many(ctx, func(ctx context.Context) (bool, error) {
		from := int(next.Add(perStep)) - perStep
		if from >= l.Rebates {
			return false, nil
		}
		var p accrual.Promise
		sum := int64(0)
		for i := from; i < min(from+perStep, l.Rebates); i++ {
			a := accrual.Accrual{Book: id.Test, ID: l.Store.Mint(id.Rebate), MerchantID: l.Merchant, CampaignID: l.Campaign, Version: 1,
				Rule: "bench_" + strconv.Itoa(i/len(l.Users)), OrderID: l.Order, Line: 1, Beneficiary: l.Users[i%len(l.Users)], Currency: cny,
				VestsOn: accrual.Day(time.Now().UTC().AddDate(0, 0, -1)), Accrued: sizes[i%len(sizes)]}
			p.Rebates = append(p.Rebates, a)
			sum += a.Accrued
		}
		_, err := l.Store.Commit(ctx, step(p.Cause(), p))
		amount.Add(sum)
		told(int(done.Add(int64(len(p.Rebates)))))
		return true, err
	})
	l.Amount = amount.Load()
	return err
}

// many does something on many goroutines until it says that it is over, or
// fails.
func many(ctx context.Context, do func(context.Context) (more bool, err error)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				more, err := do(ctx)
				if err != nil {
					stop(err)
				}
				if !more || err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// Floor is how many journals a second the ledger itself takes in here: a
// journal of two legs each, between accounts of many users, with nothing else
// in its Step.
func (l *Load) Floor(ctx context.Context, lasting time.Duration) (float64, error) {
	var booked atomic.Int64
	until := time.Now().Add(lasting)
	began := time.Now()
	err := many(ctx, func(ctx context.Context) (bool, error) {
		a, b := rand.IntN(len(l.Users)), rand.IntN(len(l.Users)-1)
		if b >= a {
			b++
		}
		j, err := ledger.Post(ledger.Posting{Cause: id.Key(l.Store.Mint(id.Request), id.Step{Code: id.Explain, Ordinal: 1}), Kind: "explained"},
			ledger.Dr(bench(l.Users[a]), money.New(1, cny)), ledger.Cr(bench(l.Users[b]), money.New(1, cny)))
		if err != nil {
			return false, err
		}
		one := step(j.Cause())
		one.Journals = []ledger.Journal{j}
		if _, err = l.Store.Commit(ctx, one); err == nil {
			booked.Add(1)
		}
		return time.Now().Before(until), err
	})
	return float64(booked.Load()) / time.Since(began).Seconds(), err
}

// bench is an account of a user's that nothing else moves.
func bench(user string) ledger.Account {
	return ledger.Account{Book: id.Test, Code: "bench/" + user, Currency: cny, Owner: user, Kind: ledger.Liability, Normal: ledger.Credit}
}

// Begin begins the settlement of all of it. A worker's relay starts its saga.
func (l *Load) Begin(ctx context.Context) (accrual.Run, error) {
	due, err := l.Store.SettlementsDue(ctx, id.Test, l.Campaign, time.Now())
	if err != nil || len(due) != 1 {
		return accrual.Run{}, fmt.Errorf("%d settlements are due: %w", len(due), err)
	}
	run := due[0]
	run.ID = l.Store.Mint(id.Settlement)
	if _, err := l.Store.Commit(ctx, step(id.Key(run.ID, id.Step{Code: id.Receive, Ordinal: 1}), accrual.Begin{Run: run})); err != nil {
		return run, err
	}
	return l.Store.Settlement(ctx, id.Test, "", run.ID)
}
