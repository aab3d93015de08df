package store

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"paysaga/domain/fault"
)

// failure turns what the driver says into a fault. Nothing that went wrong before a COMMIT was sent has happened, so a
// lost connection is Unavailable here; commit.go decides about COMMIT itself.
func failure(err error) error {
	if err == nil {
		return nil
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg):
		return refused(pg)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fault.Unavailable("store_too_slow", "the database didn't answer in time", err)
	case lost(err):
		return fault.Unavailable("store_unreachable", "the database can't be reached", err)
	}
	return fault.Internal("the database didn't do what it was asked for", err)
}

// lost reports whether the connection, not the statement, is what failed.
func lost(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return down(pg.Code)
	}
	// pgx has no type for a connection that broke; every error that comes from PostgreSQL itself is a PgError, and what is
	// left of ours are mistakes in arguments and scans, which leave the connection whole.
	var dial *pgconn.ConnectError
	text := err.Error()
	return errors.As(err, &dial) || pgconn.Timeout(err) || pgconn.SafeToRetry(err) ||
		strings.Contains(text, "conn closed") || strings.Contains(text, "closed pool") || strings.Contains(text, "EOF") ||
		strings.Contains(text, "connection reset") || strings.Contains(text, "broken pipe") ||
		strings.Contains(text, "use of closed network connection") || strings.Contains(text, "write failed") ||
		strings.Contains(text, "receive message failed")
}

// down lists the SQLSTATEs of a server that goes, comes, or is full.
func down(code string) bool {
	switch code {
	case "57P01", "57P02", "57P03", "57P05", "53300", "25P03":
		return true
	}
	return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "58")
}

// raced reports whether another transaction was just ahead, so that the same one may simply be tried once more: a deadlock, or a
// unique key that both wanted.
func raced(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.ConstraintName {
	case "causes_pkey", "causes_reversed_once", "idempotency_pkey", "orders_reference", "users_merchant_id_reference_book_key",
		"risk_counters_pkey", "rule_sets_pkey", "rebate_counters_pkey", "settlements_n", "settlements_open":
		return pg.Code == "23505"
	}
	return pg.Code == "40P01" || pg.Code == "40001"
}

// refused judges an error of PostgreSQL's own. Constraints are named so that they can be told apart here.
func refused(pg *pgconn.PgError) error {
	switch {
	case down(pg.Code):
		return fault.Unavailable("store_unreachable", "the database is not available", pg)
	case pg.Code == "55P03", pg.Code == "57014", pg.Code == "40P01", pg.Code == "40001":
		return fault.Unavailable("store_busy", "the database was too busy", pg)
	case pg.Code == "22003":
		return overflow()
	case pg.Code == "22021", pg.Code == "22P05":
		return fault.Invalid("text_invalid", "", "a text holds what can't be stored").Wrap(pg)
	}
	if raced(pg) {
		return fault.Unavailable("store_busy", "others were just ahead, again and again", pg)
	}
	switch pg.ConstraintName {
	case "accounts_floor":
		return belowFloor().Wrap(pg)
	case "accounts_closed":
		return accountClosed().Wrap(pg)
	case "period_closed":
		return fault.Invalid("period_closed", "effective_at", "the books are closed for this date").Wrap(pg)
	case "journals_dated":
		return fault.Invalid("effective_at_out_of_range", "effective_at", "a journal is dated too far from its booking").Wrap(pg)
	case "refunds_case":
		return fault.Conflict("refund_exists", "this case has its refund already").Wrap(pg)
	case "attempts_pkey", "refund_attempts_pkey":
		return fault.Conflict("intent_exists", "this attempt stands already").Wrap(pg)
	case "webhook_endpoints_once":
		return fault.Conflict("endpoint_exists", "there is an endpoint with this URL").WithParam("url").Wrap(pg)
	case "user_credentials_login":
		return fault.Conflict("login_taken", "somebody has this login already").WithParam("login").Wrap(pg)
	case "risk_lists_standing":
		return fault.Conflict("list_entry_exists", "this value stands on that list already").Wrap(pg)
	case "cases_pkey":
		return fault.Conflict("case_exists", "this case stands already").Wrap(pg)
	case "payments_pkey", "refunds_pkey", "orders_pkey", "users_pkey", "merchants_pkey", "channel_accounts_pkey", "channel_accounts_id_key":
		return fault.Conflict("id_exists", "this id stands already").Wrap(pg)
	case "payments_refunded", "payments_refunding", "orders_refunded":
		return fault.Conflict("refund_exceeds_payment", "refunds never exceed what was captured").Wrap(pg)
	case "entries_balance":
		return fault.Invalid("journal_unbalanced", "", "a journal sums to zero, whole, in one book and currency").Wrap(pg)
	}
	return fault.Internal("the database refused a statement: "+pg.Code+" "+pg.ConstraintName, pg)
}

func overflow() error {
	return fault.Invalid("balance_overflow", "", "a balance would be larger than we can hold")
}

func belowFloor() *fault.Error {
	return fault.Conflict("insufficient_balance", "an account would fall below its floor")
}

func alreadyReversed() *fault.Error {
	return fault.Conflict("already_reversed", "this journal is reversed already")
}

func accountClosed() *fault.Error {
	return fault.Conflict("account_closed", "nothing is posted to a closed account")
}

func noRows(err error) error {
	if err == pgx.ErrNoRows {
		return nil
	}
	return err
}
