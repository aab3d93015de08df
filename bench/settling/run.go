package settling

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/audit"
	"paysaga/domain/accrual"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/store"
)

// Config is what is measured, and where.
type Config struct {
	Store          *store.Store
	Owner          string // the database as its owner reaches it, for the audit
	Users, Rebates int
	Floor          time.Duration // how long the ledger's own figure is measured
	Worker         func() int    // the process that settles, by its id now
	// Began is told when the settlement has begun; what it starts ends with ctx. nil: nothing.
	Began func(ctx context.Context, run accrual.Run)
	// Ended is told when it has ended, and returns when nothing that Began has started goes on. nil: nothing has.
	Ended func()
	Out   io.Writer
}

// Result is what came of it.
type Result struct {
	Rebates           int      `json:"rebates"`
	Users             int      `json:"users"`
	LedgerPerSecond   float64  `json:"ledger_journals_per_second"`
	JournalsPerSecond float64  `json:"settlement_journals_per_second"`
	Ratio             float64  `json:"ratio"`
	Seconds           float64  `json:"seconds"`
	WorkerPeakMB      float64  `json:"worker_peak_mb"`
	Paid              string   `json:"paid"`
	Violations        []string `json:"violations"`
}

// Run prepares, settles and judges. What it finds broken is in the Result, and
// an error besides.
func Run(ctx context.Context, c Config) (Result, error) {
	res := Result{Rebates: c.Rebates, Users: c.Users}
	l, err := NewLoad(ctx, c.Store, c.Owner, c.Users, c.Rebates)
	if err != nil {
		return res, err
	}
	fmt.Fprintf(c.Out, "promising %d rebates to %d users …\n", c.Rebates, c.Users)
	if err := l.Promise(ctx, func(int) {}); err != nil {
		return res, err
	}
	if err := c.rest(ctx); err != nil {
		return res, err
	}
	if res.LedgerPerSecond, err = l.Floor(ctx, c.Floor); err != nil {
		return res, err
	}
	fmt.Fprintf(c.Out, "the ledger itself: %.0f journals/s\n", res.LedgerPerSecond)
	began := time.Now()
	run, err := l.Begin(ctx)
	if err != nil {
		return res, err
	}
	beside, stop := context.WithCancel(ctx)
	defer stop()
	if c.Began != nil {
		c.Began(beside, run)
	}
	if run, err = c.await(ctx, run, &res); err != nil {
		return res, err
	}
	res.Seconds = time.Since(began).Seconds()
	stop()
	if c.Ended != nil {
		c.Ended()
	}
	res.JournalsPerSecond = float64(c.Rebates) / res.Seconds // a journal for each rebate
	res.Ratio = res.JournalsPerSecond / max(res.LedgerPerSecond, 1)
	res.Paid = money.New(run.Done.Paid, cny).Text()
	fmt.Fprintf(c.Out, "settled in %.1f s: %.0f rebates/s, each a journal (%.2f of the ledger itself); %s; the worker took %.0f MB at most\n",
		res.Seconds, res.JournalsPerSecond, res.Ratio, res.Paid, res.WorkerPeakMB)
	return res, c.judge(ctx, l, run, &res)
}

// rest makes the database as it is when promises were made over months: their events have left, and the tables are swept.
func (c Config) rest(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.Owner)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, sql := range []string{"UPDATE events SET delivered_at = now() WHERE delivered_at IS NULL", "VACUUM ANALYZE"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// await reads the settlement until it has ended. A database that is away is
// asked again.
func (c Config) await(ctx context.Context, run accrual.Run, res *Result) (accrual.Run, error) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	said := time.Now()
	for {
		if pid := c.Worker(); pid > 0 {
			res.WorkerPeakMB = max(res.WorkerPeakMB, peak(pid))
		}
		now, err := c.Store.SettlementHead(ctx, id.Test, run.ID)
		if err == nil && now.Status.Terminal() {
			return c.Store.Settlement(ctx, id.Test, "", run.ID)
		}
		if time.Since(said) > 10*time.Second {
			if now, err := c.Store.Settlement(ctx, id.Test, "", run.ID); err == nil {
				fmt.Fprintf(c.Out, "%d of %d\n", now.Done.Rebates, now.Total.Rebates)
				said = time.Now()
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return run, context.Cause(ctx)
		}
	}
}

const sqlWallets = `
	SELECT coalesce(sum(-balance) FILTER (WHERE code LIKE 'user/%/wallet'), 0)::bigint,
		coalesce(sum(-balance) FILTER (WHERE code LIKE 'user/%/rebate\_pending'), 0)::bigint,
		coalesce(sum(-balance) FILTER (WHERE code LIKE 'campaign/%/budget'), 0)::bigint
	FROM accounts WHERE book = 'test' AND (owner = $1 OR owner IN (SELECT id FROM users WHERE book = 'test' AND merchant_id = $2))`

// judge holds what came of it against what was promised, to the cent, and asks
// the audit about everything else.
func (c Config) judge(ctx context.Context, l *Load, run accrual.Run, res *Result) error {
	if run.Status != accrual.Completed || run.Done != (accrual.Tally{Rebates: int64(l.Rebates), Paid: l.Amount}) || run.Total.Paid != l.Amount {
		res.Violations = append(res.Violations, fmt.Sprintf("the settlement is %s with %+v of %d rebates, %d", run.Status, run.Done, l.Rebates, l.Amount))
	}
	conn, err := pgx.Connect(ctx, c.Owner)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var wallets, pending, budget int64
	if err := conn.QueryRow(ctx, sqlWallets, l.Campaign, l.Merchant).Scan(&wallets, &pending, &budget); err != nil {
		return err
	}
	if want := int64(l.Rebates)*100 - l.Amount; wallets != l.Amount || pending != 0 || budget != want {
		res.Violations = append(res.Violations, fmt.Sprintf("wallets %d of %d, pending %d, budget %d of %d", wallets, l.Amount, pending, budget, want))
	}
	report, err := audit.Check(ctx, conn, audit.Options{Full: true, UndeliveredAfter: -1})
	if err != nil {
		return err
	}
	for _, v := range report.Violations {
		res.Violations = append(res.Violations, v.String())
	}
	if len(res.Violations) > 0 {
		return fmt.Errorf("a promise was broken: %q", res.Violations)
	}
	fmt.Fprintf(c.Out, "%d checks of the audit hold: each rebate was paid once, the budget is exact\n", report.Checks)
	return nil
}

// peak is the most memory that a process ever had, in MB; 0 where nobody knows.
func peak(pid int) float64 {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, rest, found := bytes.Cut(raw, []byte("VmHWM:"))
	if !found {
		return 0
	}
	kb, err := strconv.ParseFloat(string(bytes.Fields(rest)[0]), 64)
	if err != nil {
		return 0
	}
	return kb / 1024
}
