package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"paysaga/audit"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/store"
)

// auditCommand checks the books.
type auditCommand struct {
	databaseConfig `embed:""`
	Full           bool `help:"Check everything from the first journal on, not just what came since the last clean check."`
	chainFlags     `embed:""`
}

// Run walks the chain, if that is asked for. Else it checks each database, prints what it found, and ends with 1 if an
// invariant is broken.
func (c *auditCommand) Run(a *app) error {
	conf, err := c.store()
	if err != nil {
		return err
	}
	if c.Chain {
		return c.chain(a, conf)
	}
	if c.Checkpoint != "" || c.Verify != "" {
		return wrong("--checkpoint and --verify", "go with --chain")
	}
	clean := true
	for _, url := range databases(conf) {
		report, err := checkBooks(a.ctx, url, audit.Options{Full: c.Full})
		if err != nil {
			return err
		}
		for _, v := range report.Results {
			if v.Count == 0 {
				fmt.Fprintf(a.out, "ok      %s %s\n", v.ID, v.Sentence)
			} else {
				fmt.Fprintln(a.out, "BROKEN ", v)
			}
		}
		fmt.Fprintf(a.out, "%d checks over %d journals: %d broken\n", report.Checks, report.Journals, len(report.Violations))
		clean = clean && report.Clean()
	}
	if !clean {
		return errQuiet
	}
	return nil
}

// databases are the URLs of conf, each once.
func databases(conf store.Config) []string {
	list := []string{conf.URL}
	for _, book := range id.Books() {
		if u := conf.URLs[book]; u != "" && !slices.Contains(list, u) {
			list = append(list, u)
		}
	}
	return list
}

// checkBooks checks one database on a connection of its own: a check is long,
// and must not hold one that payments wait for.
func checkBooks(ctx context.Context, url string, o audit.Options) (audit.Report, error) {
	conn, err := connectReader(ctx, url)
	if err != nil {
		return audit.Report{}, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return audit.Check(ctx, conn, o)
}

// connectReader connects for what reads long and books nothing: the ledger's
// horizon doesn't wait for it.
func connectReader(ctx context.Context, url string) (*pgx.Conn, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fault.Invalid("database_url_invalid", "", "a database URL can't be read") // the cause quotes it (I-26)
	}
	c.RuntimeParams["application_name"] = store.ReaderName
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return nil, fault.Unavailable("store_unavailable", "the database can't be reached", err)
	}
	return conn, nil
}

// auditing checks the books every so often until ctx ends. What it finds is an
// error in the log and a metric to be alerted on; it stops nothing.
func auditing(ctx context.Context, urls []string, every time.Duration, metrics prometheus.Registerer, log *slog.Logger) {
	broken := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "paysaga_audit_broken_rows", Help: "Rows that break an invariant, at the last audit."}, []string{"invariant"})
	last := prometheus.NewGauge(prometheus.GaugeOpts{Name: "paysaga_audit_last_timestamp_seconds", Help: "When the books were last audited, whatever it found."})
	metrics.MustRegister(broken, last)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		broken.Reset()
		for _, url := range urls {
			report, err := checkBooks(ctx, url, audit.Options{})
			if err != nil {
				log.Warn("the books can't be audited", "error", fault.As(err).Error())
				continue
			}
			for _, v := range report.Results {
				broken.WithLabelValues(v.ID).Add(float64(v.Count))
			}
			for _, v := range report.Violations {
				log.Error("the books are broken", "invariant", v.ID, "sentence", v.Sentence, "count", v.Count, "rows", v.Rows)
			}
			log.Info("the books were audited", "checks", report.Checks, "broken", len(report.Violations))
			last.SetToCurrentTime()
		}
	}
}
