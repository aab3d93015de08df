package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCredentialsAreReadFromStandardInput(t *testing.T) {
	t.Parallel()
	c := channelAdd{Channel: "sandbox", Book: "test", Credentials: "-"}
	m, err := c.credentials(strings.NewReader(`{"secret":"hunter2"}`))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"secret": "hunter2"}, m)

	c = channelAdd{Channel: "stripe", Book: "live", Credentials: "-"}
	m, err = c.credentials(strings.NewReader(`{"secret_key":"rk_live_1","webhook_secret":"whsec_1"}`))
	require.NoError(t, err)
	require.Equal(t, "rk_live_1", m["secret_key"])
}

func TestBadCredentialsAreRefusedAndNotQuoted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ channel, book, text, says string }{
		{"stripe", "test", `hunter2`, "not a JSON object"},
		{"stripe", "test", `{"secret_key":1}`, "not a JSON object"},
		{"stripe", "test", `{"secret_key":"sk_test_hunter2"}`, "lacks webhook_secret"},
		{"stripe", "test", `{"secret_key":"sk_live_hunter2","webhook_secret":"whsec_hunter2"}`, "another mode than the book"},
		{"stripe", "live", `{"secret_key":"sk_test_hunter2","webhook_secret":"whsec_hunter2"}`, "another mode than the book"},
		{"sandbox", "test", `{}`, "lacks secret"},
		{"sandbox", "test", `{"secret":"hunter2","hunter2":"hunter2"}`, "has 1 that sandbox doesn't know"},
		{"stripe", "test", `{"secret_key":"hunter2","webhook_secret":"hunter2"}`, "begins with whsec_"},
	} {
		_, err := (&channelAdd{Channel: c.channel, Book: c.book, Credentials: "-"}).credentials(strings.NewReader(c.text))
		require.ErrorContains(t, err, c.says)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
