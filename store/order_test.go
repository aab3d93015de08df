package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
)

// basket is an order of two lines and shipping: CNY 12.34.
func basket(reference string) trade.Order {
	return trade.Order{Reference: reference, Type: trade.Purchase, Currency: "CNY",
		Lines: []trade.Line{
			{SKU: "tea", Description: "Oolong 乌龙", Quantity: 2, UnitPrice: cny(500)},
			{SKU: "cup", Quantity: 1, UnitPrice: cny(100), Discount: cny(100)}},
		Adjustments: []trade.Adjustment{{Type: trade.Shipping, Amount: cny(234)}}}
}

// order makes the Step of POST /v1/orders.
func (h *shop) order(key string, o trade.Order) ledger.Step {
	o.ID = h.s.Mint(id.Order)
	return h.step(o.ID, id.Receive, 1, trade.Receive{Order: o, Idempotency: h.key("POST /v1/orders", key, o.Reference)})
}

// payOrder makes the Step of a payment for an order that stands.
func (h *shop) payOrder(key, orderID string, amount money.Amount, partial bool) ledger.Step {
	step := h.receive(key, "", amount)
	c := step.Changes[0].(payment.Receive)
	c.Order, c.Payment.OrderID, c.AllowPartial = nil, orderID, partial
	step.Changes = []ledger.Change{c}
	return step
}

func TestAnOrderIsMadeOnceAndPaidInParts(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	made := h.commit(h.order("o1", basket("A-1"))).Object
	o, payments, err := h.s.Order(t.Context(), h.Book, h.MerchantID, made)
	require.NoError(t, err)
	require.Empty(t, payments)
	require.Equal(t, cny(1234), o.Total)
	require.Equal(t, "Oolong 乌龙", o.Lines[0].Description)
	want, err := trade.New(basket("A-1"), money.Amount{})
	require.NoError(t, err)
	require.True(t, o.Same(want), "content comes back as it went in")

	h.refused(h.payOrder("p0", made, cny(1235), false), fault.KindInvalid, "amount_exceeds_order")
	h.refused(h.payOrder("p0", made, cny(234), false), fault.KindInvalid, "partial_not_allowed")
	h.refused(h.payOrder("p0", made, money.New(1234, "EUR"), false), fault.KindInvalid, "currency_mismatch")
	h.refused(h.payOrder("p0", h.s.Mint(id.Order), cny(1), false), fault.KindNotFound, "")

	first := h.commit(h.payOrder("p1", made, cny(234), true)).Object
	h.commit(h.open(first, 1))
	h.commit(h.settle(first, 1, h.succeeded(first)))
	o, _, err = h.s.Order(t.Context(), h.Book, h.MerchantID, made)
	require.NoError(t, err)
	require.Equal(t, trade.PartiallyPaid, o.Status)

	rest := h.commit(h.payOrder("p2", made, money.Amount{}, false)).Object
	require.Equal(t, cny(1000), h.dossier(rest).Payment.Amount, "no amount takes what is unpaid")
	h.commit(h.open(rest, 1))
	h.commit(h.settle(rest, 1, h.succeeded(rest)))
	o, payments, err = h.s.Order(t.Context(), h.Book, h.MerchantID, made)
	require.NoError(t, err)
	require.Equal(t, trade.Paid, o.Status)
	require.Len(t, payments, 2)
	require.Equal(t, first, payments[0].ID, "oldest first")
	h.refused(h.payOrder("p3", made, cny(1), true), fault.KindConflict, "order_paid")
}

func TestAReferenceStandsForOneOrder(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	first := h.commit(h.order("o1", basket("A-1")))
	same := h.commit(h.order("o2", basket("A-1")))
	require.Equal(t, first.Object, same.Object, "another key, the same order")
	require.True(t, h.commit(h.order("o2", basket("A-1"))).Replayed)
	other := basket("A-1")
	other.Lines[0].Quantity = 3
	h.refused(h.order("o3", other), fault.KindConflict, "order_reference_exists")

	// A payment joins the order that stands, or is refused with it.
	join := func(key string, o trade.Order) ledger.Step {
		step := h.receive(key, "", money.Amount{})
		c := step.Changes[0].(payment.Receive)
		c.Order = &o
		step.Changes = []ledger.Change{c}
		return step
	}
	p := h.commit(join("p1", basket("A-1"))).Object
	require.Equal(t, first.Object, h.dossier(p).Payment.OrderID)
	h.refused(join("p2", other), fault.KindConflict, "order_reference_exists")
	bad := basket("A-2")
	bad.Lines[1].Quantity = 0
	_, err := h.s.Commit(t.Context(), join("p3", bad))
	require.Equal(t, "order.lines[1].quantity", fault.As(err).Param)
}

