// Package posting measures how fast Steps are committed: journals per second on
// a PostgreSQL that writes as in production, with every check on, against two
// levels of the same run.
//
//	l1  our own committer without gathering: batches of one Step, one lane per client
//	l2  what PostgreSQL takes in when nobody asks anything: unnest of 500 journals a transaction
//
// The machine's own speed shows in every figure, and changes while a run lasts.
// So all shapes alternate, round by round, and ratios are of one round. What is
// acknowledged is counted, and held against the book afterwards.
package posting
