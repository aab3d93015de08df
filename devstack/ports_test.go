package main

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

func listen(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func book(t *testing.T, dir string) *portBook {
	t.Helper()
	b := &portBook{dir: dir}
	t.Cleanup(b.release)
	return b
}

func TestTakenPortNamesItsOwnerAndTheFlag(t *testing.T) {
	t.Parallel()
	port := listen(t)
	_, err := book(t, t.TempDir()).choose(wantedPort{"ui-port", port}, 0)
	for _, want := range []string{strconv.Itoa(port), "in use by pid " + strconv.Itoa(os.Getpid()), "--ui-port"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestTwoStacksNeverChooseTheSamePort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := book(t, dir), book(t, dir)
	port, err := first.choose(wantedPort{"ui-port", 0}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if port < freePortFrom || port >= freePortTo {
		t.Errorf("port %d is in the kernel's own range", port)
	}
	if err := second.claim(port); err == nil {
		t.Errorf("both hold port %d", port)
	}
	other, err := second.choose(wantedPort{"ui-port", 0}, port)
	if err != nil || other == port {
		t.Errorf("the remembered port %d is held by another stack, and yet: %d, %v", port, other, err)
	}
	first.release()
	again, err := book(t, dir).choose(wantedPort{"ui-port", 0}, port)
	if err != nil || again != port {
		t.Errorf("a remembered port that is free is kept: got %d, %v, want %d", again, err, port)
	}
}

func TestPortsAreRemembered(t *testing.T) {
	t.Parallel()
	cfg := Config{StateDir: t.TempDir()}
	dir := t.TempDir()
	first := book(t, dir)
	a, err := choosePorts(cfg, first)
	if err != nil {
		t.Fatal(err)
	}
	first.release()
	b, err := choosePorts(cfg, book(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	if a != b || a.PostgresPort == 0 || a.UIPort == 0 || a.WorkerPort == 0 {
		t.Errorf("first %+v, then %+v", a, b)
	}
}

func TestPartsThatAreLeftOutKeepTheirPorts(t *testing.T) {
	t.Parallel()
	cfg := Config{StateDir: t.TempDir()}
	before := choices{PostgresPort: 20001, UIPort: 20002}
	if err := before.save(cfg.StateDir); err != nil {
		t.Fatal(err)
	}
	cfg.NoUI, cfg.DatabaseURL = true, "postgres://u@h/db"
	after, err := choosePorts(cfg, book(t, t.TempDir()))
	if err != nil || after.PostgresPort != 20001 || after.UIPort != 20002 || after.TemporalPort == 0 {
		t.Errorf("got %+v, %v", after, err)
	}
}

func TestUnreadableChoices(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, choicesPath(dir), "{")
	if _, err := loadChoices(dir); err == nil || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("got %v", err)
	}
}
