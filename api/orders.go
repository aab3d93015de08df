package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
)

// draft is an order as a request brings it.
type draft struct {
	reference   string
	kind        OrderType
	currency    money.Currency
	lines       []LineRequest
	adjustments []AdjustmentRequest
}

// order judges a draft; trade computes its total. Without lines that is paid, the amount of the payment that brings it.
func (in intake) order(d draft, paid money.Amount) (trade.Order, error) {
	switch {
	case d.reference == "":
		return trade.Order{}, required("reference", "an order needs your reference")
	case d.kind == "":
		return trade.Order{}, required("type", "say what kind of trade the order is")
	case len(d.lines) > trade.MaxLines: // before their amounts are read
		return trade.Order{}, fault.Invalid("too_many_lines", "lines", "an order has at most 100 lines")
	case len(d.adjustments) > trade.MaxAdjustments:
		return trade.Order{}, fault.Invalid("too_many_adjustments", "adjustments", "an order has at most 20 adjustments")
	}
	o := trade.Order{
		ID: in.mint(id.Order), Book: in.caller.Book, MerchantID: in.caller.merchant, Reference: d.reference,
		Type: string(d.kind), Currency: d.currency, CreatedAt: in.now,
	}
	for i, l := range d.lines {
		line, err := l.line(d.currency)
		if err != nil {
			return trade.Order{}, fault.Under("lines["+strconv.Itoa(i)+"]", err)
		}
		o.Lines = append(o.Lines, line)
	}
	for i, a := range d.adjustments {
		at := "adjustments[" + strconv.Itoa(i) + "]"
		switch {
		case a.Type == "":
			return trade.Order{}, required(at+".type", "say what kind of adjustment it is")
		case a.Amount == "":
			return trade.Order{}, required(at+".amount", "an adjustment needs an amount")
		}
		amount, err := money.Parse(a.Amount, d.currency)
		if err != nil {
			return trade.Order{}, fault.Under(at+".amount", err)
		}
		o.Adjustments = append(o.Adjustments, trade.Adjustment{Type: string(a.Type), Amount: amount})
	}
	return trade.New(o, paid)
}

// line reads the amounts of a line; trade judges the rest.
func (l LineRequest) line(cur money.Currency) (trade.Line, error) {
	if l.UnitPrice == "" {
		return trade.Line{}, required("unit_price", "a line needs a unit price")
	}
	line := trade.Line{SKU: l.Sku, Category: value(l.Category), Description: value(l.Description), Quantity: l.Quantity}
	for _, field := range []struct {
		name string
		text *string
		into *money.Amount
	}{{"unit_price", &l.UnitPrice, &line.UnitPrice}, {"discount", l.Discount, &line.Discount}, {"tax", l.Tax, &line.Tax}} {
		*field.into = money.Zero(cur)
		if field.text == nil {
			continue
		}
		amount, err := money.Parse(*field.text, cur)
		if err != nil {
			return trade.Line{}, fault.Under(field.name, err)
		}
		*field.into = amount
	}
	return line, nil
}

// CreateOrder receives an order that is paid later.
func (s *server) CreateOrder(c echo.Context, _ CreateOrderParams) error {
	var r OrderRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	currency, err := parseCurrency(r.Currency)
	if err != nil {
		return err
	}
	if len(r.Lines) == 0 {
		return required("lines", "an order that is paid later needs lines")
	}
	who := callerOf(c)
	order, err := s.intake(who).order(draft{r.Reference, r.Type, currency, r.Lines, value(r.Adjustments)}, money.Amount{})
	if err != nil {
		return err
	}
	if err := s.conforms("createOrder", body); err != nil {
		return err
	}
	key, err := idempotency(c, who, body)
	if err != nil {
		return err
	}
	about(c, order.ID)
	ctx, cancel := s.durable(c)
	defer cancel()
	found, err := s.receive(ctx, c, order.ID, order.ID, trade.Receive{Idempotency: key, Order: order})
	if err != nil {
		return asOrder(err)
	}
	about(c, found)
	stored, payments, err := s.Reader.Order(ctx, who.Book, who.merchant, found)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", "/v1/orders/"+found)
	return reply(c, http.StatusCreated, mediaJSON, orderView(stored, payments))
}

