package fuzz

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// listed are the files of a package of the module, a line each with its folder before it; of another module's package nothing.
const listed = `{{if .Module}}{{if .Module.Main}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}
{{end}}{{range .EmbedFiles}}{{$d}}/{{.}}
{{end}}{{end}}{{end}}`

// tests are the files that only the tests of a package have, its seeds apart: a seed more takes nothing from what was tried.
const tests = `{{$d := .Dir}}{{range .TestGoFiles}}{{$d}}/{{.}}
{{end}}{{range .XTestGoFiles}}{{$d}}/{{.}}
{{end}}`

// sources is the hash of what a target fuzzes: its package, those that it stands on, its package's tests, the versions of all modules and of
// Go. What else the test's binary has in it, such as the harness of other tests, a target can't reach.
func (c Campaign) sources(ctx context.Context, t Target) (string, error) {
	root, err := filepath.Abs(c.Root)
	if err != nil {
		return "", err
	}
	files := []string{filepath.Join(root, "go.mod"), filepath.Join(root, "go.sum")}
	for _, args := range [][]string{{"-deps", "-f", listed}, {"-f", tests}} {
		cmd := exec.CommandContext(ctx, "go", append(append([]string{"list", "-e"}, args...), "./"+t.Folder)...)
		cmd.Dir = root
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("its sources can't be listed: %w", err)
		}
		files = append(files, strings.Fields(string(out))...)
	}
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	cmd.Dir = root
	version, err := cmd.Output()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s", version)
	slices.Sort(files)
	for _, path := range slices.Compact(files) {
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) && filepath.Base(path) == "go.sum" { // a module that needs no other has none
			continue
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n", filepath.ToSlash(strings.TrimPrefix(path, root)), len(raw))
		sum.Write(raw)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
