package payment

import (
	"testing"
	"time"
	_ "time/tzdata" // a machine without zone files judges business days the same

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

func zone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return z
}

func TestBusinessDate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone, at, want string
		cut            time.Duration
	}{
		{zone: "", at: "2026-11-21T00:00:00Z", want: "2026-11-21"},
		{zone: "UTC", at: "2026-11-20T23:59:59.999999999Z", want: "2026-11-20"},
		{zone: "Asia/Shanghai", at: "2026-11-20T16:00:00Z", want: "2026-11-21"},
		{zone: "Asia/Shanghai", at: "2026-11-20T15:59:59Z", want: "2026-11-20"},
		{zone: "America/New_York", at: "2026-11-21T04:59:59Z", want: "2026-11-20"},
		{zone: "Asia/Kathmandu", at: "2026-11-20T18:15:00Z", want: "2026-11-21"}, // +05:45
		{zone: "Pacific/Kiritimati", at: "2026-12-31T10:00:00Z", want: "2027-01-01"},
		// A day cut: the day begins at four.
		{zone: "Asia/Shanghai", cut: 4 * time.Hour, at: "2026-11-20T19:59:59Z", want: "2026-11-20"},
		{zone: "Asia/Shanghai", cut: 4 * time.Hour, at: "2026-11-20T20:00:00Z", want: "2026-11-21"},
		{zone: "UTC", cut: 23*time.Hour + 59*time.Minute, at: "2026-03-01T23:58:00Z", want: "2026-02-28"},
		{zone: "UTC", cut: 4 * time.Hour, at: "2028-03-01T03:59:59Z", want: "2028-02-29"}, // a leap year
		{zone: "UTC", cut: 4 * time.Hour, at: "2027-01-01T03:00:00Z", want: "2026-12-31"},
		// Spring in Berlin, 2026-03-29: 02:00 becomes 03:00. Four o'clock is four o'clock.
		{zone: "Europe/Berlin", cut: 4 * time.Hour, at: "2026-03-29T01:59:59Z", want: "2026-03-28"},
		{zone: "Europe/Berlin", cut: 4 * time.Hour, at: "2026-03-29T02:00:00Z", want: "2026-03-29"},
		// A cut within the hour that is left out: the day begins when it would have been.
		{zone: "Europe/Berlin", cut: 150 * time.Minute, at: "2026-03-29T00:59:59Z", want: "2026-03-28"},
		{zone: "Europe/Berlin", cut: 150 * time.Minute, at: "2026-03-29T01:00:00Z", want: "2026-03-29"},
		// Autumn in Berlin, 2026-10-25: 03:00 becomes 02:00, so 02:30 comes twice. The day begins the first time, and stays.
		{zone: "Europe/Berlin", cut: 150 * time.Minute, at: "2026-10-25T00:29:59Z", want: "2026-10-24"},
		{zone: "Europe/Berlin", cut: 150 * time.Minute, at: "2026-10-25T00:30:00Z", want: "2026-10-25"},
		{zone: "Europe/Berlin", cut: 150 * time.Minute, at: "2026-10-25T01:10:00Z", want: "2026-10-25"}, // 02:10 for the second time
		{zone: "Europe/Berlin", cut: 4 * time.Hour, at: "2026-10-25T02:59:59Z", want: "2026-10-24"},
		{zone: "Europe/Berlin", cut: 4 * time.Hour, at: "2026-10-25T03:00:00Z", want: "2026-10-25"},
		// Midnight itself is left out in Beirut, and comes twice in Havana.
		{zone: "Asia/Beirut", at: "2026-03-28T21:59:59Z", want: "2026-03-28"},
		{zone: "Asia/Beirut", at: "2026-03-28T22:00:00Z", want: "2026-03-29"},
		{zone: "America/Havana", at: "2026-11-01T03:59:59Z", want: "2026-10-31"},
		{zone: "America/Havana", at: "2026-11-01T04:00:00Z", want: "2026-11-01"},
		{zone: "America/Havana", at: "2026-11-01T05:30:00Z", want: "2026-11-01"},
		// St John's went back to the day before, a minute into the new one.
		{zone: "America/St_Johns", at: "2010-11-07T02:29:59Z", want: "2010-11-06"},
		{zone: "America/St_Johns", at: "2010-11-07T02:30:00Z", want: "2010-11-07"},
		{zone: "America/St_Johns", at: "2010-11-07T03:00:00Z", want: "2010-11-07"}, // the wall says 23:30 of the sixth
		// Samoa had no 2011-12-30.
		{zone: "Pacific/Apia", at: "2011-12-30T09:59:59Z", want: "2011-12-29"},
		{zone: "Pacific/Apia", at: "2011-12-30T10:00:00Z", want: "2011-12-31"},
	} {
		terms := Terms{DayCut: c.cut}
		if c.zone != "" {
			terms.Zone = zone(c.zone)
		}
		require.Equal(t, c.want, terms.BusinessDate(at(c.at)), "%s %s, cut %s", c.zone, c.at, c.cut)
	}
}

