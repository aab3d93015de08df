package fake

import (
	"encoding/json"
	"net/http"
	"strings"
)

// FaultKind is what goes wrong with a call.
type FaultKind string

// The faults that can be planted.
const (
	LostRequest    FaultKind = "lost_request"     // nothing is done, the connection is cut
	LostAnswer     FaultKind = "lost_answer"      // done and stored, the connection is cut
	Slow           FaultKind = "slow"             // done and stored, the answer never comes
	Garbage        FaultKind = "garbage"          // done and stored, the answer is no JSON
	Error500       FaultKind = "error_500"        // done, but a 500 is answered and stored under the key
	Error500Undone FaultKind = "error_500_undone" // not done; a 500 is answered and stored under the key
	BadGateway     FaultKind = "bad_gateway"      // not done; a web page with status 502
	RateLimited    FaultKind = "rate_limited"     // 429, before the idempotency layer
	Tamper         FaultKind = "tamper"           // done and stored, but the answer was changed by Edit
	Hold           FaultKind = "hold"             // runs only once Release is called; until then 409 for its key
)

// Fault is planted with Plant and hits the next matching calls.
type Fault struct {
	Kind   FaultKind
	Method string               // empty: any
	Path   string               // a part of the path; empty: any
	Key    string               // a prefix of the idempotency key; empty: any
	Times  int                  // default 1; below zero: always
	Edit   func(map[string]any) // for Tamper

	held, release chan struct{}
}

// Plant makes a fault happen. Faults planted earlier come first.
func (s *Server) Plant(f Fault) *Fault {
	if f.Times == 0 {
		f.Times = 1
	}
	f.held, f.release = make(chan struct{}), make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
	return &f
}

// Heal removes all planted faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Held is closed when a Hold has caught its call.
func (f *Fault) Held() <-chan struct{} { return f.held }

// Release lets the call go on that a Hold has caught.
func (f *Fault) Release() { close(f.release) }

func (f *Fault) is(k FaultKind) bool { return f != nil && f.Kind == k }

// fault picks what hits this call. The lock is held.
func (s *Server) fault(r request, key string) *Fault {
	for _, f := range s.faults {
		if f.Times != 0 && (f.Method == "" || f.Method == r.method) && strings.Contains(r.path, f.Path) &&
			strings.HasPrefix(key, f.Key) {
			f.Times--
			return f
		}
	}
	return nil
}

// before does the faults in which nothing happens; true ends the call.
func before(w http.ResponseWriter, f *Fault) bool {
	switch {
	case f.is(LostRequest):
		cut(w)
	case f.is(RateLimited):
		w.Header().Set("Retry-After", "1")
		write(w, answer{status: http.StatusTooManyRequests, body: []byte(
			`{"error":{"type":"invalid_request_error","code":"rate_limit","message":"Too many requests."}}`)}, false)
	case f.is(BadGateway):
		write(w, answer{status: http.StatusBadGateway, body: []byte("<html>502 Bad Gateway</html>")}, false)
	default:
		return false
	}
	return true
}

// after does the faults that hit an answer.
func (s *Server) after(w http.ResponseWriter, r *http.Request, f *Fault, a answer, replayed bool) {
	switch {
	case f.is(LostAnswer):
		cut(w)
		return
	case f.is(Slow):
		select {
		case <-r.Context().Done():
		case <-s.done:
		}
		return
	case f.is(Garbage):
		a.body = []byte("<html>client_secret=pi_x_secret_y</html>")
	case f.is(Tamper):
		var v map[string]any
		if json.Unmarshal(a.body, &v) == nil {
			f.Edit(v)
			edited := reply(v)
			a.body = edited.body
		}
	}
	write(w, a, replayed)
}

func cut(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}
