package kill_test

import (
	"testing"

	"paysaga/drill/kill"
)

// Workers, and devstack with its PostgreSQL, are killed while rebates are settled: each is paid once, and the budget is exact.
func TestASettlementSurvivesKills(t *testing.T) {
	paysaga, err := kill.Build(t.Context(), t.TempDir())
	must(t, err)
	res, err := kill.Settlement{Rebates: 6000, Users: 600, Plan: kill.Plan{Worker: 3, Devstack: 1}, Seed: 7, Dir: folder(t), Paysaga: paysaga,
		Devstack: devstack(t), Out: t.Output()}.Run(t.Context())
	must(t, err)
	t.Logf("%d rebates of %d users, %v kills, %.0f a second", res.Rebates, res.Users, res.Kills, res.JournalsPerSecond)
}
