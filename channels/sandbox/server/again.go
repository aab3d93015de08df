package server

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// again is the body of POST /admin/callbacks: deliveries on purpose. All but delayed ones are made before the answer
// leaves, so that a test has nothing to wait for.
type again struct {
	Reference   string `json:"reference"` // a reference, a key or a payment id
	Mode        string `json:"mode"`
	Times       int    `json:"times"` // default 1
	DelayMS     int64  `json:"delay_ms"`
	URL         string `json:"url"`          // default: the callback_url of the charge
	AmountMinor int64  `json:"amount_minor"` // what the callback says instead of the truth
	Currency    string `json:"currency"`
	State       State  `json:"state"`
	Secret      string `json:"secret"` // mode unknown: whose bearer secret signs
}

var modes = []string{"again", "out_of_order", "forged", "stale", "delayed", "unknown"}

func (q *again) check() error {
	switch {
	case !slices.Contains(modes, q.Mode):
		return invalid("mode", "mode is one of "+strings.Join(modes, ", "))
	case q.Times < 0 || q.Times > 10_000:
		return invalid("times", "times is between 1 and 10000")
	case q.DelayMS < 0 || q.DelayMS > 600_000:
		return invalid("delay_ms", "delay_ms is between 0 and 600000")
	case q.Mode == "unknown" && (q.URL == "" || q.Secret == ""):
		return invalid("url", "a callback about nothing needs url and secret")
	}
	return checkURL("url", q.URL)
}

// Sent is one delivery and what it was answered.
type Sent struct {
	EventID string `json:"event_id"`
	State   State  `json:"state"`
	Status  int    `json:"status"` // 0: nobody answered
}

type sending struct {
	event  Event
	secret string
	at     time.Time
}

func (s *Server) adminCallbacks(w http.ResponseWriter, r *http.Request) error {
	var q again
	if err := decode(r, &q); err != nil {
		return err
	}
	if err := q.check(); err != nil {
		return err
	}
	list, url, err := s.plan(q)
	if err != nil {
		return err
	}
	if q.Mode == "delayed" {
		time.AfterFunc(time.Duration(q.DelayMS)*time.Millisecond, func() {
			if s.ctx.Err() == nil {
				s.send(list, url)
			}
		})
		writeJSON(w, http.StatusAccepted, map[string]any{"sent": []Sent{}})
		return nil
	}
	if q.DelayMS > 0 && !s.sleep(r, time.Duration(q.DelayMS)*time.Millisecond) {
		return nil
	}
	writeJSON(w, http.StatusOK, map[string]any{"sent": s.send(list, url)})
	return nil
}

func (s *Server) send(list []sending, url string) []Sent {
	out := make([]Sent, 0, len(list))
	for _, x := range list {
		body, _ := json.Marshal(x.event) // a plain struct
		status, _ := s.sender.post(s.ctx, url, body, Signature(x.secret, x.at, body))
		out = append(out, Sent{EventID: x.event.EventID, State: x.event.State, Status: status})
	}
	return out
}

// plan says what to send.
func (s *Server) plan(q again) ([]sending, string, error) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	now := s.Now()
	e, secret, url := Event{}, CallbackSecret(q.Secret), q.URL
	c, m := s.newest(q.Reference), s.moveNamed(q.Reference, "")
	kind, created := "charge", time.Time{}
	switch {
	case q.Mode == "unknown":
		e = Event{EventID: s.book.next() + "_e1", Type: "charge.succeeded", Reference: q.Reference, State: Succeeded,
			AmountMinor: 100, Currency: "CNY", ChannelID: "sbx_unknown", OccurredAt: now, SucceededAt: now}
	case c == nil && m == nil:
		return nil, "", refuse(http.StatusNotFound, "charge_not_found", "there is no charge or refund under this name")
	case c == nil: // a refund's own name; a payment's names its charge
		e, secret, kind, created = eventOfMove(m), s.book.secrets[m.Account], m.Kind, m.CreatedAt
		url = cmp.Or(url, m.CallbackURL)
	default:
		e, secret, created = eventOf(c), s.book.secrets[c.Account], c.CreatedAt
		url = cmp.Or(url, c.CallbackURL)
	}
	if url == "" {
		return nil, "", refuse(http.StatusConflict, "no_callback_url", "the charge has no callback_url; name a url")
	}
	q.say(&e, kind)
	list := []sending{{e, secret, now}}
	switch q.Mode {
	case "out_of_order":
		// First how it ended, then, under an event id of its own, how it began.
		before := e
		before.EventID, before.Type, before.State, before.OccurredAt = e.ChannelID+"_e0_pending_before", kind+".pending", Pending, created
		before.SucceededAt, before.Decline = time.Time{}, nil
		list = append(list, sending{before, secret, now})
	case "forged":
		// A new event id, so that not even a table of seen events would stop it.
		list[0].event.EventID = s.book.next() + "_forged"
		list[0].secret = CallbackSecret("a forger")
		if q.State == "" {
			list[0].event.State, list[0].event.Type = Succeeded, kind+".succeeded"
		}
	case "stale":
		list[0].at = now.Add(-10 * time.Minute)
	}
	return slices.Repeat(list, max(q.Times, 1)), url, nil
}

// say puts what the request wants said into the event.
func (q *again) say(e *Event, kind string) {
	if q.AmountMinor != 0 {
		e.AmountMinor = q.AmountMinor
	}
	if q.Currency != "" {
		e.Currency = q.Currency
	}
	if q.State != "" {
		e.State, e.Type = q.State, kind+"."+string(q.State)
	}
}
