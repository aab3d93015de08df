package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
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
	"an entry changed":             {"I-01", `UPDATE entries SET amount = amount + 1 WHERE journal = pg_temp.j(1) AND leg = 1`},
	"a journal without entries":    {"I-01", `DELETE FROM entries WHERE journal = pg_temp.j(1)`},
	"an entry without a journal":   {"I-01", `DELETE FROM journals WHERE no = pg_temp.j(1)`},
	"a balance changed":            {"I-02", `UPDATE accounts SET balance = balance + 1 WHERE code = 'income/fees'`},
	"money on memo":                {"I-02", `UPDATE accounts SET balance = balance + 1 WHERE code LIKE 'memo/in\_doubt/%' AND normal = 'debit'`},
	"a balance moved away":         {"I-03", `UPDATE accounts SET balance = balance + CASE WHEN code LIKE '%clearing' THEN 1 ELSE -1 END WHERE code LIKE '%clearing' OR code = 'income/fees'`},
	"a running balance changed":    {"I-03", `UPDATE entries SET balance_after = balance_after + 1 WHERE journal = pg_temp.j(1) AND leg = 1`},
	"an entry lost":                {"I-03", `CREATE TEMP TABLE gone ON COMMIT DROP AS SELECT pg_temp.j(1) AS no; DELETE FROM entries WHERE journal = (TABLE gone); DELETE FROM journals WHERE no = (TABLE gone)`},
	"an account's last journal":    {"I-03", `UPDATE accounts SET last = last - 1 WHERE code = 'income/fees'`},
	"a balance that isn't told":    {"I-03", `UPDATE entries SET balance_after = NULL WHERE journal = pg_temp.j(1) AND leg = 1`},
	"balances of a hot account":    {"I-03", `UPDATE accounts SET hot = true WHERE code = 'income/fees'`},
	"a fold that lies":             {"I-03", `INSERT INTO folds SELECT no, last + 1, balance + 1, 0 FROM accounts WHERE code = 'income/fees'; UPDATE accounts SET hot = true WHERE code = 'income/fees'`},
	"a fold that counts wrong":     {"I-03", `INSERT INTO folds SELECT no, last + 1 + n, balance, n FROM accounts, generate_series(0, 1) n WHERE code = 'income/fees'; UPDATE accounts SET hot = true WHERE code = 'income/fees'`},
	"a date that nobody finds":     {"I-03", `UPDATE journals SET effective_at = effective_at - interval '1 day' WHERE no = pg_temp.j(1)`},
	"a date that isn't far":        {"I-03", `INSERT INTO displaced SELECT e.account, j.effective_at, j.no, e.amount FROM journals j JOIN entries e ON e.journal = j.no ON CONFLICT DO NOTHING`},
	"a privilege":                  {"I-04", `GRANT UPDATE ON entries TO paysaga_test_app`},
	"a privilege on a column":      {"I-04", `GRANT UPDATE (hash) ON causes TO paysaga_test_app`},
	"a privilege of everybody":     {"I-04", `GRANT DELETE ON journals TO PUBLIC`},
	"a way past the checks":        {"I-04", ofMonth(`GRANT INSERT ON entries_%s TO paysaga_test_app`, 0)},
	"a trigger switched off":       {"I-04", `ALTER TABLE entries DISABLE TRIGGER entries_balance`},
	"a trigger dropped":            {"I-04", `DROP TRIGGER insert_only ON journals`},
	"a trigger of one month":       {"I-04", ofMonth(`DROP TRIGGER insert_only ON entries_%s`, 1)},
	"blocks without journals":      {"I-04", `ALTER TABLE blocks DISABLE TRIGGER blocks_whole`},
	"a fence that fell":            {"I-04", `DROP TRIGGER lane_moves ON lanes`},
	"no month to come":             {"I-04", ofMonth(`ALTER TABLE entries DETACH PARTITION entries_%s`, 1)},
	"a closed date":                {"I-04", `INSERT INTO closings VALUES ('test', (now() AT TIME ZONE 'UTC')::date, now() - interval '1 hour', 'operator', 'opr_1', 'x')`},
	"a block lost":                 {"I-04", `DELETE FROM blocks WHERE first = (SELECT min(first) FROM blocks)`},
	"a block that is too short":    {"I-04", `UPDATE blocks SET journals = journals - 1 WHERE journals > 1`},
	"a block that is too long":     {"I-04", `UPDATE blocks SET journals = journals + 1`},
	"a block that moved":           {"I-04", `UPDATE blocks SET first = first + 1`},
	"a head moved on":              {"I-04", `UPDATE lanes SET number = number + 1 WHERE number > 0`},
	"a head moved back":            {"I-04", `UPDATE lanes SET last = last - 1 WHERE number > 0`},
	"a lane of another book":       {"I-04", `UPDATE lanes SET book = 'live'`},
	"a lane lost":                  {"I-04", `DELETE FROM lanes`},
	"a journal twice":              {"I-05", `UPDATE journals SET cause = (SELECT cause FROM journals WHERE no = pg_temp.j(1)) WHERE no = pg_temp.j(2)`},
	"a cause without its journal":  {"I-05", `UPDATE causes SET journal = 999 WHERE journal = pg_temp.j(1)`},
	"a cause removed":              {"I-05", `DELETE FROM causes WHERE journal = pg_temp.j(1)`},
	"below the floor":              {"I-06", `UPDATE accounts SET floor = 5000 WHERE code LIKE '%/available'`},
	"once below the floor":         {"I-06", `UPDATE entries SET balance_after = 7 WHERE account = (SELECT no FROM accounts WHERE code LIKE '%/available') AND journal = (SELECT max(journal) FROM entries WHERE account = (SELECT no FROM accounts WHERE code LIKE '%/available'))`},
	"closed with money":            {"I-06", `UPDATE accounts SET closed_at = now() WHERE code = 'income/fees'`},
	"posted to after the closing":  {"I-06", `UPDATE accounts SET closed_at = now() - interval '1 hour' WHERE code LIKE '%/pending'`},
	"a reversal that differs":      {"I-07", `UPDATE entries SET amount = amount * 2 WHERE journal = (SELECT no FROM journals WHERE reverses IS NOT NULL)`},
	"a second reversal":            {"I-07", `DROP INDEX causes_reversed_once; UPDATE causes SET reverses = (SELECT reverses FROM causes WHERE reverses IS NOT NULL) WHERE journal = pg_temp.j(1)`},
	"a reversal that isn't noted":  {"I-07", `UPDATE causes SET reverses = NULL`},
	"a part that lost money":       {"I-08", `UPDATE payment_parts SET amount = amount - 1 WHERE amount = 1000`},
	"charged twice":                {"I-09", `INSERT INTO attempts (book, payment_id, ordinal, part, channel, channel_account, lane, request_hash, request_sealed, born_at, verdict) SELECT book, payment_id, 9, part, channel, channel_account, lane, request_hash, request_sealed, born_at, 'succeeded' FROM attempts WHERE verdict = 'succeeded' LIMIT 1`},
	"captured beyond":              {"I-09", `UPDATE payment_parts SET captured = authorized + 1 WHERE captured > 0`},
	"captured without a journal":   {"I-10", `UPDATE journals SET kind = 'other' WHERE kind = 'captured'`},
	"a capture of nothing":         {"I-10", `UPDATE payments SET captured = 0, fee = 0, business_date = NULL, status = 'failed', decline_code = 'x' WHERE status = 'succeeded'`},
	"money that never matures":     {"I-10", `UPDATE journals SET kind = 'other' WHERE kind = 'matured'`},
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
	"own funds booked as ours":     {"I-16", `UPDATE channel_accounts SET own_funds = true, funds_holder = 'merchant', merchant_id = (SELECT min(merchant_id) FROM payments)`},
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

