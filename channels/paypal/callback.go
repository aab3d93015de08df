package paypal

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// PayPal repeats a delivery for up to three days, and doesn't say that a repeat gets a new time.
const (
	oldest = 3*24*time.Hour + time.Hour
	ahead  = 5 * time.Minute // how far its clock may be before ours
)

// ParseCallback verifies a webhook delivery offline, and reads what to ask about: our reference. Nothing else of it is believed.
//
// What PayPal signs holds only a CRC-32 of the body, and whoever has one genuine delivery can make another body of the same
// CRC. The reference alone can't redirect money: it picks one of our own charges or refunds, and PayPal is asked about that
// under our own key. What is signed names the transmission, so a delivery that was seen is known again whatever its body is.
func (ch *Channel) ParseCallback(a channels.Account, raw channels.RawCallback) (channels.Callback, error) {
	transmission, err := ch.verify(a, raw)
	if err != nil {
		return channels.Callback{}, err
	}
	var e event
	if json.Unmarshal(raw.Body, &e) != nil || e.ID == "" || e.Type == "" || len(e.Resource) == 0 {
		return channels.Callback{}, unreadableEvent()
	}
	var r resource
	subject := subjectOf(e.Type)
	if subject != channels.SubjectOther && json.Unmarshal(e.Resource, &r) != nil {
		return channels.Callback{}, unreadableEvent()
	}
	reference := r.CustomID
	if strings.HasPrefix(e.Type, orders) {
		reference = r.unit()
	}
	if subject == channels.SubjectOther || !isReference(reference) {
		return channels.Callback{EventID: transmission, Subject: channels.SubjectOther}, nil
	}
	return channels.Callback{EventID: transmission, Subject: subject, Reference: reference,
		Outcome: payment.Outcome{Verdict: payment.Unknown, Reason: "paypal signs no content: it is asked"}}, nil
}

type event struct {
	ID       string          `json:"id"`
	Type     string          `json:"event_type"`
	Resource json.RawMessage `json:"resource"`
}

// resource is an order, or a payment or refund, which carry the reference themselves.
type resource struct {
	CustomID string `json:"custom_id"`
	Units    []struct {
		CustomID string `json:"custom_id"`
	} `json:"purchase_units"`
}

// unit is the reference of an order's only unit.
func (r resource) unit() string {
	if len(r.Units) != 1 {
		return ""
	}
	return r.Units[0].CustomID
}

const orders = "CHECKOUT.ORDER."

// subjectOf is what an event is about. What a dispute took back, the statement tells.
func subjectOf(kind string) channels.Subject {
	switch {
	case kind == "PAYMENT.CAPTURE.REVERSED":
		return channels.SubjectOther
	case kind == "PAYMENT.CAPTURE.REFUNDED", strings.HasPrefix(kind, "PAYMENT.REFUND."):
		return channels.SubjectRefund
	case strings.HasPrefix(kind, orders), strings.HasPrefix(kind, "PAYMENT.CAPTURE."), strings.HasPrefix(kind, "PAYMENT.AUTHORIZATION."):
		return channels.SubjectCharge
	}
	return channels.SubjectOther
}

// isReference: it has the shape of ours, so it isn't what somebody else wrote into the same account.
func isReference(s string) bool {
	return len(s) >= 20 && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

func unreadableEvent() error {
	return fault.Invalid("callback_unreadable", "", "the event can't be read")
}

func forged() error {
	return fault.Denied("callback_forged", "the callback's signature is missing or wrong")
}

// verify checks the signature over id, time, the webhook's id and the body's CRC, with the certificate that the delivery
// names, if that is PayPal's. It returns the transmission's id.
func (ch *Channel) verify(a channels.Account, raw channels.RawCallback) (transmission string, err error) {
	webhook := a.Credentials[WebhookID]
	if webhook == "" {
		return "", fault.Internal("the paypal account "+a.ID+" lacks its "+WebhookID, nil)
	}
	var h [4]string
	for i, name := range []string{"Paypal-Transmission-Id", "Paypal-Transmission-Time", "Paypal-Transmission-Sig", "Paypal-Cert-Url"} {
		v := raw.Header[name]
		if len(v) != 1 || v[0] == "" || len(v[0]) > 2048 || strings.Contains(v[0], "|") {
			return "", forged()
		}
		h[i] = v[0]
	}
	if algo := raw.Header["Paypal-Auth-Algo"]; len(algo) != 1 || algo[0] != "SHA256withRSA" {
		return "", forged()
	}
	at, timeErr := time.Parse(time.RFC3339, h[1])
	signature, sigErr := base64.StdEncoding.DecodeString(h[2])
	if timeErr != nil || sigErr != nil {
		return "", forged()
	}
	key, err := ch.signer(h[3], raw.Now)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(SignedText(h[0], h[1], webhook, raw.Body)))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) != nil {
		return "", forged()
	}
	if age := raw.Now.Sub(at); age > oldest || age < -ahead {
		return "", fault.Denied("callback_stale", "the callback's time stamp is too far from now")
	}
	return h[0], nil
}

// SignedText is what PayPal signs of a delivery: "<transmission id>|<time>|<webhook id>|<CRC-32 of the body, decimal>".
func SignedText(transmission, at, webhook string, body []byte) string {
	return transmission + "|" + at + "|" + webhook + "|" + strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)
}
