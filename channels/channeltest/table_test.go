package channeltest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
)

const page = "../../docs/channels.md"

// Between these lines of the page stands what the tests write.
const (
	tableBegins = "<!-- written by the tests: make proofs -->"
	tableEnds   = "<!-- end -->"
)

var inOrder = []channels.Operation{channels.OpCharge, channels.OpConfirm, channels.OpCapture, channels.OpCancel, channels.OpAsk, channels.OpRefund,
	channels.OpAskRefund, channels.OpPayout, channels.OpAskPayout, channels.OpCallback, channels.OpStatement, channels.OpProbe}

// column is a channel of the table.
type column struct {
	Proof
	own    map[channels.Operation]int // tests of its own that call the operation
	fuzz   int
	oracle []string
}

// What a channel's own tests call, where the suite has no case.
var ownCalls = map[channels.Operation]*regexp.Regexp{
	channels.OpStatement: regexp.MustCompile(`\.(ReadStatement|Statement)\(`),
	channels.OpProbe:     regexp.MustCompile(`\.Probe\(`),
	channels.OpPayout:    regexp.MustCompile(`\.Payout\(`),
	channels.OpAskPayout: regexp.MustCompile(`\.AskPayout\(`),
	channels.OpCapture:   regexp.MustCompile(`\.Capture\(`),
	channels.OpConfirm:   regexp.MustCompile(`\.Confirm\(`),
}

var testFunction = regexp.MustCompile(`(?m)^func (Test|Fuzz)\w+\(`)

func readColumn(t *testing.T, file string) column {
	t.Helper()
	p, err := ReadProof(file)
	require.NoError(t, err)
	c := column{Proof: p, own: map[channels.Operation]int{}}
	folder := filepath.Dir(filepath.Dir(file))
	sources, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	for _, path := range sources {
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		c.fuzz += strings.Count(string(source), "\nfunc Fuzz")
		for op, call := range ownCalls {
			if call.Match(source) {
				c.own[op] += len(testFunction.FindAll(source, -1))
			}
		}
	}
	scripts, err := filepath.Glob(filepath.Join(folder, "oracle", "*.mjs"))
	require.NoError(t, err)
	raw, err := os.ReadFile(filepath.Join(folder, "oracle", "package.json"))
	if !errors.Is(err, fs.ErrNotExist) && len(scripts) > 0 {
		require.NoError(t, err)
		var npm struct {
			Dependencies map[string]string `json:"dependencies"`
		}
		require.NoError(t, json.Unmarshal(raw, &npm))
		for name, version := range npm.Dependencies {
			c.oracle = append(c.oracle, name+" "+version)
		}
		slices.Sort(c.oracle)
	}
	return c
}

// cell says how an operation is proved; an offered one without any proof is an error.
func (c column) cell(op channels.Operation) (string, error) {
	n, offered := c.Operations[op]
	switch {
	case !offered:
		return "–", nil
	case n > 0:
		return strconv.Itoa(n), nil
	case c.own[op] > 0:
		return "own tests", nil
	}
	return "", fmt.Errorf("%s offers %s, and no test calls it", c.Channel, op)
}

func table(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("../*/" + ProofFile)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 6)
	var list []column
	for _, file := range files {
		list = append(list, readColumn(t, file))
	}
	var out strings.Builder
	row := func(name string, of func(column) string) {
		out.WriteString("| " + name)
		for _, c := range list {
			out.WriteString(" | " + of(c))
		}
		out.WriteString(" |\n")
	}
	row("operation", func(c column) string { return c.Channel })
	row("---", func(column) string { return "---" })
	for _, op := range inOrder {
		row("`"+string(op)+"`", func(c column) string {
			text, err := c.cell(op)
			require.NoError(t, err)
			return text
		})
	}
	row("cases of the suite in all", func(c column) string { return strconv.Itoa(c.Cases) })
	row("fuzz targets", func(c column) string { return strconv.Itoa(c.fuzz) })
	row("judged by", func(c column) string {
		if len(c.oracle) == 0 {
			return "–"
		}
		return strings.Join(c.oracle, ", ")
	})
	row("methods", func(c column) string {
		var names []string
		for _, m := range c.Methods {
			names = append(names, "`"+string(m)+"`")
		}
		return strings.Join(names, " ")
	})
	row("statements", func(c column) string {
		var names []string
		for _, s := range c.Statements {
			names = append(names, "`"+s+"`")
		}
		return strings.Join(names, " ")
	})
	return out.String()
}

// The page says what the suites have proved, and nothing else.
func TestTheTableOfThePageIsTrue(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(page)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(raw), tableBegins+"\n")
	require.True(t, found, "%s has no place for the table", page)
	kept, after, found := strings.Cut(rest, tableEnds)
	require.True(t, found)
	want := "\n" + table(t) + "\n"
	if writing() {
		require.NoError(t, os.WriteFile(page, []byte(before+tableBegins+"\n"+want+tableEnds+after), 0o644))
		return
	}
	require.Equal(t, want, kept, "the table isn't true any more: make proofs")
}

func TestAnOperationWithoutProofIsSeen(t *testing.T) {
	t.Parallel()
	c := column{Proof: Proof{Channel: "x", Operations: map[channels.Operation]int{channels.OpCharge: 3, channels.OpStatement: 0, channels.OpProbe: 0}},
		own: map[channels.Operation]int{channels.OpProbe: 1}}
	for op, want := range map[channels.Operation]string{channels.OpCharge: "3", channels.OpProbe: "own tests", channels.OpCapture: "–"} {
		text, err := c.cell(op)
		require.NoError(t, err)
		require.Equal(t, want, text)
	}
	_, err := c.cell(channels.OpStatement)
	require.Error(t, err)
}
