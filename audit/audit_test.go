package audit_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/audit"
	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
	"paysaga/store/storetest"
)

// plants are ways to break the book, each with the invariant that has to notice. They run as the owner, with triggers off
// and the tables' own checks gone, in a transaction that is rolled back.
var plants = map[string]struct{ id, sql string }{
	"an entry changed":             {"I-01", `UPDATE entries SET amount = amount + 1 WHERE journal = 1 AND leg = 1`},
	"a journal without entries":    {"I-01", `DELETE FROM entries WHERE journal = 1`},
	"an entry without a journal":   {"I-01", `DELETE FROM journals WHERE no = 1`},
	"a balance changed":            {"I-02", `UPDATE accounts SET balance = balance + 1 WHERE code = 'income/fees'`},
	"money on memo":                {"I-02", `UPDATE accounts SET balance = balance + 1 WHERE code LIKE 'memo/in\_doubt/%' AND normal = 'debit'`},
	"a balance moved away":         {"I-03", `UPDATE accounts SET balance = balance + CASE WHEN code LIKE '%clearing' THEN 1 ELSE -1 END WHERE code LIKE '%clearing' OR code = 'income/fees'`},
	"a running balance changed":    {"I-03", `UPDATE entries SET balance_after = balance_after + 1 WHERE journal = 1 AND leg = 1`},
	"an entry lost":                {"I-03", `DELETE FROM entries WHERE journal = 1; DELETE FROM journals WHERE no = 1`},
	"a privilege":                  {"I-04", `GRANT UPDATE ON entries TO paysaga_test_app`},
	"a privilege on a column":      {"I-04", `GRANT UPDATE (hash) ON causes TO paysaga_test_app`},
	"a privilege of everybody":     {"I-04", `GRANT DELETE ON journals TO PUBLIC`},
	"a trigger switched off":       {"I-04", `ALTER TABLE entries DISABLE TRIGGER entries_balance`},
	"a trigger dropped":            {"I-04", `DROP TRIGGER insert_only ON journals`},
	"a journal twice":              {"I-05", `UPDATE journals SET cause = (SELECT cause FROM journals WHERE no = 1) WHERE no = 2`},
	"a cause without its journal":  {"I-05", `UPDATE causes SET journal = 999 WHERE journal = 1`},
	"a cause removed":              {"I-05", `DELETE FROM causes WHERE journal = 1`},
	"below the floor":              {"I-06", `UPDATE accounts SET floor = 5000 WHERE code LIKE '%/available'`},
	"once below the floor":         {"I-06", `UPDATE entries SET balance_after = 7 WHERE account = (SELECT no FROM accounts WHERE code LIKE '%/available') AND seq = 1`},
	"a reversal that differs":      {"I-07", `UPDATE entries SET amount = amount * 2 WHERE journal = (SELECT no FROM journals WHERE reverses IS NOT NULL)`},
	"a second reversal":            {"I-07", `DROP INDEX journals_reversed_once; UPDATE journals SET reverses = (SELECT reverses FROM journals WHERE reverses IS NOT NULL) WHERE no = (SELECT max(no) FROM journals WHERE reverses IS NULL)`},
	"a part that lost money":       {"I-08", `UPDATE payment_parts SET amount = amount - 1 WHERE amount = 1000`},
	"charged twice":                {"I-09", `INSERT INTO attempts (book, payment_id, ordinal, part, channel, channel_account, lane, request_hash, request_sealed, born_at, verdict) SELECT book, payment_id, 9, part, channel, channel_account, lane, request_hash, request_sealed, born_at, 'succeeded' FROM attempts WHERE verdict = 'succeeded' LIMIT 1`},
	"captured beyond":              {"I-09", `UPDATE payment_parts SET captured = authorized + 1 WHERE captured > 0`},
	"captured without a journal":   {"I-10", `UPDATE journals SET kind = 'other' WHERE kind = 'captured'`},
	"a capture of nothing":         {"I-10", `UPDATE payments SET captured = 0, fee = 0, business_date = NULL, status = 'failed', decline_code = 'x' WHERE status = 'succeeded'`},
	"another fee":                  {"I-10", `UPDATE payments SET fee = fee + 1 WHERE status = 'succeeded'`},
	"refunded beyond":              {"I-12", `UPDATE payments SET refunded = captured + 1 WHERE status = 'succeeded'`},
	"an attempt without a payment": {"I-13", `UPDATE attempts SET payment_id = payment_id || 'x' WHERE verdict = 'succeeded'`},
	"an attempt without a hash":    {"I-13", `UPDATE attempts SET request_hash = ''`},
	"a call before its intent":     {"I-13", `INSERT INTO channel_calls SELECT book, payment_id, payment_id || ':ch1', channel, channel_account, 'charge', born_at - interval '1 minute', 1 FROM attempts LIMIT 1`},
	"a call without an intent":     {"I-13", `INSERT INTO channel_calls SELECT book, payment_id, payment_id || ':ch8', channel, channel_account, 'charge', now(), 1 FROM attempts LIMIT 1`},
	"doubt without a posting":      {"I-14", `UPDATE payments SET in_doubt = true WHERE status = 'processing' AND NOT in_doubt`},
	"a posting without doubt":      {"I-14", `UPDATE payments SET in_doubt = false WHERE in_doubt`},
	"an end with an open attempt":  {"I-15", `UPDATE attempts SET verdict = 'pending' WHERE verdict = 'succeeded'`},
	"a status out of the table":    {"I-15", `UPDATE payments SET status = 'lost' WHERE status = 'processing'`},
	"authorized by nobody":         {"I-15", `UPDATE payments SET status = 'authorized' WHERE status = 'processing'`},
	"parts that disagree":          {"I-16", `UPDATE payment_parts SET captured = captured - 1 WHERE captured > 0`},
	"an order paid too much":       {"I-16", `UPDATE orders SET paid = paid + 1 WHERE paid > 0`},
	"an order that reserves air":   {"I-16", `UPDATE orders SET authorized = 5`},
	"an acknowledged request lost": {"I-19", `DELETE FROM payments WHERE status = 'processing' AND NOT in_doubt`},
	"two keys for one payment":     {"I-20", `INSERT INTO idempotency SELECT book, merchant_id, operation, key || 'x', request_hash, object, created_at FROM idempotency LIMIT 1`},
	"an event lost":                {"I-23", `DELETE FROM events WHERE sequence = 1 AND object_type = 'payment'`},
	"the last event lost":          {"I-23", `DELETE FROM events WHERE type = 'payment.succeeded'`},
	"no event at all":              {"I-23", `DELETE FROM events WHERE object_type = 'payment'`},
	"an event that stays":          {"I-23", `UPDATE events SET created_at = created_at - interval '1 day'`},
	"another merchant's order":     {"I-25", `UPDATE orders SET merchant_id = 'mer_other' WHERE paid = 0`},
	"another merchant's customer":  {"I-25", `UPDATE users SET merchant_id = 'mer_other'`},
	"another book's account":       {"I-25", `UPDATE channel_accounts SET book = 'live'`},
	"another merchant's account":   {"I-25", `UPDATE channel_accounts SET merchant_id = 'mer_other'`},
	"another merchant's money":     {"I-25", `UPDATE accounts SET code = 'merchant/mer_other/available' WHERE code LIKE '%/available'`},
	"an event for another":         {"I-25", `UPDATE events SET merchant_id = 'mer_other' WHERE object_type = 'payment'`},
	"a case of another":            {"I-25", `INSERT INTO cases (book, id, merchant_id, payment_id, kind, amount, reason, opened_at) SELECT book, 'case/x', 'mer_other', id, 'x', 1, 'x', now() FROM payments LIMIT 1`},
	"a token in clear":             {"I-26", `UPDATE payment_details SET secrets_sealed = convert_to('{"token":"tok_ok_and_more_than_thirty_bytes"}', 'UTF8')`},
	"credentials in clear":         {"I-26", `UPDATE channel_accounts SET credentials_sealed = convert_to('{"secret":"sandbox_and_more_than_thirty"}', 'UTF8')`},
}

