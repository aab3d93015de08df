package bench

import (
	"context"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/bench/gauge"
)

// probe reads what the machine and the database have spent.
type probe struct {
	conn  *pgx.Conn
	procs map[string]int
	dbs   map[string]string // database name → as what it is shown
}

func newProbe(ctx context.Context, c Config) (*probe, error) {
	conn, err := pgx.Connect(ctx, c.Database)
	if err != nil {
		return nil, err
	}
	p := &probe{conn: conn, procs: map[string]int{"bench": os.Getpid()}, dbs: map[string]string{
		conn.Config().Database: "paysaga", c.TemporalDB: "temporal", c.TemporalDB + "_visibility": "temporal"}}
	for name, pid := range c.Processes {
		p.procs[name] = pid
	}
	return p, nil
}

func (p *probe) close() { _ = p.conn.Close(context.Background()) }

const sqlCommits = `SELECT datname, xact_commit FROM pg_stat_database WHERE datname = ANY($1)`

// commits is how many transactions the databases have committed.
func (p *probe) commits(ctx context.Context) (map[string]float64, error) {
	names := make([]string, 0, len(p.dbs))
	for name := range p.dbs {
		names = append(names, name)
	}
	rows, err := p.conn.Query(ctx, sqlCommits, names)
	if err != nil {
		return nil, err
	}
	sums := map[string]float64{}
	var name string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&name, &n}, func() error { sums[p.dbs[name]] += float64(n); return nil })
	return sums, err
}

// cpu is the CPU time that each process has used, the children of all of them
// (PostgreSQL's) as one. Where there is no /proc it is empty.
func (p *probe) cpu() map[string]time.Duration {
	used := map[string]time.Duration{}
	all := gauge.Processes()
	for name, pid := range p.procs {
		if s, ok := all[pid]; ok {
			used[name] += s.Own
		}
		if name == "bench" { // its children are the others
			continue
		}
		for _, child := range gauge.Descendants(all, pid) {
			used["postgres"] += all[child].Own + all[child].Ended
		}
	}
	return used
}

// perOne is the difference, in milliseconds for each of n.
func perOne(after, before map[string]time.Duration, n int) map[string]float64 {
	each := map[string]float64{}
	for name := range after {
		each[name] = (after[name] - before[name]).Seconds() * 1000 / float64(max(n, 1))
	}
	return each
}