// Later money never belongs to an earlier day, and each day is the wall
// clock's own day or the one before.
func TestBusinessDateNeverGoesBack(t *testing.T) {
	t.Parallel()
	zones := []string{"UTC", "Asia/Shanghai", "Europe/Berlin", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca"}
	rapid.Check(t, func(t *rapid.T) {
		terms := Terms{Zone: zone(rapid.SampledFrom(zones).Draw(t, "zone")), DayCut: time.Duration(rapid.IntRange(0, 86399).Draw(t, "cut")) * time.Second}
		first := time.Unix(rapid.Int64Range(1_700_000_000, 1_900_000_000).Draw(t, "at"), 0)
		second := first.Add(time.Duration(rapid.IntRange(0, 7200).Draw(t, "later")) * time.Second)
		a, b := terms.BusinessDate(first), terms.BusinessDate(second)
		require.LessOrEqual(t, a, b)
		wall := first.In(terms.Zone)
		require.LessOrEqual(t, wall.AddDate(0, 0, -1).Format(time.DateOnly), a)
		require.GreaterOrEqual(t, wall.AddDate(0, 0, 1).Format(time.DateOnly), a)
	})
}

func TestFee(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		points, fixed, gross, want int64
	}{
		{0, 0, 1234, 0},
		{60, 0, 1234, 7},                     // 7.404
		{60, 10, 1234, 17},                   //
		{50, 0, 100, 1},                      // 0.5: half up
		{49, 0, 100, 0},                      //
		{10_000, 0, 1234, 1234},              // all of it
		{10_000, 1, 1234, 1234},              // and not more
		{0, 1234, 1234, 1234},                //
		{0, 1 << 62, 1234, 1234},             //
		{1, 1<<63 - 1, 1<<63 - 1, 1<<63 - 1}, // nothing overflows
		{10_000, 1<<63 - 1, 1, 1},
		{60, -10, 1234, 7}, // a negative fee is none
		{-60, 0, 1234, 0},
	} {
		terms := Terms{FeeBasisPoints: c.points, FeeFixed: map[money.Currency]int64{"CNY": c.fixed, "USD": 99}}
		fee, err := terms.Fee(cny(c.gross))
		require.NoError(t, err)
		require.Equal(t, cny(c.want), fee, "%+v", c)
	}
	fee, err := Terms{FeeFixed: map[money.Currency]int64{"USD": 99}}.Fee(cny(100))
	require.NoError(t, err)
	require.Equal(t, cny(0), fee, "another currency's fee")
}

// A closed date isn't given to anybody any more.
func TestABusinessDateIsOpen(t *testing.T) {
	t.Parallel()
	closed := ledger.Calendar{Through: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)}
	require.Equal(t, "2026-01-31", openDate(ledger.Calendar{}, "2026-01-31"))
	require.Equal(t, "2026-02-01", openDate(closed, "2026-01-31"))
	require.Equal(t, "2026-02-01", openDate(closed, "2025-12-31"))
	require.Equal(t, "2026-02-01", openDate(closed, "2026-02-01"))
	require.Equal(t, "2026-02-02", openDate(closed, "2026-02-02"))
}
