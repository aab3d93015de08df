package fake

import (
	"net/http"
	"strings"
	"time"

	"paysaga/domain/money"
)

type cash struct {
	Currency string `json:"currency_code"`
	Value    string `json:"value"`
}

// minor reads an amount as PayPal does: HUF, JPY and TWD have no decimals.
func (a cash) minor() (int64, string) {
	m, err := money.ParsePositive(a.Value, money.Currency(a.Currency))
	switch {
	case err != nil:
		return 0, "INVALID_PARAMETER_VALUE"
	case (a.Currency == "HUF" || a.Currency == "TWD") && strings.Contains(a.Value, "."):
		return 0, "DECIMALS_NOT_SUPPORTED"
	}
	return m.Minor, ""
}

func cashOf(minor int64, currency string) cash {
	text := money.New(minor, money.Currency(currency)).Decimal()
	if currency == "HUF" || currency == "TWD" {
		text, _, _ = strings.Cut(text, ".")
	}
	return cash{currency, text}
}

type order struct {
	id, intent, status         string
	reference, custom, invoice string
	description                string
	minor                      int64
	currency                   string
	created                    time.Time
	redirect                   bool
	auths, captures, refunds   []*payment
	slow                       bool
	stumbles                   int
}

// payment is a capture, an authorization or a refund.
type payment struct {
	kind, id, status string
	minor            int64
	custom, invoice  string
	created, expires time.Time
	processor        string
	of               *order
	refunded         int64    // of a capture
	from             *payment // of a refund: its capture; of a capture: its authorization
	final            bool
	renewed          bool // of an authorization: it was reauthorized
}

func (s *Server) createOrder(c call) answer {
	var b struct {
		Intent string `json:"intent"`
		Units  []struct {
			ReferenceID string `json:"reference_id"`
			CustomID    string `json:"custom_id"`
			InvoiceID   string `json:"invoice_id"`
			Description string `json:"description"`
			Amount      cash   `json:"amount"`
		} `json:"purchase_units"`
		Context *struct {
			ReturnURL          string `json:"return_url"`
			CancelURL          string `json:"cancel_url"`
			UserAction         string `json:"user_action"`
			ShippingPreference string `json:"shipping_preference"`
		} `json:"application_context"`
	}
	if !c.strict(&b) {
		return invalid("MALFORMED_REQUEST_JSON")
	}
	if b.Intent != "CAPTURE" && b.Intent != "AUTHORIZE" {
		return invalid("INVALID_PARAMETER_VALUE")
	}
	if len(b.Units) != 1 {
		return invalid("INVALID_ARRAY_MIN_ITEMS")
	}
	u := b.Units[0]
	minor, issue := u.Amount.minor()
	if issue != "" {
		return invalid(issue)
	}
	if len(u.ReferenceID) > 256 || len(u.CustomID) > 127 || len(u.InvoiceID) > 127 || len(u.Description) > 127 {
		return invalid("INVALID_STRING_MAX_LENGTH")
	}
	if u.ReferenceID == "" {
		u.ReferenceID = "default"
	}
	return s.once(c, orderIDLife, func() (answer, func() any) {
		o := &order{id: s.id("5OR"), intent: b.Intent, status: "CREATED", reference: u.ReferenceID, custom: u.CustomID, invoice: u.InvoiceID,
			description: u.Description, minor: minor, currency: u.Amount.Currency, created: s.now(), redirect: b.Context != nil && b.Context.ReturnURL != ""}
		s.orders = append(s.orders, o)
		return answer{http.StatusCreated, s.view(o)}, func() any { return s.view(o) }
	})
}

// find is an order; one that was never paid is gone after its time.
func (s *Server) find(id string) *order {
	for _, o := range s.orders {
		if o.id == id && (len(o.auths)+len(o.captures) > 0 || s.now().Sub(o.created) < orderLife) {
			return o
		}
	}
	return nil
}

func (s *Server) showOrder(id string) answer {
	o := s.find(id)
	if o == nil {
		return missing()
	}
	return answer{http.StatusOK, s.view(o)}
}

func (s *Server) patchOrder(c call) answer {
	var list []struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value string `json:"value"`
	}
	if !c.strict(&list) || len(list) == 0 {
		return invalid("MALFORMED_REQUEST_JSON")
	}
	o := s.find(c.path[3])
	switch {
	case o == nil:
		return missing()
	case o.status != "CREATED" && o.status != "APPROVED":
		return unprocessable("ORDER_ALREADY_COMPLETED")
	}
	for _, p := range list {
		if p.Op != "replace" || p.Path != "/intent" {
			return unprocessable("NOT_PATCHABLE")
		}
		if p.Value != "CAPTURE" && p.Value != "AUTHORIZE" {
			return unprocessable("UNSUPPORTED_INTENT")
		}
		o.intent = p.Value
	}
	return answer{status: http.StatusNoContent}
}