// loosen takes away what would refuse the plants at once.
const loosen = `SET LOCAL session_replication_role = replica;
	ALTER TABLE accounts DROP CONSTRAINT accounts_floor;
	ALTER TABLE payments DROP CONSTRAINT payments_status, DROP CONSTRAINT payments_captured, DROP CONSTRAINT payments_refunded,
		DROP CONSTRAINT payments_fee, DROP CONSTRAINT payments_in_doubt, DROP CONSTRAINT payments_captured_check;
	ALTER TABLE payment_parts DROP CONSTRAINT payment_parts_check;
	ALTER TABLE orders DROP CONSTRAINT orders_status;
	ALTER TABLE attempts DROP CONSTRAINT attempts_request_hash_check;`

func TestEachPlantedViolationIsSeen(t *testing.T) {
	t.Parallel()
	db := book(t)
	seen, caught := map[string]bool{}, map[string]bool{}
	for name, plant := range plants {
		for _, v := range planted(t, db, name, plant.sql) {
			require.NotEmpty(t, v.Rows, name)
			require.LessOrEqual(t, len(v.Rows), 5, name)
			seen[v.ID+" "+v.Sentence] = true
			caught[name] = caught[name] || v.ID == plant.id
		}
		assert.True(t, caught[name], "%s: %s not seen", name, plant.id)
	}
	for _, sentence := range audit.Sentences() {
		assert.True(t, seen[sentence], "no plant breaks %q: a check that can't fail is a defect", sentence)
	}
}

