package cells

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"

	"paysaga/drill/harness"
	"paysaga/drill/stage"
)

// Campaign runs every cell a number of times, in an order and in company that chance chooses. It keeps what is finished, and goes
// on where it stopped, as long as the binary and the seed are the same.
type Campaign struct {
	Times      int // each cell
	Seed       uint64
	Most       time.Duration  // nothing begins later than this
	StateFile  string         // what is finished, until the end
	ResultFile string         // written at the end
	Evidence   string         // a folder for the histories of what broke a promise
	Only       *regexp.Regexp // cells whose name matches, and neither plants nor canary nor a result; nil: all
	Plants     func(ctx context.Context, n int) (caught bool, by string, err error)
	Say        func(string) // hears lines that stay
	Show       func(string) // hears where it is, for a terminal
}

// Found is a violation and where it was found.
type Found struct {
	Cell string `json:"cell"`
	What string `json:"what"`
	End  string `json:"end,omitempty"`
}

// Counts are what was done and found. It is what is kept between runs, too.
type Counts struct {
	Runs        int            `json:"runs"`
	Again       int            `json:"run_again"` // because the machine had too much to do
	Kills       int            `json:"kills"`
	LostReplies int            `json:"lost_replies"`
	Forged      int            `json:"forged"`
	Cuts        int            `json:"cuts"` // of all connections between two parts
	Nudges      int            `json:"nudges"`
	Audits      int            `json:"audits"`
	Faults      map[string]int `json:"runs_by_fault"`
	Scenarios   map[string]int `json:"runs_by_scenario"`
	Ends        map[string]int `json:"ends"`
	Planted     map[int]string `json:"planted"` // what caught each
	Canary      string         `json:"canary"`
	Violations  []Found        `json:"violations"`
	Longest     float64        `json:"longest_settling_s"`
	Seconds     float64        `json:"seconds"`
}

// Report is a campaign's result as it is committed.
type Report struct {
	Campaign string    `json:"campaign"`
	Commit   string    `json:"commit"`
	Binary   string    `json:"binary_sha256"`
	Seed     uint64    `json:"seed"`
	Machine  string    `json:"machine"`
	At       time.Time `json:"finished_at"`
	Cells    int       `json:"cells"`
	Of       int       `json:"of"`
	Times    int       `json:"times_each"`
	Without  int       `json:"cells_that_cannot_exist"`
	Counts
}

type kept struct {
	Binary string         `json:"binary_sha256"`
	Seed   uint64         `json:"seed"`
	Done   map[string]int `json:"done"` // how often each cell was run
	Counts
}

// PlantedBugs is how many bugs a planted build has in it.
const PlantedBugs = 20

// Run runs what isn't finished. done is false if the time ran out first.
func (c Campaign) Run(ctx context.Context) (r Report, done bool, err error) {
	all, without := All(Scenarios())
	if c.Only != nil {
		all = slices.DeleteFunc(all, func(cell Cell) bool { return !c.Only.MatchString(cell.String()) })
	}
	binary, err := harness.Self()
	if err != nil {
		return r, false, err
	}
	k := kept{Binary: binary, Seed: c.Seed, Done: map[string]int{}, Counts: Counts{Faults: map[string]int{},
		Scenarios: map[string]int{}, Ends: map[string]int{}, Planted: map[int]string{}, Violations: []Found{}}}
	before := kept{}
	if err := harness.ReadJSON(c.StateFile, &before); err != nil {
		return r, false, err
	}
	if before.Binary == k.Binary && before.Seed == k.Seed {
		k = before
		c.Say(fmt.Sprintf("going on after %d runs", k.Runs))
	}
	began := time.Now()
	earlier := k.Seconds
	report := func() Report {
		k.Seconds = earlier + time.Since(began).Seconds()
		r := Report{Campaign: "drill", Commit: harness.Commit(), Binary: k.Binary, Seed: c.Seed, Machine: harness.Machine(), At: time.Now().UTC().Truncate(time.Second),
			Of: len(all), Times: c.Times, Without: len(without), Counts: k.Counts}
		for _, cell := range all {
			if k.Done[cell.String()] >= c.Times {
				r.Cells++
			}
		}
		return r
	}
	late := func() bool { return time.Since(began) > c.Most }
	for round := 1; round <= c.Times; round++ {
		var due []Cell
		for _, cell := range all {
			if k.Done[cell.String()] < round {
				due = append(due, cell)
			}
		}
		for part := range slices.Chunk(due, chunk) {
			if late() {
				return report(), false, nil
			}
			if err := c.part(ctx, &k, part, round, len(all)*c.Times); err != nil {
				return report(), false, err
			}
			k.Seconds = earlier + time.Since(began).Seconds()
			if err := harness.WriteJSON(c.StateFile, k); err != nil {
				return report(), false, err
			}
		}
	}
	if c.Only != nil {
		return report(), true, nil
	}
	if over, err := c.proofs(ctx, &k, late); err != nil || over {
		return report(), false, err
	}
	r = report()
	return r, true, harness.WriteJSON(c.ResultFile, r)
}