// Vault is what the vaulted card or account behind a token does.
var Vault = map[string]struct {
	Issue, Processor string
	SlowRefunds      bool
}{
	"vault-ok":           {},
	"vault-slow-refunds": {SlowRefunds: true},
	"vault-poor":         {Processor: "5120"},
	"vault-stolen":       {Processor: "9530"},
	"vault-refused":      {Issue: "INSTRUMENT_DECLINED"},
	"vault-locked":       {Issue: "PAYER_ACCOUNT_LOCKED_OR_CLOSED"},
}

func (s *Server) takeOrder(c call) answer {
	var b struct {
		Source map[string]struct {
			VaultID string `json:"vault_id"`
		} `json:"payment_source"`
	}
	if !c.strict(&b) || len(b.Source) > 1 {
		return invalid("MALFORMED_REQUEST_JSON")
	}
	o := s.find(c.path[3])
	if o == nil {
		return missing()
	}
	if o.stumbles > 0 {
		o.stumbles--
		return refuse(http.StatusInternalServerError, "INTERNAL_SERVER_ERROR", "INTERNAL_SERVICE_ERROR")
	}
	return s.once(c, orderIDLife, func() (answer, func() any) {
		if want := map[string]string{"capture": "CAPTURE", "authorize": "AUTHORIZE"}[c.path[4]]; o.intent != want {
			return unprocessable("ACTION_DOES_NOT_MATCH_INTENT"), nil
		}
		if o.status == "COMPLETED" {
			return unprocessable(map[string]string{"CAPTURE": "ORDER_ALREADY_CAPTURED", "AUTHORIZE": "ORDER_ALREADY_AUTHORIZED"}[o.intent]), nil
		}
		if o.status != "APPROVED" && len(b.Source) == 0 {
			return unprocessable("ORDER_NOT_APPROVED"), nil
		}
		if o.invoice != "" && s.paid[o.invoice] {
			return unprocessable("DUPLICATE_INVOICE_ID"), nil
		}
		processor := ""
		for _, source := range b.Source {
			v, ok := Vault[source.VaultID]
			switch {
			case !ok:
				return unprocessable("TOKEN_ID_NOT_FOUND"), nil
			case v.Issue != "":
				return unprocessable(v.Issue), nil
			}
			processor, o.slow = v.Processor, v.SlowRefunds
		}
		s.take(o, processor)
		return answer{http.StatusCreated, s.view(o)}, func() any { return s.view(o) }
	})
}

// take completes an order: PayPal says so also where the card's bank said no.
func (s *Server) take(o *order, processor string) {
	p := &payment{kind: "capture", id: s.id("3CP"), status: "COMPLETED", minor: o.minor, custom: o.custom, invoice: o.invoice, created: s.now(), of: o, processor: processor}
	o.status = "COMPLETED"
	if processor != "" {
		p.status = "DECLINED"
	} else {
		s.paid[o.invoice] = true
	}
	if o.intent == "CAPTURE" {
		p.final = true
		o.captures = append(o.captures, p)
		s.tell(map[bool]string{true: "PAYMENT.CAPTURE.COMPLETED", false: "PAYMENT.CAPTURE.DECLINED"}[processor == ""], "capture", o.id, s.payView(p, true))
		return
	}
	p.kind, p.id, p.status, p.expires = "authorization", s.id("4AU"), "CREATED", s.now().Add(29*24*time.Hour)
	if processor != "" {
		p.status = "DENIED"
	}
	o.auths = append(o.auths, p)
	s.tell("PAYMENT.AUTHORIZATION.CREATED", "authorization", o.id, s.payView(p, true))
}

func (s *Server) view(o *order) any {
	pays := map[string]any{}
	for name, list := range map[string][]*payment{"authorizations": o.auths, "captures": o.captures, "refunds": o.refunds} {
		var views []any
		for _, p := range list {
			views = append(views, s.payView(p, false))
		}
		if views != nil {
			pays[name] = views
		}
	}
	unit := map[string]any{"reference_id": o.reference, "amount": cashOf(o.minor, o.currency), "payee": map[string]any{"merchant_id": "FAKEMERCHANT2"}}
	for name, text := range map[string]string{"custom_id": o.custom, "invoice_id": o.invoice, "description": o.description} {
		if text != "" {
			unit[name] = text
		}
	}
	if len(pays) > 0 {
		unit["payments"] = pays
	}
	links := []any{map[string]any{"href": s.http.URL + "/v2/checkout/orders/" + o.id, "rel": "self", "method": "GET"}}
	if o.status == "CREATED" {
		links = append(links, map[string]any{"href": "https://www.sandbox.paypal.com/checkoutnow?token=" + o.id, "rel": "approve", "method": "GET"})
	}
	return map[string]any{"id": o.id, "intent": o.intent, "status": o.status, "create_time": o.created.UTC().Format(time.RFC3339),
		"purchase_units": []any{unit}, "links": links}
}
