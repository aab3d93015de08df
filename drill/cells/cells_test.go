package cells_test

import (
	"context"
	"flag"
	"os"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"paysaga/drill/cells"
)

var only = flag.String("cells", "", "run only the cells whose name matches")

func rank(c cells.Cell) int {
	if c.Quiet() {
		return 0
	}
	return 1
}

// Every cell once, on one house.
func TestEachCellOnce(t *testing.T) {
	t.Parallel()
	h, err := cells.Open(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	all, _ := cells.All(cells.Scenarios())
	pattern := regexp.MustCompile(*only)
	began := time.Now()
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, 96)
	slow := map[string]time.Duration{}
	n := 0
	slices.SortStableFunc(all, func(a, b cells.Cell) int { return rank(a) - rank(b) })
	for _, c := range all {
		if !pattern.MatchString(c.String()) {
			continue
		}
		n++
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			start := time.Now()
			v, err := h.Do(context.Background(), cells.Find(c.Scenario), c)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("%s: %v", c, err)
			}
			for _, what := range v.Violations {
				t.Errorf("%s: %s", c, what)
			}
			if os.Getenv("DRILL_VERBOSE") != "" {
				t.Logf("%s %s: %s %v", time.Since(start).Round(time.Millisecond), c, v.End, v.Nudged)
			}
			slow[c.String()] = time.Since(start)
		})
	}
	wg.Wait()
	broken, err := h.Audit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range broken {
		t.Error(b)
	}
	t.Logf("%d cells in %s: %+v", n, time.Since(began), h.Tally())
}
