package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// strays are processes of an earlier PostgreSQL on this data folder: each of
// them works in it. Since we hold the state's lock, none of them has a master.
func strays(dataDir string) []int {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	var pids []int
	for _, link := range links {
		if at, err := os.Readlink(link); err != nil || at != dataDir {
			continue
		}
		dir := filepath.Dir(link)
		name, _ := os.ReadFile(filepath.Join(dir, "comm"))
		pid, err := strconv.Atoi(filepath.Base(dir))
		// A shell that a person opened there is none of ours.
		if err == nil && (string(name) == "postgres\n" || string(name) == "initdb\n") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// stopStrays ends an orphaned PostgreSQL (the devstack before was killed) and
// waits until it is gone. What it had committed stays.
func stopStrays(dataDir string, say func(string, ...any)) error {
	pids := strays(dataDir)
	if len(pids) == 0 {
		return dropStaleLocks(dataDir)
	}
	say("an earlier PostgreSQL still runs on this data (pid %d): stopping it", pids[0])
	signals := []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL}
	for _, signal := range signals {
		for _, pid := range strays(dataDir) {
			_ = syscall.Kill(pid, signal) // it may have ended by itself
		}
		if waitUntil(5*time.Second, func() bool { return len(strays(dataDir)) == 0 }) {
			return dropStaleLocks(dataDir)
		}
	}
	return fmt.Errorf("an earlier PostgreSQL (pid %v) on %s does not stop: end it by hand", strays(dataDir), dataDir)
}

// dropStaleLocks removes the pid file of a killed server, and its socket's.
// PostgreSQL would otherwise refuse to start if another program has got that
// pid by now, or if nobody has taken note of the killed one's end yet.
func dropStaleLocks(dataDir string) error {
	sockets, _ := filepath.Glob(filepath.Join(dataDir, ".s.PGSQL.*.lock"))
	for _, path := range append(sockets, filepath.Join(dataDir, "postmaster.pid")) {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

// waitUntil polls a condition that nothing announces; false when time is up.
func waitUntil(limit time.Duration, reached func() bool) bool {
	deadline := time.Now().Add(limit)
	for !reached() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return true
}
