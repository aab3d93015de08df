package alipay

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
)

// session is one call: the account's keys and the time that is written on its requests.
type session struct {
	channels.Call
	*keys
	ch *Channel
}

func (c *Channel) session(call channels.Call) (*session, error) {
	k, err := open(call.Account)
	if err != nil {
		return nil, err
	}
	return &session{call, k, c}, nil
}

// request is a method of the gateway with its content.
type request struct {
	method    string
	content   any
	notifyURL string
	returnURL string
	at        time.Time
}

// parameters are a request's, signed.
func (s *session) parameters(r request) (map[string]string, error) {
	var biz bytes.Buffer
	e := json.NewEncoder(&biz)
	e.SetEscapeHTML(false)
	if err := e.Encode(r.content); err != nil {
		return nil, fault.Internal("a request can't be written", err)
	}
	p := map[string]string{
		"app_id": s.appID, "method": r.method, "format": "JSON", "charset": "utf-8", "sign_type": "RSA2", "version": "1.0",
		"timestamp": r.at.In(zone).Format(stamp), "biz_content": strings.TrimSuffix(biz.String(), "\n"),
		"notify_url": r.notifyURL, "return_url": r.returnURL,
		"app_cert_sn": s.appSerial, "alipay_root_cert_sn": s.rootSerial,
	}
	for name, value := range p {
		if value == "" {
			delete(p, name)
		}
	}
	signature, err := s.sign(content(p))
	p["sign"] = signature
	return p, err
}

func encode(parameters map[string]string) string {
	form := url.Values{}
	for name, value := range parameters {
		form.Set(name, value)
	}
	return form.Encode()
}

func (s *session) address() string {
	if s.Account.BaseURL == "" {
		return DefaultURL
	}
	return s.Account.BaseURL
}

// call makes a request and reads the answer, once its signature is verified, into v and what it says of itself.
func (s *session) call(ctx context.Context, r request, v any) (verdict, error) {
	r.at = s.Now
	p, err := s.parameters(r)
	if err != nil {
		return verdict{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address(), strings.NewReader(encode(p)))
	if err != nil {
		return verdict{}, fault.Internal("the channel account's address can't be used", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")
	req.Header.Set("Accept", "application/json")
	res, err := s.ch.wire.Do(ctx, req)
	if err != nil {
		return verdict{}, err
	}
	if res.Status != http.StatusOK {
		return verdict{}, unreadable()
	}
	value, signed, err := s.open(res.Body, r.method)
	if err != nil {
		return verdict{}, err
	}
	var said verdict
	if json.Unmarshal(value, &said) != nil || said.Code == "" {
		return verdict{}, unreadable()
	}
	if err := said.refused(signed); err != nil {
		return said, err
	}
	if json.Unmarshal(value, v) != nil {
		return verdict{}, unreadable()
	}
	return said, nil
}

// open cuts the answer out of a body and verifies it. Whoever refuses our signature or doesn't know our application has
// no key to sign for us with: of an unsigned answer only that much is believed, see verdict.refused.
func (s *session) open(body []byte, method string) (value []byte, signed bool, err error) {
	e, ok := cut(body, strings.ReplaceAll(method, ".", "_")+"_response")
	if !ok {
		return nil, false, unreadable()
	}
	switch {
	case e.sign == "":
		return e.value, false, nil
	case s.alipaySerial != "" && e.certificate != s.alipaySerial:
		return nil, false, fault.Unknown("channel_certificate_changed",
			"alipay answered under another certificate than the account's alipay_cert: download it anew", nil)
	case !s.verify(e.value, e.sign):
		return nil, false, fault.Unknown("channel_answer_forged", "the signature of alipay's answer doesn't verify", nil)
	}
	return e.value, true, nil
}

func unreadable() error {
	return fault.Unknown("channel_answer_unreadable", "alipay's answer can't be read", nil)
}

func foreign() error {
	return fault.Unknown("channel_answer_foreign", "alipay's answer speaks of something else", nil)
}
