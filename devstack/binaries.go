package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

const oldestMajor = 15 // the first PostgreSQL that paysaga's SQL is tested on

// binaries is one installation of the PostgreSQL server.
type binaries struct {
	dir   string // holds initdb and postgres
	major int
	full  string // "15.14"
	npm   string // the npm package's folder, if it is one
}

func (b binaries) initdb() string   { return filepath.Join(b.dir, "initdb") }
func (b binaries) postgres() string { return filepath.Join(b.dir, "postgres") }

// binaryFinder looks for PostgreSQL. Its fields are what a test replaces.
type binaryFinder struct {
	cwd      string
	lookPath func(string) (string, error)
	glob     func(string) ([]string, error)
	output   func(name string, args ...string) (string, error)
}

func newBinaryFinder() binaryFinder {
	cwd, _ := os.Getwd() // without one there is no node_modules to look in
	return binaryFinder{cwd: cwd, lookPath: exec.LookPath, glob: filepath.Glob, output: func(name string, args ...string) (string, error) {
		out, err := exec.Command(name, args...).Output()
		return strings.TrimSpace(string(out)), err
	}}
}

// find returns the installation to use. An existing cluster decides the major
// version (0: none yet), because PostgreSQL opens only its own.
func (f binaryFinder) find(spec string, clusterMajor int) (binaries, error) {
	var seen []string
	for _, source := range f.sources(spec) {
		for _, dir := range source() {
			b, err := f.inspect(dir)
			if err != nil {
				continue // a folder with a client only, or for another machine
			}
			if b.major >= oldestMajor && (clusterMajor == 0 || clusterMajor == b.major) {
				return b, nil
			}
			seen = append(seen, fmt.Sprintf("%s in %s", b.full, b.dir))
		}
	}
	return binaries{}, notFound(spec, clusterMajor, seen)
}

// sources are tried one by one, so that npm is asked only when the machine has no server.
func (f binaryFinder) sources(spec string) []func() []string {
	switch spec {
	case "":
		return []func() []string{f.onPath, f.installed, f.pgConfig, f.npmLocal, f.npmGlobal}
	case "system":
		return []func() []string{f.onPath, f.installed, f.pgConfig}
	case "npm":
		return []func() []string{f.npmLocal, f.npmGlobal}
	default:
		return []func() []string{func() []string { return []string{spec, filepath.Join(spec, "bin")} }}
	}
}

func notFound(spec string, clusterMajor int, seen []string) error {
	install := fmt.Sprintf("install one of:\n  apt-get install postgresql\n  npm install %s", npmPackage())
	switch {
	case len(seen) > 0 && clusterMajor != 0:
		return fmt.Errorf("the data folder was made by PostgreSQL %d, but found only %s: install postgresql-%d, or choose another --state",
			clusterMajor, strings.Join(seen, ", "), clusterMajor)
	case len(seen) > 0:
		return fmt.Errorf("found only PostgreSQL %s, and %d is the oldest that works: %s", strings.Join(seen, ", "), oldestMajor, install)
	case spec != "" && spec != "npm" && spec != "system":
		return fmt.Errorf("no initdb and postgres in %s (--postgres-bin)", spec)
	default:
		return errors.New("no PostgreSQL server found (looked at DATABASE_URL, PATH, the usual folders, pg_config, node_modules, npm root -g): " + install)
	}
}

func (f binaryFinder) onPath() []string {
	var dirs []string
	for _, name := range []string{"postgres", "initdb"} {
		path, err := f.lookPath(name)
		if err != nil {
			continue
		}
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real // the link may stand alone; initdb and share/ are beside the target
		}
		dirs = append(dirs, filepath.Dir(path))
	}
	return dirs
}

// installed lists the folders of the common packagings, newest version first.
func (f binaryFinder) installed() []string {
	var dirs []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // PostgreSQL's own RPMs
		"/usr/libexec/postgresql*",          // Alpine
		"/usr/lib/postgresql*/bin",          // openSUSE, Gentoo
		"/usr/local/pgsql*/bin",             // from source
		"/usr/local/lib/postgresql*/bin",    // BSD style
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew
		"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
	} {
		found, _ := f.glob(pattern)
		slices.SortStableFunc(found, func(a, b string) int { return majorIn(b) - majorIn(a) })
		dirs = append(dirs, found...)
	}
	return dirs
}

func (f binaryFinder) pgConfig() []string {
	dir, err := f.output("pg_config", "--bindir")
	if err != nil || dir == "" {
		return nil
	}
	return []string{dir}
}

var (
	versionIn    = regexp.MustCompile(`(\d+)[.\d]*`)
	serverAnswer = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)(\S*)`)
)

// majorIn reads the major version off a path like /usr/lib/postgresql/17/bin; 0 if it has none.
func majorIn(path string) int {
	all := versionIn.FindAllStringSubmatch(path, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(all[len(all)-1][1])
	return n
}

// inspect asks the server binary for its version, which also proves that it runs here.
func (f binaryFinder) inspect(dir string) (binaries, error) {
	b := binaries{dir: dir, npm: npmRootOf(dir)}
	if b.npm != "" {
		if err := linkLibraries(b.npm); err != nil {
			return binaries{}, err
		}
	}
	if _, err := os.Stat(b.initdb()); err != nil {
		return binaries{}, err
	}
	answer, err := f.output(b.postgres(), "--version")
	if err != nil {
		return binaries{}, err
	}
	m := serverAnswer.FindStringSubmatch(answer)
	if m == nil {
		return binaries{}, fmt.Errorf("%s --version says %q", b.postgres(), answer)
	}
	b.major, _ = strconv.Atoi(m[1])
	b.full = m[1] + m[2]
	return b, nil
}

func npmPackage() string {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return "@embedded-postgres/" + runtime.GOOS + "-" + arch
}
