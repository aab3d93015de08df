package api

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
)

// The limits of a payment request; trade has those of orders.
const (
	minExpiry     = 60
	maxExpiry     = 7 * 24 * 60 * 60
	defaultExpiry = 1800
	maxReference  = 64
	maxCardToken  = 255
)

// intake is what a request is judged with.
type intake struct {
	caller caller
	now    time.Time
	mint   func(id.Prefix) string
}

// payment judges the fields of a request and makes of them what the store receives. It asks nobody: whether the order
// leaves the amount unpaid and whether a channel is open comes later.
func (in intake) payment(r PaymentRequest) (payment.Receive, error) {
	amount, err := in.amount(r)
	if err != nil {
		return payment.Receive{}, err
	}
	order, err := in.orderOf(r, amount)
	if err != nil {
		return payment.Receive{}, err
	}
	if err := checkHow(r); err != nil {
		return payment.Receive{}, err
	}
	if err := checkTexts(r); err != nil {
		return payment.Receive{}, err
	}
	customer, err := in.customer(r.Customer)
	if err != nil {
		return payment.Receive{}, err
	}
	expires, err := expiry(r.ExpiresIn)
	if err != nil {
		return payment.Receive{}, err
	}
	none := money.Zero(amount.Currency)
	p := payment.Payment{
		Book: in.caller.Book, ID: in.mint(id.Payment), MerchantID: in.caller.merchant, OrderID: value(r.OrderID),
		Amount: amount, Method: r.Method.Type, Capture: payment.CaptureAutomatic, Channel: value(r.Channel),
		CreatedAt: in.now, UpdatedAt: in.now, ExpiresAt: in.now.Add(expires), Status: payment.Processing, Sequence: 1,
		Captured: none, Refunded: none, Refunding: none, Fee: none, FeeReturned: none, Pending: none, // its one part is the store's to make, once the amount is known
	}
	if r.CaptureMethod != nil {
		p.Capture = *r.CaptureMethod
	}
	if p.Parts, err = in.parts(r, amount); err != nil {
		return payment.Receive{}, err
	}
	if r.Metadata != nil {
		p.Metadata = *r.Metadata
	}
	if order != nil {
		p.OrderID, p.OrderRef = order.ID, order.Reference
	}
	if customer != nil {
		p.CustomerID = customer.ID
	}
	return payment.Receive{
		Order: order, AllowPartial: value(r.AllowPartial), Payment: p, Customer: customer,
		Secrets: r.Method.secrets(r.ReturnURL, r.Description),
	}, nil
}

// amount is what to pay; one that was left out has no minor units and means all that the order leaves unpaid.
func (in intake) amount(r PaymentRequest) (money.Amount, error) {
	currency, err := parseCurrency(r.Currency)
	if err != nil {
		return money.Amount{}, err
	}
	if r.Amount != nil {
		a, err := money.ParsePositive(*r.Amount, currency)
		return a, fault.Under("amount", err)
	}
	if r.Order != nil && (r.Order.Lines == nil || len(*r.Order.Lines) == 0) {
		return money.Amount{}, required("amount", "a payment with an order without lines needs an amount")
	}
	return money.Zero(currency), nil
}

// parseAmount reads how much of which currency a request names; both have to be there.
func parseAmount(text, code string) (money.Amount, error) {
	currency, err := parseCurrency(code)
	if err != nil {
		return money.Amount{}, err
	}
	if text == "" {
		return money.Amount{}, required("amount", "say how much")
	}
	a, err := money.ParsePositive(text, currency)
	return a, fault.Under("amount", err)
}

func parseCurrency(text string) (money.Currency, error) {
	if text == "" {
		return "", required("currency", "say which currency, by its ISO 4217 code")
	}
	currency, err := money.ParseCurrency(text)
	return currency, fault.Under("currency", err)
}

// orderOf is the new order that the request brings, nil if it names one by id.
func (in intake) orderOf(r PaymentRequest, amount money.Amount) (*trade.Order, error) {
	switch {
	case r.Order == nil && r.OrderID == nil:
		return nil, required("order", "name an order, by order or by order_id")
	case r.Order != nil && r.OrderID != nil:
		return nil, fault.Invalid("order_ambiguous", "order_id", "give order or order_id, not both")
	case r.OrderID != nil && !id.Is(id.Order, *r.OrderID):
		return nil, fault.Invalid("id_invalid", "order_id", "this is not an order's id")
	case r.OrderID != nil:
		return nil, nil
	}
	d := draft{r.Order.Reference, r.Order.Type, amount.Currency, value(r.Order.Lines), value(r.Order.Adjustments)}
	order, err := in.order(d, amount)
	if err != nil {
		return nil, fault.Under("order", err)
	}
	return &order, nil
}

