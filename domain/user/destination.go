package user

import (
	"time"

	"paysaga/domain/payout"
)

// MaxDestinations is how many places a user keeps at most to be paid out to.
const MaxDestinations = 20

// Kept is the type under which a payout names a destination that its user keeps: the account is then the destination's id.
const Kept payout.Type = "kept"

// Destination is a place that a user keeps to be paid out to, as far as it is shown: the rest stands sealed (I-26).
type Destination struct {
	ID        string // dst_…
	To        payout.Masked
	CreatedAt time.Time
}
