package ledger

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
	"paysaga/store"
)

const book = id.Test

// Spec is a Step as it goes between processes and as the model knows it.
type Spec struct {
	Cause    string    `json:"cause"`
	Journals []Posting `json:"journals,omitempty"`
	Move     *Move     `json:"move,omitempty"`
	Poison   bool      `json:"poison,omitempty"` // its reason is a text that only the database refuses
}

// Posting is a journal of a Spec.
type Posting struct {
	Cause    string        `json:"cause"`
	Reverses string        `json:"reverses,omitempty"`
	Behind   time.Duration `json:"behind,omitempty"` // how long before now it happened
	Legs     []Leg         `json:"legs"`
}

// Leg is an entry; a debit is positive.
type Leg struct {
	Account int   `json:"account"`
	Minor   int64 `json:"minor"`
}

// Move is a payment's, by compare-and-swap on its sequence.
type Move struct {
	Payment  string `json:"payment"`
	Sequence int64  `json:"sequence"`
	Parked   string `json:"parked"`
}

// causes are all that the Step makes.
func (s Spec) causes() []string {
	list := []string{s.Cause}
	for _, p := range s.Journals {
		if p.Cause != s.Cause {
			list = append(list, p.Cause)
		}
	}
	return list
}

// What accounts there are. Each clerk has accounts that nobody else posts to; all share some. The bank has its own.
const (
	private      = 5 // of a clerk
	sharedFrom   = 10_000
	shared       = 6
	bankFrom     = 20_000
	bankVault    = bankFrom + 999
	debtFloor    = -500
	hotA         = sharedFrom + 4
	hotB         = sharedFrom + 5
	sharedFloorA = sharedFrom + 2
	sharedFloorB = sharedFrom + 3
)

// accountOf says what stands behind a number.
func accountOf(n int) ledger.Account {
	a := ledger.Account{Book: book, Currency: "CNY", Kind: ledger.Liability, Normal: ledger.Credit}
	switch {
	case n == bankVault:
		a.Code, a.Kind, a.Normal = "drill/bank/vault", ledger.Asset, ledger.Debit
	case n >= bankFrom:
		a.Code, a.Floored = fmt.Sprintf("drill/bank/a%d", n-bankFrom), n < bankFrom+purses
	case n >= sharedFrom:
		a.Code, a.Floored = fmt.Sprintf("drill/shared/a%d", n-sharedFrom), n == sharedFloorA || n == sharedFloorB
	default:
		a.Code = fmt.Sprintf("drill/clerk_%d/a%d", n/private, n%private)
		switch n % private {
		case 0:
			a.Kind, a.Normal = ledger.Asset, ledger.Debit
		case 1, 2:
			a.Floored = true
		case 3:
			a.Floored, a.Floor = true, debtFloor
		}
	}
	return a
}

// low says whether minor is below an account's floor.
func low(a ledger.Account, minor int64) bool {
	if a.Normal == ledger.Credit {
		minor = -minor
	}
	return a.Floored && minor < a.Floor
}

// builder makes Steps. It reads each payment once.
type builder struct {
	store    *store.Store
	mu       sync.Mutex
	payments map[string]payment.Payment
}

func (b *builder) step(ctx context.Context, s Spec) (ledger.Step, error) {
	step := ledger.Step{Book: book, Cause: s.Cause, Business: s.Cause, By: ledger.Service("drill")}
	if s.Poison {
		step.By.Reason = "a text with a \x00 in it"
	}
	for _, p := range s.Journals {
		j, err := p.journal()
		if err != nil {
			return step, err
		}
		step.Journals = append(step.Journals, j)
	}
	if s.Move != nil {
		before, err := b.payment(ctx, s.Move.Payment)
		if err != nil {
			return step, err
		}
		before.Sequence = s.Move.Sequence
		after := before
		after.Sequence, after.Parked = before.Sequence+1, s.Move.Parked
		step.Changes = []ledger.Change{payment.Update{Before: before, After: after, Event: "payment.parked"}}
	}
	return step, nil
}

func (p Posting) journal() (ledger.Journal, error) {
	var legs []ledger.Entry
	for _, l := range p.Legs {
		if l.Minor < 0 {
			legs = append(legs, ledger.Cr(accountOf(l.Account), money.New(-l.Minor, "CNY")))
		} else {
			legs = append(legs, ledger.Dr(accountOf(l.Account), money.New(l.Minor, "CNY")))
		}
	}
	return ledger.Post(ledger.Posting{Cause: p.Cause, Kind: "drill", EffectiveAt: time.Now().Add(-p.Behind), Reverses: p.Reverses}, legs...)
}

func (b *builder) payment(ctx context.Context, name string) (payment.Payment, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p, ok := b.payments[name]; ok {
		return p, nil
	}
	p, err := b.store.Payment(ctx, book, "", name)
	if err == nil {
		b.payments[name] = p
	}
	return p, err
}

// receive makes a payment that Moves can be about.
func receive(ctx context.Context, s *store.Store, merchant, key string) (string, error) {
	p := payment.Payment{ID: s.Mint(id.Payment), Amount: money.New(100, "CNY"), Method: payment.MethodCardToken, Channel: "sandbox",
		ExpiresAt: time.Now().Add(24 * time.Hour)}
	r, err := s.Commit(ctx, ledger.Step{Book: book, Cause: p.ID + ":rc1", Business: p.ID, By: ledger.Service("drill"),
		Changes: []ledger.Change{payment.Receive{
			Idempotency: access.Idempotency{MerchantID: merchant, Operation: "POST /v1/payments", Key: key, RequestHash: strings.Repeat("ab", 32)},
			Order:       &trade.Order{Reference: key, Type: trade.Purchase, Currency: "CNY"}, Payment: p}}})
	return r.Object, err
}
