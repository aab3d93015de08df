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
		return dropStalePID(dataDir)
	}
	say("an earlier PostgreSQL still runs on this data (pid %d): stopping it", pids[0])
	signals := []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL}
	for _, signal := range signals {
		for _, pid := range strays(dataDir) {
			_ = syscall.Kill(pid, signal) // it may have ended by itself
		}
		if waitUntil(5*time.Second, func() bool { return len(strays(dataDir)) == 0 }) {
			return dropStalePID(dataDir)
		}
	}
	return fmt.Errorf("an earlier PostgreSQL (pid %v) on %s does not stop: end it by hand", strays(dataDir), dataDir)
}

// dropStalePID removes the pid file of a killed server. PostgreSQL would
// otherwise refuse to start if another program has got that pid by now.
func dropStalePID(dataDir string) error {
	err := os.Remove(filepath.Join(dataDir, "postmaster.pid"))
	if os.IsNotExist(err) {
		return nil
	}
	return err
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
