package storetest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// child makes this test binary start a server, say where it is, and wait to be killed.
const child = "PAYSAGA_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) == "" {
		os.Exit(m.Run())
	}
	address, err := launch()
	fmt.Println(address, err)
	select {}
}

func TestTheServerEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "<nil>", "it started")
	_, dir, found := strings.Cut(strings.Fields(line)[0], "host=")
	require.True(t, found)
	dir = strings.ReplaceAll(dir, "%2F", "/")
	require.DirExists(t, dir)

	require.NoError(t, cmd.Process.Kill()) // SIGKILL: it can't clean up
	_ = cmd.Wait()
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	}, time.Minute, 10*time.Millisecond, "the server and its folder go with the process")
}

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	a, b := Open(t), Open(t)
	_, err := a.Owner.Exec(t.Context(), "INSERT INTO operators VALUES ('opr_a', 'A', decode(repeat('00', 32), 'hex'), now())")
	require.NoError(t, err)
	var n int
	require.NoError(t, b.Owner.QueryRow(t.Context(), "SELECT count(*) FROM operators").Scan(&n))
	require.Zero(t, n)
}
