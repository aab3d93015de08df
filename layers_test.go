// Package paysaga_test holds the house in order: who may import whom.
package paysaga_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	pathpkg "path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layer is a group of packages with the same rights.
type layer struct {
	name string
	of   []string // import paths below paysaga/; a trailing /* is one or more further elements, any other * is one
	// may lists the layers it imports, besides itself.
	may []string
	// never lists packages that it doesn't import by itself. Standard packages
	// can only be judged so: fmt brings os and time to everybody.
	never []string
	// neverAtAll lists modules that are nowhere below it either.
	neverAtAll []string
	// calls lists functions that its files don't mention.
	calls []string
}

const (
	pgx      = "github.com/jackc/pgx/v5"
	temporal = "go.temporal.io/sdk"
	server   = "go.temporal.io/server"
	echo     = "github.com/labstack/echo/v4"
)

var (
	outside = []string{"net/http", "os", "os/exec", "log", "log/slog", "database/sql"}
	chance  = []string{"math/rand", "math/rand/v2", "crypto/rand", "github.com/google/uuid"}
	clocks  = []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc", "time.Tick", "time.NewTimer", "time.NewTicker"}
	environ = []string{"os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv"}
)

func join(lists ...[]string) []string { return slices.Concat(lists...) }

// layers is the table of ARCHITECTURE.md. A package that no layer holds fails
// the test: a new one says where it belongs.
var layers = []layer{
	{name: "domain", of: []string{"domain/*"}, never: join(outside, chance, []string{"net", "context", "sync"}),
		neverAtAll: []string{pgx, temporal, echo}, calls: clocks},
	{name: "contract", of: []string{"channels"}, may: []string{"domain"}, never: join(outside, chance),
		neverAtAll: []string{pgx, temporal, echo}, calls: clocks},
	{name: "activities", of: []string{"activities"}, may: []string{"domain", "contract"},
		never: []string{"net/http", "os", "database/sql"}, neverAtAll: []string{pgx, echo}, calls: environ},
	{name: "workflows", of: []string{"workflows"}, may: []string{"activities", "domain", "contract"},
		never: join(outside, chance, []string{"sync"}), neverAtAll: []string{pgx, echo}, calls: clocks},
	{name: "workers", of: []string{"workers"}, may: []string{"workflows", "activities", "domain", "contract"},
		never: []string{"net/http", "os", "database/sql"}, neverAtAll: []string{pgx, echo}},
	{name: "api", of: []string{"api"}, may: []string{"domain", "contract"}, never: []string{"database/sql"},
		neverAtAll: []string{pgx, temporal}, calls: environ},
	{name: "client", of: []string{"api/client"}, may: []string{"domain"}, neverAtAll: []string{pgx, temporal, echo}, calls: environ},
	{name: "store", of: []string{"store", "store/migrations", "store/throwaway"}, may: []string{"domain", "contract"},
		never: []string{"net/http"}, neverAtAll: []string{temporal, echo}, calls: environ},
	{name: "audit", of: []string{"audit"}, may: []string{"domain"}, never: []string{"net/http"},
		neverAtAll: []string{temporal, echo}, calls: environ},
	{name: "wire", of: []string{"channels/wire"}, may: []string{"domain"}, neverAtAll: []string{pgx, temporal, echo}, calls: environ},
	{name: "adapter", of: []string{"channels/alipay", "channels/bank", "channels/paypal", "channels/sandbox", "channels/stripe", "channels/wechatpay"}, may: []string{"domain", "contract", "wire"},
		never: []string{"log", "log/slog", "os"}, neverAtAll: []string{pgx, temporal, echo}},
	{name: "webhook", of: []string{"webhook"}, may: []string{"domain"}, never: []string{"log", "log/slog", "os"},
		neverAtAll: []string{pgx, temporal, echo}, calls: environ},
	{name: "notify", of: []string{"notify"}, may: []string{"domain"}, never: []string{"log", "log/slog", "os"},
		neverAtAll: []string{pgx, temporal, echo}, calls: environ},
	{name: "statement", of: []string{"statement"}, may: []string{"domain", "contract"}, never: []string{"log", "log/slog", "net/http", "database/sql"},
		neverAtAll: []string{pgx, temporal, echo}, calls: environ},
	{name: "sandbox server", of: []string{"channels/sandbox/server"}, neverAtAll: []string{pgx, temporal, echo}, calls: environ},
	{name: "export", of: []string{"export"}, may: []string{"domain"}, never: []string{"net/http", "os", "database/sql"},
		neverAtAll: []string{pgx, temporal, echo}, calls: join(environ, clocks)},
	{name: "bench", of: []string{"bench", "bench/*"}, may: []string{"api", "client", "workers", "workflows", "activities", "store", "audit",
		"domain", "contract", "wire", "adapter"}, calls: environ},
	{name: "cmd", of: []string{"cmd/*"}, may: []string{"api", "client", "workers", "workflows", "activities", "store", "audit", "domain",
		"contract", "wire", "adapter", "webhook", "notify", "sandbox server", "bench", "export", "statement"}},
	// What only tests import. No layer above may.
	{name: "tests", of: []string{".", "channels/channeltest", "channels/oracletest", "channels/*/fake", "drill/*", "notify/fake", "store/storetest"},
		may: []string{"api", "client", "workers", "workflows", "activities", "store", "audit", "domain", "contract", "wire", "adapter", "webhook", "notify",
			"sandbox server", "bench", "statement"}},
}

