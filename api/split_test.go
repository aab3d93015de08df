package api_test

import (
	"net/http"
	"testing"

	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// inParts is a payment with these parts, by a customer who is known.
func inParts(raw string, more fields) string {
	change := fields{"parts": raw, "customer": `{"id":"` + mint(id.User) + `"}`}
	for k, v := range more {
		change[k] = v
	}
	return payBody(change)
}

func partsOfPayments() []refusal {
	p := func(raw, code, param string) refusal {
		return refusal{"parts " + short(raw), inParts(raw, nil), 422, code, param, nil}
	}
	const both = `[{"source":"wallet","amount":"5.00"},{"source":"channel"}]`
	wallet := fields{"method": `{"type":"wallet"}`}
	with := func(name, raw, code, param string) refusal {
		return refusal{"wallet with " + name, inParts(`[{"source":"wallet"}]`, fields{"method": wallet["method"], name: raw}), 422, code, param, nil}
	}
	return []refusal{
		p(`[]`, "parts_invalid", "parts"), p(`{}`, "type_invalid", "parts"), p(`null`, "null_refused", "parts"), p(`[5]`, "type_invalid", "parts[0]"),
		p(`[{"amount":"1.00"},{"source":"channel"}]`, "source_invalid", "parts[0].source"),
		p(`[{"source":"air"},{"source":"channel"}]`, "source_invalid", "parts[0].source"),
		p(`[{"source":"channel"},{"source":"wallet","amount":"0"}]`, "amount_invalid", "parts[1].amount"),
		p(`[{"source":"channel"},{"source":"wallet","amount":"-5.00"}]`, "amount_invalid", "parts[1].amount"),
		p(`[{"source":"channel"},{"source":"wallet","amount":"5.001"}]`, "amount_invalid", "parts[1].amount"),
		p(`[{"source":"channel"},{"source":"wallet"}]`, "parts_differ", "parts"),
		p(`[{"source":"channel"},{"source":"wallet","amount":"12.34"}]`, "parts_differ", "parts"),
		p(`[{"source":"channel"},{"source":"wallet","amount":"12.35"}]`, "parts_differ", "parts"),
		p(`[{"source":"channel","amount":"7.00"},{"source":"wallet","amount":"5.00"}]`, "parts_differ", "parts"),
		p(`[{"source":"wallet","amount":"5.00"},{"source":"wallet","amount":"7.34"}]`, "parts_invalid", "parts"),
		p(`[{"source":"channel"},{"source":"channel"}]`, "parts_invalid", "parts"),
		p(`[{"source":"wallet"}]`, "method_unsupported", "method.type"),
		p(`[{"source":"wallet","amount":"5.00","user":"x"},{"source":"channel"}]`, "field_unknown", "parts[0].user"),
		{"parts without a customer", payBody(fields{"parts": both}), 422, "field_required", "customer.id", nil},
		{"parts by a reference", payBody(fields{"parts": both, "customer": `{"reference":"c-7"}`}), 422, "field_required", "customer.id", nil},
		{"a wallet without a customer", payBody(wallet), 422, "field_required", "customer.id", nil},
		{"a wallet and a channel's part", inParts(both, wallet), 422, "method_unsupported", "method.type", nil},
		with("channel", `"sandbox"`, "channel_unexpected", "channel"), with("capture_method", `"manual"`, "capture_method_invalid", "capture_method"),
		{"a wallet with a token", inParts(`[{"source":"wallet"}]`, fields{"method": `{"type":"wallet","token":"tok_ok"}`}), 422, "token_unexpected", "method.token", nil},
	}
}

// What a request says of its parts reaches the store as it is: the amounts are settled there, with the order's.
func TestPartsAreReceived(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][]payment.Part{
		`[{"source":"wallet","amount":"5.00"},{"source":"channel"}]`: {{Source: payment.FromWallet, Amount: money.New(500, "CNY")}, {Source: payment.FromChannel}},
		`[{"source":"channel"}]`:                                     {{Source: payment.FromChannel}},
	} {
		f := newFront(t)
		if a := f.do(t, request(http.MethodPost, "/v1/payments", inParts(raw, nil))); a.status >= 300 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		got := f.store.committed()[0].Changes[0].(payment.Receive).Payment.Parts
		if len(got) != len(want) {
			t.Fatalf("%+v", got)
		}
		for i := range got {
			if got[i].Source != want[i].Source || got[i].Amount.Minor != want[i].Amount.Minor {
				t.Errorf("part %d is %+v, want %+v", i, got[i], want[i])
			}
		}
	}
}
