package stage

import (
	"context"
	"testing"
	"time"

	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// Captures reads a payment's captures, in order of receipt.
func (m *Merchant) Captures(t testing.TB, paymentID string) []payment.Capture {
	t.Helper()
	list, err := m.Stage.Store.Captures(context.Background(), id.Test, m.ID, paymentID)
	must(t, err)
	return list
}

// Void gives a payment's authorization back at the channel, behind our back.
func (s *Sandbox) Void(t testing.TB, paymentID string) {
	t.Helper()
	key, err := channels.NewKey(id.Key(paymentID, id.Step{Code: id.Charge, Ordinal: 1}), hash, time.Now())
	must(t, err)
	_, err = sandbox.New(wire.New(wire.Config{})).Cancel(context.Background(),
		channels.Call{Account: channels.Account{Book: id.Test, BaseURL: s.URL, Credentials: Credentials()}, Key: key, Now: time.Now()},
		channels.ChargeRequest{})
	must(t, err)
}
