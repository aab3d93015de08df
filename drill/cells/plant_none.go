//go:build !planted

package cells

import (
	"paysaga/activities"
	"paysaga/api"
	"paysaga/workers"
)

// Planted says how many bugs this build has in it.
const Planted = 0

func plantSteps(Plant, *activities.Config)    {}
func plantRelays(Plant, *workers.RelayConfig) {}
func plantFront(Plant, *api.Parts)            {}

func plantName(Plant) string { return "none" }

func plantCells(Plant) []string { return nil }