// asOrder names a field as this request has it: the store speaks of an order within a payment.
func asOrder(err error) error {
	if f := fault.As(err); strings.HasPrefix(f.Param, "order.") {
		return f.WithParam(strings.TrimPrefix(f.Param, "order."))
	}
	return err
}

// GetOrder reads an order with its payments.
func (s *server) GetOrder(c echo.Context, orderID OrderID, _ GetOrderParams) error {
	if !id.Is(id.Order, orderID) {
		return fault.NotFound("order")
	}
	about(c, orderID)
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	order, payments, err := s.Reader.Order(ctx, who.Book, who.merchant, orderID)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, orderView(order, payments))
}

// ConfirmReceipt notes that an order's goods were received, once.
func (s *server) ConfirmReceipt(c echo.Context, orderID OrderID, _ ConfirmReceiptParams) error {
	var r ReceiptRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	who := callerOf(c)
	if r.ReceivedAt != nil && who.user != "" { // it would make their own rebates vest sooner
		return fault.Invalid("field_forbidden", "received_at", "a user confirms what is received now")
	}
	if err := s.conforms("confirmReceipt", body); err != nil {
		return err
	}
	if !id.Is(id.Order, orderID) {
		return fault.NotFound("order")
	}
	about(c, orderID)
	ctx, cancel := s.durable(c)
	defer cancel()
	order, payments, err := s.Reader.Order(ctx, who.Book, who.merchant, orderID)
	if err == nil && who.user != "" && !paidBy(who.user, payments) {
		err = fault.NotFound("order") // I-25
	}
	if err != nil {
		return err
	}
	arrival := trade.Arrival{OrderID: orderID, MerchantID: who.merchant, At: value(r.ReceivedAt)}
	if order.ReceivedAt.IsZero() {
		_, err := s.Book.Commit(ctx, ledger.Step{Book: who.Book, Cause: arrival.Cause(), Business: orderID, By: who.by(c), Changes: []ledger.Change{arrival}})
		if err != nil {
			return err
		}
		if order, payments, err = s.Reader.Order(ctx, who.Book, who.merchant, orderID); err != nil {
			return err
		}
	}
	if who.user != "" {
		payments = slices.DeleteFunc(payments, func(p payment.Payment) bool { return p.CustomerID != who.user })
	}
	return reply(c, http.StatusOK, mediaJSON, orderView(order, payments))
}

// paidBy says whether a user has paid for an order, or for a part of it.
func paidBy(userID string, payments []payment.Payment) bool {
	return slices.ContainsFunc(payments, func(p payment.Payment) bool { return p.CustomerID == userID && p.Captured.Minor > 0 })
}

// orderView is trade's public form with the payments, which trade doesn't know.
func orderView(o trade.Order, payments []payment.Payment) Order {
	v := o.Public()
	return Order{
		ID: v.ID, Object: v.Object, Livemode: v.Livemode, MerchantID: v.MerchantID, Reference: v.Reference,
		Type: OrderType(v.Type), Currency: v.Currency, AmountTotal: v.AmountTotal, AmountAuthorized: v.AmountAuthorized,
		AmountPaid: v.AmountPaid, AmountRefunded: v.AmountRefunded,
		AmountDisputed: v.AmountDisputed, AmountNet: v.AmountNet, AmountUnpaid: v.AmountUnpaid, Status: v.Status,
		Lines: v.Lines, Adjustments: v.Adjustments, Sequence: v.Sequence, CreatedAt: v.CreatedAt, ReceivedAt: v.ReceivedAt, Payments: public(payments),
	}
}
