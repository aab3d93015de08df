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

// ParseCallback verifies a webhook delivery offline and reads the order, payment or refund in it. What isn't ours, and
// events that say nothing about an outcome, are SubjectOther.
//
// What PayPal signs holds only a CRC of the body, which proves no more than that nothing was damaged; that nobody else
// could know the delivery rests on TLS. So a stranger's body can't be forged from nothing, and the sagas ask before they
// believe a "no".
func (ch *Channel) ParseCallback(a channels.Account, raw channels.RawCallback) (channels.Callback, error) {
	if err := ch.verify(a, raw); err != nil {
		return channels.Callback{}, err
	}
	var e event
	if json.Unmarshal(raw.Body, &e) != nil || e.ID == "" || e.Type == "" || len(e.Resource) == 0 {
		return channels.Callback{}, unreadableEvent()
	}
	out := channels.Callback{EventID: e.ID, Subject: channels.SubjectOther}
	switch {
	case strings.HasPrefix(e.Type, "CHECKOUT.ORDER."):
		return e.order(out)
	case e.Type == "PAYMENT.CAPTURE.REFUNDED", strings.HasPrefix(e.Type, "PAYMENT.REFUND."):
		return e.refund(out)
	case e.Type == "PAYMENT.CAPTURE.REVERSED": // a dispute took it back; the statement tells how much
		return out, nil
	case strings.HasPrefix(e.Type, "PAYMENT.CAPTURE."):
		return e.payment(out, false)
	case strings.HasPrefix(e.Type, "PAYMENT.AUTHORIZATION."):
		return e.payment(out, true)
	}
	return out, nil
}

type event struct {
	ID       string          `json:"id"`
	Type     string          `json:"event_type"`
	Resource json.RawMessage `json:"resource"`
}

// order tells of an approval. What an order took, its captures' own events say, with their amounts.
func (e event) order(out channels.Callback) (channels.Callback, error) {
	var o order
	if json.Unmarshal(e.Resource, &o) != nil {
		return channels.Callback{}, unreadableEvent()
	}
	if len(o.Units) != 1 || !isReference(o.Units[0].CustomID) || !idText(o.ID) {
		return out, nil
	}
	out.Subject, out.Reference = channels.SubjectCharge, o.Units[0].CustomID
	out.Outcome = payment.Outcome{Verdict: payment.Pending, ChannelID: o.ID, Approved: o.Status == "APPROVED"}
	return out, nil
}

// payment tells of a capture or an authorization, under the id of its order.
func (e event) payment(out channels.Callback, authorization bool) (channels.Callback, error) {
	var m moved
	if json.Unmarshal(e.Resource, &m) != nil {
		return channels.Callback{}, unreadableEvent()
	}
	if !isReference(m.CustomID) {
		return out, nil
	}
	o := order{ID: m.Supplementary.Related.OrderID, Units: []unit{{CustomID: m.CustomID}}}
	if o.ID != "" && !idText(o.ID) {
		return channels.Callback{}, unreadableEvent()
	}
	if authorization {
		o.Units[0].Payments.Authorizations = []moved{m}
	} else {
		o.Units[0].Payments.Captures = []moved{m}
	}
	outcome, _, err := o.taken()
	if err != nil {
		return channels.Callback{}, unreadableEvent()
	}
	out.Subject, out.Reference, out.Outcome = channels.SubjectCharge, m.CustomID, outcome
	return out, nil
}

func (e event) refund(out channels.Callback) (channels.Callback, error) {
	var m moved
	if json.Unmarshal(e.Resource, &m) != nil {
		return channels.Callback{}, unreadableEvent()
	}
	if !isReference(m.CustomID) {
		return out, nil
	}
	outcome, err := m.refunded()
	if err != nil {
		return channels.Callback{}, unreadableEvent()
	}
	out.Subject, out.Reference, out.Outcome = channels.SubjectRefund, m.CustomID, outcome
	return out, nil
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
// names, if that is PayPal's.
func (ch *Channel) verify(a channels.Account, raw channels.RawCallback) error {
	webhook := a.Credentials[WebhookID]
	if webhook == "" {
		return fault.Internal("the paypal account "+a.ID+" lacks its "+WebhookID, nil)
	}
	var h [4]string
	for i, name := range []string{"Paypal-Transmission-Id", "Paypal-Transmission-Time", "Paypal-Transmission-Sig", "Paypal-Cert-Url"} {
		v := raw.Header[name]
		if len(v) != 1 || v[0] == "" || len(v[0]) > 2048 || strings.Contains(v[0], "|") {
			return forged()
		}
		h[i] = v[0]
	}
	if algo := raw.Header["Paypal-Auth-Algo"]; len(algo) != 1 || algo[0] != "SHA256withRSA" {
		return forged()
	}
	at, timeErr := time.Parse(time.RFC3339, h[1])
	signature, sigErr := base64.StdEncoding.DecodeString(h[2])
	if timeErr != nil || sigErr != nil {
		return forged()
	}
	key, err := ch.signer(h[3], raw.Now)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(SignedText(h[0], h[1], webhook, raw.Body)))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) != nil {
		return forged()
	}
	if age := raw.Now.Sub(at); age > oldest || age < -ahead {
		return fault.Denied("callback_stale", "the callback's time stamp is too far from now")
	}
	return nil
}

// SignedText is what PayPal signs of a delivery: "<transmission id>|<time>|<webhook id>|<CRC-32 of the body, decimal>".
func SignedText(transmission, at, webhook string, body []byte) string {
	return transmission + "|" + at + "|" + webhook + "|" + strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)
}
