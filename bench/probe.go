package bench

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
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

// tick is the unit of /proc: Linux shows 1/100 s to programs, whatever the
// kernel counts in.
const tick = 10 * time.Millisecond

// cpu is the CPU time that each process has used, the children of all of them
// (PostgreSQL's) as one. Where there is no /proc it is empty.
func (p *probe) cpu() map[string]time.Duration {
	used := map[string]time.Duration{}
	all := processes()
	for name, pid := range p.procs {
		if s, ok := all[pid]; ok {
			used[name] += s.own
		}
		if name == "bench" { // its children are the others
			continue
		}
		for _, child := range descendants(all, pid) {
			used["postgres"] += all[child].own + all[child].ended
		}
	}
	return used
}

type process struct {
	parent     int
	own, ended time.Duration // ended: of its children that are gone
}

// processes reads what /proc says of all processes.
func processes() map[int]process {
	all := map[int]process{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
		}
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
		// The name, in brackets, may hold anything; the fields count from behind it.
		_, rest, _ := strings.Cut(string(raw[strings.LastIndexByte(string(raw), ')'):]), " ")
		f := strings.Fields(rest)
		if len(f) < 15 {
			continue
		}
		number := func(i int) time.Duration { n, _ := strconv.Atoi(f[i]); return time.Duration(n) * tick }
		parent, _ := strconv.Atoi(f[1])
		all[pid] = process{parent: parent, own: number(11) + number(12), ended: number(13) + number(14)}
	}
	return all
}

func descendants(all map[int]process, of int) (list []int) {
	for pid, p := range all {
		if p.parent == of {
			list = append(append(list, pid), descendants(all, pid)...)
		}
	}
	return list
}

// perOne is the difference, in milliseconds for each of n.
func perOne(after, before map[string]time.Duration, n int) map[string]float64 {
	each := map[string]float64{}
	for name := range after {
		each[name] = (after[name] - before[name]).Seconds() * 1000 / float64(max(n, 1))
	}
	return each
}
