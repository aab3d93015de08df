package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Free ports are looked for below the range that the kernel hands to outgoing
// connections (32768 and up), so that no passing connection can take one between two starts.
const (
	freePortFrom = 15000
	freePortTo   = 32000
)

// portBook hands out ports and holds a file lock on each, so that stacks that
// start at the same moment never choose the same one.
type portBook struct {
	dir  string
	held []*os.File
}

func newPortBook() (*portBook, error) {
	// One folder per user: a shared one would need files that others may open.
	dir := filepath.Join(os.TempDir(), "paysaga-ports-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot note the ports in use: %w", err)
	}
	return &portBook{dir: dir}, nil
}

func (b *portBook) release() {
	for _, f := range b.held {
		unlock(f)
	}
	b.held = nil
}

// claim takes a port if nothing listens on it and no other stack holds it.
func (b *portBook) claim(port int) error {
	f, err := os.OpenFile(filepath.Join(b.dir, strconv.Itoa(port)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return errors.New("another devstack holds it")
	}
	if err := listenable(port); err != nil {
		unlock(f)
		return err
	}
	b.held = append(b.held, f)
	return nil
}

// listenable reports nil if a server could listen on the loopback port now.
func listenable(port int) error {
	// No fork meanwhile: its child would share the socket, and keep the port for a moment after we close it.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err == nil {
		return l.Close()
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	if owner := listenerOf(port); owner != "" {
		return errors.New("it is in use by " + owner)
	}
	return errors.New("it is in use by another program")
}

// choose gives the wanted port; for 0 the remembered one if it is free still, else a new one.
func (b *portBook) choose(w wantedPort, remembered int) (int, error) {
	if w.number != 0 {
		if err := b.claim(w.number); err != nil {
			return 0, fmt.Errorf("port %d cannot be used: %w; stop that, or choose another with --%s (0 chooses a free one)", w.number, err, w.flag)
		}
		return w.number, nil
	}
	if remembered != 0 && b.claim(remembered) == nil {
		return remembered, nil
	}
	const tries = 1000
	for range tries {
		port := freePortFrom + rand.IntN(freePortTo-freePortFrom)
		if b.claim(port) == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("found no free port between %d and %d in %d tries", freePortFrom, freePortTo, tries)
}