func TestRacesForOneReferenceMakeOneOrder(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	var mu sync.Mutex
	orders := map[string]bool{}
	together(30, func(i int) {
		step := h.order(string(rune('a'+i)), basket("A-1"))
		if i%2 == 0 {
			step = h.receive(string(rune('a'+i)), "", money.Amount{})
			c := step.Changes[0].(payment.Receive)
			o := basket("A-1")
			c.Order = &o
			step.Changes = []ledger.Change{c}
		}
		r, err := h.s.Commit(t.Context(), step)
		require.NoError(t, err)
		order := r.Object
		if i%2 == 0 {
			order = h.dossier(r.Object).Payment.OrderID
		}
		mu.Lock()
		defer mu.Unlock()
		orders[order] = true
	})
	require.Len(t, orders, 1)
}

func TestAuthorizedMoneyReserves(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("A-1", cny(100))
	h.commit(h.open(p, 1))
	h.commit(h.settle(p, 1, payment.Outcome{Verdict: payment.Authorized, AmountMinor: 100, Currency: "CNY", ExpiresAt: time.Now().Add(time.Hour)}))
	order := h.dossier(p).Payment.OrderID
	o, _, err := h.s.Order(t.Context(), h.Book, h.MerchantID, order)
	require.NoError(t, err)
	require.Equal(t, cny(100), o.Authorized)
	h.refused(h.payOrder("k2", order, cny(1), true), fault.KindInvalid, "amount_exceeds_order")
	h.db.Audit(t)
	h.commit(h.settle(p, 1, payment.Outcome{Verdict: payment.Closed, Dead: true}))
	o, _, err = h.s.Order(t.Context(), h.Book, h.MerchantID, order)
	require.NoError(t, err)
	require.Zero(t, o.Authorized.Minor)
	h.commit(h.payOrder("k2", order, cny(100), false))
}

func TestTwoPaymentsOfOneOrderMaySucceed(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	first := h.pay("A-1", cny(100))
	second := h.commit(h.payOrder("k2", h.dossier(first).Payment.OrderID, cny(100), false)).Object
	for _, p := range []string{first, second} {
		h.commit(h.open(p, 1))
		h.commit(h.settle(p, 1, h.succeeded(p)))
	}
	o, _, err := h.s.Order(t.Context(), h.Book, h.MerchantID, h.dossier(first).Payment.OrderID)
	require.NoError(t, err)
	require.Equal(t, cny(200), o.Paid, "money that came is booked; whose it is is a case")
	require.Equal(t, trade.Paid, o.Status)
}

func TestCustomersAreUpserted(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	first := h.dossier(h.pay("A-1", cny(100))).Payment.CustomerID
	require.Equal(t, first, h.dossier(h.pay("A-2", cny(100))).Payment.CustomerID)
	with := func(key string, c payment.Customer) ledger.Step {
		step := h.receive(key, key, cny(1))
		r := step.Changes[0].(payment.Receive)
		r.Customer = &c
		step.Changes = []ledger.Change{r}
		return step
	}
	p := h.commit(with("k1", payment.Customer{ID: first, Existing: true})).Object
	require.Equal(t, first, h.dossier(p).Payment.CustomerID)
	h.refused(with("k2", payment.Customer{ID: h.s.Mint(id.User), Existing: true}), fault.KindInvalid, "customer_unknown")
	anonymous := h.dossier(h.commit(with("k3", payment.Customer{Details: map[string]string{"email": "a@example.com"}})).Object).Payment.CustomerID
	require.NotEqual(t, first, anonymous)
	together(10, func(i int) {
		_, err := h.s.Commit(t.Context(), with(string(rune('a'+i)), payment.Customer{Reference: "new", Details: map[string]string{"name": "Bo"}}))
		require.NoError(t, err)
	})
}
