package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"paysaga/bench/statements"
)

type benchStatements struct {
	Lines  int    `default:"10000000" help:"How many lines WeChat's trade bill has."`
	Others int    `default:"1000000" help:"How many lines each other statement has."`
	JSON   string `name:"json" placeholder:"FILE" help:"Write all figures to a file, too."`
}

// Run measures every parser on statements that are made while they are read.
func (c *benchStatements) Run(a *app) error {
	defer debug.SetGCPercent(debug.SetGCPercent(statementGC))
	res, err := statements.Run(a.ctx, statements.Config{Channels: registry(), Lines: c.Lines, Others: c.Others, Progress: terminal(a.err), Out: a.out})
	if a.ctx.Err() != nil {
		return errQuiet
	}
	if err != nil || c.JSON == "" {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.JSON), 0o755); err != nil {
		return err
	}
	return writeJSON(c.JSON, struct {
		Commit string    `json:"commit"`
		At     time.Time `json:"finished_at"`
		statements.Result
	}{version().tree(), time.Now().UTC().Truncate(time.Second), res})
}
