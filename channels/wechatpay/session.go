package wechatpay

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
)

// tolerance is how far a signature's time may lie from ours, to either side, and already doesn't count.
const tolerance = 300 * time.Second

// The headers that sign an answer or a callback.
const (
	headerTimestamp = "Wechatpay-Timestamp"
	headerNonce     = "Wechatpay-Nonce"
	headerSignature = "Wechatpay-Signature"
	headerSerial    = "Wechatpay-Serial"
)

// session is one account at one moment.
type session struct {
	*opened
	wire *wire.Client
	base string
	now  time.Time
	// concealed is the serial number of the key that a request's personal data are encrypted with.
	concealed string
}

func (ch *Channel) session(a channels.Account, now time.Time) (session, error) {
	o, err := ch.vault.open(a)
	if err != nil {
		return session{}, err
	}
	if now.IsZero() {
		now = ch.now()
	}
	base := strings.TrimSuffix(a.BaseURL, "/")
	if base == "" {
		base = DefaultURL
	}
	return session{opened: o, wire: ch.wire, base: base, now: now}, nil
}

// answer is a verified answer: a success, or a refusal in WeChat's own words.
type answer struct {
	wire.Response
}

// call makes a signed call and verifies what comes back. Nothing else is let through: a success without a signature that
// holds is Unknown, and so is a refusal with a false one. WeChat leaves some refusals unsigned.
func (s session) call(ctx context.Context, method, path string, body any) (answer, error) {
	res, err := s.send(ctx, method, path, body)
	if err != nil {
		return answer{}, err
	}
	if res.Status >= 400 && res.Header.Get(headerSignature) == "" {
		return answer{res}, nil
	}
	switch err := s.authentic(ctx, res.Header, res.Body); fault.Of(err) {
	case "":
		return answer{res}, nil
	case fault.KindDenied:
		return answer{}, fault.Unknown("channel_answer_forged", "the answer isn't signed by WeChat Pay", nil)
	default:
		return answer{}, fault.Unknown("channel_answer_unverified", "the answer can't be verified: "+fault.As(err).Message, err)
	}
}

// send makes a signed call. The answer is anybody's.
func (s session) send(ctx context.Context, method, path string, body any) (wire.Response, error) {
	req, err := s.request(ctx, method, path, body)
	if err != nil {
		return wire.Response{}, err
	}
	return s.wire.Do(ctx, req)
}

func (s session) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return nil, fault.Internal("the request can't be written", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, bytes.NewReader(raw))
	if err != nil {
		return nil, fault.Internal("the channel account's address can't be used", err)
	}
	stamp, nonce := strconv.FormatInt(s.now.Unix(), 10), rand.Text()
	signature, err := sign(s.key, message(method, req.URL.RequestURI(), stamp, nonce, string(raw)))
	if err != nil {
		return nil, fault.Internal("the request can't be signed", nil)
	}
	req.Header.Set("Authorization", `WECHATPAY2-SHA256-RSA2048 mchid="`+s.mchID+`",nonce_str="`+nonce+`",signature="`+signature+
		`",timestamp="`+stamp+`",serial_no="`+s.serial+`"`)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "paysaga") // WeChat refuses calls without one
	if raw != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	switch {
	case s.concealed != "":
		req.Header.Set(headerSerial, s.concealed)
	case s.public != nil: // asks WeChat to sign with this one, while the merchant changes from certificates to it
		req.Header.Set(headerSerial, s.publicID)
	}
	return req, nil
}

// authentic verifies the signature of an answer or a callback over its raw bytes, and then its age. What WeChat didn't
// sign is fault.Denied; certificates that can't be had now are fault.Unavailable.
func (s session) authentic(ctx context.Context, h http.Header, body []byte) error {
	forged := fault.Denied("callback_forged", "the signature isn't WeChat Pay's")
	var signed [4]string
	for i, name := range []string{headerTimestamp, headerNonce, headerSignature, headerSerial} {
		if v := h[name]; len(v) != 1 || v[0] == "" || len(v[0]) > 1024 {
			return forged
		}
		signed[i] = h[name][0]
	}
	stamp, nonce, signature, serial := signed[0], signed[1], signed[2], signed[3]
	unix, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || strings.HasPrefix(signature, "WECHATPAY/SIGNTEST/") { // WeChat looks whether we verify at all
		return forged
	}
	key, err := s.keyOf(ctx, serial)
	if err != nil {
		return err
	}
	if key == nil || !verify(key, message(stamp, nonce, string(body)), signature) {
		return forged
	}
	if age := s.now.Sub(time.Unix(unix, 0)); age >= tolerance || age <= -tolerance {
		return fault.Denied("callback_stale", "the signature's time is too far from now")
	}
	return nil
}

// keyOf finds the key that a serial number names; nil is nobody's. Both modes are accepted at any time: while a merchant
// changes from certificates to the public key WeChat signs with either.
func (s session) keyOf(ctx context.Context, serial string) (*rsa.PublicKey, error) {
	if strings.HasPrefix(serial, publicPrefix) {
		if serial == s.publicID {
			return s.public, nil
		}
		return nil, nil
	}
	return s.certs.key(ctx, s, serial)
}
