package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Wait returns when ctx ends (nil), or when PostgreSQL ends under us (an error).
func (s *Stack) Wait(ctx context.Context) error {
	if s.postgres == nil {
		<-ctx.Done()
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-s.postgres.done:
		return fmt.Errorf("PostgreSQL stopped: %s (all of it in %s)", s.postgres.lastWords(), s.postgres.logPath)
	}
}

// Stop ends the parts in the reverse order of their start. Whatever is left of a
// start that failed halfway is ended too. Calling it twice does no harm.
func (s *Stack) Stop() {
	if s.lock == nil {
		return // never ours, so neither is the ready file
	}
	_ = removeReady(s.cfg.ReadyFile) // the next start removes it otherwise
	if s.ui != nil {
		s.ui.stop()
	}
	if s.temporal != nil {
		if err := s.temporal.stop(15 * time.Second); err != nil {
			s.say("Temporal server: %s", firstLine(err.Error()))
		}
	}
	if s.postgres != nil {
		s.postgres.stop(20 * time.Second)
	}
	if s.book != nil {
		s.book.release()
	}
	s.lock.release()
	s.ui, s.temporal, s.postgres, s.book, s.lock = nil, nil, nil, nil, nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
