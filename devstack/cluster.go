package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A cluster is made in a folder of another name and renamed once initdb has
// finished: so STATE/postgres is either absent or whole, after any crash, and
// only folders that never held a finished cluster are ever removed.
const (
	clusterName = "postgres"
	makingName  = "postgres.making"
)

// privateHomes are tried when the state folder lies where the owner cannot go
// (a clone in a private home). STATE/postgres is then a link into one of them.
var privateHomes = []string{"/var/lib/paysaga", "/var/tmp/paysaga"}

// existingCluster returns the real folder and major version of a finished
// cluster, or "" when there is none yet. A folder that is neither is left alone.
func existingCluster(stateDir string) (dir string, major int, err error) {
	link := filepath.Join(stateDir, clusterName)
	if _, err := os.Lstat(link); errors.Is(err, fs.ErrNotExist) {
		return "", 0, nil
	}
	dir, err = filepath.EvalSymlinks(link)
	if err != nil {
		return "", 0, fmt.Errorf("PostgreSQL's data is not where %s points (%w): bring it back, or remove %s to start anew", link, err, stateDir)
	}
	if os.Remove(dir) == nil { // only an empty folder goes
		return "", 0, nil
	}
	text, errV := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	_, errC := os.Stat(filepath.Join(dir, "global", "pg_control"))
	major, errN := strconv.Atoi(strings.TrimSpace(string(text)))
	if err := errors.Join(errV, errC, errN); err != nil {
		return "", 0, fmt.Errorf("%s is not a whole PostgreSQL data folder (%s): devstack doesn't touch it; move it away, or choose another --state",
			dir, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return dir, major, nil
}

// makeCluster runs initdb in home and returns the folder of the new cluster.
func makeCluster(cfg Config, home string, b binaries, own owner, say func(string, ...any)) (string, error) {
	making, done := filepath.Join(home, makingName), filepath.Join(home, clusterName)
	if _, err := os.Stat(making); err == nil {
		say("removing a half-made data folder: initdb never finished in %s", making)
		// The initdb of a devstack killed a moment ago may be at work still.
		if err := errors.Join(stopStrays(making, say), os.RemoveAll(making)); err != nil {
			return "", err
		}
	}
	if err := errors.Join(os.Mkdir(making, 0o700), own.give(making)); err != nil {
		return "", err
	}
	if err := initdb(making, b, own, cfg.Fsync); err != nil {
		return "", err
	}
	if err := os.Rename(making, done); err != nil {
		return "", err
	}
	if home != cfg.StateDir {
		if err := os.Symlink(done, filepath.Join(cfg.StateDir, clusterName)); err != nil {
			return "", err
		}
	}
	return done, syncDir(home)
}

func initdb(dir string, b binaries, own owner, fsync bool) error {
	args := []string{"-D", dir, "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C"}
	if !fsync {
		args = append(args, "--no-sync")
	}
	cmd := exec.Command(b.initdb(), args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, postgresEnv(dir), own.attributes(syscall.SIGKILL)
	text, err := runChild(cmd)
	if err != nil {
		return fmt.Errorf("initdb failed: %s", lastLine(text, err.Error()))
	}
	return nil
}

// clusterHome is the folder that the cluster's folder is made in.
func clusterHome(stateDir string, homes []string, own owner, say func(string, ...any)) (string, error) {
	if own.reaches(stateDir) {
		return stateDir, nil
	}
	dropAbandonedHomes(homes)
	id := make([]byte, 6)
	_, _ = rand.Read(id) // never fails
	var errs []error
	for _, base := range homes {
		home := filepath.Join(base, hex.EncodeToString(id))
		if err := os.MkdirAll(home, 0o755); err != nil {
			errs = append(errs, err)
			continue
		}
		if !own.reaches(home) {
			errs = append(errs, fmt.Errorf("user %s cannot reach %s", own.name, home))
			continue
		}
		// Also for a person who wonders whose data this is.
		if err := os.WriteFile(filepath.Join(home, homeNote), []byte(stateDir+"\n"), 0o644); err != nil {
			return "", err
		}
		say("user %s cannot reach %s, so PostgreSQL's data goes to %s", own.name, stateDir, home)
		return home, nil
	}
	return "", fmt.Errorf("no folder for PostgreSQL's data: %w; choose a --state that user %s can reach", errors.Join(errs...), own.name)
}

const homeNote = "state" // a file in a private home: the state folder it belongs to

// dropAbandonedHomes removes the data of states that lay in the temp folder and
// are gone: tests leave those behind. Any other home stays until a person removes it.
func dropAbandonedHomes(homes []string) {
	for _, base := range homes {
		notes, _ := filepath.Glob(filepath.Join(base, "*", homeNote))
		for _, note := range notes {
			text, err := os.ReadFile(note)
			state := strings.TrimSpace(string(text))
			if err != nil || !strings.HasPrefix(state, os.TempDir()+string(filepath.Separator)) {
				continue
			}
			home := filepath.Dir(note)
			_, err = os.Lstat(state)
			if errors.Is(err, fs.ErrNotExist) && len(strays(filepath.Join(home, clusterName))) == 0 {
				_ = os.RemoveAll(home) // tried again at the next chance
			}
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lastLine picks what to show of a program's output: its last line that tells of
// a failure, else its last line.
func lastLine(text, otherwise string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	slices.Reverse(lines)
	for _, mark := range []string{"FATAL:", "PANIC:", "error:", ""} {
		for _, line := range lines {
			if line = strings.TrimSpace(line); line != "" && strings.Contains(line, mark) {
				return line
			}
		}
	}
	return otherwise
}
