package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/money"
)

// Whatever a journal says of its time, it is booked within the bounds and in an open period, or refused by name.
func TestADateIsOpenAndNear(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		booked := time.UnixMilli(rapid.Int64Range(1_700_000_000_000, 1_800_000_000_000).Draw(t, "booked")).UTC()
		var cal Calendar
		if rapid.Bool().Draw(t, "closed") {
			cal.Through = booked.Truncate(24*time.Hour).AddDate(0, 0, -rapid.IntRange(-2, 400).Draw(t, "days ago"))
		}
		var at time.Time
		if rapid.IntRange(0, 9).Draw(t, "told") > 0 {
			at = booked.Add(time.Duration(rapid.Int64Range(int64(-400*24*time.Hour), int64(24*time.Hour)).Draw(t, "behind")))
			if rapid.Bool().Draw(t, "near") {
				at = booked.Add(time.Duration(rapid.Int64Range(int64(-time.Hour), int64(10*time.Minute)).Draw(t, "near by")))
			}
		}
		late := rapid.SampledFrom([]LatePolicy{RefuseLate, ToNextOpen}).Draw(t, "late")
		j := dated(t, at, late)
		got, err := cal.Date(j, booked)
		if err == nil {
			require.False(t, got.Before(booked.Add(-MaxBehind)) || got.After(booked.Add(MaxAhead)), "%s booked %s", got, booked)
			require.False(t, got.Before(cal.Opens()))
			require.Equal(t, got, got.UTC().Truncate(time.Microsecond), "as the database keeps it")
			again, err := cal.Date(dated(t, got, RefuseLate), booked)
			require.NoError(t, err)
			require.Equal(t, got, again)
		} else {
			require.True(t, fault.Is(err, fault.KindInvalid, "effective_at_out_of_range") || fault.Is(err, fault.KindInvalid, "period_closed"), "%v", err)
		}
		told := at
		if told.IsZero() {
			told = booked
		}
		told = told.UTC().Truncate(time.Microsecond)
		fits := !told.Before(booked.Add(-MaxBehind)) && !told.After(booked.Add(MaxAhead)) && !told.Before(cal.Opens())
		if fits {
			require.NoError(t, err)
			require.Equal(t, told, got, "a date that is admitted is kept")
		} else if late == RefuseLate {
			require.Error(t, err)
		}
		if late == ToNextOpen && !cal.Opens().After(booked.Add(MaxAhead)) {
			require.NoError(t, err, "what has happened in the world is booked, under the first date that is open")
		}
	})
}

func dated(t require.TestingT, at time.Time, late LatePolicy) Journal {
	j, err := Post(Posting{Cause: "pay_1:ch1", Kind: "captured", EffectiveAt: at, Late: late},
		Dr(chart.Clearing("cha_1"), money.New(1, "CNY")), Cr(chart.Fees(), money.New(1, "CNY")))
	require.NoError(t, err)
	return j
}
