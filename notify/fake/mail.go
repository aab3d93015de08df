// Package fake is a mail server and a carrier of messages in this process, for tests: what was told, to whom, and every way to refuse.
package fake

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
)

// Mail is a letter that was taken.
type Mail struct {
	From, To string // of the envelope
	*mail.Message
	Body string
}

// Server is an SMTP server that keeps what it is given.
type Server struct {
	Address string // host:port
	mu      sync.Mutex
	got     []Mail
	tries   int
	answers map[string]string // by verb; "*" is what a connection is greeted with
	drop    bool              // hang up after the letter, before saying that it was taken
	user    string
	tls     *tls.Config
	done    sync.WaitGroup
}

// NewServer starts one that ends with the test. With a TLS configuration it offers STARTTLS; with user (and password, joined by a colon) it
// takes nothing from anybody else.
func NewServer(t testing.TB, secure *tls.Config, user string) *Server {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Address: l.Addr().String(), answers: map[string]string{}, user: user, tls: secure}
	var open sync.Map
	s.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(c, true)
			s.done.Go(func() { defer open.Delete(c); s.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		open.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true })
		s.done.Wait()
	})
	return s
}

// Answer makes a verb ("RCPT", "DATA", "*" for the greeting) be answered so from now on, "" as it should be.
func (s *Server) Answer(verb, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[verb] = line
}

// Drop makes it hang up after a letter without an answer: the letter is kept, and nobody is told so.
func (s *Server) Drop(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop = on
}

// Got is what was taken, in order, and how many connections there were.
func (s *Server) Got() (list []Mail, connections int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.got...), s.tries
}

func (s *Server) script(verb string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers[verb]
}

// talk is one connection.
type talk struct {
	s        *Server
	c        net.Conn
	in       *bufio.Reader
	from, to string
	admitted bool
}

func (s *Server) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	s.mu.Lock()
	s.tries++
	s.mu.Unlock()
	t := &talk{s: s, c: c, in: bufio.NewReader(c), admitted: s.user == ""}
	greeting := s.script("*")
	if greeting == "" {
		greeting = "220 fake ESMTP"
	}
	t.say(greeting)
	for {
		line, err := t.in.ReadString('\n')
		if err != nil || !t.answer(strings.TrimRight(line, "\r\n")) {
			return
		}
	}
}

func (t *talk) say(line string) { _, _ = fmt.Fprintf(t.c, "%s\r\n", line) }

// answer says whether the talk goes on.
func (t *talk) answer(line string) bool {
	verb, rest, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	if scripted := t.s.script(verb); scripted != "" {
		t.say(scripted)
		return true
	}
	switch verb {
	case "EHLO":
		t.hello()
	case "STARTTLS":
		t.say("220 go on")
		secure := tls.Server(t.c, t.s.tls)
		t.c, t.in = secure, bufio.NewReader(secure)
	case "AUTH":
		t.auth(rest)
	case "MAIL":
		if !t.admitted {
			t.say("530 5.7.0 who are you")
			return true
		}
		t.from = address(rest)
		t.say("250 ok")
	case "RCPT":
		t.to = address(rest)
		t.say("250 ok")
	case "DATA":
		return t.letter()
	case "QUIT":
		t.say("221 bye")
		return false
	default:
		t.say("250 ok")
	}
	return true
}

func (t *talk) hello() {
	_, encrypted := t.c.(*tls.Conn)
	t.say("250-fake")
	if t.s.tls != nil && !encrypted {
		t.say("250-STARTTLS")
	}
	if t.s.user != "" {
		t.say("250-AUTH PLAIN")
	}
	t.say("250 8BITMIME")
}

func (t *talk) auth(rest string) {
	_, encoded, _ := strings.Cut(rest, " ")
	plain, _ := base64.StdEncoding.DecodeString(encoded)
	user, password, _ := strings.Cut(t.s.user, ":")
	if t.admitted = string(plain) == "\x00"+user+"\x00"+password; t.admitted {
		t.say("235 2.7.0 welcome")
		return
	}
	t.say("535 5.7.8 no")
}

func address(text string) string {
	_, text, _ = strings.Cut(text, "<")
	text, _, _ = strings.Cut(text, ">")
	return text
}

func (t *talk) letter() bool {
	t.say("354 go on")
	var b strings.Builder
	for {
		line, err := t.in.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
	t.s.keep(t, b.String())
	t.s.mu.Lock()
	drop := t.s.drop
	t.s.mu.Unlock()
	if !drop {
		t.say("250 2.0.0 taken")
	}
	return !drop
}
