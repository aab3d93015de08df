package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/routing"
	"paysaga/store"
	"paysaga/store/storetest"
)

// An operator finds the keys that lack a scope, grants it, rotates and revokes,
// and every act says who and why. No secret is taken for an id, or shown.
func TestAnOperatorLooksAfterAPIKeys(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	seed := storetest.Plant(t, b.db.Store, id.Test)
	operator, _, err := b.db.Store.CreateOperator(t.Context(), "Ada")
	require.NoError(t, err)
	decided := func(args ...string) []string { return append(args, "--operator", operator, "--reason", "they asked") }
	keyID, token, err := b.db.Store.CreateKey(t.Context(), store.KeyGrant{Book: id.Test, MerchantID: seed.MerchantID, Scopes: []access.Scope{access.PaymentsRead}})
	require.NoError(t, err)

	out := b.does(keyID, "api-key", "list", "--missing")
	require.NotContains(t, out, seed.KeyID, "it has all")
	require.Contains(t, out, "disputes:read,")
	b.does("may   payments:read\na new key may also", "api-key", "scopes", keyID)
	for _, args := range [][]string{
		{"api-key", "scopes", keyID, "--grant", "disputes:read"},        // by nobody
		decided("api-key", "scopes", keyID, "--grant", "disputes:raed"), // a slip
		decided("api-key", "scopes", keyID, "--grant", "risk:review"),   // operators' own
		decided("api-key", "scopes", keyID, "--withdraw", "payments:read"),
		decided("api-key", "revoke", token),
		decided("api-key", "rotate", keyID, "--overlap", "721h"),
	} {
		code, out, errs := b.run(args...)
		require.NotZero(t, code, "%v: %s", args, out)
		require.NotContains(t, out+errs, token)
	}
	b.does("may   disputes:read,payments:read\n", decided("api-key", "scopes", keyID, "--grant", "disputes:read")...)
	out = b.does("is shown this once", decided("api-key", "rotate", keyID, "--overlap", "1h")...)
	next := regexp.MustCompile(`\((key_[a-z0-9]+)\)`).FindStringSubmatch(out)[1]
	b.does("until ", "api-key", "list", "--of", seed.MerchantID)
	b.does("is revoked", decided("api-key", "revoke", keyID)...)
	require.NotContains(t, b.does(next, "api-key", "list"), keyID)
	b.does(keyID, "api-key", "list", "--revoked")
	acts := b.does("operator "+operator+"  they asked", "api-key", "acts", keyID)
	require.Equal(t, 4, strings.Count(acts, "\n"), "%s", acts)
	out = b.does("API key   sk_test_", decided("api-key", "create", seed.MerchantID, "--scopes", "orders:read")...)
	b.does("may   orders:read\n", "api-key", "scopes", regexp.MustCompile(`key_[a-z0-9]+`).FindString(out))
}

// What all processes have seen of an account stands in one line.
func TestChannelHealthShowsCircuits(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	seed := storetest.Plant(t, b.db.Store, id.Test)
	b.does("closed", "channel", "health", "--book", "test")
	_, err := b.db.Store.MoveCircuits(t.Context(), id.Test, []string{seed.ChannelAccount}, func(_ string, c routing.Breaker) routing.Breaker {
		for range 12 {
			c = c.Observe(routing.Result{At: time.Now(), Fault: "unavailable connection_refused"}, routing.BreakerConfig{})
		}
		return c
	})
	require.NoError(t, err)
	out := b.does("open since ", "channel", "health", "--book", "test")
	require.Regexp(t, seed.ChannelAccount+` +sandbox +active +open since \d+s +12 +12 .*unavailable connection_refused, \d+s ago`, out)
	b.does(`"circuit":"open"`, "channel", "health", "--book", "test", "--json")
	_, err = b.db.Store.MoveCircuits(t.Context(), id.Test, []string{seed.ChannelAccount}, func(_ string, c routing.Breaker) routing.Breaker {
		c.OpenedAt = time.Now().Add(-time.Minute)
		return c
	})
	require.NoError(t, err)
	b.does("the next payment probes it", "channel", "health", "--book", "test")
}