// planted is what an audit of the broken book finds.
func planted(t *testing.T, db *storetest.Database, name, sql string) []audit.Violation {
	t.Helper()
	tx, err := db.Owner.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), loosen+sql)
	assert.NoError(t, err, name)
	r, err := audit.Check(t.Context(), tx, audit.Options{Full: true})
	assert.NoError(t, err, name)
	return r.Violations
}

func TestAnAuditGoesOnFromItsCheckpoint(t *testing.T) {
	t.Parallel()
	db := book(t)
	ctx := t.Context()
	tx, err := db.Owner.Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	// An hour passes.
	_, err = tx.Exec(ctx, `SET LOCAL session_replication_role = replica; UPDATE journals SET booked_at = booked_at - interval '1 hour';
		UPDATE payments SET updated_at = updated_at - interval '1 hour'`)
	require.NoError(t, err)
	quiet := audit.Options{UndeliveredAfter: -1}
	r, err := audit.Check(ctx, tx, quiet)
	require.NoError(t, err)
	require.True(t, r.Clean(), "%v", r.Violations)
	require.Zero(t, r.Since)
	r, err = audit.Check(ctx, tx, quiet)
	require.NoError(t, err)
	require.Equal(t, r.Journals, r.Since, "every journal is old enough to be final")

	_, err = tx.Exec(ctx, `UPDATE journals SET effective_at = now(); UPDATE entries SET amount = amount + 1 WHERE journal = 1 AND leg = 1`)
	require.NoError(t, err)
	r, err = audit.Check(ctx, tx, quiet)
	require.NoError(t, err)
	require.True(t, r.Clean(), "what is before the checkpoint isn't read again")
	r, err = audit.Check(ctx, tx, audit.Options{Full: true, UndeliveredAfter: -1})
	require.NoError(t, err)
	require.False(t, r.Clean(), "unless everything is")
	require.Greater(t, r.Checks, 30)
	r, err = audit.Check(ctx, tx, quiet)
	require.NoError(t, err)
	require.NotZero(t, r.Since, "an audit that found something is no checkpoint")
}

