package paypal

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"paysaga/channels"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
)

// session is one call: the account and the key.
type session struct {
	channels.Call
	ch   *Channel
	base string
}

func (ch *Channel) session(c channels.Call) (session, error) {
	s := session{Call: c, ch: ch, base: baseOf(c.Account)}
	for _, name := range []string{ClientID, ClientSecret} {
		if c.Account.Credentials[name] == "" {
			return s, fault.Internal("the paypal account "+c.Account.ID+" lacks its "+name, nil)
		}
	}
	return s, nil
}

// baseOf is where an account's API is: the book chooses between PayPal's two worlds (I-25).
func baseOf(a channels.Account) string {
	switch {
	case a.BaseURL != "":
		return strings.TrimSuffix(a.BaseURL, "/")
	case a.Book.Livemode():
		return LiveURL
	}
	return SandboxURL
}

// request is one call of PayPal's API.
type request struct {
	method, path string
	id           string // PayPal-Request-Id; empty: none
	body         any
}

// send makes a call with the account's access token. A token that PayPal no longer takes is thrown away: the call did
// nothing, and the next one brings a fresh token.
func (s session) send(ctx context.Context, r request) (wire.Response, error) {
	t, err := s.ch.tokens.get(ctx, s)
	if err != nil {
		return wire.Response{}, err
	}
	var raw []byte
	if r.body != nil {
		if raw, err = json.Marshal(r.body); err != nil {
			return wire.Response{}, fault.Internal("the request can't be written", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, r.method, s.base+r.path, bytes.NewReader(raw))
	if err != nil {
		return wire.Response{}, fault.Internal("the channel account's address can't be used", err)
	}
	req.Header.Set("Authorization", "Bearer "+t.text)
	req.Header.Set("Accept", "application/json")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Prefer", "return=representation")
	}
	if r.id != "" {
		req.Header.Set("PayPal-Request-Id", r.id)
	}
	res, err := s.ch.client.Do(ctx, req)
	if err == nil && res.Status == http.StatusUnauthorized && refusalOf(res).readable() {
		s.ch.tokens.drop(s, t)
		if t.used {
			return res, fault.Unavailable("channel_token_expired", "paypal no longer takes the access token; a new one is fetched", nil)
		}
		return res, fault.Internal("paypal refuses the account's credentials", nil)
	}
	return res, err
}

// refusal is a 4xx in PayPal's own words.
type refusal struct {
	status int
	Name   string `json:"name"`
	Error  string `json:"error"` // of the identity service, and of a bad token
	Detail []struct {
		Issue string `json:"issue"`
	} `json:"details"`
}

func refusalOf(res wire.Response) refusal {
	var r refusal
	if res.Decode(&r) != nil {
		return refusal{status: res.Status}
	}
	r.status = res.Status
	return r
}

// readable: whatever isn't in PayPal's own words, a proxy's page for one, says nothing about what was done.
func (r refusal) readable() bool { return r.status >= 400 && (r.Name != "" || r.Error != "") }

// issue is the first detail's code.
func (r refusal) issue() string {
	if len(r.Detail) == 0 {
		return ""
	}
	return codeText(r.Detail[0].Issue)
}

// err is what a refusal means where nothing more special is known.
func (r refusal) err() error {
	issue := r.issue()
	switch {
	case !r.readable():
		return unreadable("a refusal that can't be read")
	case r.status == http.StatusForbidden && issue == "" || r.Name == "NOT_AUTHORIZED":
		return fault.Internal("paypal doesn't allow the account to do this", nil)
	case r.status == http.StatusConflict || issue == "ORDER_COMPLETION_IN_PROGRESS" || issue == "PREVIOUS_REQUEST_IN_PROGRESS":
		return fault.Unknown("channel_key_busy", "paypal is still working on the same request", nil)
	case r.status == http.StatusNotFound:
		return fault.NotFound("that at paypal")
	case r.status == http.StatusBadRequest, r.status == http.StatusUnprocessableEntity:
		code := strings.ToLower(issue)
		if code == "" {
			code = "refused"
		}
		return fault.Invalid(code, "", "paypal refuses the request: "+code)
	}
	return unreadable("a refusal that we don't know")
}

func unreadable(what string) error {
	return fault.Unknown("channel_answer_unreadable", "paypal answered with "+what, nil)
}

// codeText lets a code of PayPal's through only if it looks like one.
func codeText(s string) string {
	if len(s) > 64 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return ""
	}
	return s
}

// idText lets an id of PayPal's through only if it looks like one: it becomes part of a path.
func idText(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
