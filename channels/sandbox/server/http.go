package server

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// problem is the sandbox's answer to a request that it refuses. Nothing was done.
type problem struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`

	retryAfter int64 // seconds
}

func (p *problem) Error() string { return p.Code + ": " + p.Message }

func refuse(status int, code, message string) *problem {
	return &problem{status: status, Code: code, Message: message}
}

func invalid(field, message string) *problem {
	return refuse(http.StatusUnprocessableEntity, "invalid_"+field, message)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		http.Error(w, `{"error":{"code":"internal"}}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n'))
}

func writeProblem(w http.ResponseWriter, err error) {
	var p *problem
	if !errors.As(err, &p) {
		p = refuse(http.StatusInternalServerError, "internal", "the sandbox failed")
	}
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", itoa(p.retryAfter))
	}
	writeJSON(w, p.status, map[string]*problem{"error": p})
}

// handle turns a function that may refuse into a handler.
func handle(f func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			writeProblem(w, err)
		}
	}
}

// decode reads a strict JSON body of at most 64 KiB. It reads to the end, without which the server wouldn't notice
// that a client left.
func decode(r *http.Request, v any) error {
	raw, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, 64<<10))
	if err != nil {
		return refuse(http.StatusRequestEntityTooLarge, "body_too_large", "a body is at most 64 KiB")
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return refuse(http.StatusBadRequest, "invalid_json", "the body can't be read: "+err.Error())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refuse(http.StatusBadRequest, "invalid_json", "something follows the JSON object")
	}
	return nil
}

// account says who calls. There is no sign-up: unless Secrets names the accounts, every secret is one.
func (s *Server) account(r *http.Request) (string, error) {
	secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || secret == "" || len(secret) > 255 {
		return "", refuse(http.StatusUnauthorized, "unauthorized", "send the account's secret as Authorization: Bearer <secret>")
	}
	if len(s.conf.Secrets) > 0 && !slices.Contains(s.conf.Secrets, secret) {
		return "", refuse(http.StatusUnauthorized, "unauthorized", "this secret is not an account's")
	}
	account := accountOf(secret)
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	s.book.open(account, secret)
	return account, nil
}

var (
	referenceForm = regexp.MustCompile(`^[0-9a-z]{1,32}$`)
	keyForm       = regexp.MustCompile(`^[\x21-\x7e]{1,255}$`)
	hashForm      = regexp.MustCompile(`^[0-9a-f]{64}$`)
	currencyForm  = regexp.MustCompile(`^[A-Z]{3}$`)
)

const maxAmount = 1_000_000_000_000_000

// head is what every request that creates something carries.
type head struct {
	Reference   string `json:"reference"`
	Key         string `json:"key"`
	BodyHash    string `json:"body_hash"`
	AmountMinor int64  `json:"amount_minor"`
	Currency    string `json:"currency"`
}

// check validates the head; the key stands in the header, and may stand in the body too.
func (h *head) check(r *http.Request) error {
	header := r.Header.Get("Idempotency-Key")
	if h.Key == "" {
		h.Key = header
	}
	switch {
	case header == "":
		return refuse(http.StatusBadRequest, "key_missing", "the header Idempotency-Key is required")
	case header != h.Key:
		return refuse(http.StatusBadRequest, "key_mismatch", "the header Idempotency-Key and key differ")
	case !keyForm.MatchString(h.Key):
		return invalid("key", "a key is 1 to 255 visible ASCII characters")
	case !referenceForm.MatchString(h.Reference):
		return invalid("reference", "a reference is 1 to 32 of [0-9a-z]")
	case !hashForm.MatchString(h.BodyHash):
		return invalid("body_hash", "body_hash is a SHA-256 in lower-case hex")
	case h.AmountMinor <= 0 || h.AmountMinor > maxAmount:
		return invalid("amount_minor", "amount_minor is a positive integer")
	case !currencyForm.MatchString(h.Currency):
		return invalid("currency", "currency is three capital letters")
	}
	return nil
}

func checkURL(field, text string) error {
	if text != "" && (!strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://") || len(text) > 2048) {
		return invalid(field, field+" is an http or https address")
	}
	return nil
}

// sleep waits, and reports false if the client left or the sandbox closes.
func (s *Server) sleep(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
	case <-s.ctx.Done():
	}
	return false
}
