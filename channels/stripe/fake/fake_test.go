package fake_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels/stripe/fake"
)

const charge = "amount=1234&currency=eur&confirm=true&payment_method_types[0]=card&payment_method="

func post(t *testing.T, f *fake.Server, path, key, body string) (status int, replayed bool, answer string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, f.URL()+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer sk_test_1")
	req.Header.Set("Idempotency-Key", key)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, res.Header.Get("Idempotent-Replayed") == "true", string(raw)
}

func TestKeysAreRememberedForADay(t *testing.T) {
	t.Parallel()
	f := fake.New(fake.Config{})
	t.Cleanup(f.Close)
	const path = "/v1/payment_intents"
	status, replayed, first := post(t, f, path, "k1", charge+"pm_card_visa")
	assert.Equal(t, 200, status)
	assert.False(t, replayed)
	status, replayed, again := post(t, f, path, "k1", "payment_method=pm_card_visa&"+strings.TrimSuffix(charge, "&payment_method="))
	assert.Equal(t, 200, status)
	assert.True(t, replayed)
	assert.Equal(t, first, again, "the stored answer, in whatever order the parameters came")
	for _, other := range []string{charge + "pm_card_mastercard", charge + "pm_card_visa&description=x"} {
		status, _, again = post(t, f, path, "k1", other)
		assert.Equal(t, 400, status)
		assert.Contains(t, again, "idempotency_error")
	}
	status, _, _ = post(t, f, "/v1/refunds", "k1", charge+"pm_card_visa")
	assert.Equal(t, 400, status, "another endpoint is another request")
	assert.Len(t, f.Intents(), 1)

	f.Advance(24*time.Hour + time.Second)
	status, replayed, _ = post(t, f, path, "k1", charge+"pm_card_visa")
	assert.Equal(t, 200, status)
	assert.False(t, replayed)
	assert.Len(t, f.Intents(), 2, "a forgotten key counts as new: the second charge that Guard prevents")
}

func TestWhatIsStoredUnderAKey(t *testing.T) {
	t.Parallel()
	f := fake.New(fake.Config{})
	t.Cleanup(f.Close)
	const path = "/v1/payment_intents"
	cases := []struct {
		name, body string
		fault      fake.FaultKind
		status     int
		stored     bool
	}{
		{"a decline", charge + "pm_card_visa_chargeDeclined", "", 402, true},
		{"a missing card", charge + "pm_nonesuch", "", 400, true},
		{"a bad parameter", "amount=x&currency=eur", "", 400, false},
		{"an unknown parameter", charge + "pm_card_visa&bogus=1", "", 400, false},
		{"a 500", charge + "pm_card_visa", fake.Error500, 500, true},
		{"a 500 without effect", charge + "pm_card_visa", fake.Error500Undone, 500, true},
		{"a 429", charge + "pm_card_visa", fake.RateLimited, 429, false},
		{"a proxy's 502", charge + "pm_card_visa", fake.BadGateway, 502, false},
	}
	for _, c := range cases {
		if c.fault != "" {
			f.Plant(fake.Fault{Kind: c.fault})
		}
		status, _, first := post(t, f, path, c.name, c.body)
		assert.Equal(t, c.status, status, c.name)
		_, replayed, again := post(t, f, path, c.name, c.body)
		assert.Equal(t, c.stored, replayed, c.name)
		if c.stored {
			assert.Equal(t, first, again, c.name)
		}
	}
}

func TestAKeyInUse(t *testing.T) {
	t.Parallel()
	f := fake.New(fake.Config{})
	t.Cleanup(f.Close)
	hold := f.Plant(fake.Fault{Kind: fake.Hold})
	done := make(chan int, 1)
	go func() {
		status, _, _ := post(t, f, "/v1/payment_intents", "k", charge+"pm_card_visa")
		done <- status
	}()
	<-hold.Held()
	status, _, answer := post(t, f, "/v1/payment_intents", "k", charge+"pm_card_visa")
	assert.Equal(t, 409, status)
	assert.Contains(t, answer, "idempotency_key_in_use")
	hold.Release()
	assert.Equal(t, 200, <-done)
	assert.Len(t, f.Intents(), 1)
}

func TestTheTwoModesDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	f := fake.New(fake.Config{})
	t.Cleanup(f.Close)
	_, _, _ = post(t, f, "/v1/payment_intents", "k", charge+"pm_card_visa")
	req, err := http.NewRequest(http.MethodGet, f.URL()+"/v1/payment_intents/"+f.Intents()[0].ID, nil)
	require.NoError(t, err)
	for key, want := range map[string]int{"sk_test_2": 200, "sk_live_1": 404, "pk_test_1": 401, "sk_test" + fake.Revoked: 401} {
		req.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		res.Body.Close()
		assert.Equal(t, want, res.StatusCode, key)
	}
}