// pkg is what `go list` says of a package.
type pkg struct {
	ImportPath, Dir        string
	GoFiles, Imports, Deps []string
}

const module = "paysaga"

// below is a package's path inside the module.
func below(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

func ours(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

func layerOf(path string) *layer {
	for i, l := range layers {
		for _, pattern := range l.of {
			base, deep := strings.CutSuffix(pattern, "/*")
			if one, _ := pathpkg.Match(pattern, path); one || deep && strings.HasPrefix(path, base+"/") {
				return &layers[i]
			}
		}
	}
	return nil
}

// within says whether path is the package or module, or below it.
func within(path, of string) bool { return path == of || strings.HasPrefix(path, of+"/") }

// judge returns every edge that the table doesn't allow.
func judge(packages []pkg) (wrong []string) {
	for _, p := range packages {
		l := layerOf(below(p.ImportPath))
		if l == nil {
			wrong = append(wrong, p.ImportPath+" belongs to no layer")
			continue
		}
		for _, path := range p.Imports {
			if ours(path) {
				if to := layerOf(below(path)); to == nil || to.name != l.name && !slices.Contains(l.may, to.name) {
					wrong = append(wrong, fmt.Sprintf("%s (%s) imports %s", p.ImportPath, l.name, path))
				}
			} else if slices.Contains(l.never, path) {
				wrong = append(wrong, fmt.Sprintf("%s (%s) imports %s", p.ImportPath, l.name, path))
			}
		}
		for _, path := range p.Deps {
			for _, no := range append([]string{server}, l.neverAtAll...) {
				if within(path, no) {
					wrong = append(wrong, fmt.Sprintf("%s (%s) pulls in %s", p.ImportPath, l.name, path))
				}
			}
		}
	}
	return wrong
}

// mentions returns where source mentions one of the functions ("time.Now").
func mentions(name string, source any, functions []string) ([]string, error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	imported := map[string]string{} // name in this file → import path
	for _, i := range f.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		local := path[strings.LastIndexByte(path, '/')+1:]
		if i.Name != nil {
			local = i.Name.Name
		}
		imported[local] = path
	}
	var found []string
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && slices.Contains(functions, imported[x.Name]+"."+s.Sel.Name) {
				found = append(found, fmt.Sprintf("%s mentions %s.%s", set.Position(s.Pos()), x.Name, s.Sel.Name))
			}
		}
		return true
	})
	return found, nil
}

