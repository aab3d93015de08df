package paypal

import (
	"context"
	"net/http"
	"time"

	"paysaga/channels"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// The intents of an order.
const (
	intentCapture   = "CAPTURE"
	intentAuthorize = "AUTHORIZE"
)

func intentOf(r channels.ChargeRequest) string {
	if r.Capture {
		return intentCapture
	}
	return intentAuthorize
}

type link struct {
	Href string `json:"href"`
	Rel  string `json:"rel"`
}

// moved is what captures, authorizations and refunds have in common.
type moved struct {
	ID         string    `json:"id"`
	Status     string    `json:"status"`
	Amount     amount    `json:"amount"`
	InvoiceID  string    `json:"invoice_id"`
	CustomID   string    `json:"custom_id"`
	CreateTime time.Time `json:"create_time"`
	Expires    time.Time `json:"expiration_time"`
	Processor  struct {
		Code string `json:"response_code"`
	} `json:"processor_response"`
	Supplementary struct {
		Related struct {
			OrderID string `json:"order_id"`
		} `json:"related_ids"`
	} `json:"supplementary_data"`
}

type unit struct {
	ReferenceID string `json:"reference_id"`
	CustomID    string `json:"custom_id"`
	Payments    struct {
		Authorizations []moved `json:"authorizations"`
		Captures       []moved `json:"captures"`
		Refunds        []moved `json:"refunds"`
	} `json:"payments"`
}

type order struct {
	ID         string    `json:"id"`
	Intent     string    `json:"intent"`
	Status     string    `json:"status"`
	CreateTime time.Time `json:"create_time"`
	Units      []unit    `json:"purchase_units"`
	Links      []link    `json:"links"`
}

func (o order) moved() bool {
	p := o.Units[0].Payments
	return len(p.Authorizations)+len(p.Captures) > 0
}

// readOrder reads an order strictly: one unit, and an id that can stand in a path.
func readOrder(res wire.Response) (order, error) {
	var o order
	if err := res.Decode(&o); err != nil {
		return order{}, err
	}
	if !idText(o.ID) || o.Status == "" || len(o.Units) != 1 {
		return order{}, unreadable("something that isn't an order of ours")
	}
	return o, nil
}

// orderUnder reads an order and holds it against the reference that it was made under.
func orderUnder(res wire.Response, reference string) (order, error) {
	o, err := readOrder(res)
	if err == nil && o.Units[0].CustomID != reference {
		err = fault.Unknown("channel_answer_mismatch", "paypal's answer speaks of something else", nil)
	}
	return o, err
}

type appContext struct {
	ReturnURL          string `json:"return_url"`
	CancelURL          string `json:"cancel_url"`
	UserAction         string `json:"user_action"`
	ShippingPreference string `json:"shipping_preference"`
}

type newUnit struct {
	ReferenceID string `json:"reference_id"`
	CustomID    string `json:"custom_id"`
	InvoiceID   string `json:"invoice_id"`
	Description string `json:"description,omitempty"`
	Amount      amount `json:"amount"`
}

type newOrder struct {
	Intent  string      `json:"intent"`
	Units   []newUnit   `json:"purchase_units"`
	Context *appContext `json:"application_context,omitempty"`
}

// shortest is the longest description that PayPal takes.
const shortest = 127

// create makes the order of a key, or finds it: PayPal answers 201 for one that is new, and 200 with the order that the
// same PayPal-Request-Id made before. No money moves. The unit's reference_id carries the hash of the request, since
// PayPal doesn't say what a known id was used for; the invoice id makes PayPal refuse a second payment for it.
func (s session) create(ctx context.Context, r channels.ChargeRequest) (o order, fresh bool, err error) {
	a, err := toAmount(r.AmountMinor, r.Currency)
	if err != nil {
		return order{}, false, err
	}
	b := newOrder{Intent: intentOf(r), Units: []newUnit{{ReferenceID: s.Key.BodyHash, CustomID: s.Key.Reference,
		InvoiceID: s.Key.Reference, Description: cut(r.Description, shortest), Amount: a}}}
	if r.Method.Type == payment.MethodRedirect {
		b.Context = &appContext{ReturnURL: r.ReturnURL, CancelURL: r.ReturnURL, UserAction: "PAY_NOW", ShippingPreference: "NO_SHIPPING"}
	}
	res, err := s.send(ctx, request{method: http.MethodPost, path: "/v2/checkout/orders", id: s.Key.Reference, body: b})
	if err != nil {
		return order{}, false, err
	}
	if res.Status != http.StatusOK && res.Status != http.StatusCreated {
		return order{}, false, refusalOf(res).err()
	}
	o, err = orderUnder(res, s.Key.Reference)
	return o, res.Status == http.StatusCreated, err
}

// get reads an order; one that isn't there is nil.
func (s session) get(ctx context.Context, id string) (*order, error) {
	if !idText(id) {
		return nil, fault.Invalid("channel_id_invalid", "channel_id", "this is no id of an order at paypal")
	}
	res, err := s.send(ctx, request{method: http.MethodGet, path: "/v2/checkout/orders/" + id})
	if err != nil {
		return nil, err
	}
	if r := refusalOf(res); res.Status == http.StatusNotFound && r.Name == "RESOURCE_NOT_FOUND" {
		return nil, nil
	}
	if res.Status != http.StatusOK {
		return nil, asked(refusalOf(res).err())
	}
	o, err := readOrder(res)
	if err == nil && o.ID != id {
		err = unreadable("another order")
	}
	return &o, err
}

// asked: a question that is refused leaves open what it was about.
func asked(err error) error {
	if k := fault.Of(err); k == fault.KindInvalid || k == fault.KindNotFound || k == fault.KindConflict {
		return fault.Unknown("channel_refuses_question", fault.As(err).Message, nil)
	}
	return err
}

// cut shortens a text to n bytes without breaking a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}