func checkHow(r PaymentRequest) error {
	if err := fault.Under("method", checkMethod(r.Method)); err != nil {
		return err
	}
	if m := r.CaptureMethod; m != nil && *m != payment.CaptureAutomatic && *m != payment.CaptureManual {
		return fault.Invalid("capture_method_invalid", "capture_method", "a capture is automatic or manual")
	}
	if r.Channel != nil && !channelName.MatchString(*r.Channel) {
		return fault.Invalid("channel_unknown", "channel", "no channel has such a name")
	}
	return nil
}

func checkTexts(r PaymentRequest) error {
	if r.ReturnURL != nil && !webAddress(*r.ReturnURL) {
		return fault.Invalid("return_url_invalid", "return_url", "a return URL is absolute, http or https, without user and password, at most 2048 visible ASCII characters")
	}
	if !written(value(r.Description), trade.MaxDescription, "") {
		return fault.Invalid("description_invalid", "description", "a description is at most 255 characters, none of them a control character")
	}
	if r.Metadata != nil {
		return checkMetadata(*r.Metadata)
	}
	return nil
}

// checkMetadata keeps the limits that people know from other payment APIs.
func checkMetadata(m Metadata) error {
	if len(m) > 50 {
		return fault.Invalid("metadata_invalid", "metadata", "metadata has at most 50 keys")
	}
	for key, text := range m {
		switch {
		case key == "" || !written(key, 40, "") || strings.ContainsAny(key, "[]"):
			return fault.Invalid("metadata_invalid", "metadata", "a metadata key is 1 to 40 characters without square brackets and control characters")
		case utf8.RuneCountInString(text) > 500 || !written(text, 500, "\t\n"):
			return fault.Invalid("metadata_invalid", "metadata."+shortParam(key), "a metadata value is at most 500 characters, none of them a control character but tab and line feed")
		}
	}
	return nil
}

func (in intake) customer(r *CustomerRequest) (*payment.Customer, error) {
	if r == nil {
		return nil, nil
	}
	c := &payment.Customer{ID: value(r.ID), Existing: r.ID != nil, Reference: value(r.Reference), Details: map[string]string{}}
	switch {
	case r.ID == nil && r.Reference == nil:
		return nil, required("customer.reference", "name a customer, by reference or by id")
	case r.ID != nil && r.Reference != nil:
		return nil, fault.Invalid("customer_ambiguous", "customer.id", "give a customer's reference or id, not both")
	case r.ID != nil && !id.Is(id.User, *r.ID):
		return nil, fault.Invalid("id_invalid", "customer.id", "this is not a customer's id")
	case r.Reference != nil && !visible(*r.Reference, maxReference):
		return nil, fault.Invalid("customer_invalid", "customer.reference", "a reference is 1 to 64 visible ASCII characters")
	case r.Name != nil && (*r.Name == "" || !written(*r.Name, 200, "")):
		return nil, fault.Invalid("customer_invalid", "customer.name", "a name is 1 to 200 characters, none of them a control character")
	case r.Email != nil && (!written(*r.Email, 254, "") || !mailAddress.MatchString(*r.Email)):
		return nil, fault.Invalid("customer_invalid", "customer.email", "this is not a mail address")
	case r.Phone != nil && !phoneNumber.MatchString(*r.Phone):
		return nil, fault.Invalid("customer_invalid", "customer.phone", "a phone number is E.164, as in +8613800138000")
	case r.Country != nil && !countryCode.MatchString(*r.Country):
		return nil, fault.Invalid("customer_invalid", "customer.country", "a country has two capital letters, ISO 3166-1")
	}
	if !c.Existing {
		c.ID = in.mint(id.User)
	}
	for name, text := range map[string]*string{"name": r.Name, "email": r.Email, "phone": r.Phone, "country": r.Country} {
		if text != nil {
			c.Details[name] = *text
		}
	}
	return c, nil
}

func expiry(seconds *int64) (time.Duration, error) {
	n := int64(defaultExpiry)
	if seconds != nil {
		n = *seconds
	}
	if n < minExpiry || n > maxExpiry {
		return 0, fault.Invalid("expires_in_invalid", "expires_in",
			"expires_in is "+strconv.Itoa(minExpiry)+" to "+strconv.Itoa(maxExpiry)+" seconds")
	}
	return time.Duration(n) * time.Second, nil
}

func required(param, message string) error { return fault.Invalid("field_required", param, message) }

// value is what a field was given, or nothing.
func value[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}
