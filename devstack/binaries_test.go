package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeMachine is a machine with some installations of PostgreSQL.
type fakeMachine struct {
	root   string
	path   string // bin folder on PATH
	config string // what pg_config answers
	global string // npm root -g
	asked  []string
}

func (m *fakeMachine) finder() binaryFinder {
	return binaryFinder{
		cwd: filepath.Join(m.root, "clone", "deep"),
		lookPath: func(name string) (string, error) {
			if m.path == "" {
				return "", errors.New("not on PATH")
			}
			return filepath.Join(m.path, name), nil
		},
		glob: func(pattern string) ([]string, error) { return filepath.Glob(m.root + pattern) },
		output: func(name string, args ...string) (string, error) {
			m.asked = append(m.asked, filepath.Base(name))
			switch {
			case name == "pg_config" && m.config != "":
				return m.config, nil
			case name == "npm" && m.global != "":
				return m.global, nil
			case len(args) == 1 && args[0] == "--version":
				text, err := os.ReadFile(name)
				return string(text), err
			}
			return "", errors.New("not there")
		},
	}
}

// install puts binaries of a version below the machine's root; an npm package if it has a list of links.
func (m *fakeMachine) install(t *testing.T, version string, at ...string) string {
	t.Helper()
	dir := filepath.Join(append([]string{m.root}, at...)...)
	write(t, filepath.Join(dir, "initdb"), "")
	write(t, filepath.Join(dir, "postgres"), "postgres (PostgreSQL) "+version)
	return dir
}

func (m *fakeMachine) installNPM(t *testing.T, version string, nodeModules ...string) string {
	t.Helper()
	at := append(nodeModules, filepath.FromSlash(npmPackage()), "native", "bin")
	dir := m.install(t, version, at...)
	native := filepath.Dir(dir)
	write(t, filepath.Join(native, "lib", "libpq.so.5.18"), "library")
	write(t, filepath.Join(native, symlinkList), `[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so.5"}]`)
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// realTemp is a temp folder without symbolic links in its path.
func realTemp(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLookupOrder(t *testing.T) {
	t.Parallel()
	m := &fakeMachine{root: realTemp(t)}
	expect := func(spec, want string) {
		t.Helper()
		b, err := m.finder().find(spec, 0)
		if err != nil || b.dir != want {
			t.Errorf("%q: got %q (%v), want %q", spec, b.dir, err, want)
		}
	}
	m.global = filepath.Join(m.root, "global")
	globalNPM := m.installNPM(t, "18.4", "global")
	expect("", globalNPM)

	localNPM := m.installNPM(t, "18.4", "clone", "node_modules")
	expect("", localNPM)

	m.config = m.install(t, "16.1 (Debian)", "elsewhere", "bin")
	expect("", m.config)

	m.install(t, "9.6.1", "usr", "lib", "postgresql", "9.6", "bin") // too old, and not to be sorted as text
	m.install(t, "15.14", "usr", "lib", "postgresql", "15", "bin")
	newest := m.install(t, "17.2", "usr", "lib", "postgresql", "17", "bin")
	expect("", newest)

	m.path = m.install(t, "16.9", "opt", "bin")
	expect("", m.path)

	expect("system", m.path)
	expect("npm", localNPM)
	own := m.install(t, "15.0", "mine", "bin")
	expect(own, own)
	expect(filepath.Dir(own), own)
}

func TestLookupFollowsTheLinkOnPath(t *testing.T) {
	t.Parallel()
	m := &fakeMachine{root: realTemp(t)}
	real := m.install(t, "16.9", "real", "bin")
	m.path = filepath.Join(m.root, "links")
	if err := os.Mkdir(m.path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(real, "postgres"), filepath.Join(m.path, "postgres")); err != nil {
		t.Fatal(err)
	}
	b, err := m.finder().find("", 0)
	if err != nil || b.dir != real {
		t.Errorf("got %q, %v", b.dir, err)
	}
}

func TestLookupTakesTheClustersVersion(t *testing.T) {
	t.Parallel()
	m := &fakeMachine{root: realTemp(t)}
	m.install(t, "17.2", "usr", "lib", "postgresql", "17", "bin")
	older := m.install(t, "15.14", "usr", "lib", "postgresql", "15", "bin")
	b, err := m.finder().find("", 15)
	if err != nil || b.dir != older || b.full != "15.14" {
		t.Errorf("got %+v, %v", b, err)
	}
	_, err = m.finder().find("", 16)
	if err == nil || !strings.Contains(err.Error(), "made by PostgreSQL 16") || !strings.Contains(err.Error(), "postgresql-16") {
		t.Errorf("got %v", err)
	}
}

func TestLookupSaysWhatToInstall(t *testing.T) {
	t.Parallel()
	m := &fakeMachine{root: realTemp(t)}
	_, err := m.finder().find("", 0)
	for _, want := range []string{"no PostgreSQL server found", "apt-get install postgresql", "npm install " + npmPackage()} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	m.install(t, "14.1", "usr", "lib", "postgresql", "14", "bin")
	if _, err = m.finder().find("", 0); err == nil || !strings.Contains(err.Error(), "15 is the oldest that works") {
		t.Errorf("got %v", err)
	}
	if _, err = m.finder().find("/nowhere", 0); err == nil || !strings.Contains(err.Error(), "--postgres-bin") {
		t.Errorf("got %v", err)
	}
}

func TestLookupAsksNPMLast(t *testing.T) {
	t.Parallel()
	m := &fakeMachine{root: realTemp(t)}
	m.path = m.install(t, "16.9", "opt", "bin")
	if _, err := m.finder().find("", 0); err != nil {
		t.Fatal(err)
	}
	for _, name := range m.asked {
		if name == "npm" {
			t.Error("npm was asked, which takes half a second, though a server is on PATH")
		}
	}
}

func TestNPMLinksAreMade(t *testing.T) {
	t.Parallel()
	m := &fakeMachine{root: realTemp(t)}
	dir := m.installNPM(t, "18.4", "node_modules")
	for range 2 { // the second time they are there
		b, err := m.finder().inspect(dir)
		if err != nil || b.major != 18 {
			t.Fatalf("got %+v, %v", b, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "lib", "libpq.so.5"))
	if err != nil || string(text) != "library" {
		t.Errorf("the link leads to %q, %v", text, err)
	}
}

func TestNPMLinksStayInThePackage(t *testing.T) {
	t.Parallel()
	m := &fakeMachine{root: realTemp(t)}
	dir := m.installNPM(t, "18.4", "node_modules")
	for _, list := range []string{
		`[{"source":"native/lib/libpq.so.5.18","target":"../../../x"}]`,
		`[{"source":"/etc/passwd","target":"native/lib/x"}]`,
		`[{"source":"native/lib/libpq.so.5.18","target":"package.json"}]`,
		`not json`,
	} {
		write(t, filepath.Join(filepath.Dir(dir), symlinkList), list)
		if _, err := m.finder().inspect(dir); err == nil {
			t.Errorf("accepted %s", list)
		}
	}
}