// proofs are those of the drill itself: every planted bug is caught, and the canary fails. over: the time ran out.
func (c Campaign) proofs(ctx context.Context, k *kept, late func() bool) (over bool, err error) {
	for n := 1; n <= PlantedBugs; n++ {
		if k.Planted[n] != "" {
			continue
		}
		if late() {
			return true, nil
		}
		c.Show(fmt.Sprintf("%s planted bug %d of %d", harness.Bar(n-1, PlantedBugs), n, PlantedBugs))
		caught, by, err := c.Plants(ctx, n)
		if err != nil {
			return false, err
		}
		missed := Found{Cell: fmt.Sprintf("planted bug %d", n), What: "nobody saw it"}
		k.Violations = slices.DeleteFunc(k.Violations, func(f Found) bool { return f == missed }) // of the time before
		if !caught {
			k.Violations = append(k.Violations, missed)
			c.Say("MISSED " + missed.Cell)
			continue
		}
		c.Say(fmt.Sprintf("planted bug %2d caught: %s", n, by))
		k.Planted[n] = by
		if err := harness.WriteJSON(c.StateFile, k); err != nil {
			return false, err
		}
	}
	if k.Canary == "" {
		k.Canary, err = Canary(ctx)
	}
	return false, err
}

// chunk is how many cells share a house.
const chunk = 400

// part runs some cells on a house of their own, and audits it.
func (c Campaign) part(ctx context.Context, k *kept, list []Cell, round, all int) error {
	h, err := Open(nil, 0)
	if err != nil {
		return err
	}
	defer h.Close()
	h.Evidence = c.Evidence
	r := rand.New(rand.NewPCG(c.Seed, uint64(round)<<32|uint64(k.Runs)))
	weather, fair := context.WithCancel(ctx)
	go h.weather(weather, rand.New(rand.NewPCG(r.Uint64(), 1)))
	err = Sweep{House: h, Cells: slices.Clone(list), Rand: r, Parallel: 24 + r.IntN(48), Done: func(v Verdict) {
		c.take(k, v)
		c.Show(fmt.Sprintf("%s %d of %d runs, %d violations: %s", harness.Bar(k.Runs, all), k.Runs, all, len(k.Violations), v.Cell))
	}}.Run(ctx)
	fair()
	if ctx.Err() != nil {
		return harness.ErrStopped
	}
	if err != nil {
		return err
	}
	broken, err := h.Audit(ctx)
	if err != nil {
		return err
	}
	k.Audits++
	for _, what := range broken {
		k.Violations = append(k.Violations, Found{Cell: "audit", What: what})
		c.Say("BROKEN audit " + what)
	}
	t := h.Tally()
	k.Kills += t.Kills
	k.LostReplies += t.LostReplies
	k.Forged += t.Forged
	k.Cuts += t.Cuts
	k.Nudges += t.Nudges
	return nil
}

