package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/domain/dispute"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// tolerance is how far a callback's time stamp may lie from our clock, to either side.
const tolerance = 300 * time.Second

// SignatureHeader carries "t=<unix>,v1=<hex>", v1 being HMAC-SHA256(callback secret, t + "." + body).
const SignatureHeader = "Sandbox-Signature"

// ParseCallback verifies the signature over the raw body, then its age, and only then reads the body (I-21).
func (*Channel) ParseCallback(a channels.Account, raw channels.RawCallback) (channels.Callback, error) {
	secret := a.Credentials[SecretCallback]
	if secret == "" {
		if a.Credentials[Secret] == "" {
			return channels.Callback{}, fault.Internal("the channel account has no callback secret", nil)
		}
		secret = CallbackSecret(a.Credentials[Secret])
	}
	at, err := verify(secret, raw)
	if err != nil {
		return channels.Callback{}, err
	}
	if age := raw.Now.Sub(at); age > tolerance || age < -tolerance {
		return channels.Callback{}, fault.Denied("callback_stale", "the callback's time stamp is too far from now")
	}
	return read(raw.Body)
}

// verify returns the signed time. Several v1 are allowed, as while a secret is replaced.
func verify(secret string, raw channels.RawCallback) (time.Time, error) {
	forged := fault.Denied("callback_forged", "the callback's signature doesn't verify")
	values := raw.Header[SignatureHeader]
	if len(values) != 1 {
		return time.Time{}, forged
	}
	var stamp string
	var macs []string
	for _, part := range strings.Split(values[0], ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "t":
			if stamp != "" {
				return time.Time{}, forged
			}
			stamp = value
		case "v1":
			macs = append(macs, value)
		}
	}
	unix, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || len(macs) > 5 {
		return time.Time{}, forged
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "."))
	mac.Write(raw.Body)
	want := mac.Sum(nil)
	for _, text := range macs {
		if got, err := hex.DecodeString(text); err == nil && hmac.Equal(got, want) {
			return time.Unix(unix, 0), nil
		}
	}
	return time.Time{}, forged
}

type event struct {
	answer
	EventID   string `json:"event_id"`
	Type      string `json:"type"`
	ChannelID string `json:"channel_id"`
	// Of a dispute.
	FeeMinor   int64     `json:"fee_minor"`
	Reason     string    `json:"reason"`
	OccurredAt time.Time `json:"occurred_at"`
}

func read(body []byte) (channels.Callback, error) {
	unreadable := fault.Invalid("callback_unreadable", "", "the callback's body can't be read")
	var e event
	if err := json.Unmarshal(body, &e); err != nil || e.EventID == "" || len(e.EventID) > 255 {
		return channels.Callback{}, unreadable
	}
	subject, said, _ := strings.Cut(e.Type, ".")
	if channels.Subject(subject) == channels.SubjectDispute {
		word := dispute.Word{ID: e.ChannelID, Status: dispute.Status(said), AmountMinor: e.AmountMinor, Currency: e.Currency, FeeMinor: e.FeeMinor,
			Reason: e.Reason, At: e.OccurredAt}
		if word.Check() != nil || e.Reference == "" {
			return channels.Callback{}, unreadable
		}
		return channels.Callback{EventID: e.EventID, Subject: channels.SubjectDispute, Reference: e.Reference, Dispute: &word}, nil
	}
	switch s := channels.Subject(subject); s {
	case channels.SubjectCharge, channels.SubjectRefund, channels.SubjectPayout:
		e.ID = e.ChannelID
		out, err := e.outcome()
		if err != nil {
			return channels.Callback{}, unreadable
		}
		// The reference is one to one with the key: a body whose two names differ is nobody's.
		if ref, err := id.Reference(e.Key); e.Key != "" && (err != nil || ref != e.Reference) {
			return channels.Callback{}, unreadable
		}
		return channels.Callback{EventID: e.EventID, Subject: s, Reference: e.Reference, Outcome: out}, nil
	}
	return channels.Callback{EventID: e.EventID, Subject: channels.SubjectOther, Reference: e.Reference}, nil
}
