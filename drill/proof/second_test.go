package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/channels/sandbox/server"
	"paysaga/channels/wire"
	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/routing"
	"paysaga/domain/trade"
	"paysaga/store"
	"paysaga/store/storetest"
	"paysaga/workflows"
)

// seeds of the runs: each is one payment with its own faults.
const (
	firstSeed = 20261121
	runs      = 1000
)

// Of a merchant's two channels the first fails in every way there is. The
// second one's door is guarded: whoever charges there while the first may still
// succeed is caught in the act, whatever anybody's books say (I-09, I-14).
func TestNoSecondChannelWhileTheFirstIsUnknown(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	slots := make(chan struct{}, 12)
	var wg sync.WaitGroup
	for n := range runs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			h.run(t, firstSeed+uint64(n))
		})
	}
	wg.Wait()
	var doubts int64
	require.NoError(t, h.db.Owner.QueryRow(t.Context(), "SELECT count(*) FROM causes WHERE cause LIKE '%:ud1'").Scan(&doubts))
	t.Logf("seeds %d to %d: %d paid at the first channel, %d moved on to the second, %d were in doubt, %d failed, %d stood still for a person",
		firstSeed, firstSeed+runs-1, h.first.Load(), h.second.Load(), doubts, h.failed.Load(), h.parked.Load())
	if h.first.Load() == 0 || h.second.Load() < runs/50 || doubts < runs/10 || h.failed.Load() == 0 || h.parked.Load() > runs/50 {
		t.Error("the runs don't cover what they are for")
	}
}

// A guard that can't catch anybody proves nothing.
func TestTheGuardSeesASecondCharge(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := channels.ChargeRequest{AmountMinor: 100, Currency: "CNY", Capture: true, Method: payment.Method{Type: payment.MethodCardToken, Token: "tok_ok"}}
	paymentID := h.store.Mint(id.Payment)
	h.script(t, 0, paymentID, "charge", "timeout_after", 1)
	for n, base := range []string{h.urls[0], h.urls[1]} {
		key, err := channels.NewKey(id.Key(paymentID, id.Step{Code: id.Charge, Ordinal: n + 1}), strings.Repeat("0", 64), time.Now())
		require.NoError(t, err)
		call := channels.Call{Key: key, Now: time.Now(), Account: channels.Account{BaseURL: base, Credentials: credentials()}}
		_, _ = h.channel.Charge(t.Context(), call, r)
	}
	if h.caught.Load() != 1 {
		t.Errorf("the guard has caught %d", h.caught.Load())
	}
	h.caught.Store(0)
}

// house is two sandboxes and a book, without Temporal's server: the saga runs
// in the SDK's test environment, which skips the time that only passes.
type house struct {
	store    *store.Store
	steps    *activities.Steps
	channel  channels.Channel
	servers  [2]*server.Server
	urls     [2]string
	merchant string
	db       *storetest.Database

	first, second, failed, parked, caught atomic.Int64
}

const secret = "sandbox-secret"

func credentials() map[string]string {
	return map[string]string{sandbox.Secret: secret, sandbox.SecretCallback: sandbox.CallbackSecret(secret)}
}

