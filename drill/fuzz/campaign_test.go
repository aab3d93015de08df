package fuzz

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/drill/harness"
)

func TestTheTargetsAreFound(t *testing.T) {
	t.Parallel()
	list, err := Targets("../..")
	require.NoError(t, err)
	require.Contains(t, list, Target{"domain/money", "FuzzParse"})
	require.GreaterOrEqual(t, len(list), 7)
}

func TestWhatTheFuzzerSaysIsRead(t *testing.T) {
	t.Parallel()
	var p progress
	require.False(t, p.hear("fuzz: elapsed: 0s, gathering baseline coverage: 0/4 completed"))
	require.True(t, p.hear("fuzz: elapsed: 1m3s, execs: 102938 (3412/sec), new interesting: 17 (total: 21)"))
	require.Equal(t, progress{executions: 102938, interesting: 17, seconds: 63}, p)
	require.True(t, p.hear("fuzz: elapsed: 1m6s, execs: 102939 (0/sec)"))
	require.Equal(t, int64(17), p.interesting)
}

// The end of its time isn't a failure of the target, and nothing else passes for it.
func TestTheEndOfItsTimeIsNoFailure(t *testing.T) {
	t.Parallel()
	race := []string{"fuzz: elapsed: 0s, gathering baseline coverage: 1/1 completed, now fuzzing with 1 workers", "--- FAIL: FuzzHolds (1.05s)", "    context deadline exceeded", "FAIL"}
	require.True(t, timeOver(race, "FuzzHolds"))
	require.False(t, timeOver(race, "FuzzOther"))
	require.False(t, timeOver(nil, "FuzzHolds"))
	for n, line := range []string{"fuzz: minimizing 38-byte failing input file", "--- FAIL: FuzzHolds/seed#0 (0.00s)", "        x_test.go:9: context deadline exceeded", "panic: x"} {
		other := slices.Clone(race)
		other[min(n, 3)] = line
		require.False(t, timeOver(other, "FuzzHolds"), line)
		require.False(t, timeOver(append(slices.Clone(race), line), "FuzzHolds"), line)
	}
}

// What was tried of a target counts until something changes that it can reach.
func TestATargetBeginsAnewWithWhatItStandsOn(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	write("go.mod", "module planted\n\ngo 1.26\n")
	write("below/below.go", "package below\n")
	write("beside/beside.go", "package beside\n")
	write("a/a.go", "package a\nimport _ \"planted/below\"\n")
	write("a/a_test.go", "package a_test\nimport _ \"planted/beside\"\n")
	hash := func() string {
		text, err := Campaign{Root: root}.sources(t.Context(), Target{"a", "FuzzIt"})
		require.NoError(t, err)
		return text
	}
	before := hash()
	require.Len(t, before, 64)
	write("beside/beside.go", "package beside\nconst more = 1\n")
	write("a/testdata/fuzz/FuzzIt/0123456789abcdef", "go test fuzz v1\nstring(\"\")\n")
	require.Equal(t, before, hash())
	for name, text := range map[string]string{"below/below.go": "package below\nconst more = 1\n", "a/a.go": "package a\n", "a/a_test.go": "package a_test\n", "go.mod": "module planted\n\ngo 1.25\n"} {
		write(name, text)
		after := hash()
		require.NotEqual(t, before, after, name)
		before = after
	}
}

// A campaign over two targets of a module of its own: one that holds, and one that a short input breaks.
func TestACampaignKeepsWhatBreaksATargetAndGoesOn(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":      "module planted\n\ngo 1.26\n",
		"a/a_test.go": "package a\nimport \"testing\"\nfunc FuzzHolds(f *testing.F) {\n\tf.Add(\"x\")\n\tf.Fuzz(func(t *testing.T, s string) {})\n}\n",
		"b/b_test.go": "package b\nimport \"testing\"\nfunc FuzzBreaks(f *testing.F) {\n\tf.Add(\"\")\n\tf.Fuzz(func(t *testing.T, s string) {\n\t\tif len(s) > 3 {\n\t\t\tt.Fatal(\"planted\")\n\t\t}\n\t})\n}\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	var said []string
	together := 0 // lines that show both under way
	c := Campaign{Root: root, Each: 2 * time.Second, AtOnce: 2, Most: 0, Slice: time.Second, StateFile: filepath.Join(root, "state.json"),
		ResultFile: filepath.Join(root, "fuzz.json"), Dir: filepath.Join(root, "build"), Say: func(s string) { said = append(said, s) }, Show: func(s string) {
			if strings.Contains(s, "Holds") && strings.Contains(s, "Breaks") {
				together++
			}
		}}
	_, done, err := c.Run(t.Context())
	require.NoError(t, err)
	require.False(t, done, "there was no time")

	c.Most = 2 * time.Minute
	report, done, err := c.Run(t.Context())
	require.ErrorIs(t, err, ErrCrashed)
	require.True(t, done)
	require.Len(t, report.Results, 2)
	require.Empty(t, report.Results[0].Crashers)
	require.GreaterOrEqual(t, report.Results[0].Seconds, 2.0)
	require.Positive(t, report.Results[0].Executions)
	require.Positive(t, report.Results[0].CPU)
	require.Equal(t, 2, report.AtOnce)
	require.Positive(t, together, "they ran at once")
	require.Len(t, said, 2)
	require.Len(t, report.Results[1].Crashers, 1)
	require.FileExists(t, filepath.Join(root, report.Results[1].Crashers[0]), "it is in the corpus of every go test from now on")
	var written Report
	require.NoError(t, harness.ReadJSON(c.ResultFile, &written))
	require.Equal(t, report.Results, written.Results)

	kept := map[string]Result{}
	require.NoError(t, harness.ReadJSON(c.StateFile, &kept))
	require.Equal(t, report.Results[0], kept["a FuzzHolds"], "what held isn't run again")
}
