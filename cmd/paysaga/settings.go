package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// A setting is a flag with a tag `setting:"PAYSAGA_…"`. It takes its value from
// the flag, else the environment, else the settings file, else its default.
// The tag `secret` says how it is masked: "url" masks a URL's password, "all"
// everything.

// defaultSettings is where `paysaga dev` leaves its settings, so that every
// command works beside it without further words.
const defaultSettings = ".paysaga/settings.json"

// settings are the values outside the command line.
type settings struct {
	env  map[string]string
	path string // of the file; empty: none was read
	file map[string]string
}

// variable is the PAYSAGA_ variable of a flag, or empty.
func variable(flag *kong.Value) string { return flag.Tag.Get("setting") }

// load reads the settings file. It runs before the flags are parsed, because
// they take their values from it.
func (s *settings) load(args []string) error {
	s.path = s.env["PAYSAGA_SETTINGS"]
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--settings="); ok {
			s.path = value
		} else if arg == "--settings" && i+1 < len(args) {
			s.path = args[i+1]
		}
	}
	wanted := s.path != ""
	if !wanted {
		s.path = defaultSettings
	}
	raw, err := os.ReadFile(s.path)
	if !wanted && os.IsNotExist(err) {
		s.path = ""
		return nil
	}
	if err != nil {
		return fmt.Errorf("the settings file (PAYSAGA_SETTINGS): %w", err)
	}
	if err := json.Unmarshal(raw, &s.file); err != nil { // the text may hold secrets
		return fmt.Errorf("the settings file %s isn't a JSON object of PAYSAGA_ variables and strings", s.path)
	}
	return nil
}

// Validate has nothing to object to: kong asks resolvers.
func (s *settings) Validate(*kong.Application) error { return nil }

// Resolve answers kong's question for the value of a flag that wasn't given.
func (s *settings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if value, source := s.lookup(variable(flag.Value)); source != "" {
		return value, nil
	}
	return nil, nil
}

// lookup finds a variable, and says where. An empty source: nowhere.
func (s *settings) lookup(name string) (value, source string) {
	if name == "" {
		return "", ""
	}
	if v := s.env[name]; v != "" {
		return v, "environment"
	}
	if v := s.file[name]; v != "" {
		return v, s.path
	}
	return "", ""
}

// named adds the variable to an error that names its flag.
func (s *settings) named(err error, model *kong.Application) error {
	for _, f := range allSettings(model) {
		if name := variable(f.Value); strings.Contains(err.Error(), "--"+f.Name+":") && s.env[name]+s.file[name] != "" {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return err
}

// allSettings are the settings of all commands, each once, by name.
func allSettings(model *kong.Application) []*kong.Flag {
	byName := map[string]*kong.Flag{}
	_ = kong.Visit(model, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok && variable(f.Value) != "" {
			byName[variable(f.Value)] = f
		}
		return next(nil)
	})
	list := make([]*kong.Flag, 0, len(byName))
	for _, f := range byName {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b *kong.Flag) int { return strings.Compare(variable(a.Value), variable(b.Value)) })
	return list
}

// devstackVariables belong to devstack (see devstack/README.md) or to the
// tests: paysaga passes them on, or lets them be.
var devstackVariables = []string{"PAYSAGA_READY_FILE", "PAYSAGA_POSTGRES_BIN", "PAYSAGA_POSTGRES_PORT", "PAYSAGA_TEMPORAL_PORT",
	"PAYSAGA_UI_PORT", "PAYSAGA_NAMESPACE", "PAYSAGA_NO_UI", "PAYSAGA_FSYNC", "PAYSAGA_HISTORY_SHARDS", "PAYSAGA_VISIBILITY_FAST",
	"PAYSAGA_STOP_WITH_STDIN", "PAYSAGA_TEST_POSTGRES", "PAYSAGA_TEST_DURABLE"}

// unknown warns about PAYSAGA_ variables that nothing reads: a misspelt setting
// would be ignored in silence.
func (s *settings) unknown(model *kong.Application) []string {
	known := slices.Clone(devstackVariables)
	for _, f := range allSettings(model) {
		known = append(known, variable(f.Value))
	}
	var lines []string
	for _, from := range []struct {
		where string
		vars  map[string]string
	}{{"the environment", s.env}, {s.path, s.file}} {
		for name := range from.vars {
			if !strings.HasPrefix(name, "PAYSAGA_") || slices.Contains(known, name) {
				continue
			}
			line := fmt.Sprintf("warning: %s in %s is not a setting, and is ignored", name, from.where)
			if near := nearest(name, known); near != "" {
				line += "; did you mean " + near + "?"
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// nearest is the known name within three edits, or empty.
func nearest(name string, known []string) string {
	best, at := "", 4
	for _, k := range known {
		if d := edits(name, k); d < at {
			best, at = k, d
		}
	}
	return best
}

// edits is Levenshtein's distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			last, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, last+cost)
		}
	}
	return row[len(b)]
}

// explain is a flag's help with its variable.
func explain(v *kong.Value) string {
	if name := variable(v); name != "" {
		return strings.TrimSuffix(v.Help, ".") + " ($" + name + ")."
	}
	return v.Help
}
