package workflows_test

import (
	"flag"
	"os"
	"testing"
)

// The paths wait far more than they compute, so some run at once, also on two
// cores; but not so many that what has to come in seconds doesn't.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "10"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
