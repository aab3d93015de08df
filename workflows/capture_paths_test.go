package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
)

// authorize pays 12.34 CNY by card, to be captured later.
func authorize(t *testing.T, m *stage.Merchant) string {
	t.Helper()
	a := m.Pay(t, stage.Card("tok_ok"), map[string]any{"capture_method": "manual"})
	if a.Code != 201 || a.Status != payment.Reserved || a.AmountCapturable != "12.34" {
		t.Fatalf("a manual capture answered %d %s", a.Code, a.Raw)
	}
	return a.ID
}

// take captures, under a key of its own.
func take(t *testing.T, m *stage.Merchant, id string, body map[string]any) stage.Answer {
	t.Helper()
	if body == nil {
		body = map[string]any{}
	}
	return m.Do(t, "POST", "/v1/payments/"+id+"/capture", fmt.Sprintf("take-%d", time.Now().UnixNano()), body)
}

// took captures and expects the payment to come to a state.
func took(t *testing.T, m *stage.Merchant, id string, body map[string]any, s payment.Status) stage.Answer {
	t.Helper()
	a := take(t, m, id, body)
	if a.Code != 200 || a.Status != s {
		t.Errorf("the capture of %v answered %d %s", body, a.Code, a.Raw)
	}
	return a
}

func part(amount string) map[string]any { return map[string]any{"amount": amount} }

// settled reads the captures until none is open, and holds them against the
// channel's book.
func settled(t *testing.T, m *stage.Merchant, id string, want ...payment.CaptureStatus) {
	t.Helper()
	var list []payment.Capture
	stage.Eventually(t, "every capture of "+id+" is settled", func() bool {
		list = m.Captures(t, id)
		for _, c := range list {
			if c.Status == payment.CaptureProcessing {
				return false
			}
		}
		return len(list) == len(want)
	})
	var sum int64
	for i, c := range list {
		if c.Status != want[i] {
			t.Errorf("capture %d is %s %s, want %s", i+1, c.Status, c.FailureCode, want[i])
		}
		if c.Status == payment.CaptureSucceeded {
			sum += c.Amount.Minor
		}
	}
	for _, c := range m.Sandboxes[0].Lookup(id).Charges {
		if c.CapturedMinor != sum {
			t.Errorf("the channel captured %d, we say %d (I-09, I-10)", c.CapturedMinor, sum)
		}
	}
}

// open receives a capture that isn't settled when it is answered.
func open(t *testing.T, m *stage.Merchant, id, amount string) {
	t.Helper()
	down := *m
	down.Stage = m.Stage.WithoutTemporal(t)
	if a := take(t, &down, id, part(amount)); a.Code != 202 {
		t.Fatalf("with Temporal down the capture answered %d %s", a.Code, a.Raw)
	}
}

const done, failed = payment.CaptureSucceeded, payment.CaptureFailed

