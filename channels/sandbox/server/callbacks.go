package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// Event is the body of a callback.
type Event struct {
	EventID     string    `json:"event_id"`
	Type        string    `json:"type"` // charge.<state>, refund.<state>, payout.<state> or dispute.<status>
	Reference   string    `json:"reference"`
	Key         string    `json:"key"`
	State       State     `json:"state"`
	AmountMinor int64     `json:"amount_minor"`
	Currency    string    `json:"currency"`
	ChannelID   string    `json:"channel_id"`
	Decline     *Decline  `json:"decline,omitempty"`
	OccurredAt  time.Time `json:"occurred_at"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	SucceededAt time.Time `json:"succeeded_at,omitzero"`
	FeeMinor    int64     `json:"fee_minor,omitempty"` // of a dispute
	Reason      string    `json:"reason,omitempty"`
}

// eventID never names two words: what is told again before anything was owed is another word than the first that is.
func eventID(about string, events int, s State) string {
	return about + "_e" + itoa(int64(events)) + "_" + string(s)
}

func eventOf(c *Charge) Event {
	e := Event{EventID: eventID(c.ID, c.Events, c.State), Type: "charge." + string(c.State), Reference: c.Reference,
		Key: c.Key, State: c.State, AmountMinor: c.AmountMinor, Currency: c.Currency, ChannelID: c.ID, Decline: c.Decline,
		OccurredAt: c.UpdatedAt, SucceededAt: c.SucceededAt}
	if c.State == Pending || c.State == Authorized {
		e.ExpiresAt = c.ExpiresAt
	}
	return e
}

func eventOfMove(m *Move) Event {
	return Event{EventID: eventID(m.ID, m.Events, m.State), Type: m.Kind + "." + string(m.State), Reference: m.Reference,
		Key: m.Key, State: m.State, AmountMinor: m.AmountMinor, Currency: m.Currency, ChannelID: m.ID, Decline: m.Decline,
		OccurredAt: m.UpdatedAt, SucceededAt: m.SucceededAt}
}

// delivery is one callback on its way.
type delivery struct {
	about  string // the charge's, refund's or payout's id
	event  int    // which of its events
	url    string
	secret string
	body   []byte
	try    int
}

// notify writes the charge down and owes its caller a callback; the book's mutex is held.
func (s *Server) notify(c *Charge) {
	c.Events++
	c.Owed = c.CallbackURL != ""
	s.book.save(c)
	if c.Owed {
		s.sender.enqueue(s.deliveryOf(c))
	}
}

func (s *Server) deliveryOf(c *Charge) delivery {
	body, _ := json.Marshal(eventOf(c)) // a plain struct
	return delivery{about: c.ID, event: c.Events, url: c.CallbackURL, secret: s.book.secrets[c.Account], body: body}
}

func (s *Server) deliveryOfMove(m *Move) delivery {
	body, _ := json.Marshal(eventOfMove(m)) // a plain struct
	return delivery{about: m.ID, event: m.Events, url: m.CallbackURL, secret: s.book.secrets[m.Account], body: body}
}

// delivered notes that nothing is owed any more, unless a newer event is.
func (s *Server) delivered(d delivery) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	if s.book.closed {
		return
	}
	if c := s.book.byID[d.about]; c != nil && c.Events == d.event && c.Owed {
		c.Owed = false
		s.book.save(c)
	}
	if m := s.book.moveByID[d.about]; m != nil && m.Events == d.event && m.Owed {
		m.Owed = false
		s.book.saveMove(m)
	}
}

// sender delivers callbacks: a fixed number of workers, a queue, and a pause that doubles between tries.
type sender struct {
	s      *Server
	queue  chan delivery
	client *http.Client
	wg     sync.WaitGroup
}

const senders = 16

func newSender(s *Server) *sender {
	x := &sender{s: s, queue: make(chan delivery, 4096), client: &http.Client{
		Timeout:       10 * time.Second,
		Transport:     &http.Transport{MaxIdleConnsPerHost: senders, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for range senders {
		x.wg.Go(x.work)
	}
	return x
}

func (x *sender) wait() {
	x.wg.Wait()
	x.client.CloseIdleConnections()
}

// enqueue never blocks: what finds the queue full comes back later.
func (x *sender) enqueue(d delivery) {
	select {
	case x.queue <- d:
	default:
		time.AfterFunc(time.Second, func() {
			if x.s.ctx.Err() == nil {
				x.enqueue(d)
			}
		})
	}
}

func (x *sender) work() {
	for {
		select {
		case <-x.s.ctx.Done():
			return
		case d := <-x.queue:
			x.try(d)
		}
	}
}

const longestPause = 15 * time.Second

func (x *sender) try(d delivery) {
	if x.s.conf.CallbackTries < 0 {
		return
	}
	status, err := x.post(x.s.ctx, d.url, d.body, Signature(d.secret, x.s.Now(), d.body))
	if err == nil && status >= 200 && status < 300 {
		x.s.delivered(d)
		return
	}
	d.try++
	if d.try >= x.s.conf.CallbackTries {
		x.s.conf.Logger.Warn("callback given up", "about", d.about, "status", status)
		return
	}
	pause := x.s.conf.CallbackPause << (d.try - 1)
	time.AfterFunc(min(pause, longestPause), func() {
		if x.s.ctx.Err() == nil {
			x.enqueue(d)
		}
	})
}

// post makes one delivery and returns the status of the answer.
func (x *sender) post(ctx context.Context, url string, body []byte, signature string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Sandbox-Signature", signature)
	res, err := x.client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, errors.Join(err, res.Body.Close())
}
