package bench

import (
	"slices"
	"time"

	"paysaga/bench/gauge"
)

// Result is what a run found.
type Result struct {
	Shapes  []Shape `json:"shapes"`
	Ratios  []Ratio `json:"ratios"`
	Cells   []Cell  `json:"cells"`
	Checked Checked `json:"checked"`
	most    int
}

// Shape is what was measured of one shape.
type Shape struct {
	Name string  `json:"name"`
	Lane bool    `json:"lane"` // a lane of payments; else a floor
	At   []Level `json:"at"`
	Cost Cost    `json:"cost"`
}

// Level is a shape with a number of clients.
type Level struct {
	Clients int                `json:"clients"`
	Rate    gauge.Spread       `json:"per_s"`
	P50     float64            `json:"p50_ms"`
	P99     float64            `json:"p99_ms"`
	CPU     map[string]float64 `json:"cpu_ms_each"`
}

// Ratio compares a lane with a floor, each round for itself.
type Ratio struct {
	Lane    string       `json:"lane"`
	Floor   string       `json:"floor"`
	Clients int          `json:"clients"`
	Of      gauge.Spread `json:"ratio"`
	CPU     gauge.Spread `json:"cpu_ratio"`        // of the CPU time of all processes: what others do on the machine matters less
	Target  float64      `json:"target,omitempty"` // the least that was asked for
}

// targets are what a lane has to reach against a floor with the most clients.
var targets = map[[2]string]float64{{"express", floorOne}: 1.4, {"standard", floorOne}: 0.8, {"standard", floorNaive}: 2}

var floorNames = []string{floorEmpty, floorOne, floorNaive, floorEager}

func (r *run) result() Result {
	res := Result{Cells: r.cells, most: r.c.Clients[len(r.c.Clients)-1]}
	for _, s := range r.shapes {
		sum := Shape{Name: s.name, Lane: !slices.Contains(floorNames, s.name), Cost: r.costs[s.name]}
		for _, clients := range r.c.Clients {
			sum.At = append(sum.At, r.level(s.name, clients))
		}
		res.Shapes = append(res.Shapes, sum)
		if !sum.Lane {
			continue
		}
		for _, clients := range r.c.Clients {
			for _, floor := range floorNames {
				ratio := Ratio{Lane: s.name, Floor: floor, Clients: clients, Of: r.ratio(s.name, floor, clients, rate),
					CPU: r.ratio(s.name, floor, clients, perCPU)}
				if clients == res.most {
					ratio.Target = targets[[2]string{s.name, floor}]
				}
				res.Ratios = append(res.Ratios, ratio)
			}
		}
	}
	return res
}

func (r *run) of(name string, clients int) (cells []Cell) {
	for _, c := range r.cells {
		if c.Shape == name && c.Clients == clients {
			cells = append(cells, c)
		}
	}
	return cells
}

func (r *run) level(name string, clients int) Level {
	l := Level{Clients: clients, CPU: map[string]float64{}}
	var rates []float64
	var all []time.Duration
	cpu := map[string][]float64{}
	for _, c := range r.of(name, clients) {
		rates, all = append(rates, c.Rate), append(all, c.latencies...)
		for process, ms := range c.CPU {
			cpu[process] = append(cpu[process], ms)
		}
	}
	slices.Sort(all)
	l.Rate, l.P50, l.P99 = gauge.Of(rates), gauge.Percentile(all, 0.50), gauge.Percentile(all, 0.99)
	for process, ms := range cpu {
		l.CPU[process] = gauge.Of(ms).Median
	}
	return l
}

// rate is how many were done per second, perCPU how many per millisecond of CPU
// time.
func rate(c Cell) float64 { return c.Rate }

func perCPU(c Cell) float64 {
	var sum float64
	for _, ms := range c.CPU {
		sum += ms
	}
	if sum == 0 {
		return 0
	}
	return 1 / sum
}

// ratio pairs the cells of each round: the machine's speed cancels out.
func (r *run) ratio(lane, floor string, clients int, of func(Cell) float64) gauge.Spread {
	a, b := r.of(lane, clients), r.of(floor, clients)
	var ratios []float64
	for i := range min(len(a), len(b)) {
		if of(b[i]) > 0 {
			ratios = append(ratios, of(a[i])/of(b[i]))
		}
	}
	return gauge.Of(ratios)
}
