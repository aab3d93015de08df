package workflows_test

import (
	"flag"
	"os"
	"testing"
)

// The paths wait far more than they compute, so many run at once, also on two
// cores.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "24"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
