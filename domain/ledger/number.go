package ledger

import "time"

// Number is a journal's: 43 bits of milliseconds since 1970, when it was
// booked; 8 bits of lane; 12 bits of place in its block. Numbers sort by time,
// those of a month are one range, and those of a block follow each other.
type Number int64

// The most that a Number has room for.
const (
	MaxBlock = 1 << 12 // journals of one block
	MaxLane  = 1<<8 - 1
)

// First is the number of the first journal of a block that lane books at at.
func First(at time.Time, lane int) Number {
	return Number(at.UnixMilli()<<20 | int64(lane)<<12)
}

// From is the least number of what is booked at at or later.
func From(at time.Time) Number {
	ms := at.UnixMilli()
	if at.After(time.UnixMilli(ms)) {
		ms++
	}
	return Number(ms << 20)
}

// After is the least number of what is booked later than at.
func After(at time.Time) Number { return Number((at.UnixMilli() + 1) << 20) }

// BookedAt is our time of the booking, in milliseconds. A number before 1970
// isn't one.
func (n Number) BookedAt() time.Time { return time.UnixMilli(int64(n >> 20)).UTC() }

// Lane is the writer of the book that booked it.
func (n Number) Lane() int { return int(n>>12) & MaxLane }
