package fake

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

type intent struct {
	id, secret         string
	created            time.Time
	amount             int64
	currency           string
	manual, live       bool
	status             string
	metadata           map[string]string
	description        string
	returnURL          string
	types              []string
	method             string // the payment method's id
	card               card
	lastError          map[string]any
	nextAction         map[string]any
	charge             *charge
	received           int64
	canceledAt         time.Time
	cancellationReason string
}

type charge struct {
	id               string
	created          time.Time
	amount, captured int64
	refunded         int64
	capturedAt       time.Time
	balance          string
}

// minimum amounts of a few currencies, in Stripe's units.
var minimum = map[string]int64{"usd": 50, "eur": 50, "gbp": 30, "jpy": 50, "hkd": 400}

func (s *Server) createIntent(r request) answer {
	if bad, ok := r.form.only("amount", "currency", "confirm", "capture_method", "payment_method", "payment_method_data",
		"payment_method_types", "payment_method_options", "confirmation_token", "return_url", "description", "metadata",
		"error_on_requires_action"); !ok {
		return bad
	}
	amount, given, bad, ok := r.form.integer("amount")
	switch {
	case !ok:
		return bad
	case !given:
		return invalid("parameter_missing", "amount", "Missing required param: amount.")
	case amount < 1:
		return invalid("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1.")
	case amount > 99_999_999:
		return invalid("amount_too_large", "amount", "Amount must be no more than 99999999.")
	}
	currency := r.form["currency"]
	switch {
	case len(currency) != 3 || currency != strings.ToLower(currency):
		return invalid("", "currency", "Invalid currency.")
	case amount < minimum[currency]:
		return refuse(400, map[string]any{"type": "invalid_request_error", "code": "amount_too_small", "param": "amount",
			"message": "Amount is too small."})
	case (currency == "isk" || currency == "ugx") && amount%100 != 0:
		return invalid("", "amount", "Amount must be a multiple of 100.")
	}
	i := &intent{
		created: r.now, amount: amount, currency: currency, live: r.live, status: "requires_payment_method",
		manual: r.form["capture_method"] == "manual", metadata: r.form.hash("metadata"),
		description: r.form["description"], returnURL: r.form["return_url"], types: r.form.list("payment_method_types"),
	}
	i.id = s.id("pi")
	i.secret = i.id + "_secret_fake"
	created := i.object(nil)
	var refusal *answer
	if r.form["confirm"] == "true" {
		if refusal = s.confirm(i, r); refusal != nil && i.lastError == nil {
			return *refusal // nothing was made
		}
	}
	s.intents = append(s.intents, i)
	s.tell("payment_intent.created", created, r)
	s.tellIntent(i, r)
	if refusal != nil {
		return *refusal
	}
	return reply(i.object(r.form))
}

// confirm tries to pay. A refusal with a lastError is a decline: the intent stays.
func (s *Server) confirm(i *intent, r request) *answer {
	kind := r.form["payment_method_data[type]"]
	switch {
	case r.form["payment_method"] != "":
		i.method = r.form["payment_method"]
		c, ok := cardOf(i.method)
		if !ok {
			a := missing("PaymentMethod", "payment_method", i.method)
			a.status = 400
			return &a
		}
		i.card = c
		if c.action {
			return s.challenge(i, r)
		}
		if c.code != "" {
			return s.decline(i, c)
		}
		s.pay(i, r.now)
		return nil
	case r.form["confirmation_token"] != "":
		i.method = s.id("pm")
		s.pay(i, r.now)
		return nil
	case kind == "" || kind == "card":
		a := invalid("", "payment_method", "You cannot confirm this PaymentIntent because it's missing a payment method.")
		return &a
	case i.manual && kind == "wechat_pay":
		a := invalid("", "capture_method", "The payment method type does not support manual capture.")
		return &a
	}
	i.method, i.status = s.id("pm"), "requires_action"
	switch {
	case kind == "wechat_pay":
		i.nextAction = map[string]any{"type": "wechat_pay_display_qr_code", "wechat_pay_display_qr_code": map[string]any{
			"data": "weixin://wxpay/bizpayurl?pr=" + i.id, "hosted_instructions_url": "https://payments.stripe.test/" + i.id,
			"image_data_url": "data:image/png;base64,", "image_url_png": "https://qr.stripe.test/p", "image_url_svg": "https://qr.stripe.test/s"}}
	case i.returnURL == "":
		a := invalid("", "return_url", "You must provide a return_url.")
		return &a
	case kind == "alipay":
		i.nextAction = map[string]any{"type": "alipay_handle_redirect", "alipay_handle_redirect": map[string]any{
			"url": s.page(i), "return_url": i.returnURL, "native_data": nil, "native_url": nil}}
	default:
		i.nextAction = s.redirect(i)
	}
	return nil
}

func (s *Server) page(i *intent) string { return "https://hooks.stripe.test/redirect/" + i.id }

func (s *Server) redirect(i *intent) map[string]any {
	return map[string]any{"type": "redirect_to_url", "redirect_to_url": map[string]any{"url": s.page(i), "return_url": i.returnURL}}
}

