package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"paysaga/api/client"
	"paysaga/domain/payment"
)

// TestGeneratedClient makes an order and its payment, reads them and cancels another, as a Go backend would.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	served := httptest.NewServer(f.handler)
	defer served.Close()
	c, err := client.NewClientWithResponses(served.URL, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+keyOfShop)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	order, err := c.CreateOrderWithResponse(ctx, &client.CreateOrderParams{IdempotencyKey: "o-1"}, client.OrderRequest{
		Reference: "A-1", Type: "purchase", Currency: "CNY", Lines: []client.LineRequest{{Sku: "tea", Quantity: 2, UnitPrice: "5.00"}},
	})
	if err != nil || order.JSON201 == nil || order.JSON201.AmountTotal != "10.00" {
		t.Fatalf("%v %s", err, order.Body)
	}
	token := "tok_ok"
	paid, err := c.CreatePaymentWithResponse(ctx, &client.CreatePaymentParams{IdempotencyKey: "p-1"}, client.PaymentRequest{
		OrderID: &order.JSON201.ID, Currency: "CNY", Method: client.MethodRequest{Type: payment.MethodCardToken, Token: &token},
	})
	if err != nil || paid.JSON201 == nil || paid.JSON201.Status != payment.Paid || paid.JSON201.Amount != "10.00" {
		t.Fatalf("%v %s", err, paid.Body)
	}
	read, err := c.GetPaymentWithResponse(ctx, paid.JSON201.ID, nil)
	if err != nil || read.JSON200 == nil || read.JSON200.ID != paid.JSON201.ID {
		t.Fatalf("%v %s", err, read.Body)
	}
	refused, err := c.CancelPaymentWithResponse(ctx, paid.JSON201.ID, &client.CancelPaymentParams{IdempotencyKey: "c-1"}, client.CancelRequest{})
	if err != nil || refused.ApplicationProblemJSON409 == nil || refused.ApplicationProblemJSON409.Code != "payment_not_cancelable" {
		t.Fatalf("%v %s", err, refused.Body)
	}
}
