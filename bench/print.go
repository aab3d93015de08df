package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// print writes the tables, and a line for each lane, last.
func (res Result) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nclients\tshape\tper second\tmin–max\tp50 ms\tp99 ms\tCPU ms each, by process\t")
	for i := range res.Shapes[0].At {
		for _, s := range res.Shapes {
			l := s.At[i]
			fmt.Fprintf(w, "%d\t%s\t%.1f\t%.1f–%.1f\t%.1f\t%.1f\t%s\t\n", l.Clients, s.Name, l.Rate.Median, l.Rate.Min, l.Rate.Max, l.P50, l.P99, numbers(l.CPU))
		}
	}
	fmt.Fprintln(w, "\nclients\tlane ÷ floor\tmedian\tmin–max\ttarget\tby CPU time\tmin–max\t")
	for _, r := range res.Ratios {
		target := ""
		if r.Target > 0 {
			target = fmt.Sprintf("≥ %.1f: %s", r.Target, map[bool]string{true: "reached", false: "missed"}[r.Of.Median >= r.Target])
		}
		fmt.Fprintf(w, "%d\t%s ÷ %s\t%.2f\t%.2f–%.2f\t%s\t%.2f\t%.2f–%.2f\t\n", r.Clients, r.Lane, r.Floor, r.Of.Median, r.Of.Min, r.Of.Max, target,
			r.CPU.Median, r.CPU.Min, r.CPU.Max)
	}
	fmt.Fprintln(w, "\n\tshape\ttransitions\tcommits each, by database\t\t\t\t")
	for _, s := range res.Shapes {
		fmt.Fprintf(w, "\t%s\t%s\t%s\t\t\t\t\n", s.Name, s.Cost.span(), numbers(s.Cost.Commits))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d payments answered as succeeded: %d of them at the sandbox, each exactly once; %d checks over %d journals: the books balance\n\n",
		res.Checked.Payments, res.Checked.Charged, res.Checked.Checks, res.Checked.Journals)
	return res.lines(out)
}

// lines are the figures with the most clients, in a form for programs.
func (res Result) lines(out io.Writer) error {
	level := map[string]Level{}
	for _, s := range res.Shapes {
		level[s.Name] = s.At[len(s.At)-1]
	}
	for _, s := range res.Shapes {
		if !s.Lane {
			continue
		}
		var ratio float64
		for _, r := range res.Ratios {
			if r.Lane == s.Name && r.Floor == floorOne && r.Clients == res.most {
				ratio = r.Of.Median
			}
		}
		l := level[s.Name]
		_, err := fmt.Fprintf(out, "lane=%s clients=%d payments_per_s=%.1f f1=%.1f f2=%.1f naive=%.1f ratio_f2=%.2f p50_ms=%.1f p99_ms=%.1f transitions=%s\n",
			s.Name, l.Clients, l.Rate.Median, level[floorEmpty].Rate.Median, level[floorOne].Rate.Median, level[floorNaive].Rate.Median,
			ratio, l.P50, l.P99, s.Cost.span())
		if err != nil {
			return err
		}
	}
	return nil
}

// span is one number, or the least and the most.
func (c Cost) span() string {
	switch {
	case len(c.Transitions) == 0:
		return "unknown"
	case c.Transitions[0] == c.Transitions[1]:
		return fmt.Sprint(c.Transitions[0])
	}
	return fmt.Sprintf("%d-%d", c.Transitions[0], c.Transitions[1])
}

func numbers(m map[string]float64) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, fmt.Sprintf("%s %.1f", name, m[name]))
	}
	return strings.Join(list, ", ")
}
