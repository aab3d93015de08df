package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

const goodKey = "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// good is an environment that every command can work with.
func good(more ...string) map[string]string {
	env := map[string]string{"PAYSAGA_DATABASE_URL": "postgres://paysaga_app:hunter2@db:5432/paysaga", "PAYSAGA_SEAL_KEYS": goodKey}
	for i := 0; i+1 < len(more); i += 2 {
		env[more[i]] = more[i+1]
	}
	return env
}

// paysaga runs a command line as main does, with a context that has ended: no
// command of these tests may serve.
func paysaga(t *testing.T, env map[string]string, args ...string) (code int, out, errors string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	return paysagaIn(ctx, env, args...)
}

func paysagaIn(ctx context.Context, env map[string]string, args ...string) (code int, out, errors string) {
	var o, e bytes.Buffer
	code = run(ctx, args, env, streams{strings.NewReader(""), &o, &e})
	return code, o.String(), e.String()
}

func modelOf(t *testing.T) *kong.Application {
	t.Helper()
	p, err := newParser(&commands{}, &settings{}, streams{out: io.Discard, err: io.Discard})
	require.NoError(t, err)
	return p.Model
}

func flags(t *testing.T, visit func(command string, f *kong.Flag)) {
	t.Helper()
	require.NoError(t, kong.Visit(modelOf(t), func(node kong.Visitable, next kong.Next) error {
		if n, ok := node.(*kong.Node); ok {
			for _, f := range n.Flags {
				visit(n.Path(), f)
			}
		}
		return next(nil)
	}))
}

func TestEveryFlagAndCommandIsExplained(t *testing.T) {
	t.Parallel()
	seen := 0
	flags(t, func(command string, f *kong.Flag) {
		seen++
		if len(f.Help) < 15 || !strings.HasSuffix(f.Help, ".") && f.Name != "help" {
			t.Errorf("%s --%s: the help %q is no sentence", command, f.Name, f.Help)
		}
	})
	require.Greater(t, seen, 60)
	for _, n := range modelOf(t).Leaves(false) {
		require.Greater(t, len(n.Help), 20, n.Path())
		for _, p := range n.Positional {
			require.Greater(t, len(p.Help), 10, n.Path()+" "+p.Name)
		}
	}
}

// One variable means one thing, wherever it is a flag, and a secret one is
// marked.
func TestEverySettingIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	first := map[string]*kong.Flag{}
	flags(t, func(command string, f *kong.Flag) {
		name := variable(f.Value)
		if name == "" {
			return
		}
		if !strings.HasPrefix(name, "PAYSAGA_") {
			t.Errorf("%s: %s", command, name)
		}
		if was := first[name]; was != nil && (was.Name != f.Name || was.Default != f.Default || was.Target.Type() != f.Target.Type()) {
			t.Errorf("%s: --%s isn't the %s of other commands", command, f.Name, name)
		}
		first[name] = f
		for _, word := range []string{"PASSWORD", "SECRET", "API_KEY", "SEAL", "DATABASE_URL", "OWNER_URL"} {
			if strings.Contains(name, word) && f.Tag.Get("secret") == "" {
				t.Errorf("%s isn't marked as a secret", name)
			}
		}
	})
	require.Greater(t, len(first), 30)
}

func TestASettingComesFromFlagThenEnvironmentThenFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings.json")
	raw, err := json.Marshal(map[string]string{"PAYSAGA_SAGAS": "7", "PAYSAGA_LEDGER_STEPS": "8", "PAYSAGA_CALLS_PER_CHANNEL": "9"})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, raw, 0o600))
	env := good("PAYSAGA_SETTINGS", file, "PAYSAGA_LEDGER_STEPS", "10", "PAYSAGA_CALLS_PER_CHANNEL", "11")
	args := []string{"worker", "--calls-per-channel=12"}

	set := &settings{env: env}
	require.NoError(t, set.load(args))
	var c commands
	p, err := newParser(&c, set, streams{out: io.Discard, err: io.Discard})
	require.NoError(t, err)
	_, err = p.Parse(args)
	require.NoError(t, err)
	require.Equal(t, 7, c.Worker.Sagas)
	require.Equal(t, 10, c.Worker.LedgerSteps)
	require.Equal(t, 12, c.Worker.CallsPerChannel)
	require.Equal(t, 10000, c.Worker.StickyCache)
}

