package bench

import (
	"math"
	"slices"
	"time"
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
	Rate    Spread             `json:"per_s"`
	P50     float64            `json:"p50_ms"`
	P99     float64            `json:"p99_ms"`
	CPU     map[string]float64 `json:"cpu_ms_each"`
}

// Ratio compares a lane with a floor, each round for itself.
type Ratio struct {
	Lane    string  `json:"lane"`
	Floor   string  `json:"floor"`
	Clients int     `json:"clients"`
	Of      Spread  `json:"ratio"`
	CPU     Spread  `json:"cpu_ratio"`        // of the CPU time of all processes: what others do on the machine matters less
	Target  float64 `json:"target,omitempty"` // the least that was asked for
}

// Spread is a median between the least and the most.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spread of nothing is zero: JSON has no other number for it.
func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return Spread{(v[(n-1)/2] + v[n/2]) / 2, v[0], v[n-1]}
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
	l.Rate, l.P50, l.P99 = spread(rates), percentile(all, 0.50), percentile(all, 0.99)
	for process, ms := range cpu {
		l.CPU[process] = spread(ms).Median
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
func (r *run) ratio(lane, floor string, clients int, of func(Cell) float64) Spread {
	a, b := r.of(lane, clients), r.of(floor, clients)
	var ratios []float64
	for i := range min(len(a), len(b)) {
		if of(b[i]) > 0 {
			ratios = append(ratios, of(a[i])/of(b[i]))
		}
	}
	return spread(ratios)
}

// percentile of sorted values, in milliseconds.
func percentile(sorted []time.Duration, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := int(math.Ceil(p*float64(len(sorted)))) - 1
	return sorted[max(at, 0)].Seconds() * 1000
}
