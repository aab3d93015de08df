package ledger

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
)

// An account is known by the same shape that the database asks for.
func TestAnAccountsCodeIsWellFormed(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^[a-z0-9_]+(/[a-z0-9_]+)*$`)
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.StringOfN(rapid.RuneFrom([]rune("ab_09//A.é \n")), 0, 12, -1).Draw(t, "code")
		a := Account{Code: code, Kind: Asset, Normal: Debit}
		require.Equal(t, shape.MatchString(code), a.known(), "%q", code)
		other := chart.Fees()
		other.Code = code
		_, err := Post(p, Dr(other, cny(1)), Cr(chart.Clearing("cha_1"), cny(1)))
		if code != "" {
			require.Equal(t, !shape.MatchString(code), fault.Is(err, fault.KindInvalid, "account_unknown"), "%q: %v", code, err)
		}
	})
}

// Dates are refused by name, at the very borders of what is admitted.
func TestADateIsAdmittedOrRefusedByName(t *testing.T) {
	t.Parallel()
	closed := Calendar{Through: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)}
	opens := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		calendar Calendar
		at       time.Time
		code     string
	}{
		"now":                      {Calendar{}, noon, ""},
		"none":                     {Calendar{}, time.Time{}, ""},
		"five minutes ahead":       {Calendar{}, noon.Add(MaxAhead), ""},
		"further ahead":            {Calendar{}, noon.Add(MaxAhead + time.Microsecond), "effective_at_out_of_range"},
		"366 days behind":          {Calendar{}, noon.Add(-MaxBehind), ""},
		"further behind":           {Calendar{}, noon.Add(-MaxBehind - time.Microsecond), "effective_at_out_of_range"},
		"the first open instant":   {closed, opens, ""},
		"the last closed instant":  {closed, opens.Add(-time.Microsecond), "period_closed"},
		"long closed":              {closed, noon.AddDate(0, -1, 0), "period_closed"},
		"closed, and out of range": {closed, noon.AddDate(-2, 0, 0), "effective_at_out_of_range"},
	} {
		for _, late := range []LatePolicy{RefuseLate, ToNextOpen} {
			j, err := Post(Posting{Cause: "x", Kind: "x", EffectiveAt: c.at, Late: late}, Dr(chart.Clearing("cha_1"), cny(1)), Cr(chart.Fees(), cny(1)))
			require.NoError(t, err)
			at, err := c.calendar.Date(j, noon)
			if c.code == "" || late == ToNextOpen {
				require.NoError(t, err, name)
				require.False(t, at.Before(c.calendar.Opens()), name)
				continue
			}
			require.True(t, fault.Is(err, fault.KindInvalid, c.code), "%s: %v", name, err)
		}
	}
}
