package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A killed server's locks must not stop the next one, although their pid is in
// use: by another program, or by the killed one, whose end nobody has taken
// note of.
func TestStaleLocksGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stale := []string{"postmaster.pid", ".s.PGSQL.5433.lock"}
	for _, name := range append(stale, "PG_VERSION") {
		if err := os.WriteFile(filepath.Join(dir, name), fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // there may be none
		if err := stopStrays(dir, t.Logf); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range stale {
		if _, err := os.Stat(filepath.Join(dir, name)); !os.IsNotExist(err) {
			t.Errorf("%s still stands: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "PG_VERSION")); err != nil {
		t.Error(err)
	}
}
