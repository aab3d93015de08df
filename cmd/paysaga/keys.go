package main

import (
	"fmt"

	"paysaga/bench/gauge"
	"paysaga/store"
)

// keysCommand groups what is done about the keys that seal secrets at rest.
type keysCommand struct {
	Rotate keysRotate `cmd:"" help:"Seal everything sealed anew, under the current key of PAYSAGA_SEAL_KEYS, beside running processes. It may be interrupted, and goes on where it is called again."`
}

// keysRotate connects as the owner of the tables: the application may not touch a frozen request.
type keysRotate struct {
	ownerConfig `embed:""`
	sealConfig  `embed:""`
}

// Run rotates one database; where books have databases of their own it is called for each.
func (c *keysRotate) Run(a *app) error {
	if err := c.ownerConfig.check(); err != nil {
		return err
	}
	keys, err := c.sealKeys()
	if err != nil {
		return err
	}
	var bar *gauge.Bar
	done, err := store.Rotate(a.ctx, store.Rotation{OwnerURL: c.OwnerURL, SealKeys: keys, Progress: func(seen, about int64) {
		if bar == nil {
			bar = gauge.NewBar(terminal(a.err), int(about))
		}
		bar.Reach(int(seen), "sealed values")
	}})
	if bar != nil {
		bar.End()
	}
	fmt.Fprintf(a.out, "%d values in %d columns: %d sealed anew, the others were under the current key\n", done.Seen, done.Columns, done.Sealed)
	return err
}