func TestTheApplicationsRoleCanAudit(t *testing.T) {
	t.Parallel()
	db := book(t)
	conn, err := pgx.Connect(t.Context(), db.Config.URL)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	r, err := audit.Check(t.Context(), conn, audit.Options{})
	require.NoError(t, err)
	require.True(t, r.Clean(), "%v", r.Violations)
	var checkpoints int
	require.NoError(t, db.Owner.QueryRow(t.Context(), `SELECT count(*) FROM audit_checkpoints WHERE violations = 0`).Scan(&checkpoints))
	require.Equal(t, 1, checkpoints)
}

// book is a small one with everything in it: a captured payment with a fee, one in doubt, one out of doubt, one just received.
func book(t *testing.T) *storetest.Database {
	t.Helper()
	db := storetest.Open(t)
	seed := storetest.Plant(t, db.Store, id.Test, payment.Terms{FeeBasisPoints: 100})
	w := writer{t, db, seed}
	w.settle(w.receive("a"), payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 1000, Currency: "CNY"})
	w.settle(w.receive("b"), payment.Outcome{Verdict: payment.Unknown})
	resolved := w.receive("c")
	w.settle(resolved, payment.Outcome{Verdict: payment.Unknown})
	w.settle(resolved, payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 1000, Currency: "CNY"})
	w.receive("d")
	return db
}

type writer struct {
	t    *testing.T
	db   *storetest.Database
	seed storetest.Seed
}

func (w writer) commit(payID string, step id.Step, journals []ledger.Journal, changes ...ledger.Change) {
	w.t.Helper()
	_, err := w.db.Store.Commit(w.t.Context(), ledger.Step{Book: id.Test, Cause: id.Key(payID, step), Business: payID, By: ledger.Service("test"),
		Changes: changes, Journals: journals})
	require.NoError(w.t, err)
}

func (w writer) receive(key string) string {
	w.t.Helper()
	p := payment.Payment{ID: w.db.Store.Mint(id.Payment), Amount: money.New(1000, "CNY"), Method: payment.MethodQR, ExpiresAt: time.Now().Add(time.Hour)}
	w.commit(p.ID, id.Step{Code: id.Receive, Ordinal: 1}, nil, payment.Receive{Payment: p,
		Idempotency: access.Idempotency{MerchantID: w.seed.MerchantID, Operation: "POST /v1/payments", Key: key, RequestHash: strings.Repeat("ab", 32)},
		Order:       &trade.Order{Reference: key, Type: trade.Purchase, Currency: "CNY"}, Customer: &payment.Customer{Reference: "c"}})
	if key == "d" {
		return p.ID
	}
	before := w.dossier(p.ID).Payment
	request, err := json.Marshal(map[string]int{"amount_minor": 1000})
	require.NoError(w.t, err)
	w.commit(p.ID, id.Step{Code: id.Open, Ordinal: 1}, nil, payment.Update{Before: before, After: before, Opened: true}, payment.Intend{Request: request,
		Attempt: payment.Attempt{PaymentID: p.ID, Part: 1, Ordinal: 1, Key: p.ID + ":ch1", Channel: "sandbox", ChannelAccount: w.seed.ChannelAccount,
			Lane: payment.Standard, RequestHash: strings.Repeat("cd", 32)}})
	return p.ID
}

func (w writer) dossier(payID string) payment.Dossier {
	w.t.Helper()
	d, err := w.db.Store.Dossier(w.t.Context(), id.Test, payID)
	require.NoError(w.t, err)
	return d
}

func (w writer) settle(payID string, out payment.Outcome) {
	w.t.Helper()
	d := w.dossier(payID)
	r, err := payment.Settle(payment.Case{Payment: d.Payment, Attempt: d.Attempt(1), Terms: d.Terms, Now: time.Now(), Outcome: out, Last: true})
	require.NoError(w.t, err)
	w.commit(payID, r.Step, r.Journals, r.Changes(d.Payment, d.Attempt(1))...)
}