// ofMonth is sql about a partition: of this month, or of one some months ahead.
func ofMonth(sql string, ahead int) string {
	y, m, _ := time.Now().UTC().Date()
	return fmt.Sprintf(sql, time.Date(y, m+time.Month(ahead), 1, 0, 0, 0, 0, time.UTC).Format("2006_01"))
}

// loosen takes away what would refuse the plants at once.
const loosen = `SET LOCAL session_replication_role = replica;
	CREATE FUNCTION pg_temp.j(nth int) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT no FROM journals ORDER BY no OFFSET nth - 1 LIMIT 1 $$;
	ALTER TABLE accounts DROP CONSTRAINT accounts_floor, DROP CONSTRAINT accounts_closed;
	ALTER TABLE blocks DROP CONSTRAINT blocks_check, DROP CONSTRAINT blocks_journals_check;
	ALTER TABLE payments DROP CONSTRAINT payments_status, DROP CONSTRAINT payments_captured, DROP CONSTRAINT payments_refunded,
		DROP CONSTRAINT payments_fee, DROP CONSTRAINT payments_refunding, DROP CONSTRAINT payments_disputed, DROP CONSTRAINT payments_fee_returned, DROP CONSTRAINT payments_in_doubt, DROP CONSTRAINT payments_captured_check;
	ALTER TABLE payment_parts DROP CONSTRAINT payment_parts_check;
	ALTER TABLE disputes DROP CONSTRAINT disputes_taken;
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

// anHourAgo renumbers the book.
const anHourAgo = `SET LOCAL session_replication_role = replica;
	UPDATE journals SET no = no - (3600000::bigint << 20), reverses = reverses - (3600000::bigint << 20), effective_at = effective_at - interval '1 hour';
	UPDATE entries SET journal = journal - (3600000::bigint << 20);
	UPDATE causes SET journal = journal - (3600000::bigint << 20), reverses = reverses - (3600000::bigint << 20);
	UPDATE displaced SET journal = journal - (3600000::bigint << 20), effective_at = effective_at - interval '1 hour';
	UPDATE blocks SET first = first - (3600000::bigint << 20);
	UPDATE lanes SET last = last - (3600000::bigint << 20) WHERE number > 0;
	UPDATE accounts SET last = last - (3600000::bigint << 20) WHERE last > 0;
	UPDATE payments SET updated_at = updated_at - interval '1 hour'`

func TestAnAuditGoesOnFromItsCheckpoint(t *testing.T) {
	t.Parallel()
	db := book(t)
	ctx := t.Context()
	tx, err := db.Owner.Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	// An hour passes.
	_, err = tx.Exec(ctx, anHourAgo)
	require.NoError(t, err)
	quiet := audit.Options{UndeliveredAfter: -1}
	r, err := audit.Check(ctx, tx, quiet)
	require.NoError(t, err)
	require.True(t, r.Clean(), "%v", r.Violations)
	require.Zero(t, r.Since)
	r, err = audit.Check(ctx, tx, quiet)
	require.NoError(t, err)
	var last int64
	require.NoError(t, tx.QueryRow(ctx, `SELECT max(no) FROM journals`).Scan(&last))
	require.Greater(t, r.Since, last, "every journal is old enough to be final")

	_, err = tx.Exec(ctx, `UPDATE journals SET effective_at = now(); UPDATE entries SET amount = amount + 1 WHERE leg = 1`)
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
