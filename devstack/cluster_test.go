package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExistingCluster(t *testing.T) {
	t.Parallel()
	t.Run("none yet", func(t *testing.T) {
		t.Parallel()
		if dir, _, err := existingCluster(realTemp(t)); err != nil || dir != "" {
			t.Errorf("got %q, %v", dir, err)
		}
	})
	t.Run("an empty folder is none", func(t *testing.T) {
		t.Parallel()
		state := realTemp(t)
		mkdir(t, filepath.Join(state, clusterName))
		if dir, _, err := existingCluster(state); err != nil || dir != "" {
			t.Errorf("got %q, %v", dir, err)
		}
	})
	t.Run("whole", func(t *testing.T) {
		t.Parallel()
		state := realTemp(t)
		want := wholeCluster(t, filepath.Join(state, clusterName))
		if dir, major, err := existingCluster(state); err != nil || dir != want || major != 15 {
			t.Errorf("got %q, %d, %v", dir, major, err)
		}
	})
	t.Run("whole, behind a link", func(t *testing.T) {
		t.Parallel()
		state, home := realTemp(t), realTemp(t)
		want := wholeCluster(t, filepath.Join(home, clusterName))
		if err := os.Symlink(want, filepath.Join(state, clusterName)); err != nil {
			t.Fatal(err)
		}
		if dir, _, err := existingCluster(state); err != nil || dir != want {
			t.Errorf("got %q, %v", dir, err)
		}
		if err := os.RemoveAll(want); err != nil {
			t.Fatal(err)
		}
		if _, _, err := existingCluster(state); err == nil || !strings.Contains(err.Error(), "not where") {
			t.Errorf("a link to nothing: %v", err)
		}
	})
	t.Run("damaged is left alone", func(t *testing.T) {
		t.Parallel()
		state := realTemp(t)
		dir := wholeCluster(t, filepath.Join(state, clusterName))
		if err := os.Remove(filepath.Join(dir, "global", "pg_control")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := existingCluster(state); err == nil || !strings.Contains(err.Error(), "not a whole PostgreSQL data folder") {
			t.Errorf("got %v", err)
		}
		if _, err := os.Stat(filepath.Join(dir, "PG_VERSION")); err != nil {
			t.Error("the damaged folder was touched: ", err)
		}
	})
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func wholeCluster(t *testing.T, dir string) string {
	t.Helper()
	write(t, filepath.Join(dir, "PG_VERSION"), "15\n")
	write(t, filepath.Join(dir, "global", "pg_control"), "x")
	return dir
}

// stranger is a user who owns nothing here.
var stranger = owner{uid: 4_000_000, gid: 4_000_000, name: "stranger", dropped: true}

// openTemp is a temp folder that every user may enter; closed is one that only we may.
func openTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "devstack-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReaches(t *testing.T) {
	t.Parallel()
	open := openTemp(t)
	private := filepath.Join(open, "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(private, "below")
	mkdir(t, below)
	if !stranger.reaches(open) {
		t.Errorf("%s is open to all", open)
	}
	for _, dir := range []string{private, below, filepath.Join(open, "missing")} {
		if stranger.reaches(dir) {
			t.Errorf("nobody but us gets to %s", dir)
		}
	}
	if us := (owner{}); !us.reaches(below) {
		t.Error("without a change of user every folder is reached")
	}
}

func TestClusterHome(t *testing.T) {
	t.Parallel()
	open, homes := openTemp(t), filepath.Join(openTemp(t), "homes")
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }

	home, err := clusterHome(open, []string{homes}, stranger, say)
	if err != nil || home != open || len(said) != 0 {
		t.Errorf("a state within reach: got %q, %v, said %q", home, err, said)
	}
	private := filepath.Join(open, "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	home, err = clusterHome(private, []string{filepath.Join(private, "no"), homes}, stranger, say)
	if err != nil || filepath.Dir(home) != homes || len(said) != 1 || !strings.Contains(said[0], "stranger cannot reach "+private) {
		t.Errorf("a state out of reach: got %q, %v, said %q", home, err, said)
	}
	if _, err := clusterHome(private, []string{private}, stranger, say); err == nil || !strings.Contains(err.Error(), "choose a --state") {
		t.Errorf("nowhere to go: %v", err)
	}

	// The state was in the temp folder and is gone: so is its home, at the next chance.
	if err := os.RemoveAll(private); err != nil {
		t.Fatal(err)
	}
	dropAbandonedHomes([]string{homes})
	if _, err := os.Stat(home); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", home, err)
	}
}

func TestOtherHomesAreNeverDropped(t *testing.T) {
	t.Parallel()
	homes := realTemp(t)
	elsewhere, alive := filepath.Join(homes, "elsewhere"), filepath.Join(homes, "alive")
	write(t, filepath.Join(elsewhere, homeNote), "/srv/gone/.paysaga\n")
	write(t, filepath.Join(alive, homeNote), homes+"\n")
	dropAbandonedHomes([]string{homes})
	for _, home := range []string{elsewhere, alive} {
		if _, err := os.Stat(home); err != nil {
			t.Error(err)
		}
	}
}

func TestSocketFolderIsShortEnough(t *testing.T) {
	t.Parallel()
	short := "/srv/paysaga/.paysaga/postgres"
	if dir, err := socketDir(short, owner{}); err != nil || dir != short {
		t.Errorf("got %q, %v", dir, err)
	}
	dir, err := socketDir("/"+strings.Repeat("long/", 30), owner{})
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir)
	if len(dir)+len("/.s.PGSQL.65535") > 107 {
		t.Errorf("%q is too long for a socket's address", dir)
	}
}

func TestLastLine(t *testing.T) {
	t.Parallel()
	text := "creating …\ninitdb: error: no space left\ninitdb: removing contents of data directory\n\n"
	if got := lastLine(text, "?"); got != "initdb: error: no space left" {
		t.Errorf("got %q", got)
	}
	if got := lastLine(" \n", "?"); got != "?" {
		t.Errorf("got %q", got)
	}
}
