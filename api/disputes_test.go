package api_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"paysaga/domain/dispute"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
)

func (m *memory) Dispute(_ context.Context, book id.Book, merchantID, disputeID string) (dispute.Dispute, error) {
	unlock, err := m.lock("Dispute")
	defer unlock()
	i := slices.IndexFunc(m.disputes, func(d dispute.Dispute) bool {
		return d.ID == disputeID && d.Book == book && (merchantID == "" || d.MerchantID == merchantID)
	})
	if err != nil || i < 0 {
		return dispute.Dispute{}, fault.NotFound("dispute")
	}
	return m.disputes[i], nil
}

func (m *memory) Disputes(_ context.Context, f dispute.Filter) (list []dispute.Dispute, more bool, err error) {
	unlock, err := m.lock("Disputes")
	defer unlock()
	after := f.After == ""
	for _, d := range slices.Backward(m.disputes) {
		if after && d.Book == f.Book && (f.MerchantID == "" || d.MerchantID == f.MerchantID) && (f.PaymentID == "" || d.PaymentID == f.PaymentID) &&
			(f.Status == "" || d.Status == f.Status) {
			list = append(list, d)
		}
		after = after || d.ID == f.After
	}
	if len(list) > f.Limit {
		return list[:f.Limit], true, err
	}
	return list, false, err
}

func TestDisputes(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	paid := f.pay(t, nil)
	of, merchant := paid.text(t, "id"), paid.text(t, "merchant_id")
	for i, s := range []dispute.Status{dispute.Lost, dispute.Open} {
		f.store.disputes = append(f.store.disputes, dispute.Dispute{Book: id.Test, ID: mint(id.Dispute), PaymentID: of, OrderID: paid.text(t, "order_id"),
			MerchantID: merchant, Charge: 1, Channel: "sandbox", ChannelAccount: "cha_1", ChannelID: "d" + string(rune('1'+i)), Amount: money.New(700, "CNY"),
			Status: s, Taken: dispute.Taken{Merchant: 500, Suspense: 200}, Reason: "fraudulent", Sequence: 1, OpenedAt: time.Now()})
	}
	last := f.store.disputes[1].ID
	got := f.do(t, request(http.MethodGet, "/v1/disputes/"+last, ""))
	if got.status != http.StatusOK || got.text(t, "status") != "open" || got.text(t, "amount") != "7.00" || got.text(t, "amount_taken") != "5.00" ||
		got.text(t, "amount_on_suspense") != "2.00" || got.text(t, "payment_id") != of {
		t.Errorf("%d %s", got.status, got.body)
	}
	for path, want := range map[string]int{"/v1/disputes": 2, "/v1/disputes?payment_id=" + of: 2, "/v1/disputes?status=lost": 1, "/v1/disputes?status=won": 0,
		"/v1/disputes?limit=1": 1, "/v1/disputes?starting_after=" + last: 1} {
		a := f.do(t, request(http.MethodGet, path, ""))
		if list, _ := a.json(t)["data"].([]any); a.status != http.StatusOK || len(list) != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for what, a := range map[string]answer{
		"another merchant's": f.do(t, request(http.MethodGet, "/v1/disputes/"+last, "", as(keyOfOther))),
		"another book's":     f.do(t, request(http.MethodGet, "/v1/disputes/"+last, "", as(keyOfLive))),
		"no such":            f.do(t, request(http.MethodGet, "/v1/disputes/"+mint(id.Dispute), "")),
		"a payment":          f.do(t, request(http.MethodGet, "/v1/disputes/"+of, "")),
		"a payment's status": f.do(t, request(http.MethodGet, "/v1/disputes?status=succeeded", "")),
		"an unknown query":   f.do(t, request(http.MethodGet, "/v1/disputes?order_id=x", "")),
		"a refund as after":  f.do(t, request(http.MethodGet, "/v1/disputes?starting_after="+of, "")),
		"a user's":           f.do(t, request(http.MethodGet, "/v1/disputes", "", f.asUser(t, shop, f.user(t, "ada")))),
	} {
		if a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	if a := f.do(t, request(http.MethodGet, "/v1/disputes", "", as(keyOfOther))); len(a.json(t)["data"].([]any)) != 0 {
		t.Errorf("another's list: %s", a.body)
	}
}