func TestConfigShowsSourcesAndMasksSecrets(t *testing.T) {
	t.Parallel()
	code, out, errs := paysaga(t, good("PAYSAGA_TEMPORAL_API_KEY", "tmprl-very-secret", "PAYSAGA_DEADLINE", "2s"), "config")
	require.Zero(t, code, errs)
	for _, secret := range []string{"hunter2", "MDEyMzQ1", "very-secret"} {
		require.NotContains(t, out+errs, secret)
	}
	require.Regexp(t, `PAYSAGA_DATABASE_URL +postgres://paysaga_app:xxxxx@db:5432/paysaga +environment`, out)
	require.Regexp(t, `PAYSAGA_SEAL_KEYS +\*{6} +environment`, out)
	require.Regexp(t, `PAYSAGA_DEADLINE +2s +environment`, out)
	require.Regexp(t, `PAYSAGA_HTTP_ADDRESS +:8080 +default`, out)
	require.Regexp(t, `PAYSAGA_OWNER_URL +- +default`, out)
	require.Equal(t, len(allSettings(modelOf(t)))+1, strings.Count(out, "\n"), "every setting has its line")
}

func TestAURLThatCannotBeMaskedIsHidden(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"host=db password=hunter2", "postgres://db/paysaga?password=hunter2", "postgres:hunter2", "%zz hunter2"} {
		_, out, _ := paysaga(t, good("PAYSAGA_DATABASE_URL", url), "config")
		require.NotContains(t, out, "hunter2", url)
	}
}

func TestAVariableThatNothingReadsIsWarnedOf(t *testing.T) {
	t.Parallel()
	_, _, errs := paysaga(t, good("PAYSAGA_DATABASE_ULR", "x", "PAYSAGA_POSTGRES_PORT", "5433", "PATH", "/bin"), "version")
	require.Equal(t, "paysaga: warning: PAYSAGA_DATABASE_ULR in the environment is not a setting, and is ignored; did you mean PAYSAGA_DATABASE_URL?\n", errs)
}

func TestEmptyVariablesCountAsUnset(t *testing.T) {
	t.Parallel()
	require.Equal(t, map[string]string{"A": "1", "C": "x=y"}, environment([]string{"A=1", "B=", "C=x=y"}))
}

func TestTheSettingsFileIsRefusedClearly(t *testing.T) {
	t.Parallel()
	code, _, errs := paysaga(t, nil, "--settings=/no/such/file", "version")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "PAYSAGA_SETTINGS")
	bad := filepath.Join(t.TempDir(), "bad.json")
	require.NoError(t, os.WriteFile(bad, []byte(`{"PAYSAGA_SEAL_KEYS": hunter2}`), 0o600))
	code, _, errs = paysaga(t, nil, "version", "--settings", bad)
	require.Equal(t, 1, code)
	require.NotContains(t, errs, "hunter2")
}