func newHouse(t *testing.T) *house {
	t.Helper()
	db := storetest.Open(t, func(c *store.Config) { c.MaxConns = 24 })
	h := &house{db: db, store: db.Store, channel: sandbox.New(wire.New(wire.Config{}))}
	var err error
	h.merchant, err = h.store.CreateMerchant(t.Context(), store.Merchant{Book: id.Test, Name: "two channels"})
	require.NoError(t, err)
	for i := range h.servers {
		h.servers[i], err = server.New(server.Config{CallbackTries: -1, Hang: 200 * time.Millisecond, PendingDelay: 10 * time.Millisecond, SlowDelay: 20 * time.Millisecond})
		require.NoError(t, err)
		handler := h.servers[i].Handler()
		if i == 1 {
			handler = h.guard(handler)
		}
		at := httptest.NewServer(handler)
		t.Cleanup(func() { at.Close(); _ = h.servers[i].Close() })
		h.urls[i] = at.URL
		_, err = h.store.AddChannelAccount(t.Context(), store.ChannelAccount{Book: id.Test, Channel: sandbox.Name, MerchantID: h.merchant,
			BaseURL: at.URL, Credentials: credentials(), Lane: []payment.Lane{payment.Standard, payment.Express}[i], Priority: i})
		require.NoError(t, err)
	}
	h.steps = activities.New(activities.Config{Committer: h.store, Files: h.store, Refunds: h.store, Payouts: h.store, Transfers: h.store, Cases: h.store, Post: h.store, Rules: h.store, Sealer: h.store, Calls: silence{},
		Channels:    channels.NewRegistry(h.channel),
		Health:      activities.NewHealth(activities.HealthConfig{Breaker: routing.BreakerConfig{MinCalls: 1 << 30}}), // the first channel stays the first, however it fails
		CallTimeout: 50 * time.Millisecond, ExpressTimeout: time.Second})
	t.Cleanup(func() {
		if n := h.caught.Load(); n != 0 {
			t.Errorf("%d charges came to the second channel while the first one's might still succeed", n)
		}
	})
	return h
}

type silence struct{}

func (silence) Note(channels.CallLine) {}

// guard lets a charge through only where the first channel's is dead in that
// channel's own book: refused, closed, or closed before it ever came.
func (h *house) guard(next http.Handler) http.Handler {
	return guard(h.servers[0], &h.caught, next)
}

func guard(first *server.Server, caught *atomic.Int64, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/v1/charges" {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			var q struct {
				Key string `json:"key"`
			}
			_ = json.Unmarshal(body, &q)
			paymentID, _, _ := strings.Cut(q.Key, ":")
			for _, c := range first.Lookup(paymentID).Charges {
				if c.State != server.Closed && c.State != server.Declined && c.State != server.Expired {
					caught.Add(1)
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// faultsOf are what may happen to a request, by what it is.
var faultsOf = map[string][]string{
	"charge": {"timeout_before", "timeout_after", "500", "500_after", "429", "drop", "drop_after", "reset", "reset_after", "garbage", "empty",
		"truncated", "unknown_state", "wrong_reference", "slow", "decline", "pending", "redirect"},
	"ask":    {"timeout_before", "timeout_after", "500", "drop", "reset_after", "garbage", "empty", "truncated", "unknown_state", "wrong_reference"},
	"cancel": {"timeout_before", "timeout_after", "500", "500_after", "drop_after", "garbage", "unknown_state"},
}

// fault is one that the first channel is to have.
type fault struct {
	operation, name string
	times           int
}

// spoil throws the faults of one payment.
func spoil(dice *rand.Rand) (list []fault) {
	order := func(operation string, times int) {
		names := faultsOf[operation]
		list = append(list, fault{operation, names[dice.IntN(len(names))], times})
	}
	for range 1 + dice.IntN(3) {
		order("charge", 1+dice.IntN(5))
	}
	for range dice.IntN(4) {
		order("ask", 1+dice.IntN(3))
	}
	for range dice.IntN(2) {
		order("cancel", 1+dice.IntN(2))
	}
	return list
}

// script orders a fault of a channel, for one payment.
func (h *house) script(t testing.TB, at int, paymentID, operation, fault string, times int) {
	raw, _ := json.Marshal(map[string]any{"operation": operation, "reference": paymentID, "fault": fault, "times": times})
	res, err := http.Post(h.urls[at]+"/admin/script", "application/json", bytes.NewReader(raw))
	if err == nil {
		_ = res.Body.Close()
	}
	if err != nil || res.StatusCode >= 300 {
		t.Errorf("a fault can't be ordered: %v", err)
	}
}

// run is one payment, whose faults are its seed's.
func (h *house) run(t *testing.T, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 7))
	p, err := h.receive(seed)
	if err != nil {
		t.Errorf("seed %d: %v", seed, err)
		return
	}
	var told []string
	for _, f := range spoil(dice) {
		told = append(told, fmt.Sprintf("%s %s ×%d", f.operation, f.name, f.times))
		h.script(t, 0, p.ID, f.operation, f.name, f.times)
	}
	if dice.IntN(4) == 0 {
		h.script(t, 1, p.ID, "charge", "decline", 1)
	}
	var result workflows.PaymentResult
	env := h.env()
	env.ExecuteWorkflow("Payment", workflows.PaymentInput{Book: id.Test, PaymentID: p.ID, Pace: workflows.Drill})
	var stood *temporal.TimeoutError
	if errors.As(env.GetWorkflowError(), &stood) { // parked for a person: nobody is there, and the years pass
		h.parked.Add(1)
		return
	}
	if err := env.GetWorkflowError(); err != nil || env.GetWorkflowResult(&result) != nil {
		t.Errorf("seed %d (%v): the saga ended with %v", seed, told, err)
		return
	}
	h.judge(t, fmt.Sprintf("seed %d (%s)", seed, strings.Join(told, ", ")), p.ID, result.Status)
}

