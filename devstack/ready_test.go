package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestReadyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "devstack.json")
	want := Ready{PID: os.Getpid(), PostgresURL: "postgres://o@h/paysaga", AppURL: "postgres://a@h/paysaga",
		TemporalAddress: "127.0.0.1:7233", Namespace: "paysaga", StartedAt: time.Unix(1, 0).UTC()}
	if err := want.write(path); err != nil {
		t.Fatal(err)
	}
	got, err := readReady(path)
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("it may hold a password, and its mode is %v (%v)", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left beside it: %v, %v", left, err)
	}
	for range 2 {
		if err := removeReady(path); err != nil {
			t.Error(err)
		}
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "devstack.json")
	args := []string{"--state", dir, "--timeout", "30ms"}
	if err := wait(args, io.Discard); err == nil || !strings.Contains(err.Error(), "no stack is ready") {
		t.Errorf("without a file: %v", err)
	}
	dead := Ready{PID: 1 << 30} // above any pid that the kernel gives
	if err := dead.write(path); err != nil {
		t.Fatal(err)
	}
	if err := wait(args, io.Discard); err == nil {
		t.Error("the file of a killed devstack passed as ready")
	}
	if err := (Ready{PID: os.Getpid()}).write(path); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := wait(args, &out); err != nil || !strings.Contains(out.String(), strconv.Itoa(os.Getpid())) {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestStateLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := lockState(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = lockState(dir)
	for _, want := range []string{"already running", dir, "pid " + strconv.Itoa(os.Getpid())} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	first.release()
	again, err := lockState(dir)
	if err != nil {
		t.Fatal("after its release: ", err)
	}
	again.release()
}
