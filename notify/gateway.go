package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/notice"
)

// GatewayConfig is whoever carries SMS or push. Carriers differ; what is spoken here is the least that all of them can be given a shim
// for: a POST of JSON, {"to": [...], "title", "text", "sender", "reference"}, with an Idempotency-Key that is the same for every try.
type GatewayConfig struct {
	URL   string
	Token string // sent as Authorization: Bearer; empty: none
	// Timeout bounds a try as a whole (10 s).
	Timeout time.Duration
}

type gateway struct {
	c    GatewayConfig
	http *http.Client
}

func newGateway(c GatewayConfig) (*gateway, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fault.Invalid("gateway_invalid", "url", "a carrier's URL begins with https://")
	}
	if u.Scheme == "http" && !local(u.Hostname()) {
		return nil, fault.Invalid("gateway_invalid", "url", "what is told to people doesn't leave this machine in plain text: a carrier's URL begins with https://")
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &gateway{c: c, http: &http.Client{Timeout: c.Timeout, CheckRedirect: stay}}, nil
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

type gatewayMessage struct {
	To        []string `json:"to"`
	Title     string   `json:"title"`
	Text      string   `json:"text"`
	Sender    string   `json:"sender"`
	Reference string   `json:"reference"`
}

// bring hands a message to the carrier. A 4xx that speaks of this message ends it; one that speaks of us doesn't.
func (g *gateway) bring(ctx context.Context, m Message) notice.Outcome {
	body, err := json.Marshal(gatewayMessage{To: m.To, Title: m.Title, Text: m.Text, Sender: m.Sender, Reference: m.Key})
	if err != nil {
		return notice.Outcome{Never: true, Reason: "message_invalid"}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.c.URL, bytes.NewReader(body))
	if err != nil {
		return notice.Outcome{Reason: "gateway_invalid"}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", m.Key)
	if g.c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+g.c.Token)
	}
	res, err := g.http.Do(req)
	if err != nil {
		var slow net.Error
		if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &slow) && slow.Timeout() {
			return notice.Outcome{Reason: "timeout"}
		}
		return notice.Outcome{Reason: "gateway_unreachable"}
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be kept
	switch code := res.StatusCode; {
	case code >= 200 && code <= 299:
		return notice.Outcome{Sent: true}
	case code == http.StatusBadRequest, code == http.StatusNotFound, code == http.StatusGone, code == http.StatusUnprocessableEntity:
		return notice.Outcome{Never: true, Reason: "http_" + strconv.Itoa(code)}
	default:
		return notice.Outcome{Reason: "http_" + strconv.Itoa(code)}
	}
}
