package main

import (
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// compose is the part of docker-compose.yml that can be wrong about paysaga.
type compose struct {
	Services map[string]struct {
		Image       string
		Command     []string
		Environment map[string]string
		Ports       []string
		Volumes     []string
		DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
		Configs     []struct{ Source string }
		Healthcheck map[string]any
	}
	Volumes map[string]any
	Configs map[string]struct{ Content string }
}

func readCompose(t *testing.T) compose {
	t.Helper()
	raw, err := os.ReadFile("../../docker-compose.yml")
	require.NoError(t, err)
	var c compose
	require.NoError(t, yaml.Unmarshal(raw, &c))
	return c
}

var interpolation = regexp.MustCompile(`\$\{(\w+)(?::([-?])([^}]*))?\}`)

// filled puts in what compose would: defaults, and the one variable that has
// none.
func filled(t *testing.T, text string) string {
	t.Helper()
	return interpolation.ReplaceAllStringFunc(text, func(m string) string {
		part := interpolation.FindStringSubmatch(m)
		switch {
		case part[2] == "-":
			return part[3]
		case part[1] == "PAYSAGA_SEAL_KEYS" && part[2] == "?":
			return goodKey
		}
		t.Errorf("%s has no default", m)
		return ""
	})
}

// ours are the services that run the paysaga binary.
func ours(c compose) []string {
	var names []string
	for name, s := range c.Services {
		if s.Image == "paysaga" {
			names = append(names, name)
		}
	}
	return slices.Sorted(slices.Values(names))
}

// Each of our services is a command line that the binary takes, with variables
// that this command reads and settings that pass its checks.
func TestComposeRunsCommandsThatStand(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	require.Equal(t, []string{"api", "migrate", "sandbox", "worker"}, ours(c))
	for _, name := range ours(c) {
		s := c.Services[name]
		set := &settings{env: map[string]string{}}
		for k, v := range s.Environment {
			set.env[k] = filled(t, v)
		}
		var cli commands
		p, err := newParser(&cli, set, streams{out: io.Discard, err: io.Discard})
		require.NoError(t, err)
		kctx, err := p.Parse(s.Command)
		require.NoError(t, err, name)
		require.Empty(t, set.unknown(p.Model), name)
		var reads []string
		for _, f := range kctx.Flags() {
			reads = append(reads, variable(f.Value))
		}
		for variable := range s.Environment {
			if !slices.Contains(reads, variable) && name != "migrate" { // that one runs `merchant create`, too
				t.Errorf("%s: `paysaga %s` doesn't read %s", name, s.Command[0], variable)
			}
		}
		check(t, name, kctx.Selected().Target.Addr().Interface())
	}
}

func check(t *testing.T, name string, command any) {
	t.Helper()
	var errs []error
	switch c := command.(type) {
	case *apiCommand:
		_, err := c.store()
		errs = append(errs, err, c.temporalConfig.check(), c.apiConfig.check(), c.sagaConfig.check())
	case *workerCommand:
		_, err := c.store()
		errs = append(errs, err, c.temporalConfig.check(), c.sagaConfig.check(), c.workConfig.check(c.MaxConns))
	case *migrateCommand:
		errs = append(errs, checkDatabaseURL("PAYSAGA_OWNER_URL", c.OwnerURL))
		require.NotEmpty(t, c.OwnerURL)
	case *sandboxCommand:
		errs = append(errs, checkAddress("PAYSAGA_SANDBOX_ADDRESS", c.Address))
	default:
		t.Fatalf("%s: what is %T?", name, command)
	}
	for _, err := range errs {
		require.NoError(t, err, name)
	}
}

// Every host in a variable is a service, and every port is one that it listens
// on.
func TestComposeServicesReachEachOther(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	listens := map[string]string{"postgres": "5432", "temporal": "7233", "temporal-ui": "8080", "api": portOf(t, "PAYSAGA_HTTP_ADDRESS"),
		"worker": portOf(t, "PAYSAGA_METRICS_ADDRESS"), "sandbox": portOf(t, "PAYSAGA_SANDBOX_ADDRESS")}
	for name, s := range c.Services {
		for variable, value := range s.Environment {
			address := filled(t, value)
			if u, err := url.Parse(address); err == nil && u.Host != "" {
				address = u.Host
			}
			host, port, err := net.SplitHostPort(address)
			if err != nil || variable == "PAYSAGA_SEAL_KEYS" || host == "localhost" {
				continue
			}
			require.Equal(t, listens[host], port, "%s: %s", name, variable)
		}
		for _, p := range s.Ports {
			require.True(t, strings.HasSuffix(p, ":"+listens[name]), "%s publishes %s", name, p)
		}
		for on, how := range s.DependsOn {
			require.Contains(t, c.Services, on, name)
			if how.Condition == "service_healthy" {
				require.NotEmpty(t, c.Services[on].Healthcheck, on)
			}
		}
		for _, v := range s.Volumes {
			require.Contains(t, c.Volumes, strings.Split(v, ":")[0], name)
		}
		for _, used := range s.Configs {
			require.Contains(t, c.Configs, used.Source, name)
		}
	}
}

// portOf is the port that a setting has by default.
func portOf(t *testing.T, name string) string {
	t.Helper()
	i := slices.IndexFunc(allSettings(modelOf(t)), func(f *kong.Flag) bool { return variable(f.Value) == name })
	require.GreaterOrEqual(t, i, 0, name)
	_, port, err := net.SplitHostPort(allSettings(modelOf(t))[i].Default)
	require.NoError(t, err)
	return port
}

// Compose and devstack run the same Temporal, with the same search attributes.
func TestComposeRunsTheTemporalThatIsTested(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	mod, err := os.ReadFile("../../devstack/go.mod")
	require.NoError(t, err)
	for service, of := range map[string]string{"temporal": "go.temporal.io/server v", "temporal-ui": "github.com/temporalio/ui-server/v2 v",
		"temporal-schema": "go.temporal.io/server v", "temporal-namespace": "go.temporal.io/server v"} {
		_, version, _ := strings.Cut(c.Services[service].Image, ":")
		require.Contains(t, string(mod), of+version+"\n", service)
	}
	source, err := os.ReadFile("../../workflows/visibility.go")
	require.NoError(t, err)
	script := strings.Join(c.Services["temporal-namespace"].Command, "\n")
	found := regexp.MustCompile(`NewSearchAttributeKey(\w+)\("(\w+)"\)`).FindAllStringSubmatch(string(source), -1)
	require.NotEmpty(t, found)
	kinds := map[string]string{"Keyword": "Keyword", "Bool": "Bool", "Int64": "Int"}
	for _, f := range found {
		require.Regexp(t, `\b`+f[2]+`\b`, script)
		require.Contains(t, script, "--type "+kinds[f[1]])
	}
}

func TestTheImageIsBuiltWithThisGoAndIsNotRoot(t *testing.T) {
	t.Parallel()
	docker, err := os.ReadFile("../../Dockerfile")
	require.NoError(t, err)
	mod, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(string(mod))[1]
	require.Contains(t, string(docker), "FROM golang:"+version+" AS build")
	require.Regexp(t, `(?m)^USER [1-9]\d+:[1-9]\d+$`, string(docker))
	stages := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(string(docker), -1)
	require.Len(t, stages, 2)
	require.Equal(t, "scratch", stages[1][1])
	c := readCompose(t)
	for _, s := range slices.Sorted(maps.Keys(c.Services)) {
		for _, p := range c.Services[s].Ports {
			_, port, _ := strings.Cut(p[strings.LastIndexByte(p, ':'):], ":")
			if c.Services[s].Image == "paysaga" {
				require.Regexp(t, `(?m)^EXPOSE .*\b`+port+`\b`, string(docker))
			}
		}
	}
}
