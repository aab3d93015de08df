package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
)

// release is set by the linker for a release; otherwise the commit says it.
var release = "dev"

const (
	unknown = "unknown"
	changed = "+changes"
)

type build struct {
	Version, Commit, Go string
}

// version is what the linker and the Go tool wrote into this binary.
func version() build {
	b := build{Version: release, Commit: unknown, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			b.Commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			b.Version += changed
		}
	}
	return b
}

// tree is the commit, with a + behind it if the tree was changed since: what a measurement is of. The Go tool writes none into what it builds in
// a second work tree; there git is asked, by whoever measures in the source's own folder.
func (b build) tree() string {
	if b.Commit != unknown {
		if strings.HasSuffix(b.Version, changed) {
			return b.Commit + "+"
		}
		return b.Commit
	}
	module, err := os.ReadFile("go.mod")
	if err != nil || !strings.HasPrefix(string(module), "module paysaga\n") {
		return unknown
	}
	commit, err := exec.Command("git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*").Output()
	if err != nil {
		return unknown
	}
	return strings.TrimSpace(string(commit))
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(a *app) error {
	v := version()
	_, err := fmt.Fprintf(a.out, "paysaga %s (commit %s, %s)\n", v.Version, v.Commit, v.Go)
	return err
}
