package posting

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"time"
)

// Config says what to measure. Its zero value is the whole benchmark but for
// growth and children.
type Config struct {
	Rounds  int           // how often each cell is measured (5)
	Window  time.Duration // how long each measurement lasts (2 s)
	Clients []int         // of the closed loops (1, 32, 256)
	Only    []string      // names of shapes; empty: all
	// Growth are the numbers of journals to fill the book up to, and to measure
	// at. None: it isn't filled.
	Growth []int
	// NoCosts leaves out what each shape costs alone on a fresh database.
	NoCosts bool
	// Settings of the PostgreSQL server that is started, over our own.
	Settings map[string]string
	// Postgres is the URL of a role that may create databases and roles on a
	// server that runs. Empty: one is started in a temporary folder, fsync on.
	Postgres string
	// Child is this program as a process that calls Child. nil: nothing is
	// measured with several processes.
	Child func() *exec.Cmd

	flush time.Duration // a pause before commits are counted

	Out      io.Writer // the table and the line
	Progress io.Writer // where the progress bar goes; nil: nowhere
}

// Names of the shapes, in the order of the table.
var Names = []string{"random", "hot", "floored", "floored2", "moves", "http", "http_bulk", "l1", "l2"}

// httpClients and bulkClients are what peers are measured with.
const (
	httpClients = 64
	bulkClients = 8
	bulk        = 100 // journals of an atomic bulk
)

// settings are those of a machine that is there for its database: a quarter of its memory, as PostgreSQL's documentation advises
// (20.4.1, shared_buffers), and checkpoints that spread over a quarter of an hour.
func settings() map[string]string {
	return map[string]string{"shared_buffers": fmt.Sprintf("%dMB", memory()>>22), "max_wal_size": "8GB", "checkpoint_timeout": "15min",
		"autovacuum_naptime": "1min"}
}

// memory of the machine, in bytes; where there is no /proc, what a small one has.
func memory() int64 {
	kilobytes := int64(8 << 20)
	if raw, err := os.ReadFile("/proc/meminfo"); err == nil {
		_, _ = fmt.Sscanf(string(raw), "MemTotal: %d kB", &kilobytes) // else it stays
	}
	return kilobytes << 10
}

func (c Config) withDefaults() (Config, error) {
	if c.Rounds == 0 {
		c.Rounds = 5
	}
	if c.Window == 0 {
		c.Window = 2 * time.Second
	}
	if len(c.Clients) == 0 {
		c.Clients = []int{1, 32, 256}
	}
	if c.flush == 0 {
		c.flush = flush
	}
	c.Settings = merged(settings(), c.Settings)
	if c.Rounds < 1 || c.Window < 50*time.Millisecond {
		return c, errors.New("a benchmark needs a round of a twentieth of a second at least")
	}
	for _, n := range c.Clients {
		if n < 1 || n > 1024 {
			return c, errors.New("clients must be 1 to 1024")
		}
	}
	for _, name := range c.Only {
		if !slices.Contains(Names, name) {
			return c, fmt.Errorf("%q is none of %q", name, Names)
		}
	}
	if !slices.IsSorted(c.Growth) || len(c.Growth) > 0 && c.Growth[0] < 1 {
		return c, errors.New("a book grows from one number of journals to the next")
	}
	return c, nil
}

func merged(base, over map[string]string) map[string]string {
	all := maps.Clone(base)
	maps.Copy(all, over)
	return all
}

func (c Config) wants(name string) bool {
	return len(c.Only) == 0 || slices.Contains(c.Only, name)
}

func (c Config) most() int { return slices.Max(c.Clients) }

// lead is how long a cell runs before it counts: batches find their size, and
// what the cell before left behind is cleared away.
func (c Config) lead() time.Duration { return min(c.Window/2, 500*time.Millisecond) }

// duration is about how long a run takes.
func (c Config) duration(cells int) time.Duration {
	each := c.Window + c.lead() + 300*time.Millisecond
	d := time.Duration(cells*(c.Rounds+1)) * each
	if !c.NoCosts {
		d += 10*each + 2*c.flush
	}
	for i, n := range c.Growth {
		if i > 0 {
			n -= c.Growth[i-1]
		}
		d += time.Duration(n/fillGuess)*time.Second + time.Duration(3*c.Rounds)*each
	}
	return d.Round(time.Minute)
}

// wait is a pause that ends with ctx.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
