package tour_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/channels/stripe"
	"paysaga/channels/stripe/fake"
	"paysaga/domain/dispute"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
)

// Stripe's dispute knows its own intent and nothing of ours: it is found by that, booked with its fee, and given back when it is won. A dispute
// of somebody else's intent in the same account waits for an explanation, and books nothing.
func TestStripesDisputesAreBooked(t *testing.T) {
	t.Parallel()
	f := fake.New(fake.Config{})
	t.Cleanup(f.Close)
	s := stage.New(t, stage.Options{Wire: stage.Wire{Steps: func(c *activities.Config) { c.Channels = channels.NewRegistry(stripe.New(client(t))) }}})
	m := s.Merchant(t, payment.Terms{}, stage.AccountSpec{Channel: stripe.Name, URL: f.URL(), Lane: payment.Standard,
		Credentials: map[string]string{stripe.SecretKey: "sk_test_tour", stripe.WebhookSecret: "whsec_fake"}})
	account := m.Sandboxes[0].Account
	paid := m.Pay(t, stage.Card("pm_card_visa"), map[string]any{"currency": "EUR"})
	m.UntilStatus(t, paid.ID, payment.Paid)
	clearing, available := s.Balance(t, "channel/"+account+"/clearing"), s.Balance(t, "merchant/"+m.ID+"/available")

	told := 0
	tell := func(act string) {
		require.True(t, f.Dispute(f.Intents()[0].ID, act))
		for ; told < len(f.Events()); told++ {
			e := f.Events()[told]
			post(t, fmt.Sprintf("%s/v1/callbacks/%s/%s", s.API.URL, stripe.Name, account), f.Sign(e.Body, f.Now()), e.Body)
		}
	}
	until := func(want dispute.Status, fee string) {
		t.Helper()
		var list struct{ Data []dispute.Public }
		stage.Eventually(t, "the dispute is "+string(want)+" with a fee of "+fee, func() bool {
			a := m.Do(t, http.MethodGet, "/v1/disputes?payment_id="+paid.ID, "", nil)
			require.NoError(t, json.Unmarshal(a.Raw, &list), "%s", a.Raw)
			return len(list.Data) == 1 && list.Data[0].Status == want && list.Data[0].Fee == fee
		})
	}
	tell("warn")
	tell("open")
	until(dispute.Open, "0.15")
	assert.Equal(t, clearing-1234-fake.DisputeFee, s.Balance(t, "channel/"+account+"/clearing"))
	assert.Equal(t, available+1234, s.Balance(t, "merchant/"+m.ID+"/available"))
	tell("lose")
	until(dispute.Lost, "0.15")
	tell("win")
	until(dispute.Won, "0.00")
	assert.Equal(t, clearing, s.Balance(t, "channel/"+account+"/clearing"))
	assert.Equal(t, available, s.Balance(t, "merchant/"+m.ID+"/available"))
	assert.Zero(t, s.Count(t, `SELECT count(*) FROM cases`))
	s.Audit(t)
}
