package cells

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// scope is what the parts of a stage take a test for: it ends them in reverse, and turns what is fatal into an error of run. It
// lives as long as one run or one house, also where there is no test.
type scope struct {
	testing.TB // nil: whatever isn't below doesn't belong into a drill
	name       string
	mu         sync.Mutex
	cleanups   []func()
	failed     []string
}

type fatal struct{ what string }

func (s *scope) Helper()                  {}
func (s *scope) Name() string             { return s.name }
func (s *scope) Context() context.Context { return context.Background() }
func (s *scope) Log(...any)               {}
func (s *scope) Logf(string, ...any)      {}
func (s *scope) Fatal(args ...any)        { panic(fatal{fmt.Sprint(args...)}) }
func (s *scope) Fatalf(format string, args ...any) {
	panic(fatal{fmt.Sprintf(format, args...)})
}

func (s *scope) Error(args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(s.failed, fmt.Sprint(args...))
}

func (s *scope) Errorf(format string, args ...any) { s.Error(fmt.Sprintf(format, args...)) }

func (s *scope) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

// end ends what was started, last started first.
func (s *scope) end() {
	for {
		s.mu.Lock()
		if len(s.cleanups) == 0 {
			s.mu.Unlock()
			return
		}
		last := s.cleanups[len(s.cleanups)-1]
		s.cleanups = s.cleanups[:len(s.cleanups)-1]
		s.mu.Unlock()
		last()
	}
}

// run runs f; what is fatal there is its error.
func (s *scope) run(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			stop, ok := p.(fatal)
			if !ok {
				panic(p)
			}
			err = fmt.Errorf("%s: %s", s.name, stop.what)
		}
	}()
	return f()
}
