package posting

import (
	"slices"
	"time"

	"paysaga/bench/gauge"
)

// Result is what a run found.
type Result struct {
	Machine  string            `json:"machine"`
	Settings map[string]string `json:"postgres_settings"`
	Clients  []int             `json:"clients"`
	Levels   []Level           `json:"levels"`
	Ratios   []Ratio           `json:"ratios"`
	Costs    []Cost            `json:"costs"`
	Growth   []Growth          `json:"growth"`
	Checked  Checked           `json:"checked"`
	Line     string            `json:"line"`
	Cells    []Cell            `json:"cells"`
}

// Level is a shape with a number of clients.
type Level struct {
	Shape    string       `json:"shape"`
	Clients  int          `json:"clients"`
	Rate     gauge.Spread `json:"journals_per_s"`
	P50      float64      `json:"p50_ms"` // of all rounds
	P99      float64      `json:"p99_ms"`
	WAL      float64      `json:"wal_bytes"`   // per journal
	Postgres float64      `json:"postgres_us"` // CPU time per journal
	Ours     float64      `json:"ours_us"`     // of the committer and its clients
}

// Ratio compares two levels, each round for itself.
type Ratio struct {
	Name   string       `json:"name"`
	Of     gauge.Spread `json:"ratio"`
	CPU    gauge.Spread `json:"cpu_ratio"` // of the CPU time of all processes: what others do on the machine matters less
	Target float64      `json:"target"`    // the least that was asked for
}

// summarize computes levels and ratios from the cells.
func (res *Result) summarize() {
	seen := map[[2]any]bool{}
	for _, name := range Names {
		for _, c := range res.Cells {
			if key := [2]any{c.Shape, c.Clients}; c.Shape == name && !seen[key] {
				seen[key] = true
				res.Levels = append(res.Levels, level(res.of(name, c.Clients)))
			}
		}
	}
	slices.SortStableFunc(res.Levels, func(a, b Level) int {
		if a.Shape != b.Shape {
			return slices.Index(Names, a.Shape) - slices.Index(Names, b.Shape)
		}
		return a.Clients - b.Clients
	})
	most := slices.Max(res.Clients)
	for _, r := range []struct {
		name     string
		a, b     string
		at, with int
		target   float64
	}{
		{"ratio_l1_1", "random", "l1", 1, 1, 0.9},
		{"ratio_l1_32", "random", "l1", 32, 32, 6},
		{"ratio_l2_256", "random", "l2", 256, ceilingConns, 0.4},
		{"hot ÷ random", "hot", "random", most, most, 1},
		{"floored by 2 processes ÷ random", "floored2", "random", most, most, 0.5},
	} {
		a, b := res.of(r.a, r.at), res.of(r.b, r.with)
		if of, ok := ratio(a, b, func(c Cell) float64 { return c.Rate }); ok {
			cpu, _ := ratio(a, b, perCPU)
			res.Ratios = append(res.Ratios, Ratio{r.name, of, cpu, r.target})
		}
	}
}

func (res *Result) of(name string, clients int) (cells []Cell) {
	for _, c := range res.Cells {
		if c.Shape == name && c.Clients == clients {
			cells = append(cells, c)
		}
	}
	return cells
}

func level(cells []Cell) Level {
	var rates, wal, theirs, ours []float64
	var took []time.Duration
	for _, c := range cells {
		rates, wal, took = append(rates, c.Rate), append(wal, c.WAL), append(took, c.took...)
		theirs, ours = append(theirs, c.Postgres), append(ours, c.Ours)
	}
	slices.Sort(took)
	return Level{Shape: cells[0].Shape, Clients: cells[0].Clients, Rate: gauge.Of(rates), WAL: gauge.Of(wal).Median,
		P50: gauge.Percentile(took, 0.50), P99: gauge.Percentile(took, 0.99), Postgres: gauge.Of(theirs).Median, Ours: gauge.Of(ours).Median}
}

// perCPU is how many journals a microsecond of CPU time makes, in all processes.
func perCPU(c Cell) float64 {
	if c.Postgres+c.Ours == 0 {
		return 0
	}
	return 1 / (c.Postgres + c.Ours)
}

// ratio pairs the cells of each round: the machine's speed cancels out.
func ratio(a, b []Cell, of func(Cell) float64) (gauge.Spread, bool) {
	var ratios []float64
	for i := range min(len(a), len(b)) {
		if of(b[i]) > 0 {
			ratios = append(ratios, of(a[i])/of(b[i]))
		}
	}
	return gauge.Of(ratios), len(ratios) > 0
}

// level finds one; with no number of clients, that with the most.
func (res *Result) level(name string, clients int) (found Level, ok bool) {
	for _, l := range res.Levels {
		if l.Shape == name && (clients == 0 || l.Clients == clients) {
			found, ok = l, true
		}
	}
	return found, ok
}