func (c Campaign) take(k *kept, v Verdict) {
	k.Runs++
	k.Faults[string(v.Cell.Fault)]++
	k.Scenarios[v.Cell.Scenario]++
	k.Longest = max(k.Longest, v.Settled.Seconds())
	if v.Again {
		k.Again++
		return
	}
	k.Ends[v.End]++
	k.Done[v.Cell.String()]++
	for _, what := range v.Violations {
		k.Violations = append(k.Violations, Found{Cell: v.Cell.String(), What: what, End: v.End})
		c.Say("BROKEN " + v.Cell.String() + " " + what)
	}
}

// weather cuts connections that nobody planned for, the callbacks' above all, until ctx ends.
func (h *House) weather(ctx context.Context, r *rand.Rand) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(500+r.IntN(4000)) * time.Millisecond):
		}
		p := []*proxy{h.callbacks, h.callbacks, h.callbacks, h.postgres, h.temporal}[r.IntN(5)]
		if err := p.cut(); err != nil {
			return
		}
	}
}

// Line is the result in one line.
func (r Report) Line() string {
	return fmt.Sprintf("cells=%d/%d runs=%d kills=%d lost_replies=%d forged=%d violations=%d planted=%d/%d canary=%s seed=%d",
		r.Cells, r.Of, r.Runs, r.Kills, r.LostReplies, r.Forged, len(r.Violations), len(r.Planted), PlantedBugs, r.Canary, r.Seed)
}

// Board is the scoreboard: what was run how often, and how it ended.
func (r Report) Board() (lines []string) {
	lines = append(lines, fmt.Sprintf("%-14s %6s", "fault", "runs"))
	for _, f := range Faults {
		lines = append(lines, fmt.Sprintf("%-14s %6d", f, r.Faults[string(f)]))
	}
	lines = append(lines, "", fmt.Sprintf("%-14s %6s", "scenario", "runs"))
	for _, s := range Scenarios() {
		lines = append(lines, fmt.Sprintf("%-14s %6d", s.Name, r.Scenarios[s.Name]))
	}
	lines = append(lines, "", fmt.Sprintf("%6s  %s", "runs", "how they ended"))
	for _, end := range slices.Sorted(maps.Keys(r.Ends)) {
		lines = append(lines, fmt.Sprintf("%6d  %s", r.Ends[end], end))
	}
	for n := 1; n <= PlantedBugs; n++ {
		if by := r.Planted[n]; by != "" {
			lines = append(lines, fmt.Sprintf("planted bug %2d: %s", n, by))
		}
	}
	return append(lines, "", fmt.Sprintf("%d connections cut besides, %d audits, %d runs repeated because they came too late, longest settling %.0f s, %d cells cannot exist",
		r.Cuts, r.Audits, r.Again, r.Longest, r.Without))
}

// Canary runs a cell with an expectation that is wrong on purpose. "failed" is how it has to end, or the judges judge nothing.
func Canary(ctx context.Context) (string, error) {
	h, err := Open(nil, 0)
	if err != nil {
		return "", err
	}
	defer h.Close()
	s := Find("express")
	s.Ends, s.Struck = []string{failed}, nil
	v, err := h.Do(ctx, s, Cell{Scenario: s.Name, Boundary: s.Boundaries[1], Moment: Effect, Fault: CutAfter})
	if err != nil {
		return "", err
	}
	if len(v.Violations) == 0 {
		return "passed", nil
	}
	return "failed", nil
}

// StartDevstack starts a devstack that houses can share; end ends it.
func StartDevstack() (dev *stage.Devstack, end func(), err error) {
	s := &scope{name: "devstack"}
	err = s.run(func() error { dev = stage.StartDevstack(s); return nil })
	return dev, s.end, err
}
