package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// freePort is one that nobody listens on, outside the range from which the
// kernel hands them out meanwhile.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := fmt.Sprint(20000 + rand.IntN(10000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			require.NoError(t, l.Close())
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

// devEnv is what a newcomer has: nothing but other ports.
func devEnv(t *testing.T) map[string]string {
	t.Helper()
	dir, err := os.MkdirTemp("", "paysaga-dev-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755)) // PostgreSQL's user has to get through
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return map[string]string{"PAYSAGA_STATE": filepath.Join(dir, "state"), "PAYSAGA_DEVSTACK": os.Getenv("PAYSAGA_DEVSTACK"), "PAYSAGA_FSYNC": "false",
		"PAYSAGA_HTTP_ADDRESS": "127.0.0.1:" + freePort(t), "PAYSAGA_SANDBOX_ADDRESS": "127.0.0.1:" + freePort(t),
		"PAYSAGA_POSTGRES_PORT": freePort(t), "PAYSAGA_TEMPORAL_PORT": freePort(t), "PAYSAGA_UI_PORT": freePort(t), "TMPDIR": os.TempDir()}
}

func isUp(p *proc) func() bool {
	return func() bool { return strings.Contains(p.said(), "ctrl-C stops everything") }
}

// The second command of the README: it starts everything, survives a restart
// with its data, takes its parts with it when it is killed, and stops cleanly.
func TestDevStartsStopsAndKeepsItsState(t *testing.T) {
	t.Parallel()
	env := devEnv(t)
	first := launch(t, env, "dev", "--first-payment")
	<-first.done
	require.Zero(t, first.cmd.ProcessState.ExitCode(), first.said())
	require.Regexp(t, `first payment pay_\w+ succeeded [\d.]+ s after the start`, first.said())
	t.Log(first.said())

	second := launch(t, env, "dev")
	eventually(t, "it is up again", isUp(second))
	raw, err := os.ReadFile(filepath.Join(env["PAYSAGA_STATE"], "demo.json"))
	require.NoError(t, err)
	var demo created
	require.NoError(t, json.Unmarshal(raw, &demo))
	at := "http://" + env["PAYSAGA_HTTP_ADDRESS"]
	code, list := call(t, http.MethodGet, at+"/v1/payments", demo.APIKey, "")
	require.Equal(t, http.StatusOK, code)
	require.Len(t, list["data"], 1, "the payment of the first run is there, and so is its merchant's key")
	for _, shown := range []string{demo.APIKey, at + "/v1/payments", "127.0.0.1:" + env["PAYSAGA_UI_PORT"], "curl"} {
		require.Contains(t, second.said(), shown)
	}
	private(t, env["PAYSAGA_STATE"])
	taken := launch(t, env, "dev")
	<-taken.done
	require.Equal(t, 1, taken.cmd.ProcessState.ExitCode())
	eventually(t, "it says which port is taken", func() bool { return strings.Contains(taken.said(), "port is taken") })

	require.NoError(t, second.cmd.Process.Kill())
	<-second.done
	for _, address := range []string{env["PAYSAGA_HTTP_ADDRESS"], env["PAYSAGA_SANDBOX_ADDRESS"], "127.0.0.1:" + env["PAYSAGA_TEMPORAL_PORT"], "127.0.0.1:" + env["PAYSAGA_POSTGRES_PORT"]} {
		eventually(t, address+" is let go", func() bool {
			c, err := net.Dial("tcp", address)
			if err == nil {
				_ = c.Close()
			}
			return err != nil
		})
	}
	third := launch(t, env, "dev")
	eventually(t, "it comes up after a kill", isUp(third))
	require.NoError(t, third.cmd.Process.Signal(syscall.SIGINT))
	<-third.done
	require.Zero(t, third.cmd.ProcessState.ExitCode())
	eventually(t, "it says so", func() bool { return strings.Contains(third.said(), "everything has stopped") })
}

// private checks that files with keys are readable by their owner alone.
func private(t *testing.T, state string) {
	t.Helper()
	for _, name := range []string{"settings.json", "demo.json"} {
		info, err := os.Stat(filepath.Join(state, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
}
