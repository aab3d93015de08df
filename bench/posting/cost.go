package posting

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Cost is what a shape costs alone, on a database that holds nothing else.
type Cost struct {
	Shape    string  `json:"shape"`
	Clients  int     `json:"clients"`
	Rate     float64 `json:"journals_per_s"`
	Commits  float64 `json:"commits"`   // of the database, per journal
	WAL      float64 `json:"wal_bytes"` // per journal
	Journals int64   `json:"journals"`
	// Sizes are what the shape left behind, after VACUUM, per journal; the
	// payload of events apart. Empty: they weren't measured.
	Sizes []Size `json:"sizes,omitempty"`
}

// Size is how a table or an index grew.
type Size struct {
	Name  string  `json:"name"`
	Index bool    `json:"index"`
	Bytes float64 `json:"bytes"` // per journal
}

// total is of all but events and their payload, which are counted apart.
func total(sizes []Size) (sum float64) {
	for _, s := range sizes {
		if !s.apart() {
			sum += s.Bytes
		}
	}
	return sum
}

func (s Size) apart() bool { return s.Name == payload }

// payload is what events carry for others: it is as large as the object.
const payload = "events' payload"

// costing is a shape on a database of its own.
type costing struct {
	Cost
	p     *place
	ready measured
	sizes map[Size]int64 // before
	from  int64          // commits before
}

// flush is how long PostgreSQL's processes may keep their counts of commits to
// themselves.
const flush = 11 * time.Second

// costs measures each shape with its most clients on a database of its own.
// Commits are read twice, with a pause before that lets the counts come out.
func (r *run) costs(ctx context.Context) error {
	var list []*costing
	defer func() {
		for _, c := range list {
			_ = r.server.drop(context.WithoutCancel(ctx), c.p) // it goes with the server at the latest
		}
	}()
	for _, s := range shapes(r.c, &place{}) {
		c, err := r.costing(ctx, s.name, s.clients[len(s.clients)-1])
		if err != nil {
			return err
		}
		list = append(list, c)
	}
	if err := r.counted(ctx, list, func(c *costing, commits int64) { c.from = commits }); err != nil {
		return err
	}
	for _, c := range list {
		cell, err := r.metered(ctx, c.ready)
		if err != nil && !errors.Is(err, errTooFew) {
			return err
		}
		c.Rate, c.WAL, c.Journals = cell.Rate, cell.WAL, cell.all
		r.bar.Step(fmt.Sprintf("%s alone: %.0f bytes of WAL per journal", c.Shape, c.WAL))
	}
	err := r.counted(ctx, list, func(c *costing, commits int64) { c.Commits = float64(commits-c.from) / float64(max(c.Journals, 1)) })
	if err != nil {
		return err
	}
	for _, c := range list {
		if c.Sizes, err = c.p.grown(ctx, c.sizes, c.Journals); err != nil {
			return err
		}
		if _, err := c.p.stands(ctx); err != nil {
			return err
		}
		r.res.Costs = append(r.res.Costs, c.Cost)
	}
	return nil
}

// costing makes the database, and what the measurement needs.
func (r *run) costing(ctx context.Context, name string, clients int) (*costing, error) {
	p, err := r.server.create(ctx, "cost_"+name)
	if err != nil {
		return nil, err
	}
	c := &costing{Cost: Cost{Shape: name, Clients: clients}, p: p}
	if err := p.furnish(ctx); err != nil {
		return c, err
	}
	for _, s := range shapes(r.c, p) {
		if s.name != name {
			continue
		}
		if c.ready, err = s.prepare(ctx, clients, r.calls(s, clients)); err != nil {
			return c, err
		}
	}
	c.sizes, err = p.sizes(ctx)
	return c, err
}

const sqlCommits = `SELECT xact_commit FROM pg_stat_database WHERE datname = $1`

// counted reads how many transactions each database has committed.
func (r *run) counted(ctx context.Context, list []*costing, tell func(*costing, int64)) error {
	if err := wait(ctx, r.c.flush); err != nil {
		return err
	}
	for _, c := range list {
		var n int64
		if err := r.server.admin.QueryRow(ctx, sqlCommits, c.p.name).Scan(&n); err != nil {
			return err
		}
		tell(c, n)
	}
	return nil
}

const sqlSizes = `
	SELECT coalesce(r.relname, c.relname)::text, c.relkind = 'i', sum(pg_table_size(c.oid))::bigint
	FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class r ON r.oid = i.inhparent
	WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'i') GROUP BY 1, 2`

const sqlPayload = `SELECT coalesce(sum(pg_column_size(data)), 0)::bigint FROM events`

// sizes are the bytes on disk of all tables and indexes after VACUUM, partitions
// under their parent's name; of events, what they carry apart.
func (p *place) sizes(ctx context.Context) (map[Size]int64, error) {
	if err := p.exec(ctx, "VACUUM"); err != nil {
		return nil, err
	}
	rows, err := p.owner.Query(ctx, sqlSizes)
	if err != nil {
		return nil, err
	}
	all := map[Size]int64{}
	var s Size
	var bytes int64
	if _, err := pgx.ForEachRow(rows, []any{&s.Name, &s.Index, &bytes}, func() error { all[s] = bytes; return nil }); err != nil {
		return nil, err
	}
	if err := p.owner.QueryRow(ctx, sqlPayload).Scan(&bytes); err != nil {
		return nil, err
	}
	all[Size{Name: payload}] = bytes
	all[Size{Name: "events"}] -= bytes
	return all, nil
}

// grown is what journals have added to before.
func (p *place) grown(ctx context.Context, before map[Size]int64, journals int64) ([]Size, error) {
	after, err := p.sizes(ctx)
	if err != nil {
		return nil, err
	}
	var list []Size
	for s, bytes := range after {
		if more := bytes - before[s]; more > 0 {
			s.Bytes = float64(more) / float64(max(journals, 1))
			list = append(list, s)
		}
	}
	sortSizes(list)
	return list, nil
}
