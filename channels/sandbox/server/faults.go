package server

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The faults that a script or a token can order. Those of the first list act before the effect, the others after it.
var (
	faultsBefore = []string{"timeout_before", "500", "429", "drop", "reset"}
	faultsAfter  = []string{"timeout_after", "500_after", "drop_after", "reset_after", "garbage", "empty", "truncated",
		"huge", "drip", "redirect", "slow", "unknown_state", "wrong_reference", "wrong_amount_answer", "wrong_currency_answer"}
	faultsEffect = []string{"wrong_amount", "pending", "decline", "abnormal", "returned"} // the last two of refunds and payouts
)

// fault is what goes wrong with one request; the zero value is nothing.
type fault struct {
	name  string
	delay time.Duration
}

// Script orders faults for requests to come.
type Script struct {
	Operation string `json:"operation"` // charge, capture, cancel, ask, refund, ask_refund, payout, ask_payout, statement or *
	Reference string `json:"reference"` // a reference, a key, a business id, or *
	Fault     string `json:"fault"`
	Times     int    `json:"times"` // default 1; -1: from now on
	DelayMS   int64  `json:"delay_ms"`
	First     bool   `json:"first,omitempty"` // before the scripts that are there
	Hits      int    `json:"hits"`
}

// operations are what a script may name.
var operations = []string{"*", "charge", "capture", "cancel", "ask", "refund", "ask_refund", "payout", "ask_payout", "statement"}

type faults struct {
	mu      sync.Mutex
	scripts []*Script
	tried   map[string]bool // account/key of charges whose token spoils the first request
}

func newFaults() *faults { return &faults{tried: map[string]bool{}} }

func (f *faults) add(sc Script) error {
	known := slices.Concat(faultsBefore, faultsAfter, faultsEffect)
	if sc.Operation == "" {
		sc.Operation = "*"
	}
	if sc.Reference == "" {
		sc.Reference = "*"
	}
	if sc.Times == 0 {
		sc.Times = 1
	}
	switch {
	case !slices.Contains(operations, sc.Operation):
		return invalid("operation", "operation is one of "+strings.Join(operations, ", "))
	case !slices.Contains(known, sc.Fault):
		return invalid("fault", "fault is one of "+strings.Join(known, ", "))
	case sc.Times < -1:
		return invalid("times", "times is a positive number, or -1 for ever")
	case sc.DelayMS < 0 || sc.DelayMS > 600_000:
		return invalid("delay_ms", "delay_ms is between 0 and 600000")
	}
	sc.Hits = 0
	f.mu.Lock()
	defer f.mu.Unlock()
	if sc.First {
		f.scripts = append([]*Script{&sc}, f.scripts...)
		return nil
	}
	f.scripts = append(f.scripts, &sc)
	return nil
}

func (f *faults) list() []Script {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Script, 0, len(f.scripts))
	for _, sc := range f.scripts {
		out = append(out, *sc)
	}
	return out
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scripts, f.tried = nil, map[string]bool{}
}

// match takes one hit of the first script that fits.
func (f *faults) match(operation, reference, key string) fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, sc := range f.scripts {
		if sc.Times == 0 || sc.Operation != "*" && sc.Operation != operation {
			continue
		}
		if sc.Reference == "*" || sc.Reference == reference || sc.Reference == key || sc.Reference == businessID(key) {
			sc.Hits++
			if sc.Times > 0 {
				sc.Times--
			}
			return fault{sc.Fault, time.Duration(sc.DelayMS) * time.Millisecond}
		}
	}
	return fault{}
}

// tokenFaults spoil the first request under a key.
var tokenFaults = map[string]string{
	"tok_timeout_before": "timeout_before",
	"tok_timeout_after":  "timeout_after",
	"tok_500":            "500",
	"tok_429":            "429",
	"tok_garbage":        "garbage",
	"tok_slow":           "slow",
}

func (f *faults) ofToken(token, account, key string) fault {
	name := tokenFaults[token]
	if name == "" {
		return fault{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tried[account+"/"+key] {
		return fault{}
	}
	f.tried[account+"/"+key] = true
	return fault{name: name}
}

// before plays the faults that keep the request from having an effect, and reports whether it did.
func (s *Server) before(w http.ResponseWriter, r *http.Request, f fault) bool {
	switch f.name {
	case "timeout_before":
		s.hang(r, f)
	case "500":
		writeProblem(w, refuse(http.StatusInternalServerError, "internal", "scripted, nothing was done"))
		return true
	case "429":
		w.Header().Set("Retry-After", "1")
		writeProblem(w, refuse(http.StatusTooManyRequests, "rate_limited", "scripted, nothing was done"))
		return true
	case "drop":
		panic(http.ErrAbortHandler)
	case "reset":
		reset(w)
		return true
	}
	return false
}

// after plays the faults that spoil the answer to a request that had its effect, and reports whether it did.
func (s *Server) after(w http.ResponseWriter, r *http.Request, f fault) bool {
	switch f.name {
	case "timeout_after":
		s.hang(r, f)
	case "500_after":
		writeProblem(w, refuse(http.StatusInternalServerError, "internal", "scripted, but it was done"))
	case "drop_after":
		panic(http.ErrAbortHandler)
	case "reset_after":
		reset(w)
	case "garbage":
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>Something happened</body></html>")
	case "empty":
		w.WriteHeader(http.StatusOK)
	case "truncated":
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "4096")
		fmt.Fprint(w, `{"id":"sbx_`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case "huge":
		w.Header().Set("Content-Type", "application/json")
		block := []byte(strings.Repeat(" ", 1<<20))
		for range 10 {
			if _, err := w.Write(block); err != nil {
				break
			}
		}
	case "drip":
		s.drip(w, r, f)
	case "redirect":
		w.Header().Set("Location", "/healthz")
		w.WriteHeader(http.StatusTemporaryRedirect)
	case "slow":
		if f.delay == 0 {
			f.delay = s.conf.SlowDelay
		}
		s.sleep(r, f.delay)
		return false
	default:
		return false
	}
	return true
}

// hang holds the connection until the client leaves, at most Hang, and then drops it without an answer.
func (s *Server) hang(r *http.Request, f fault) {
	d := s.conf.Hang
	if f.delay > 0 {
		d = min(f.delay, d)
	}
	s.sleep(r, d)
	panic(http.ErrAbortHandler)
}

// drip sends a space at a time.
func (s *Server) drip(w http.ResponseWriter, r *http.Request, f fault) {
	w.Header().Set("Content-Type", "application/json")
	end := time.Now().Add(s.conf.Hang)
	for time.Now().Before(end) && s.sleep(r, max(f.delay, 50*time.Millisecond)) {
		if _, err := w.Write([]byte(" ")); err != nil {
			break
		}
		_ = http.NewResponseController(w).Flush()
	}
	panic(http.ErrAbortHandler)
}

// reset breaks the connection with a TCP reset.
func reset(w http.ResponseWriter) {
	raw, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}

// twist falsifies an answer.
func twist(f fault, a *answer) {
	switch f.name {
	case "unknown_state":
		a.State = "settling_sideways"
	case "wrong_reference":
		a.Reference = "somebodyelses"
	case "wrong_amount_answer":
		a.AmountMinor++
	case "wrong_currency_answer":
		a.Currency = "XXX"
	}
}
