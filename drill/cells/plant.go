package cells

import (
	"paysaga/activities"
	"paysaga/api"
	"paysaga/workers"
)

// Plant is a bug, by its number; 0 is none. Bugs live in wrappers around the parts, and only in a build with the tag planted.
type Plant int

func (p Plant) steps(c *activities.Config)    { plantSteps(p, c) }
func (p Plant) relays(c *workers.RelayConfig) { plantRelays(p, c) }
func (p Plant) front(c *api.Parts)            { plantFront(p, c) }
