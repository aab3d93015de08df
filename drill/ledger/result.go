package ledger

import "fmt"

// Result counts one round, or all of them.
type Result struct {
	Steps      int            `json:"steps"`            // calls of Commit, those after a fault not counted again
	Outcomes   map[string]int `json:"outcomes"`         // of Steps; act_… counts what was tried, answers_… what faults made of it
	Backends   int            `json:"backends_killed"`  // of PostgreSQL, under Steps
	Processes  int            `json:"processes_killed"` // of ours, under Steps
	Judgements int            `json:"judgements"`       // of the book: rows, balances, audit
	Opposite   int            `json:"opposite_rounds"`  // of causes that two processes bring from either end
	Transfers  int            `json:"transfers"`        // of the bank, acknowledged
	Declined   int            `json:"transfers_refused"`
	Reads      int            `json:"reads"`           // of the bank's total
	Kills      int            `json:"postgres_killed"` // under the bank
	Violations []string       `json:"violations"`
	Seconds    float64        `json:"seconds"`
}

// add sums results up.
func (r *Result) add(o Result) {
	if r.Outcomes == nil {
		r.Outcomes, r.Violations = map[string]int{}, []string{}
	}
	for what, n := range o.Outcomes {
		r.Outcomes[what] += n
	}
	r.Steps += o.Steps
	r.Backends += o.Backends
	r.Processes += o.Processes
	r.Judgements += o.Judgements
	r.Opposite += o.Opposite
	r.Transfers += o.Transfers
	r.Declined += o.Declined
	r.Reads += o.Reads
	r.Kills += o.Kills
	r.Violations = append(r.Violations, o.Violations...)
	r.Seconds += o.Seconds
}

// Line is the result in one line.
func (r Result) Line(seed uint64) string {
	return fmt.Sprintf("steps=%d fresh=%d replayed=%d backends=%d processes=%d opposite=%d reads=%d transfers=%d postgres=%d judgements=%d violations=%d seed=%d",
		r.Steps, r.Outcomes["fresh"], r.Outcomes["replayed"], r.Backends, r.Processes, r.Opposite, r.Reads, r.Transfers, r.Kills, r.Judgements,
		len(r.Violations), seed)
}
