package cells

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"paysaga/activities"
	"paysaga/api"
	"paysaga/drill/stage"
	"paysaga/workers"
)

// Plant is a bug, by its number; 0 is none. Bugs live in wrappers around the parts, and only in a build with the tag planted.
type Plant int

func (p Plant) steps(c *activities.Config)    { plantSteps(p, c) }
func (p Plant) relays(c *workers.RelayConfig) { plantRelays(p, c) }
func (p Plant) front(c *api.Parts)            { plantFront(p, c) }

// String says what the bug is.
func (p Plant) String() string { return plantName(p) }

// Catch runs the cells in which a bug has to show, on a database of their own, and returns what the judges say of it; empty: nobody
// saw it.
func Catch(ctx context.Context, dev *stage.Devstack, p Plant) (string, error) {
	all, _ := All(Scenarios())
	pattern := regexp.MustCompile("^(" + strings.Join(plantCells(p), "|") + ")$")
	h, err := Open(dev, p)
	if err != nil {
		return "", err
	}
	defer h.Close()
	seen := ""
	var due []Cell
	for _, c := range all {
		if pattern.MatchString(c.String()) {
			due = append(due, c)
		}
	}
	if len(due) == 0 {
		return "", fmt.Errorf("no cell is about the planted bug %q", p)
	}
	err = Sweep{House: h, Cells: due, Done: func(v Verdict) {
		for _, what := range v.Violations {
			if seen == "" && !v.Again && !strings.HasPrefix(what, "drill: ") {
				seen = v.Cell.String() + ": " + brief(what)
			}
		}
	}}.Run(ctx)
	if err != nil || seen != "" {
		return seen, err
	}
	broken, err := h.Audit(ctx)
	if len(broken) > 0 {
		seen = "audit: " + brief(broken[0])
	}
	return seen, err
}

// brief is a violation in one line that isn't long.
func brief(what string) string {
	line := []rune(strings.Join(strings.Fields(what), " "))
	if len(line) > 200 {
		return string(line[:200]) + "…"
	}
	return string(line)
}
