package cells_test

import (
	"context"
	"flag"
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"paysaga/activities"
	"paysaga/drill/cells"
)

var (
	only  = flag.String("cells", "", "run only the cells whose name matches")
	every = flag.Bool("every", false, "run every cell, not one of each boundary and moment")
)

// One cell of each boundary and moment, all kinds of faults among them; -every runs each cell once, and the campaign five times, in any
// order and in bad weather.
func TestCells(t *testing.T) {
	t.Parallel()
	h, err := cells.Open(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	pattern := regexp.MustCompile(*only)
	all, _ := cells.All(cells.Scenarios())
	all = slices.DeleteFunc(all, func(c cells.Cell) bool { return !pattern.MatchString(c.String()) })
	if !*every && *only == "" {
		all = cells.Seed(all)
	}
	began, again := time.Now(), 0
	err = cells.Sweep{House: h, Cells: all, Done: func(v cells.Verdict) {
		if os.Getenv("DRILL_VERBOSE") != "" {
			t.Logf("%s: %s, again %t, %v", v.Cell, v.End, v.Again, v.Violations)
		}
		if v.Again {
			again++
			return
		}
		for _, what := range v.Violations {
			t.Errorf("%s: %s", v.Cell, what)
		}
	}}.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	broken, err := h.Audit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range broken {
		t.Error(b)
	}
	t.Logf("%d cells in %s, %d of them twice: %+v", len(all), time.Since(began).Round(time.Second), again, h.Tally())
}

// A judge that can't fail proves nothing.
func TestTheCanaryFails(t *testing.T) {
	t.Parallel()
	if got, err := cells.Canary(context.Background()); err != nil || got != "failed" {
		t.Errorf("the canary %s: %v", got, err)
	}
}

// elsewhere are the exported methods of Steps that have no cells, and why.
var elsewhere = map[string]string{
	"Channels":        "no step: it lists names",
	"AskAbout":        "the relay of callbacks calls it: a question that moves nothing, asked again if it fails; drill/tour/paypal_test.go",
	"Settle":          "the relay of callbacks calls it, after the saga; Book is the step",
	"SettleRefund":    "the relay of callbacks calls it, after the saga; BookRefund is the step",
	"SettlePayout":    "the relay of callbacks calls it, after the saga; BookPayout is the step",
	"Mature":          "the relay of maturities calls it: no saga waits for it",
	"Recheck":         "the relay of risk calls it: no saga waits for it; what it finds is a case, and cases have cells; drill/rules",
	"DecideCase":      "the API calls it, and answers with what it came to; ResolveCase is the step",
	"Confirm":         "only channels that wait for a second word have it; channels/channeltest strikes it, workflows/confirm_paths_test.go runs it",
	"SentBefore":      "it looks which run asks; it reads nothing and moves nothing",
	"Rebate":          "the relay of rebates calls it: no saga waits for it; store/rebate_test.go, workflows/settlement_paths_test.go",
	"Steer":           "the API calls it; SteerSettlement is the step",
	"Begin":           "the API calls it; BeginDue is the step",
	"BeginDue":        "a tick that is run again begins nothing twice; workflows/settlement_paths_test.go",
	"OpenSettlement":  "it reads; drill/kill kills whatever runs it",
	"WatchSettlement": "it reads; drill/kill kills whatever runs it",
	"SettlePage":      "drill/kill kills worker, Temporal and PostgreSQL in the midst of pages",
	"SteerSettlement": "drill/kill kills whatever runs it; workflows/settlement_paths_test.go",
	"Withdraw":        "the relay of withdrawals calls it: one Step, under an id of its own; workflows/settlement_paths_test.go",
	"BeginRerating":   "the API calls it: one Step",
	"CancelRerating":  "the API calls it: one Step",
	"Rerating":        "no step: it reads",
	"PreviewRerating": "no step: it reads",
	"Reratings":       "no step: it reads",
	"TotalRerating":   "no step: it reads",
	"Rerate":          "the relay of re-ratings calls it: no saga waits for it; store/rerating_test.go stops it in between, drill/rebates has two at once",
	"Deliver":         "it tells a merchant's endpoint and moves no money; workflows/delivery_paths_test.go fails it in every way",
}

// What is left out of a quick run are repetitions: each boundary and moment is there, and each kind of fault.
func TestTheSeedHasEverything(t *testing.T) {
	t.Parallel()
	all, _ := cells.All(cells.Scenarios())
	places, faults := map[string]bool{}, map[cells.Fault]bool{}
	for _, c := range cells.Seed(all) {
		places[c.Place()], faults[c.Fault] = true, true
	}
	for _, c := range all {
		if !places[c.Place()] {
			t.Errorf("no cell at %s", c.Place())
		}
		if !faults[c.Fault] {
			t.Errorf("no cell with %s", c.Fault)
		}
	}
	t.Logf("%d of %d cells", len(cells.Seed(all)), len(all))
}

// A new activity without cells fails here: every step of Steps is in a scenario, or is said to be no matter of the drill.
func TestEveryActivityHasCells(t *testing.T) {
	t.Parallel()
	covered := map[string]map[cells.Moment]bool{}
	all, without := cells.All(cells.Scenarios())
	faults := map[cells.Fault]bool{}
	for _, c := range all {
		faults[c.Fault] = true
		if covered[c.Activity] == nil {
			covered[c.Activity] = map[cells.Moment]bool{}
		}
		covered[c.Activity][c.Moment] = true
	}
	steps := reflect.TypeFor[*activities.Steps]()
	known := map[string]bool{}
	for i := range steps.NumMethod() {
		name := steps.Method(i).Name
		known[name] = true
		switch {
		case elsewhere[name] != "" && covered[name] == nil:
		case elsewhere[name] != "":
			t.Errorf("%s has cells, and is said to have none", name)
		case covered[name] == nil:
			t.Errorf("no scenario of the drill runs %s: add it to the boundaries of one", name)
		case !covered[name][cells.Before] || !covered[name][cells.Reply]:
			t.Errorf("%s isn't struck before and after", name)
		}
	}
	for name := range covered {
		if !known[name] {
			t.Errorf("a scenario names %s, and there is no such step", name)
		}
	}
	if len(faults) < 12 || len(faults) != len(cells.Faults) {
		t.Errorf("%d of %d kinds of faults strike anywhere", len(faults), len(cells.Faults))
	}
	for cell, why := range without {
		if why == "" {
			t.Errorf("%s can't exist, and nobody says why", cell)
		}
	}
	t.Logf("%d cells; %d more can't exist", len(all), len(without))
}
