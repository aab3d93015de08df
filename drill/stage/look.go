package stage

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/channels/wire"
	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/workflows"
)

// patience is how long the stage waits for something that has to come.
const patience = 30 * time.Second

// Eventually asks again and again until ok, or fails after the patience.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

// Count runs a query that counts, as the owner.
func (s *Stage) Count(t testing.TB, sql string, args ...any) int64 {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.Dev.PostgresURL)
	must(t, err)
	defer func() { _ = conn.Close(ctx) }()
	var n int64
	must(t, conn.QueryRow(ctx, sql, args...).Scan(&n))
	return n
}

// Exec changes a row as the owner: for what only time does otherwise.
func (s *Stage) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.Dev.PostgresURL)
	must(t, err)
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, sql, args...)
	must(t, err)
}

// Balance is what an account of the test book holds: a debit is positive.
func (s *Stage) Balance(t testing.TB, code string) int64 {
	t.Helper()
	return s.Count(t, "SELECT coalesce(sum(balance), 0)::bigint FROM accounts WHERE book = 'test' AND code = $1", code)
}

// UntilTimeline waits until a payment's timeline has a line of kind that
// contains any of the texts.
func (m *Merchant) UntilTimeline(t testing.TB, paymentID, kind string, texts ...string) {
	t.Helper()
	Eventually(t, "the timeline of "+paymentID+" has a "+kind+" of "+strings.Join(texts, " or "), func() bool {
		list, err := m.Stage.Store.Timeline(context.Background(), id.Test, m.ID, paymentID)
		must(t, err)
		return slices.ContainsFunc(list, func(o payment.Occurrence) bool {
			raw, err := json.Marshal(o)
			must(t, err)
			return o.Kind == kind && slices.ContainsFunc(texts, func(x string) bool { return strings.Contains(string(raw), x) })
		})
	})
}

// ChargeUnknown makes a charge at the sandbox that no payment of ours stands
// for; the sandbox calls back about it.
func (s *Sandbox) ChargeUnknown(t testing.TB, paymentID, callbackURL string) {
	t.Helper()
	key, err := channels.NewKey(id.Key(paymentID, id.Step{Code: id.Charge, Ordinal: 1}), hash, time.Now())
	must(t, err)
	_, err = sandbox.New(wire.New(wire.Config{})).Charge(context.Background(),
		channels.Call{Account: channels.Account{Book: id.Test, BaseURL: s.URL, Credentials: Credentials()}, Key: key, Now: time.Now()},
		channels.ChargeRequest{AmountMinor: 100, Currency: "CNY", CallbackURL: callbackURL, Capture: true,
			Method: payment.Method{Type: payment.MethodCardToken, Token: "tok_pending"}})
	must(t, err)
}

// Sign makes an operator and signs a decision with their key.
func (s *Stage) Sign(t testing.TB, paymentID string, r workflows.Resolution) string {
	t.Helper()
	operator, key, err := s.Store.CreateOperator(context.Background(), "Ada")
	must(t, err)
	code, err := access.Decision{Operator: operator, BusinessID: paymentID, Decision: string(r.Decision), Reason: r.Reason,
		SignedAt: time.Now()}.Sign(key)
	must(t, err)
	return code
}
