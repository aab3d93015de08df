package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// instants are those that a Number has room for, 43 bits of milliseconds, less a second at the end.
func instants(t *rapid.T, name string) time.Time {
	return time.UnixMicro(rapid.Int64Range(0, (1<<43-1000)*1000).Draw(t, name)).UTC()
}

func TestANumberTellsWhenAndWho(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at, lane := instants(t, "at"), rapid.IntRange(0, MaxLane).Draw(t, "lane")
		n := First(at, lane) + Number(rapid.IntRange(0, MaxBlock-1).Draw(t, "place"))
		require.Equal(t, at.Truncate(time.Millisecond), n.BookedAt())
		require.Equal(t, lane, n.Lane())
		require.Positive(t, n+1)
	})
}

// Numbers sort by time, whatever their lanes and places; From and After cut between what is booked before an instant, at it,
// and after it.
func TestNumbersSortByTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := instants(t, "a"), instants(t, "b")
		if rapid.Bool().Draw(t, "near") {
			b = a.Add(time.Duration(rapid.IntRange(-2000, 2000).Draw(t, "by")) * time.Microsecond)
			if b.Before(time.UnixMilli(0)) {
				b = a
			}
		}
		number := func(at time.Time, name string) Number {
			return First(at, rapid.IntRange(0, MaxLane).Draw(t, name+" lane")) + Number(rapid.IntRange(0, MaxBlock-1).Draw(t, name+" place"))
		}
		x, y := number(a, "a"), number(b, "b")
		if x.BookedAt().Before(y.BookedAt()) {
			require.Less(t, x, y)
		}
		require.Equal(t, !x.BookedAt().Before(b), x >= From(b), "booked at b or later")
		require.Equal(t, x.BookedAt().After(b), x >= After(b), "booked later than b")
		require.LessOrEqual(t, From(b), After(b))
		require.Equal(t, From(y.BookedAt()), First(y.BookedAt(), 0), "the least of its millisecond")
		require.Equal(t, After(y.BookedAt()), From(y.BookedAt().Add(time.Millisecond)))
	})
}

// A block's numbers never run into those of another lane or of the next millisecond.
func TestBlocksDontOverlap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at, lane := instants(t, "at"), rapid.IntRange(0, MaxLane-1).Draw(t, "lane")
		last := First(at, lane) + MaxBlock - 1
		require.Less(t, last, First(at, lane+1))
		require.Less(t, First(at, MaxLane)+MaxBlock-1, First(at.Add(time.Millisecond), 0))
	})
}
