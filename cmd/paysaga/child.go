package main

import (
	"context"
	"io"
)

// childConfig is for processes that another one starts.
type childConfig struct {
	StopWithStdin bool `name:"stop-with-stdin" help:"Stop when standard input ends. For tests and supervisors, which hold the other end of the pipe: whatever becomes of them, this process ends with them."`
}

// whileParentLives runs do with a context that also ends with standard input,
// if that was asked for.
func (c childConfig) whileParentLives(a *app, do func(*app) error) error {
	if !c.StopWithStdin {
		return do(a)
	}
	ctx, stop := context.WithCancel(a.ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, a.in) // an error is an end too
		stop()
	}()
	mine := *a
	mine.ctx = ctx
	return do(&mine)
}
