// Package oracletest runs the independent clients of payment channels, which are npm packages, against our fakes and our
// adapters: what somebody else wrote is the judge of what we wrote.
//
// A folder holds package.json, package-lock.json with exact versions and hashes, and scripts (.mjs) that read a line of
// JSON per question from standard input and write a line of JSON per answer.
package oracletest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Required is the environment variable that makes the absence of Node, or of a way to the packages, fail the tests that
// else only say so in their log.
const Required = "PAYSAGA_ORACLES_REQUIRED"

// Oracle is a folder of scripts with its packages installed.
type Oracle struct {
	folder  string // with the scripts
	modules string // node_modules
}

// Open installs the packages of a folder, once per lock file and machine: below the user's cache folder, under a lock.
// Where Node isn't installed, or the packages can't be had, it says so in the test's log and answers false: then nothing
// was judged, and the test has to end.
func Open(t *testing.T, folder string) (*Oracle, bool) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, "Node isn't installed: no "+tool+" is on the path, so the independent client hasn't judged anything")
			return nil, false
		}
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	modules, err := install(t.Context(), folder)
	if err != nil {
		missing(t, "the independent client can't be had, and hasn't judged anything: "+err.Error())
		return nil, false
	}
	return &Oracle{folder, modules}, true
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv(Required) != "" {
		t.Fatal(what)
	}
	t.Log(what)
}

// install runs `npm ci` in a folder named by what it installs, unless that has been done.
func install(ctx context.Context, folder string) (modules string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	manifest, err := os.ReadFile(filepath.Join(folder, "package.json"))
	if err != nil {
		return "", err
	}
	lock, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append(append(manifest, 0), lock...))
	dir := filepath.Join(cache, "paysaga-oracles", hex.EncodeToString(sum[:12]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	modules, done := filepath.Join(dir, "node_modules"), filepath.Join(dir, "installed")
	if _, err := os.Stat(done); err == nil {
		return modules, nil
	}
	for name, content := range map[string][]byte{"package.json": manifest, "package-lock.json": lock} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return modules, os.WriteFile(done, nil, 0o644)
}

// lockFile waits for a lock that ends with its process.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// Run gives each question to a script of the folder, as a line of JSON, and reads as many answers into the elements of
// A. All of them go to one process. A script that fails, or answers more or fewer, fails the test.
func Run[Q, A any](t *testing.T, o *Oracle, script string, questions []Q) []A {
	t.Helper()
	var in bytes.Buffer
	for _, q := range questions {
		raw, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(raw, '\n'))
	}
	out := o.run(t, script, &in)
	answers := make([]A, 0, len(questions))
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var a A
		if err := d.Decode(&a); err != nil {
			t.Fatalf("%s: its answer %d can't be read: %v", script, len(answers)+1, err)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(questions) {
		t.Fatalf("%s answered %d of %d questions", script, len(answers), len(questions))
	}
	return answers
}

// run starts node on a copy of the folder's scripts beside a link to the packages: imports are found from where a script
// really lies.
func (o *Oracle) run(t *testing.T, script string, in *bytes.Buffer) []byte {
	t.Helper()
	dir := t.TempDir()
	scripts, err := filepath.Glob(filepath.Join(o.folder, "*.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range scripts {
		raw, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(path)), raw, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(o.modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", script)
	cmd.Dir, cmd.Stdin = dir, in
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node %s: %v: %s", script, err, said.String())
	}
	return out
}