// challenge asks for 3-D Secure.
func (s *Server) challenge(i *intent, r request) *answer {
	if r.form["error_on_requires_action"] == "true" {
		return s.decline(i, card{code: "authentication_required", decline: "authentication_required"})
	}
	i.status = "requires_action"
	if i.nextAction = s.redirect(i); i.returnURL == "" {
		i.nextAction = map[string]any{"type": "use_stripe_sdk", "use_stripe_sdk": map[string]any{}}
	}
	return nil
}

func (s *Server) decline(i *intent, c card) *answer {
	i.status, i.nextAction = "requires_payment_method", nil
	i.lastError = map[string]any{"type": "card_error", "code": c.code, "message": "Your card was declined.",
		"payment_method": map[string]any{"id": i.method, "object": "payment_method", "type": "card", "livemode": i.live,
			"created": i.created.Unix(), "customer": nil, "metadata": map[string]any{}, "billing_details": nobody()}}
	if c.decline != "" {
		i.lastError["decline_code"] = c.decline
	}
	if c.advice != "" {
		i.lastError["advice_code"] = c.advice
	}
	e := maps.Clone(i.lastError)
	e["payment_intent"] = i.object(nil)
	a := refuse(402, e)
	return &a
}

// pay moves or reserves the money.
func (s *Server) pay(i *intent, now time.Time) {
	i.charge = &charge{id: s.id("ch"), created: now, amount: i.amount}
	i.nextAction, i.lastError = nil, nil
	if i.manual {
		i.status = "requires_capture"
		return
	}
	s.take(i, i.amount, now)
}

func (s *Server) take(i *intent, amount int64, now time.Time) {
	i.status, i.received = "succeeded", amount
	i.charge.captured, i.charge.capturedAt, i.charge.balance = amount, now, s.id("txn")
}

func (s *Server) captureIntent(r request, id string) answer {
	if bad, ok := r.form.only("amount_to_capture", "final_capture", "metadata"); !ok {
		return bad
	}
	i := s.find(id, r)
	if i == nil {
		return missing("payment_intent", "intent", id)
	}
	if i.status != "requires_capture" {
		return unexpected(i, "captured")
	}
	amount, given, bad, ok := r.form.integer("amount_to_capture")
	switch {
	case !ok:
		return bad
	case !given:
		amount = i.amount
	case amount < 1 || amount > i.amount:
		return refuse(400, map[string]any{"type": "invalid_request_error", "code": "amount_too_large",
			"param": "amount_to_capture", "message": "The requested capture amount is greater than the amount you can capture."})
	case r.form["final_capture"] == "false":
		return invalid("", "final_capture", "Multicapture is not available for this PaymentIntent.")
	}
	s.take(i, amount, r.now)
	s.tellIntent(i, r)
	return reply(i.object(r.form))
}

func (s *Server) cancelIntent(r request, id string) answer {
	if bad, ok := r.form.only("cancellation_reason"); !ok {
		return bad
	}
	i := s.find(id, r)
	if i == nil {
		return missing("payment_intent", "intent", id)
	}
	if !slices.Contains([]string{"requires_payment_method", "requires_capture", "requires_confirmation", "requires_action"}, i.status) {
		return unexpected(i, "canceled")
	}
	i.cancel(r.now, r.form["cancellation_reason"])
	s.tellIntent(i, r)
	return reply(i.object(r.form))
}

func (i *intent) cancel(now time.Time, reason string) {
	i.status, i.canceledAt, i.cancellationReason, i.nextAction = "canceled", now, reason, nil
}

func unexpected(i *intent, what string) answer {
	return refuse(400, map[string]any{"type": "invalid_request_error", "code": "payment_intent_unexpected_state",
		"message":        fmt.Sprintf("This PaymentIntent could not be %s because it has a status of %s.", what, i.status),
		"payment_intent": i.object(nil)})
}

func (s *Server) retrieveIntent(r request, id string) answer {
	if i := s.find(id, r); i != nil {
		return reply(i.object(r.form))
	}
	return missing("payment_intent", "intent", id)
}

// find returns an intent of the caller's mode, after time has done its work on it: Stripe cancels an authorization
// that wasn't captured for seven days.
func (s *Server) find(id string, r request) *intent {
	for _, i := range s.intents {
		if i.id != id || i.live != r.live {
			continue
		}
		if i.status == "requires_capture" && r.now.Sub(i.charge.created) > 7*24*time.Hour {
			i.cancel(r.now, "automatic")
			s.tellIntent(i, r)
		}
		return i
	}
	return nil
}

func (s *Server) listIntents(r request) answer {
	if bad, ok := r.form.only("created", "limit", "starting_after", "customer"); !ok {
		return bad
	}
	var items []item
	for _, i := range s.intents {
		if i.live == r.live {
			items = append(items, item{i.id, i.created, func() any { return i.object(r.form) }})
		}
	}
	return page("/v1/payment_intents", items, r.form)
}
