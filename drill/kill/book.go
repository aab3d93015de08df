package kill

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/payment"
)

// book reads our own database, as the owner.
type book struct{ pool *pgxpool.Pool }

func openBook(ctx context.Context, s *set) (*book, error) {
	c, err := pgxpool.ParseConfig(s.dev.PostgresURL)
	if err != nil {
		return nil, err
	}
	c.MaxConns = 2
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	return &book{pool}, nil
}

const sqlInFlight = `SELECT count(*) FROM payments WHERE status IN ('processing', 'requires_action', 'authorized') AND parked IS NULL`

// inFlight counts payments that have no end and wait for no operator.
func (b *book) inFlight(ctx context.Context) (n int, err error) {
	err = b.pool.QueryRow(ctx, sqlInFlight).Scan(&n)
	return n, err
}

// Row is a payment in our book.
type Row struct {
	ID, MerchantID, Reference, Parked, DeclineCode string
	Status                                         payment.Status
	Amount, Captured, Sequence                     int64
	InDoubt                                        bool
}

const sqlRows = `
	SELECT id, merchant_id, order_reference, coalesce(parked, ''), coalesce(decline_code, ''), status, amount, captured, sequence, in_doubt
	FROM payments`

// Exception is a case: something that was left to a person.
type Exception struct{ PaymentID, Kind, Decision string }

const sqlCases = `SELECT coalesce(payment_id, ''), kind, coalesce(decision, '') FROM cases`

// Waiting counts what the relays have still to do.
type Waiting struct{ Events, Callbacks, Starts, Cancels, Refunds, Cases int }

const sqlWaiting = `
	SELECT (SELECT count(*) FROM events WHERE delivered_at IS NULL), (SELECT count(*) FROM callbacks WHERE due_at IS NOT NULL),
		(SELECT count(*) FROM payments WHERE start_due_at IS NOT NULL), (SELECT count(*) FROM payments WHERE cancel_due_at IS NOT NULL),
		(SELECT count(*) FROM refunds WHERE status = 'processing'), (SELECT count(*) FROM cases WHERE start_due_at IS NOT NULL OR state = 'decided')`

// read takes what stands in our book into f.
func (b *book) read(ctx context.Context, f *Facts) error {
	rows, err := b.pool.Query(ctx, sqlRows)
	if err != nil {
		return err
	}
	if f.Rows, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Row]); err != nil {
		return err
	}
	if rows, err = b.pool.Query(ctx, sqlCases); err != nil {
		return err
	}
	if f.Cases, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Exception]); err != nil {
		return err
	}
	rows, err = b.pool.Query(ctx, sqlWaiting)
	if err != nil {
		return err
	}
	f.Waiting, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Waiting])
	return err
}

// readSandbox takes what the channel says was charged into f: the judge's book.
func (s *set) readSandbox(ctx context.Context, f *Facts) error {
	raw, err := fetch(ctx, s.sandboxURL+"/admin/book?all=1")
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Charge *server.Charge }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("the sandbox's book: %w", err)
		}
		if line.Charge != nil {
			f.Charges = append(f.Charges, *line.Charge)
		}
	}
	if raw, err = fetch(ctx, s.sandboxURL+"/admin/summary"); err == nil {
		err = json.Unmarshal(raw, &f.Summary)
	}
	return errors.Join(lines.Err(), err)
}

// audit runs `paysaga audit --full`. What it finds broken is no error here.
func (s *set) audit(ctx context.Context, f *Facts) error {
	out, err := s.run(ctx, nil, "audit", "--full")
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "BROKEN") {
			f.Broken = append(f.Broken, strings.TrimSpace(line))
		}
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(f.Broken) > 0 {
		err = nil
	}
	return err
}