// list is `go list -deps -json ./...`, our own packages of it.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,GoFiles,Imports,Deps", "./...")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, said.String())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if ours(p.ImportPath) {
			all = append(all, p)
		}
	}
}

func TestLayers(t *testing.T) {
	t.Parallel()
	packages := list(t)
	if len(packages) < 20 {
		t.Fatalf("go list found %d packages of ours", len(packages))
	}
	for _, line := range judge(packages) {
		t.Error(line)
	}
	for _, p := range packages {
		l := layerOf(below(p.ImportPath))
		if l == nil || len(l.calls) == 0 {
			continue
		}
		for _, file := range p.GoFiles {
			found, err := mentions(filepath.Join(p.Dir, file), nil, l.calls)
			if err != nil {
				t.Error(err)
			}
			for _, line := range found {
				t.Errorf("%s (%s)", line, l.name)
			}
		}
	}
}

// Folders that `go list` leaves out, for want of anything but tests, are held too.
func TestEveryFolderOfCodeIsInALayer(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != "." && (strings.HasPrefix(name, ".") || name == "testdata" || path == "devstack" || name == "node_modules") {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, ".go") && layerOf(filepath.ToSlash(filepath.Dir(path))) == nil {
			t.Errorf("%s is in no layer", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A test that can't fail proves nothing: each rule is broken once.
func TestLayersSeesWhatIsForbidden(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]pkg{
		"domain imports a clock's neighbour": {ImportPath: "paysaga/domain/money", Imports: []string{"os"}},
		"domain imports the contract":        {ImportPath: "paysaga/domain/payment", Imports: []string{"paysaga/channels"}},
		"domain draws lots":                  {ImportPath: "paysaga/domain/id", Imports: []string{"math/rand/v2"}},
		"the contract speaks HTTP":           {ImportPath: "paysaga/channels", Imports: []string{"net/http"}},
		"a saga imports an adapter":          {ImportPath: "paysaga/workflows", Imports: []string{"paysaga/channels/sandbox"}},
		"a saga pulls in a driver":           {ImportPath: "paysaga/workflows", Deps: []string{"github.com/jackc/pgx/v5/pgxpool"}},
		"a step imports the store":           {ImportPath: "paysaga/activities", Imports: []string{"paysaga/store"}},
		"the API imports the store":          {ImportPath: "paysaga/api", Imports: []string{"paysaga/store"}},
		"the API pulls in Temporal":          {ImportPath: "paysaga/api", Deps: []string{"go.temporal.io/sdk/client"}},
		"the store speaks HTTP":              {ImportPath: "paysaga/store", Imports: []string{"net/http"}},
		"an adapter imports the store":       {ImportPath: "paysaga/channels/stripe", Imports: []string{"paysaga/store"}},
		"an adapter logs":                    {ImportPath: "paysaga/channels/stripe", Imports: []string{"log/slog"}},
		"the binary imports test support":    {ImportPath: "paysaga/cmd/paysaga", Imports: []string{"paysaga/store/storetest"}},
		"the core compiles Temporal":         {ImportPath: "paysaga/cmd/paysaga", Deps: []string{"go.temporal.io/server/temporal"}},
		"a package without a layer":          {ImportPath: "paysaga/util"},
	} {
		if wrong := judge([]pkg{broken}); len(wrong) != 1 {
			t.Errorf("%s: %q", name, wrong)
		}
	}
	for name, source := range map[string]string{
		"a clock":         "package x\nimport \"time\"\nvar t = time.Now()",
		"a renamed clock": "package x\nimport clock \"time\"\nvar now = clock.Now",
	} {
		if found, err := mentions("x.go", source, clocks); err != nil || len(found) != 1 {
			t.Errorf("%s: %q, %v", name, found, err)
		}
	}
	if found, err := mentions("x.go", "package x\nimport \"time\"\nvar t = time.Unix(0, 0)", clocks); err != nil || len(found) != 0 {
		t.Errorf("time.Unix: %q, %v", found, err)
	}
}
