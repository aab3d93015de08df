package fake

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"
)

// Notification is a callback and its tries.
type Notification struct {
	ID, URL, Event, Kind, Number string
	Due                          time.Time // of the next try
	Tries                        int
	Done                         bool
}

// schedule is how long WeChat waits between the tries.
var schedule = []time.Duration{15 * time.Second, 15 * time.Second, 30 * time.Second, 3 * time.Minute, 10 * time.Minute,
	20 * time.Minute, 30 * time.Minute, 30 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 3 * time.Hour, 3 * time.Hour,
	6 * time.Hour, 6 * time.Hour}

func (s *Server) notify(url, event, kind, number string) {
	s.notes = append(s.notes, &Notification{ID: s.id("EV-"), URL: url, Event: event, Kind: kind, Number: number, Due: s.now()})
}

// Notifications are all so far, in order.
func (s *Server) Notifications() []Notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Notification, len(s.notes))
	for i, n := range s.notes {
		out[i] = *n
	}
	return out
}

// Deliver posts the callbacks that are due by the server's clock, and reports how many were taken. Those that weren't
// are due again after WeChat's next pause.
func (s *Server) Deliver(ctx context.Context, c *http.Client) (taken int) {
	s.mu.Lock()
	now := s.now()
	var due []*Notification
	for _, n := range s.notes {
		if !n.Done && n.URL != "" && !n.Due.After(now) {
			due = append(due, n)
		}
	}
	s.mu.Unlock()
	for _, n := range due {
		header, body := s.Told(n.Number)
		good := post(ctx, c, n.URL, header, body)
		s.mu.Lock()
		n.Tries++
		if n.Done = good || n.Tries > len(schedule); !n.Done {
			n.Due = now.Add(schedule[n.Tries-1])
		}
		s.mu.Unlock()
		if good {
			taken++
		}
	}
	return taken
}

func post(ctx context.Context, c *http.Client, url string, header http.Header, body []byte) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header = header
	res, err := c.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK || res.StatusCode == http.StatusNoContent
}

// Told is the last callback about an order, a refund or a transfer, signed at the server's present time; nil if there is
// none yet: WeChat tells of a payment's success only.
func (s *Server) Told(number string) (http.Header, []byte) {
	s.mu.Lock()
	var last *Notification
	for _, n := range s.notes {
		if n.Number == number {
			last = n
		}
	}
	if last == nil {
		s.mu.Unlock()
		return nil, nil
	}
	var about map[string]any
	switch last.Kind {
	case "transaction":
		about = s.orders[number].object()
	case "refund":
		about = s.refunds[number].told()
	default:
		about = s.transfers[number].object()
	}
	plain, err := json.Marshal(about)
	s.mu.Unlock()
	if err != nil {
		panic(err)
	}
	return s.Event(last.ID, last.Event, last.Kind, plain)
}

// Event is a callback with any content, encrypted and signed.
func (s *Server) Event(id, event, kind string, plain []byte) (http.Header, []byte) {
	now := s.Now()
	resource := map[string]string{"original_type": kind}
	for name, value := range encrypt(apiV3Key, plain, kind) {
		resource[name] = value
	}
	body, err := json.Marshal(map[string]any{"id": id, "create_time": now.In(Beijing).Format(time.RFC3339), "event_type": event,
		"resource_type": "encrypt-resource", "summary": event, "resource": resource})
	if err != nil {
		panic(err)
	}
	return s.Sign(body), body
}

// Sign is the header of a callback with this body.
func (s *Server) Sign(body []byte) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	serial := ""
	if s.conf.Mode == Both {
		serial = PublicKeyID
	}
	s.stamp(h, body, s.Now(), s.signer(serial))
	return h
}

// SignByCertificate signs as WeChat does before the merchant has changed to the public key.
func (s *Server) SignByCertificate(body []byte) http.Header {
	h := http.Header{}
	s.mu.Lock()
	last := s.certs[len(s.certs)-1]
	s.mu.Unlock()
	s.stamp(h, body, s.Now(), seal{last.serial, last.key})
	return h
}

// reveal decrypts a personal datum; serial names the key that it was encrypted with.
func (s *Server) reveal(text, serial string) (plain string, readable bool) {
	if text == "" {
		return "", true
	}
	var key *rsa.PrivateKey
	if serial == PublicKeyID && s.conf.Mode != Certificates {
		key = keys[publicKey]()
	}
	for _, c := range s.certs {
		if c.serial == serial {
			key = c.key
		}
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if key == nil || err != nil {
		return "", false
	}
	name, err := rsa.DecryptOAEP(sha1.New(), nil, key, raw, nil)
	return string(name), err == nil
}