// captured are the ways of what is authorized and captured later.
var captured = []path{
	{name: "captured_whole", run: func(t *testing.T, m *stage.Merchant) string {
		id := authorize(t, m)
		took(t, m, id, nil, payment.Paid)
		settled(t, m, id, done)
		return id
	}, status: payment.Paid, calls: 1},
	{name: "captured_after_a_person_was_shown_the_doubt", accounts: silent, run: func(t *testing.T, m *stage.Merchant) string {
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "ask", "fault": "500", "times": -1})
		a := m.Pay(t, stage.Card("tok_timeout_after"), map[string]any{"capture_method": "manual"})
		m.Until(t, a.ID, "shown to a person", func(a stage.Answer) bool { return a.NeedsOperator && a.InDoubt })
		m.Sandboxes[0].ClearScripts(t)
		m.UntilStatus(t, a.ID, payment.Reserved)
		m.Stage.UntilDetails(t, a.ID, "authorized: waiting for a capture")
		took(t, m, a.ID, nil, payment.Paid)
		settled(t, m, a.ID, done)
		return a.ID
	}, status: payment.Paid, calls: 1},
	{name: "captured_in_part_and_final", run: func(t *testing.T, m *stage.Merchant) string {
		id := authorize(t, m)
		a := took(t, m, id, map[string]any{"amount": "10.00", "final": true}, payment.Paid)
		if a.AmountCaptured != "10.00" || a.AmountCapturable != "0.00" {
			t.Errorf("answered %s", a.Raw)
		}
		settled(t, m, id, done)
		return id
	}, status: payment.Paid, calls: 1},
	{name: "captured_in_parts", run: func(t *testing.T, m *stage.Merchant) string {
		id := authorize(t, m)
		took(t, m, id, part("3.00"), payment.Reserved)
		took(t, m, id, part("4.00"), payment.Reserved)
		if a := take(t, m, id, part("5.35")); a.Code != 409 || a.Problem != "amount_not_capturable" {
			t.Errorf("more than what is left: %d %s", a.Code, a.Raw)
		}
		took(t, m, id, nil, payment.Paid)
		settled(t, m, id, done, done, done)
		return id
	}, status: payment.Paid, calls: 1},
	{name: "captured_in_part_then_canceled", run: func(t *testing.T, m *stage.Merchant) string {
		id := authorize(t, m)
		took(t, m, id, part("3.00"), payment.Reserved)
		if a := cancel(t, m, id); a.Code != 200 || a.Status != payment.Paid || a.AmountCaptured != "3.00" {
			t.Errorf("the cancel answered %d %s", a.Code, a.Raw)
		}
		settled(t, m, id, done)
		return id
	}, status: payment.Paid, calls: 1},
	{name: "captured_in_part_then_lapsed", accounts: []stage.AccountSpec{{Server: server.Config{AuthorizedFor: time.Hour + 4*time.Second}}},
		run: func(t *testing.T, m *stage.Merchant) string {
			id := authorize(t, m)
			took(t, m, id, part("3.00"), payment.Reserved)
			m.UntilStatus(t, id, payment.Paid)
			settled(t, m, id, done)
			return id
		}, status: payment.Paid, calls: 1},
	{name: "capture_unknown_then_captured", run: func(t *testing.T, m *stage.Merchant) string {
		id := authorize(t, m)
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "capture", "fault": "timeout_after", "times": 2})
		take(t, m, id, nil) // 200 or 202, as soon as two timeouts leave it
		m.UntilStatus(t, id, payment.Paid)
		settled(t, m, id, done)
		return id
	}, status: payment.Paid, calls: 1},
	{name: "capture_declined", run: func(t *testing.T, m *stage.Merchant) string {
		id := authorize(t, m)
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "capture", "fault": "decline"})
		took(t, m, id, part("3.00"), payment.Reserved)
		took(t, m, id, nil, payment.Paid)
		settled(t, m, id, failed, done)
		return id
	}, status: payment.Paid, calls: 1},
	{name: "capture_while_temporal_is_down", run: func(t *testing.T, m *stage.Merchant) string {
		id := authorize(t, m)
		open(t, m, id, "3.00")
		settled(t, m, id, done) // the relay's work (I-19)
		took(t, m, id, nil, payment.Paid)
		return id
	}, status: payment.Paid, calls: 1},
	{name: "capture_races_cancel", run: func(t *testing.T, m *stage.Merchant) string {
		id := authorize(t, m)
		open(t, m, id, "3.00") // the saga hears of the cancel first
		if a := cancel(t, m, id); a.Code != 200 || a.Status != payment.Paid {
			t.Errorf("the cancel answered %d %s", a.Code, a.Raw)
		}
		if a := take(t, m, id, nil); a.Code != 409 || a.Problem != "payment_not_capturable" {
			t.Errorf("a capture after the end: %d %s", a.Code, a.Raw)
		}
		settled(t, m, id, done)
		return id
	}, status: payment.Paid, calls: 1},
	{name: "capture_told_by_callback", run: func(t *testing.T, m *stage.Merchant) string {
		id := authorize(t, m)
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "capture", "fault": "500_after", "times": -1})
		open(t, m, id, "12.34")
		stage.Eventually(t, "the channel has captured", func() bool { return m.Sandboxes[0].Lookup(id).Charges[0].CapturedMinor == 1234 })
		m.Sandboxes[0].Admin(t, "callbacks", map[string]any{"reference": id, "mode": "again"})
		m.UntilStatus(t, id, payment.Paid)
		settled(t, m, id, done)
		return id
	}, status: payment.Paid, calls: 1},
	{name: "capture_of_what_has_ended_at_the_channel", run: func(t *testing.T, m *stage.Merchant) string {
		id := authorize(t, m)
		m.Sandboxes[0].Void(t, id)
		took(t, m, id, part("3.00"), payment.Reserved)
		m.UntilStatus(t, id, payment.Canceled)
		settled(t, m, id, failed)
		return id
	}, status: payment.Canceled, calls: 1},
}