// What can't work is said at once, by the variable's name, and quotes no secret.
func TestWhatCannotWorkIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env     []string
		command string
		says    string
	}{
		{[]string{"PAYSAGA_DATABASE_URL", ""}, "serve", "PAYSAGA_DATABASE_URL is missing"},
		{[]string{"PAYSAGA_DATABASE_URL", "mysql://u:hunter2@h/d"}, "api", "PAYSAGA_DATABASE_URL is not a URL"},
		{[]string{"PAYSAGA_DATABASE_URL_LIVE", "hunter2"}, "worker", "PAYSAGA_DATABASE_URL_LIVE is not a URL"},
		{[]string{"PAYSAGA_DATABASE_MAX_CONNS", "many"}, "serve", "PAYSAGA_DATABASE_MAX_CONNS"},
		{[]string{"PAYSAGA_DATABASE_MAX_CONNS", "1"}, "audit", "PAYSAGA_DATABASE_MAX_CONNS must be 2 or more"},
		{[]string{"PAYSAGA_SEAL_KEYS", ""}, "serve", "PAYSAGA_SEAL_KEYS is missing"},
		{[]string{"PAYSAGA_SEAL_KEYS", "k1:hunter2"}, "serve", "PAYSAGA_SEAL_KEYS is wrong: entry 1"},
		{[]string{"PAYSAGA_SEAL_KEYS", goodKey + "," + goodKey}, "serve", "PAYSAGA_SEAL_KEYS is wrong: entry 2"},
		{[]string{"PAYSAGA_SEAL_KEYS", goodKey + ",k0"}, "serve", "PAYSAGA_SEAL_KEYS is wrong: entry 2"},
		{[]string{"PAYSAGA_TEMPORAL_ADDRESS", "temporal"}, "serve", "PAYSAGA_TEMPORAL_ADDRESS is not host:port"},
		{[]string{"PAYSAGA_TEMPORAL_TLS_CA", "/no/such"}, "worker", "PAYSAGA_TEMPORAL_TLS_CA can't be read"},
		{[]string{"PAYSAGA_TEMPORAL_TLS_CERT", "/no/such"}, "worker", "PAYSAGA_TEMPORAL_TLS_CERT and"},
		{[]string{"PAYSAGA_HTTP_ADDRESS", "8080"}, "api", "PAYSAGA_HTTP_ADDRESS is not host:port"},
		{[]string{"PAYSAGA_DEADLINE", "0s"}, "api", "PAYSAGA_DEADLINE"},
		{[]string{"PAYSAGA_DEADLINE", "soon"}, "api", "PAYSAGA_DEADLINE"},
		{[]string{"PAYSAGA_LOGIN_RATE", "0"}, "api", "PAYSAGA_LOGIN_RATE"},
		{[]string{"PAYSAGA_LOGIN_RATE", "-1"}, "api", "PAYSAGA_LOGIN_RATE"},
		{[]string{"PAYSAGA_LOGIN_RATE", "NaN"}, "api", "PAYSAGA_LOGIN_RATE"},
		{[]string{"PAYSAGA_LOGIN_RATE", "many"}, "api", "PAYSAGA_LOGIN_RATE"},
		{[]string{"PAYSAGA_PUBLIC_URL", "pay.example.com"}, "serve", "PAYSAGA_PUBLIC_URL is not a URL"},
		{[]string{"PAYSAGA_PUBLIC_URL", "https://pay.example.com/"}, "serve", "PAYSAGA_PUBLIC_URL is not a URL"},
		{[]string{"PAYSAGA_PACE", "slow"}, "serve", "--pace must be one of"},
		{[]string{"PAYSAGA_LOG_LEVEL", "loud"}, "serve", "--log-level must be one of"},
		{[]string{"PAYSAGA_LEDGER_STEPS", "17"}, "worker", "PAYSAGA_LEDGER_STEPS must not exceed"},
		{[]string{"PAYSAGA_SAGAS", "0"}, "worker", "PAYSAGA_SAGAS must be 1 or more"},
		{[]string{"PAYSAGA_EXPRESS_TIMEOUT", "2s"}, "worker", "PAYSAGA_EXPRESS_TIMEOUT must be below 2s"},
		{[]string{"PAYSAGA_CALL_TIMEOUT", "15s"}, "worker", "PAYSAGA_CALL_TIMEOUT must be below 15s"},
		{[]string{"PAYSAGA_AUDIT_EVERY", "-1s"}, "worker", "PAYSAGA_AUDIT_EVERY"},
		{[]string{"PAYSAGA_QUEUES", "payments,channel-unknown"}, "worker", "PAYSAGA_QUEUES names the unknown queue channel-unknown"},
		{[]string{"PAYSAGA_METRICS_ADDRESS", "9090"}, "worker", "PAYSAGA_METRICS_ADDRESS is not host:port"},
		{nil, "migrate", "PAYSAGA_OWNER_URL is missing"},
		{[]string{"PAYSAGA_OWNER_URL", "hunter2"}, "migrate", "PAYSAGA_OWNER_URL is not a URL"},
		{[]string{"PAYSAGA_SANDBOX_ADDRESS", "8090"}, "sandbox", "PAYSAGA_SANDBOX_ADDRESS is not host:port"},
		{nil, "replay", "replay needs --open"},
		{[]string{"PAYSAGA_DEVSTACK", "/no/such"}, "dev", "PAYSAGA_DEVSTACK names no binary"},
	} {
		t.Run(c.command+"/"+c.says, func(t *testing.T) {
			t.Parallel()
			code, out, errs := paysaga(t, good(c.env...), c.command)
			require.Equal(t, 1, code, out)
			require.Contains(t, errs, c.says)
			require.NotContains(t, out+errs, "hunter2")
		})
	}
}

func TestHelpAndMistakes(t *testing.T) {
	t.Parallel()
	code, out, _ := paysaga(t, nil)
	require.Zero(t, code, "no words are a question for help")
	require.Contains(t, out, "Usage: paysaga <command>")
	for _, args := range [][]string{{"serve", "--help"}, {"help", "serve"}} {
		code, out, _ = paysaga(t, nil, args...)
		require.Zero(t, code)
		require.Contains(t, out, "$PAYSAGA_DATABASE_URL")
	}
	code, _, errs := paysaga(t, nil, "srve")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "srve")
	code, out, _ = paysaga(t, nil, "version")
	require.Zero(t, code)
	require.Contains(t, out, "paysaga dev")
}