func (h *house) env() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(2 * time.Minute)
	env.RegisterWorkflowWithOptions(workflows.Payment, workflow.RegisterOptions{Name: "Payment"})
	for name, step := range map[string]any{"Open": h.steps.Open, "Book": h.steps.Book, "Park": h.steps.Park, "Charge": h.steps.Charge,
		"Ask": h.steps.Ask, "Close": h.steps.Close} {
		env.RegisterActivityWithOptions(step, activity.RegisterOptions{Name: name})
	}
	return env
}

// judge counts what the two channels took, which is all that counts.
func (h *house) judge(t *testing.T, what, paymentID string, ended payment.Status) {
	took := [2]int{}
	for i, s := range h.servers {
		for _, c := range s.Lookup(paymentID).Charges {
			if c.CapturedMinor > 0 {
				took[i]++
			}
		}
	}
	sum := took[0] + took[1]
	if sum > 1 || (sum == 1) != (ended == payment.Paid) || !ended.Terminal() {
		t.Errorf("%s: the payment is %s, the channels took money %d and %d times", what, ended, took[0], took[1])
	}
	h.first.Add(int64(took[0]))
	h.second.Add(int64(took[1]))
	if ended == payment.Failed {
		h.failed.Add(1)
	}
}

// receive commits a payment of 12.34 CNY as the API does.
func (h *house) receive(seed uint64) (payment.Payment, error) {
	now := time.Now()
	p := payment.Payment{Book: id.Test, ID: h.store.Mint(id.Payment), MerchantID: h.merchant, OrderID: h.store.Mint(id.Order),
		OrderRef: fmt.Sprintf("S-%d", seed), Amount: money.New(1234, "CNY"), Method: payment.MethodCardToken, Capture: payment.CaptureAutomatic,
		CreatedAt: now, ExpiresAt: now.Add(time.Hour), Status: payment.Processing, Sequence: 1, UpdatedAt: now}
	o, err := trade.New(trade.Order{ID: p.OrderID, Book: id.Test, MerchantID: h.merchant, Reference: p.OrderRef, Type: "purchase",
		Currency: "CNY", CreatedAt: now}, p.Amount)
	if err != nil {
		return p, err
	}
	_, err = h.store.Commit(context.Background(), ledger.Step{Book: id.Test, Business: p.ID, By: ledger.Service("proof"),
		Cause: id.Key(p.ID, id.Step{Code: id.Receive, Ordinal: 1}),
		Changes: []ledger.Change{payment.Receive{Order: &o, Payment: p, Secrets: payment.Secrets{Token: "tok_ok"},
			Idempotency: access.Idempotency{MerchantID: h.merchant, Operation: "POST /v1/payments", Key: p.ID, RequestHash: strings.Repeat("0", 64)}}}})
	return p, err
}
