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

// judgeFolder holds the npm library, from npm's cache if it was ever fetched. Where there is no Node, or no way to the library, the
// Go library is the only judge, and the log says so.
func judgeFolder(t *testing.T) (dir string, ok bool) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Log(tool + " isn't installed: the npm library hasn't judged the signatures")
			return "", false
		}
	}
	dir = t.TempDir()
	cmd := exec.CommandContext(t.Context(), "npm", "install", "--prefix", dir, "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund",
		"--no-package-lock", official)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Logf("%s can't be had: the npm library hasn't judged the signatures. %v: %s", official, err, out)
		return "", false
	}
	return dir, true
}

// What really went over the wire is judged by the npm library, as a merchant's Node server would.
func TestTheNpmLibraryVerifiesWhatWasSent(t *testing.T) {
	t.Parallel()
	dir, ok := judgeFolder(t)
	if !ok {
		return
	}
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
