package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func parse(t *testing.T, env map[string]string, args ...string) (Config, error) {
	t.Helper()
	return parseConfig(args, func(name string) string { return env[name] }, io.Discard)
}

func TestConfigDefaults(t *testing.T) {
	t.Parallel()
	c, err := parse(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.PostgresPort != 5433 || c.TemporalPort != 7233 || c.UIPort != 8233 || c.HistoryShards != 128 {
		t.Errorf("defaults changed: %+v", c)
	}
	if !c.Fsync || !c.VisibilityFast || c.NoUI || c.Namespace != "paysaga" {
		t.Errorf("defaults changed: %+v", c)
	}
	if !filepath.IsAbs(c.StateDir) || filepath.Base(c.StateDir) != ".paysaga" {
		t.Errorf("state folder %q", c.StateDir)
	}
	if c.ReadyFile != filepath.Join(c.StateDir, "devstack.json") {
		t.Errorf("ready file %q", c.ReadyFile)
	}
}

func TestConfigFlagsWinOverEnvironment(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"PAYSAGA_TEMPORAL_PORT": "7001", "PAYSAGA_UI_PORT": "7002", "PAYSAGA_FSYNC": "false",
		"DATABASE_URL": "postgres://u@h/db", "PAYSAGA_POSTGRES_BIN": "npm",
	}
	c, err := parse(t, env, "--temporal-port", "9001")
	if err != nil {
		t.Fatal(err)
	}
	if c.TemporalPort != 9001 || c.UIPort != 7002 || c.Fsync || c.DatabaseURL != "postgres://u@h/db" || c.PostgresBin != "npm" {
		t.Errorf("got %+v", c)
	}
}

func TestConfigRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, want string
		env        map[string]string
		args       []string
	}{
		{name: "port too large", args: []string{"--ui-port", "70000"}, want: "--ui-port 70000 is not a port"},
		{name: "negative port", args: []string{"--postgres-port", "-1"}, want: "--postgres-port -1 is not a port"},
		{name: "same port twice", args: []string{"--ui-port", "7233"}, want: "are both 7233"},
		{name: "port in the environment", env: map[string]string{"PAYSAGA_UI_PORT": "x"}, want: `PAYSAGA_UI_PORT="x"`},
		{name: "no state", args: []string{"--state", ""}, want: "--state must name a folder"},
		{name: "odd namespace", args: []string{"--namespace", "a b"}, want: `--namespace "a b"`},
		{name: "no shards", args: []string{"--history-shards", "0"}, want: "--history-shards 0"},
		{name: "stray argument", args: []string{"up"}, want: `unexpected argument "up"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(t, tc.env, tc.args...)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestConfigSamePortMattersOnlyForPartsThatRun(t *testing.T) {
	t.Parallel()
	if _, err := parse(t, nil, "--no-ui", "--ui-port", "7233"); err != nil {
		t.Error(err)
	}
	if _, err := parse(t, nil, "--postgres-port", "0", "--temporal-port", "0", "--ui-port", "0"); err != nil {
		t.Error("free ports for all: ", err)
	}
}

func TestUnknownCommand(t *testing.T) {
	t.Parallel()
	if err := execute("up", nil, io.Discard); err == nil || !strings.Contains(err.Error(), `unknown command "up"`) {
		t.Errorf("got %v", err)
	}
}

func TestVersionAndHelp(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := execute("version", nil, &out); err != nil || !strings.Contains(out.String(), "Temporal server 1.") {
		t.Errorf("version: %q, %v", out.String(), err)
	}
	out.Reset()
	if err := execute("help", nil, &out); err != nil || !strings.Contains(out.String(), "-postgres-port") {
		t.Errorf("help: %q, %v", out.String(), err)
	}
}
