package fake

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"time"
)

// Request is one call as the server received it.
type Request struct {
	Method, Path string
	Key          string // Idempotency-Key
	Header       http.Header
	Form         map[string]string
}

// Requests are the calls received so far, the lost ones too.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.calls...)
}

// stored is what an idempotency key remembers.
type stored struct {
	request string // method, path and parameters
	at      time.Time
	answer  *answer // nil while the first request runs
}

// Revoked is how a secret key ends that the server refuses.
const Revoked = "_revoked"

func (s *Server) serve(w http.ResponseWriter, hr *http.Request) {
	body, err := io.ReadAll(hr.Body)
	raw := string(body)
	if hr.Method == http.MethodGet {
		raw = hr.URL.RawQuery
	}
	f, formErr := readForm(raw)
	if err != nil || formErr != nil {
		write(w, invalid("", "", "Invalid request body."), false)
		return
	}
	s.mu.Lock()
	r := request{method: hr.Method, path: hr.URL.Path, form: f, now: s.now()}
	key := hr.Header.Get("Idempotency-Key")
	s.calls = append(s.calls, Request{r.method, r.path, key, hr.Header.Clone(), f})
	fault := s.fault(r, key)
	s.mu.Unlock()

	if before(w, fault) {
		return
	}
	secret, bearer := strings.CutPrefix(hr.Header.Get("Authorization"), "Bearer ")
	r.live = strings.HasPrefix(secret, "sk_live_") || strings.HasPrefix(secret, "rk_live_")
	test := strings.HasPrefix(secret, "sk_test_") || strings.HasPrefix(secret, "rk_test_")
	if !bearer || !r.live && !test || strings.HasSuffix(secret, Revoked) {
		a := invalid("", "", "Invalid API Key provided: "+secret)
		a.status = http.StatusUnauthorized
		write(w, a, false)
		return
	}
	a, replayed := s.run(r, key, secret, fault)
	s.after(w, hr, fault, a, replayed)
}

// run is the idempotency layer around the endpoint.
func (s *Server) run(r request, key, secret string, fault *Fault) (answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.method != http.MethodPost || key == "" {
		return s.execute(r, fault), false
	}
	scope := secret + " " + key
	params := r.method + " " + r.path + "?" + r.form.canonical()
	old, known := s.keys[scope]
	if known && old.answer != nil && r.now.Sub(old.at) > s.conf.KeyLife {
		known = false // pruned: the key counts as new
	}
	switch {
	case known && old.request != params:
		a := refuse(http.StatusBadRequest, map[string]any{"type": "idempotency_error",
			"message": "Keys for idempotent requests can only be used with the same parameters they were first used with."})
		return a, false
	case known && old.answer == nil:
		a := refuse(http.StatusConflict, map[string]any{"type": "idempotency_error", "code": "idempotency_key_in_use",
			"message": "There is currently another in-progress request using this key."})
		return a, false
	case known:
		return *old.answer, true
	}
	entry := &stored{request: params, at: r.now}
	s.keys[scope] = entry
	if fault.is(Hold) {
		s.mu.Unlock()
		close(fault.held)
		<-fault.release
		s.mu.Lock()
	}
	a := s.execute(r, fault)
	if a.executed {
		entry.answer = &a
	} else {
		delete(s.keys, scope)
	}
	return a, false
}

// execute runs the endpoint, or a failure in its place. The lock is held.
func (s *Server) execute(r request, fault *Fault) answer {
	broken := refuse(http.StatusInternalServerError, map[string]any{"type": "api_error", "message": "An unknown error occurred."})
	switch {
	case fault.is(Error500Undone):
		return broken
	case fault.is(Error500):
		s.route(r)
		return broken
	}
	return s.route(r)
}

func write(w http.ResponseWriter, a answer, replayed bool) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", "req_fake")
	if replayed {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	w.WriteHeader(a.status)
	_, _ = io.Copy(w, bytes.NewReader(a.body))
}
