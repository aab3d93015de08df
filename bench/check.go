package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/audit"
	"paysaga/domain/id"
)

// Checked is what was found after the last payment.
type Checked struct {
	Payments int   `json:"payments"` // answered as succeeded
	Charged  int   `json:"charged"`  // of them at the sandbox, exactly once and over the right amount
	Checks   int   `json:"checks"`   // of the audit
	Journals int64 `json:"journals"`
}

// check holds every payment of this run against the sandbox's book (I-09,
// I-10), and the whole ledger against its invariants.
func (r *run) check(ctx context.Context) (Checked, error) {
	mine := map[string]int{} // charges by payment
	for _, m := range r.c.Lanes {
		for _, id := range r.took[string(m.Lane)] {
			mine[id] = 0
		}
	}
	c := Checked{Payments: len(mine)}
	if err := r.charges(ctx, mine); err != nil {
		return c, err
	}
	for id, n := range mine {
		if n != 1 {
			return c, fmt.Errorf("payment %s is at the sandbox %d times", id, n)
		}
		c.Charged++
	}
	if err := r.paidTwice(ctx); err != nil {
		return c, err
	}
	if err := r.booked(ctx, c.Payments); err != nil {
		return c, err
	}
	// Fresh plans, and a connection that nobody waits for.
	conn, err := pgx.Connect(ctx, r.c.Database)
	if err != nil {
		return c, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	report, err := audit.Check(ctx, conn, audit.Options{Full: true})
	c.Checks, c.Journals = report.Checks, report.Journals
	for _, v := range report.Violations {
		err = errors.Join(err, errors.New(v.String()))
	}
	return c, err
}

// charge is a line of the sandbox's book, as far as it matters.
type charge struct {
	Key           string    `json:"key"`
	State         string    `json:"state"`
	CapturedMinor int64     `json:"captured_minor"`
	Currency      string    `json:"currency"`
	CreatedAt     time.Time `json:"created_at"`
}

// charges counts the sandbox's charges of these payments. One of another state
// or amount is an error.
func (r *run) charges(ctx context.Context, mine map[string]int) error {
	body, err := r.sandbox(ctx, "/admin/book?all=1")
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	for lines := json.NewDecoder(body); ; {
		var line struct{ Charge *charge }
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if line.Charge == nil {
			continue
		}
		business, _, err := id.ParseKey(line.Charge.Key)
		if err != nil {
			return err
		}
		if _, ok := mine[business]; !ok {
			continue // of an earlier run, or of a warm-up that isn't ours
		}
		mine[business]++
		if c := line.Charge; c.State != "succeeded" || c.CapturedMinor != Amount || c.Currency != "CNY" {
			return fmt.Errorf("payment %s is %s over %d %s at the sandbox", business, c.State, c.CapturedMinor, c.Currency)
		}
	}
}

func (r *run) paidTwice(ctx context.Context) error {
	body, err := r.sandbox(ctx, "/admin/summary")
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	var sum struct {
		PaidTwice int `json:"paid_twice"`
	}
	if err := json.NewDecoder(body).Decode(&sum); err != nil {
		return err
	}
	if sum.PaidTwice != 0 {
		return fmt.Errorf("%d references are paid twice at the sandbox", sum.PaidTwice)
	}
	return nil
}

func (r *run) sandbox(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.c.Sandbox+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close()
		return nil, fmt.Errorf("the sandbox answers %s with %s", path, res.Status)
	}
	return res.Body, nil
}

// sqlBooked counts what stands for the merchants of a run: payments that
// succeeded, payments that did not, and what was captured.
const sqlBooked = `
	SELECT count(*) FILTER (WHERE status = 'succeeded'), count(*) FILTER (WHERE status <> 'succeeded'), coalesce(sum(captured), 0)::bigint
	FROM payments WHERE book = 'test' AND merchant_id = ANY($1)`

// booked holds our book against the answers that the API gave: nothing more,
// nothing less.
func (r *run) booked(ctx context.Context, payments int) error {
	var merchants []string
	for _, m := range r.c.Lanes {
		merchants = append(merchants, m.ID)
	}
	var succeeded, others int
	var captured int64
	if err := r.probe.conn.QueryRow(ctx, sqlBooked, merchants).Scan(&succeeded, &others, &captured); err != nil {
		return err
	}
	if succeeded != payments || others != 0 || captured != int64(payments)*Amount {
		return fmt.Errorf("%d payments were answered as succeeded; the book has %d, %d others, and %d captured", payments, succeeded, others, captured)
	}
	return nil
}
