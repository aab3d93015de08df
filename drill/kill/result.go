package kill

import (
	"fmt"
	"maps"
	"slices"

	"paysaga/domain/payment"
)

// Result counts one round, or all of them.
type Result struct {
	Kills        map[string]int `json:"kills"`
	MinInFlight  int            `json:"min_in_flight"` // the fewest payments on their way at any kill
	MeanInFlight float64        `json:"mean_in_flight"`
	MinKinds     int            `json:"min_kinds_in_flight"`
	Payments     int            `json:"payments"`
	Acknowledged int            `json:"acknowledged"`
	Statuses     map[string]int `json:"statuses"`
	Parked       int            `json:"parked"`
	Scenarios    map[string]int `json:"scenarios"`
	Charges      map[string]int `json:"sandbox_charges"`
	ChargedTwice int            `json:"charged_twice"`
	Stuck        int            `json:"stuck"`
	Violations   []Violation    `json:"violations"`
	DrainSeconds float64        `json:"longest_drain_s"` // from the last fault until everything was settled
	Seconds      float64        `json:"seconds"`
}

// count judges the facts of a round.
func (r *running) count(f Facts) Result {
	out := Result{Kills: map[string]int{}, Statuses: map[string]int{}, Scenarios: map[string]int{}, Charges: map[string]int{},
		Payments: len(f.Rows), Violations: Judge(f), DrainSeconds: r.drain.Seconds()}
	for i, k := range r.kills {
		out.Kills[k.Kind]++
		if i == 0 {
			out.MinInFlight, out.MinKinds = k.InFlight, k.Kinds
		}
		out.MinInFlight, out.MinKinds = min(out.MinInFlight, k.InFlight), min(out.MinKinds, k.Kinds)
		out.MeanInFlight += float64(k.InFlight) / float64(len(r.kills))
	}
	for _, o := range f.Orders {
		out.Scenarios[o.Scenario]++
		if o.ID != "" {
			out.Acknowledged++
		}
	}
	for _, row := range f.Rows {
		if row.Parked != "" && row.Status == payment.Processing {
			out.Parked++
			continue
		}
		out.Statuses[string(row.Status)]++
	}
	for _, c := range f.Charges {
		out.Charges[string(c.State)]++
	}
	for _, v := range out.Violations {
		switch v.ID {
		case "I-09":
			out.ChargedTwice++
		case "I-18":
			out.Stuck++
		}
	}
	return out
}

// add sums results up.
func (r *Result) add(o Result) {
	if r.Kills == nil {
		*r = Result{Kills: map[string]int{}, Statuses: map[string]int{}, Scenarios: map[string]int{}, Charges: map[string]int{},
			MinInFlight: o.MinInFlight, MinKinds: o.MinKinds, Violations: []Violation{}}
	}
	before, more := total(r.Kills), total(o.Kills)
	r.MeanInFlight = (r.MeanInFlight*float64(before) + o.MeanInFlight*float64(more)) / float64(max(1, before+more))
	for _, pair := range [][2]map[string]int{{r.Kills, o.Kills}, {r.Statuses, o.Statuses}, {r.Scenarios, o.Scenarios}, {r.Charges, o.Charges}} {
		for name, n := range pair[1] {
			pair[0][name] += n
		}
	}
	r.MinInFlight, r.MinKinds = min(r.MinInFlight, o.MinInFlight), min(r.MinKinds, o.MinKinds)
	r.DrainSeconds = max(r.DrainSeconds, o.DrainSeconds)
	r.Payments += o.Payments
	r.Acknowledged += o.Acknowledged
	r.Parked += o.Parked
	r.ChargedTwice += o.ChargedTwice
	r.Stuck += o.Stuck
	r.Violations = append(r.Violations, o.Violations...)
	r.Seconds += o.Seconds
}

func total(m map[string]int) (n int) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		n += m[k]
	}
	return n
}

// Line is the result in one line.
func (r Result) Line(seed uint64) string {
	return fmt.Sprintf("kills=%d worker=%d api=%d devstack=%d payments=%d acknowledged=%d succeeded=%d failed=%d canceled=%d expired=%d parked=%d "+
		"charged_twice=%d stuck=%d violations=%d seed=%d", total(r.Kills), r.Kills[Worker], r.Kills[API], r.Kills[Devstack], r.Payments,
		r.Acknowledged, r.Statuses["succeeded"], r.Statuses["failed"], r.Statuses["canceled"], r.Statuses["expired"], r.Parked,
		r.ChargedTwice, r.Stuck, len(r.Violations), seed)
}
