package stripe

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	sdk "github.com/stripe/stripe-go/v85"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// tolerance is how far a signature's time may be from our clock, either way.
const tolerance = 300 * time.Second

// ParseCallback verifies a webhook delivery and reads the intent, refund or dispute in it, as it was when the event happened.
// Events of other objects, and of intents that aren't ours, are SubjectOther.
func (c *Channel) ParseCallback(account channels.Account, raw channels.RawCallback) (channels.Callback, error) {
	event, err := verify(account, raw)
	if err != nil {
		return channels.Callback{}, err
	}
	if event.ID == "" || event.Data == nil || len(event.Data.Raw) == 0 {
		return channels.Callback{}, unreadableEvent()
	}
	if event.Livemode != account.Book.Livemode() {
		return channels.Callback{}, fault.Denied("callback_wrong_mode", "the event is of the other mode")
	}
	out := channels.Callback{EventID: event.ID, Subject: channels.SubjectOther}
	switch kind := string(event.Type); {
	case kind == "payment_intent.created": // says nothing that the answer to the creation doesn't
		return out, nil
	case strings.HasPrefix(kind, "payment_intent."):
		return charge(out, event)
	case strings.HasPrefix(kind, "refund."), kind == "charge.refund.updated":
		return refund(out, event)
	case strings.HasPrefix(kind, "charge.dispute."):
		return disputed(out, event)
	}
	return out, nil
}

func charge(out channels.Callback, event sdk.Event) (channels.Callback, error) {
	var pi sdk.PaymentIntent
	if json.Unmarshal(event.Data.Raw, &pi) != nil || readable(&pi) != nil {
		return channels.Callback{}, unreadableEvent()
	}
	if pi.Metadata[metaReference] == "" {
		return out, nil // someone else's intent in the same account
	}
	pi.LastResponse = &sdk.APIResponse{RawJSON: event.Data.Raw}
	outcome, err := intentOutcome(&pi)
	if err != nil {
		return channels.Callback{}, unreadableEvent()
	}
	if moved := outcome.Verdict == payment.Succeeded || outcome.Verdict == payment.Authorized; moved && outcome.EffectiveAt.IsZero() {
		outcome.EffectiveAt = time.Unix(event.Created, 0).UTC() // events don't expand the charge
	}
	out.Subject, out.Reference, out.Outcome = channels.SubjectCharge, pi.Metadata[metaReference], outcome
	return out, nil
}

func refund(out channels.Callback, event sdk.Event) (channels.Callback, error) {
	var re sdk.Refund
	if json.Unmarshal(event.Data.Raw, &re) != nil || re.Object != "refund" || re.ID == "" {
		return channels.Callback{}, unreadableEvent()
	}
	if re.Metadata[metaReference] == "" {
		return out, nil
	}
	outcome, err := refundOutcome(&re)
	if err != nil {
		return channels.Callback{}, unreadableEvent()
	}
	out.Subject, out.Reference, out.Outcome = channels.SubjectRefund, re.Metadata[metaReference], outcome
	return out, nil
}

// verify checks the signature over the raw bytes. The library judges age by its own clock and only one way, so the
// time is judged here; and it refuses events of other releases, of which we read only what has never changed.
func verify(account channels.Account, raw channels.RawCallback) (sdk.Event, error) {
	header := ""
	if h := raw.Header["Stripe-Signature"]; len(h) == 1 {
		header = h[0]
	}
	signed := false
	for _, name := range []string{WebhookSecret, PreviousWebhookSecret} {
		secret := account.Credentials[name]
		if secret == "" {
			continue
		}
		if sdk.ValidatePayload(raw.Body, header, secret, sdk.WithIgnoreTolerance()) != nil {
			continue
		}
		signed = true
		if age := raw.Now.Sub(stamp(header)); age > tolerance || age < -tolerance {
			return sdk.Event{}, fault.Denied("callback_stale", "the signature's time is too far from now")
		}
		event, err := sdk.ConstructEvent(raw.Body, header, secret, sdk.WithIgnoreTolerance(), sdk.WithIgnoreAPIVersionMismatch())
		if err == nil {
			return event, nil
		}
	}
	if signed {
		return sdk.Event{}, unreadableEvent()
	}
	return sdk.Event{}, fault.Denied("callback_forged", "the signature is missing or wrong")
}

// stamp reads t of the header as the library does: the last one counts.
func stamp(header string) time.Time {
	var at int64
	for _, pair := range strings.Split(header, ",") {
		if text, ok := strings.CutPrefix(pair, "t="); ok {
			at, _ = strconv.ParseInt(text, 10, 64)
		}
	}
	return time.Unix(at, 0)
}

func unreadableEvent() error {
	return fault.Invalid("callback_unreadable", "", "the event can't be read")
}
