// Package delivery holds the rules by which an event is told to a merchant's endpoint: the bytes that are sent, the
// secrets that sign them, what an answer means, and when to try again. The sending itself is package webhook.
package delivery

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Delivery is one try to tell one endpoint of one event. It holds secrets: it is made where it is sent, and belongs in
// no history, log or error (I-26).
type Delivery struct {
	// EventID becomes the webhook-id: the same for every try and every endpoint, so that a receiver drops what it knows.
	EventID string
	// URL is the endpoint's. It is judged again before each try, whatever was registered once.
	URL string
	// Body is what Body made when the event was first told; each try sends these bytes.
	Body []byte
	// Secrets sign, newest first; there are several while they rotate. MaxSecrets at most.
	Secrets []Secret
}

// MaxSecrets bounds the signatures of one message: more than two only if a merchant rotates faster than it should.
const MaxSecrets = 5

// Outcome says what a try means for the delivery.
type Outcome string

const (
	// Delivered means that the endpoint answered 2xx.
	Delivered Outcome = "delivered"
	// Retry means that it isn't known to have arrived: any other answer, or none. A redirect is one: none is followed.
	Retry Outcome = "retry"
	// Gone means 410: the endpoint wants nothing more. The delivery ends, and the endpoint is to be disabled.
	Gone Outcome = "gone"
	// Refused means that we won't dial where the URL leads now. Nothing was sent. Names can be put right, so it counts
	// as a failed try and not as the end.
	Refused Outcome = "refused"
)

// Outcomes returns every outcome once.
func Outcomes() []Outcome { return []Outcome{Delivered, Retry, Gone, Refused} }

// Final reports whether no further try follows.
func (o Outcome) Final() bool { return o == Delivered || o == Gone }

// Result is what a try came to. It may be stored and shown to the merchant: it names no address of ours.
type Result struct {
	Outcome Outcome `json:"outcome"`
	// Reason is stable snake_case for a try without a usable answer: "timeout", "dns_failed", "address_refused" …, and
	// "http_503" for an answer that isn't 2xx. It is empty when delivered.
	Reason string `json:"reason,omitempty"`
	// Status is the HTTP status; zero if none came.
	Status int `json:"status,omitempty"`
	// Duration is from the first look-up to the end of the answer.
	Duration time.Duration `json:"duration"`
	// RetryAfter is what the endpoint asked for, MaxRetryAfter at most; zero if it asked for nothing.
	RetryAfter time.Duration `json:"retry_after,omitempty"`
	// Excerpt is the beginning of the answer's body as Excerpt leaves it: text of the endpoint's own making.
	Excerpt string `json:"excerpt,omitempty"`
}

// MaxRetryAfter bounds how far an endpoint can push its next try away.
const MaxRetryAfter = 24 * time.Hour

// Of says what an HTTP status means.
func Of(status int) Outcome {
	switch {
	case status >= 200 && status <= 299:
		return Delivered
	case status == 410:
		return Gone
	}
	return Retry
}

// MaxExcerpt is how many bytes of an answer are kept.
const MaxExcerpt = 1024

// Excerpt makes an answer's body fit for a log, a table and a terminal: at most MaxExcerpt bytes of valid UTF-8 with
// neither control characters nor the invisible ones that turn text around. Line breaks and tabs become spaces.
func Excerpt(body []byte) string {
	var b strings.Builder
	for len(body) > 0 {
		r, size := utf8.DecodeRune(body)
		body = body[size:]
		switch {
		case r == utf8.RuneError && size == 1:
			continue
		case unicode.IsSpace(r):
			r = ' '
		case !unicode.IsPrint(r):
			continue
		}
		if b.Len()+utf8.RuneLen(r) > MaxExcerpt {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
