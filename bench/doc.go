// Package bench measures payments per second against the floors that Temporal
// itself sets on the same machine, in the same run: a workflow that does
// nothing, a workflow with one activity that does nothing, and a naive saga of
// four. Everything else about them is as for payments: worker options, search
// attributes, summaries, policies.
//
// The machine's own speed shows in every figure, and changes while a run lasts.
// So all shapes alternate, round by round, and only ratios within a round are
// compared.
package bench
