package fake

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
)

// keep reads a letter as its reader would.
func (s *Server) keep(t *talk, raw string) {
	m := Mail{From: t.from, To: t.to}
	msg, err := mail.ReadMessage(strings.NewReader(raw))
	if err == nil {
		m.Message = msg
		body, _ := io.ReadAll(decoded(msg))
		m.Body = strings.ReplaceAll(string(body), "\r\n", "\n")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, m)
}

func decoded(m *mail.Message) io.Reader {
	switch strings.ToLower(m.Header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		return quotedprintable.NewReader(m.Body)
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, m.Body)
	}
	return m.Body
}

// Title is the subject as people read it.
func (m Mail) Title() string {
	text, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return ""
	}
	return text
}

// Told is a message that a carrier was given.
type Told struct {
	To                             []string
	Title, Text, Sender, Reference string
	Key                            string `json:"-"` // the header Idempotency-Key
	Token                          string `json:"-"`
}

// Gateway is a carrier of SMS or push.
type Gateway struct {
	URL    string
	mu     sync.Mutex
	got    []Told
	status func(n int, m Told) int
}

// NewGateway starts one that ends with the test.
func NewGateway(t testing.TB) *Gateway {
	t.Helper()
	g := &Gateway{status: func(int, Told) int { return http.StatusAccepted }}
	server := httptest.NewServer(http.HandlerFunc(g.take))
	t.Cleanup(server.Close)
	g.URL = server.URL + "/messages"
	return g
}

// Answer sets the status of the answers from now on; n counts the messages from 1. nil: 202.
func (g *Gateway) Answer(status func(n int, m Told) int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if status == nil {
		status = func(int, Told) int { return http.StatusAccepted }
	}
	g.status = status
}

// Got is everything that came, in order, refused or not.
func (g *Gateway) Got() []Told {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]Told(nil), g.got...)
}

func (g *Gateway) take(w http.ResponseWriter, r *http.Request) {
	var m Told
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if r.Method != http.MethodPost || d.Decode(&m) != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	m.Key, m.Token = r.Header.Get("Idempotency-Key"), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	g.mu.Lock()
	g.got = append(g.got, m)
	n, status := len(g.got), g.status
	g.mu.Unlock()
	w.WriteHeader(status(n, m))
}
