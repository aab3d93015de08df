package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // goose speaks database/sql
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"paysaga/domain/fault"
	"paysaga/store/migrations"
)

// DefaultAppRole is the role that everything but Migrate connects as.
const DefaultAppRole = "paysaga_app"

// AppRole names the application's role. A role that doesn't stand yet is made, with Password if there is one.
type AppRole struct {
	Name     string // default DefaultAppRole
	Password string
}

// Migrate brings the database of ownerURL to this build's schema and gives the application's role what it may do, no
// more. Several at once wait for each other. It is the only thing that runs as the owner.
func Migrate(ctx context.Context, ownerURL string, role AppRole) error {
	if role.Name == "" {
		role.Name = DefaultAppRole
	}
	db, err := sql.Open("pgx", ownerURL)
	if err != nil {
		return fault.Invalid("database_url_invalid", "", "a database URL can't be read")
	}
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return failure(err)
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return fault.Internal("goose has no lock", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS, goose.WithSessionLocker(locker))
	if err != nil {
		return fault.Internal("the migrations can't be read", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fault.New(fault.KindInternal, "migration_failed", "a migration failed: "+err.Error()).Wrap(err)
	}
	if _, err := db.ExecContext(ctx, grants(role)); err != nil {
		return fault.New(fault.KindInternal, "grants_failed", "the application's role can't be set up").Wrap(err)
	}
	return nil
}

// Grants is what the application's role may do, as one implicit transaction. I-04: no UPDATE and no DELETE on what was booked;
// where a row moves, only the columns that do.
const Grants = `
SELECT pg_advisory_xact_lock(hashtext('paysaga grants'));
DO $do$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = %[2]s) THEN
        BEGIN
            CREATE ROLE %[1]s LOGIN%[3]s;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; -- made beside us
        END;
    END IF;
END $do$;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %[1]s;
GRANT USAGE ON SCHEMA public TO %[1]s;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO %[1]s;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO %[1]s;
GRANT EXECUTE ON FUNCTION make_months(int) TO %[1]s;
GRANT EXECUTE ON FUNCTION erase_request(book, text, smallint, bytea), erase_callbacks(book, text, bytea) TO %[1]s;
GRANT INSERT ON merchants, operators, api_keys, channel_accounts, users, user_details, causes, idempotency, accounts, journals,
    entries, folds, displaced, lanes, blocks, closings, audit_checkpoints, orders, order_lines, order_adjustments, payments, payment_parts, payment_details, attempts,
    channel_calls, callbacks, events, cases, acts, captures, refunds, refund_attempts, payouts, payout_details, payout_attempts,
    rule_sets, active_rules, rule_activations, risk_counters, risk_lists, risk_secrets TO %[1]s;
GRANT UPDATE ON merchants, user_details TO %[1]s;
GRANT UPDATE (channel, status, in_doubt, parked, sequence, captured, refunded, fee, decline_code, business_date, effective_at,
    updated_at, next_action_sealed, cancel_requested_at, opened_at, plan, risk, start_due_at, start_tries, cancel_due_at,
    cancel_tries, mature_due_at, refunding, fee_returned, pending, capturing, capture_count, capture_final, disputed,
    review_due_at, risk_flag, decline_class, recheck_due_at, parts_seen, topup_known) ON payments TO %[1]s;
GRANT UPDATE (status, in_doubt, channel_id, failure_code, strayed, fee, sequence, updated_at, effective_at, matures_at, due_at, tries)
    ON captures TO %[1]s;
GRANT UPDATE (authorized, captured, refunded, refunding, matures_at) ON payment_parts TO %[1]s;
GRANT UPDATE (verdict, dead, channel_id, decline_code, hard_decline, amount, amount_currency, expires_at, effective_at,
    refund_slot_at, refund_sent_at) ON attempts TO %[1]s; -- I-13: the frozen request stays
GRANT UPDATE (status, in_doubt, parked, failure_code, paid_elsewhere, to_wallet, sequence, channel_id, effective_at, updated_at, opened_at,
    not_before, start_due_at, start_tries) ON refunds TO %[1]s;
GRANT UPDATE (verdict, dead, channel_id, decline_code, amount, amount_currency, effective_at) ON refund_attempts TO %[1]s;
GRANT INSERT ON disputes TO %[1]s;
GRANT UPDATE (amount, fee, reason, status, taken_merchant, taken_wallet, taken_suspense, taken_fee, sequence, said_at, updated_at) ON disputes TO %[1]s;
GRANT INSERT ON transfers TO %[1]s;
GRANT UPDATE (status, failure_code, sequence, updated_at, start_due_at, start_tries) ON transfers TO %[1]s;
GRANT UPDATE (status) ON users TO %[1]s; -- and it may lock them
GRANT UPDATE (status, in_doubt, parked, failure_code, paid_elsewhere, sequence, channel_id, effective_at, updated_at, opened_at,
    start_due_at, start_tries, next_action_sealed) ON payouts TO %[1]s;
GRANT UPDATE (verdict, dead, channel_id, decline_code, amount, amount_currency, effective_at) ON payout_attempts TO %[1]s;
GRANT UPDATE (revoked_at) ON operators, api_keys TO %[1]s;
GRANT UPDATE (scopes) ON api_keys TO %[1]s;
GRANT INSERT ON api_key_acts TO %[1]s;
GRANT INSERT ON channel_account_acts TO %[1]s;
GRANT UPDATE (status, priority, lane, base_url, credentials_sealed, currencies, cost_basis_points, cost_fixed, halt, halt_reason, acts, limits) ON channel_accounts TO %[1]s;
GRANT UPDATE (balance, last, hot, closed_at) ON accounts TO %[1]s;
GRANT UPDATE (epoch, number, hash, last) ON lanes TO %[1]s;
GRANT UPDATE (authorized, paid, refunded, disputed, status, sequence, received_at) ON orders TO %[1]s;
GRANT UPDATE (outcome, tries, due_at, disposition, disposed_at) ON callbacks TO %[1]s;
GRANT UPDATE (delivered_at) ON events TO %[1]s;
GRANT INSERT, UPDATE, DELETE ON event_leases TO %[1]s;
GRANT INSERT ON webhook_endpoints, webhook_secrets, event_bodies, deliveries, delivery_tries TO %[1]s;
GRANT UPDATE (url, description, events, include_children, api_version, schedule, status, reason, failing_since, last_success_at, sequence,
    hears_since, updated_at, deleted_at, changed_by, request_id) ON webhook_endpoints TO %[1]s;
GRANT UPDATE (status, tries, failed, last, next_at, tried_at, delivered_at, start_due_at, start_tries, start_now, api_version) ON deliveries TO %[1]s;
GRANT UPDATE (until), DELETE ON webhook_secrets TO %[1]s; -- those whose time is over
GRANT DELETE ON event_bodies, delivery_tries TO %[1]s;    -- by age
GRANT UPDATE (decision, actor, decision_reason, closed_at, policy, default_decision, deadline, verified, decided_at, refund_id, parked,
    sequence, taken_at, start_due_at, start_tries) ON cases TO %[1]s;
GRANT UPDATE (version, sequence, failed_rule, failed_version, failed_at) ON active_rules TO %[1]s;
GRANT UPDATE (count, sum_minor), DELETE ON risk_counters TO %[1]s; -- swept once they have ended
GRANT UPDATE (removed_at, removed_by, removed_reason) ON risk_lists TO %[1]s;
GRANT UPDATE (status, sequence, reference, language, preferences, metadata, referrer_id, updated_at, auto_withdraw) ON users TO %[1]s; -- and so lock them
GRANT INSERT ON user_acts, user_destinations, user_credentials, user_sessions, user_refreshes, user_token_keys TO %[1]s;
GRANT UPDATE (password, login_digest, changed_at), DELETE ON user_credentials TO %[1]s;
GRANT UPDATE (refreshed_at, expires_at, ended_at, ended_why) ON user_sessions TO %[1]s;
GRANT UPDATE (used_at), DELETE ON user_refreshes TO %[1]s;
GRANT UPDATE (destination_sealed, removed_at, hint) ON user_destinations TO %[1]s;
GRANT INSERT, UPDATE, DELETE ON login_throttles, user_profiles TO %[1]s;
GRANT INSERT ON campaigns, campaign_versions, campaign_terms, campaign_fundings, rebate_counters TO %[1]s;
GRANT UPDATE (name, status, version, latest_version, starts_at, ends_at, priority, exclusive, funded, sequence, updated_at) ON campaigns TO %[1]s;
GRANT UPDATE (minor) ON rebate_counters TO %[1]s;
GRANT INSERT ON rebates, rebates_open, rebate_debts, rebate_orders, settlements, settlement_lines TO %[1]s;
GRANT UPDATE (vests_on, version, why, status, accrued, settled, released, from_pending, from_wallet, debt, run_id, settled_at, sequence, updated_at,
    rated, clawed, restored, recovered, retaken) ON rebates TO %[1]s;
GRANT UPDATE (vests_on) ON rebates_open TO %[1]s;
GRANT DELETE ON rebates_open, rebate_debts TO %[1]s; -- what is no longer open, or owed
GRANT UPDATE (rated_at, due_at, tries, rated, past) ON rebate_orders TO %[1]s;
GRANT UPDATE (status, sequence, updated_at, ended_at, start_due_at, start_tries) ON settlements TO %[1]s;
GRANT INSERT ON settlement_withdrawals TO %[1]s;
GRANT UPDATE (due_at, tries, outcome, payout_id) ON settlement_withdrawals TO %[1]s;
GRANT INSERT ON reratings, rerating_lines TO %[1]s;
GRANT UPDATE (status, after, looked, left_alone, sequence, updated_at, ended_at, due_at) ON reratings TO %[1]s;
GRANT UPDATE, DELETE ON user_details, payment_details, payout_details TO %[1]s; -- erasable on request
GRANT INSERT, UPDATE, DELETE ON notice_events TO %[1]s;
GRANT INSERT, UPDATE ON notice_settings TO %[1]s;
GRANT INSERT ON notice_resends TO %[1]s;
GRANT INSERT, UPDATE (status, reason, tries, due_at, tried_at, sent_at) ON notifications TO %[1]s;
GRANT INSERT, UPDATE (breaker, changed_at) ON circuits TO %[1]s;
GRANT EXECUTE ON FUNCTION make_statement_month(date) TO %[1]s;
GRANT INSERT ON statement_files, statement_sums, statement_lines, statement_findings TO %[1]s;
GRANT UPDATE (status, reason, day, name, bytes, declared, lines, done, kept, first_day, last_day, updated_at) ON statement_files TO %[1]s;
GRANT UPDATE (again_lines, again_gross, again_fee, again_net) ON statement_sums TO %[1]s;
GRANT UPDATE (settled_on, batch) ON attempts, captures, refund_attempts, payout_attempts TO %[1]s;
`

func grants(role AppRole) string {
	password := ""
	if role.Password != "" {
		password = " PASSWORD " + quote(role.Password)
	}
	return fmt.Sprintf(Grants, pgx.Identifier{role.Name}.Sanitize(), quote(role.Name), password)
}

func quote(s string) string {
	out := []byte{'\''}
	for i := range len(s) {
		if s[i] == '\'' {
			out = append(out, '\'')
		}
		out = append(out, s[i])
	}
	return string(append(out, '\''))
}
