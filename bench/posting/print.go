package posting

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"paysaga/bench/gauge"
)

// print writes the tables, and the line, last.
func (res *Result) print(out io.Writer) error {
	res.Line = res.line()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nshape\tclients\tjournals/s\tmin–max\tp50 ms\tp99 ms\tWAL bytes\tCPU µs PostgreSQL\tours\t")
	for _, l := range res.Levels {
		fmt.Fprintf(w, "%s\t%d\t%.0f\t%.0f–%.0f\t%.1f\t%.1f\t%.0f\t%.0f\t%.0f\t\n", l.Shape, l.Clients, l.Rate.Median, l.Rate.Min, l.Rate.Max,
			l.P50, l.P99, l.WAL, l.Postgres, l.Ours)
	}
	if len(res.Costs) > 0 {
		fmt.Fprintln(w, "\nalone on a new database\tclients\tjournals/s\tcommits\tWAL bytes\tbytes on disk\tevents' payload\t")
		for _, c := range res.Costs {
			fmt.Fprintf(w, "%s\t%d\t%.0f\t%.4f\t%.0f\t%.0f\t%.0f\t\n", c.Shape, c.Clients, c.Rate, c.Commits, c.WAL, total(c.Sizes), apart(c.Sizes))
		}
	}
	if len(res.Growth) > 0 {
		fmt.Fprintln(w, "\njournals in the book\tfilled at\tjournals/s\tempty book\tratio\tmin–max\tp99 ms\tbalance p99 ms\tpage p99 ms\tbytes on disk\t")
		for _, g := range res.Growth {
			fmt.Fprintf(w, "%d\t%.0f\t%.0f\t%.0f\t%.2f\t%.2f–%.2f\t%.1f\t%.2f\t%.2f\t%.0f\t\n", g.Journals, g.FillRate, g.Rate.Median, g.Empty.Median,
				g.Ratio.Median, g.Ratio.Min, g.Ratio.Max, g.P99, g.BalanceP99, g.PageP99, total(g.Sizes))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if list := res.sizes(); len(list) > 0 {
		fmt.Fprintf(out, "\nbytes on disk per journal, after VACUUM: %s\n", strings.Join(list, ", "))
	}
	if err := res.targets(out); err != nil {
		return err
	}
	c := res.Checked
	fmt.Fprintf(out, "\n%d Steps with %d journals were acknowledged: each cause stands exactly once, and nothing besides; %d checks of the audit, "+
		"%d blocks of the chain: the book is in order\n\n", c.Steps, c.Journals, c.Checks, c.Blocks)
	_, err := fmt.Fprintln(out, res.Line)
	return err
}

func apart(sizes []Size) (sum float64) {
	for _, s := range sizes {
		if s.apart() {
			sum += s.Bytes
		}
	}
	return sum
}

// journalSizes are those of random pairs: of the largest book that was filled,
// or else of what they left alone.
func (res *Result) journalSizes() []Size {
	if n := len(res.Growth); n > 0 {
		return res.Growth[n-1].Sizes
	}
	for _, c := range res.Costs {
		if c.Shape == "random" {
			return c.Sizes
		}
	}
	return nil
}

func (res *Result) sizes() (list []string) {
	for _, s := range res.journalSizes() {
		if s.Bytes >= 0.05 {
			list = append(list, fmt.Sprintf("%s %.1f", s.Name, s.Bytes))
		}
	}
	return list
}

// target is one that the issue of this benchmark names.
type target struct {
	name  string
	found gauge.Spread
	least float64
	most  bool // it is the most
	cpu   gauge.Spread
}

func (res *Result) targets(out io.Writer) error {
	var list []target
	for _, r := range res.Ratios {
		list = append(list, target{r.Name, r.Of, r.Target, false, r.CPU})
	}
	for name, least := range map[string]float64{"http": 8800, "http_bulk": 20000} {
		if l, ok := res.level(name, 0); ok {
			list = append(list, target{name, l.Rate, least, false, gauge.Spread{}})
		}
	}
	if l, ok := res.level("random", 256); ok {
		list = append(list, target{"random, 256 clients", l.Rate, 12000, false, gauge.Spread{}}, target{"p99 ms, 256 clients", gauge.Of([]float64{l.P99}), 50, true, gauge.Spread{}})
	}
	if sizes := res.journalSizes(); len(sizes) > 0 {
		list = append(list, target{"bytes per journal", gauge.Of([]float64{total(sizes)}), 700, true, gauge.Spread{}})
	}
	if n := len(res.Growth); n > 0 {
		g := res.Growth[n-1]
		list = append(list, target{fmt.Sprintf("%d journals ÷ none", g.Journals), g.Ratio, 0.9, false, gauge.Spread{}},
			target{"balance p99 ms", gauge.Of([]float64{g.BalanceP99}), 5, true, gauge.Spread{}}, target{"page p99 ms", gauge.Of([]float64{g.PageP99}), 5, true, gauge.Spread{}})
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\ntarget\tmedian\tmin–max\tasked\t\tby CPU time\t")
	for _, t := range list {
		sign, reached := "≥", t.found.Median >= t.least
		if t.most {
			sign, reached = "≤", t.found.Median <= t.least
		}
		cpu := ""
		if t.cpu.Median > 0 {
			cpu = fmt.Sprintf("%.4g", t.cpu.Median)
		}
		fmt.Fprintf(w, "%s\t%.4g\t%.4g–%.4g\t%s %.4g\t%s\t%s\t\n", t.name, t.found.Median, t.found.Min, t.found.Max, sign, t.least,
			map[bool]string{true: "reached", false: "missed"}[reached], cpu)
	}
	return w.Flush()
}

// line is the figures in a form for programs; "none" wasn't measured.
func (res *Result) line() string {
	rate := func(name string, clients int) string {
		if l, ok := res.level(name, clients); ok {
			return fmt.Sprintf("%.0f", l.Rate.Median)
		}
		return "none"
	}
	ratio := func(name string) string {
		for _, r := range res.Ratios {
			if r.Name == name {
				return fmt.Sprintf("%.2f", r.Of.Median)
			}
		}
		return "none"
	}
	growth := "none"
	for _, g := range res.Growth {
		if g.Journals >= 10_000_000 {
			growth = fmt.Sprintf("%.2f", g.Ratio.Median)
		}
	}
	floored := rate("floored2", 0)
	if floored == "none" {
		floored = rate("floored", 0)
	}
	return fmt.Sprintf("journals_per_s_32=%s journals_per_s_256=%s hot=%s floored=%s http=%s http_bulk=%s l1=%s l2=%s ratio_l1_32=%s ratio_l2_256=%s growth_10m=%s",
		rate("random", 32), rate("random", 256), rate("hot", 0), floored, rate("http", 0), rate("http_bulk", 0), rate("l1", 0), rate("l2", 0),
		ratio("ratio_l1_32"), ratio("ratio_l2_256"), growth)
}
