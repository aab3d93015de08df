package webhook

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/domain/delivery"
)

// official is the other judge's version.
const official = "standardwebhooks@1.1.1"

// judgeFolder holds the npm library, from npm's cache if it was ever fetched.
func judgeFolder(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatal(tool + " is missing: signatures are judged by the npm library too. Install Node 20 or newer")
		}
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "npm", "install", "--prefix", dir, "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund",
		"--no-package-lock", official)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s can't be installed: signatures are judged by it too; once in npm's cache it needs no network. %v: %s", official, err, out)
	}
	return dir
}

// What really went over the wire is judged by the npm library, as a merchant's Node server would.
func TestTheNpmLibraryVerifiesWhatWasSent(t *testing.T) {
	t.Parallel()
	dir := judgeFolder(t)
	type message struct {
		Secret  string            `json:"secret"`
		Headers map[string]string `json:"headers"`
		Body    []byte            `json:"body"`
	}
	var got message
	x := newShop(t, Config{}, func(_ http.ResponseWriter, r *http.Request) {
		got = message{Headers: map[string]string{}}
		for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			got.Headers[name] = r.Header.Get(name)
		}
		got.Body, _ = io.ReadAll(r.Body)
	})
	d := one(t, x.sender, "https://example.com/")
	d.Body = []byte(`{"id":"evt_01","data":{"name":"订单 é \u003c\ud83d\ude00"}}`)
	older, err := x.sender.NewSecret()
	require.NoError(t, err)
	stranger, err := x.sender.NewSecret()
	require.NoError(t, err)
	d.Secrets = append(d.Secrets, older)
	r, err := x.sender.Send(t.Context(), d)
	require.NoError(t, err)
	require.Equal(t, delivery.Delivered, r.Outcome)

	var in bytes.Buffer
	var want []string
	put := func(verdict string, change func(*message)) {
		m := got
		change(&m)
		require.NoError(t, json.NewEncoder(&in).Encode(m))
		want = append(want, verdict)
	}
	put("verified", func(m *message) { m.Secret = d.Secrets[0].Reveal() })
	put("verified", func(m *message) { m.Secret = older.Reveal() })
	put("No matching signature found", func(m *message) { m.Secret = stranger.Reveal() })
	put("No matching signature found", func(m *message) { m.Secret, m.Body = older.Reveal(), append([]byte(" "), m.Body...) })

	script, err := filepath.Abs("testdata/verify.mjs")
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "node", script, dir)
	cmd.Stdin = &in
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, want, strings.Split(strings.TrimSpace(string(out)), "\n"))
}
