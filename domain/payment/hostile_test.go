package payment

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/exception"
)

// maxCredible is the largest amount that is booked on a channel's word alone.
const maxCredible int64 = 1_000_000_000_000_000

// A channel's success that can't be taken as it is must end parked with a case,
// whatever it says: an error here would be tried for ever.
func TestHostileSuccessesEndInACase(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcome  Outcome
		posted   bool
		text     string
		currency string
	}{
		"nothing":               {of(succeeded, 0, "CNY"), false, "CNY 0.00", "CNY"},
		"less than nothing":     {of(succeeded, -meant, "CNY"), false, "CNY -12.34", "CNY"},
		"the least int64":       {of(succeeded, math.MinInt64, "CNY"), false, "CNY -92233720368547758.08", "CNY"},
		"the largest int64":     {of(succeeded, math.MaxInt64, "CNY"), false, "CNY 92233720368547758.07", "CNY"},
		"just incredible":       {of(succeeded, maxCredible+1, "CNY"), false, "CNY 10000000000000.01", "CNY"},
		"just credible":         {of(succeeded, maxCredible, "CNY"), true, "CNY 10000000000000.00", "CNY"},
		"a cent less":           {of(succeeded, meant-1, "CNY"), true, "CNY 12.33", "CNY"},
		"yen":                   {of(succeeded, meant, "JPY"), true, "JPY 1234", "JPY"},
		"no currency":           {of(succeeded, meant, ""), false, "no currency that we know", ""},
		"a currency with NUL":   {of(succeeded, meant, "CN\x00"), false, "no currency that we know", ""},
		"a currency in bytes":   {of(succeeded, meant, "\xff\xfe\xfd"), false, "no currency that we know", ""},
		"a currency of a novel": {of(succeeded, meant, strings.Repeat("CNY", 1<<16)), false, "no currency that we know", ""},
		"lower case":            {of(succeeded, meant, "cny"), false, "no currency that we know", ""},
		"an ended currency":     {of(succeeded, meant, "HRK"), false, "no currency that we know", ""},
	} {
		for _, from := range []string{"processing", "processing, in doubt", "requires_action", "authorized"} {
			w := newWorld(t)
			for _, s := range states {
				if s.name == from {
					s.make(w)
				}
			}
			r := w.settle(1, c.outcome)
			require.False(t, r.Quiet, name)
			require.NotEmpty(t, w.payment.Parked, name)
			require.False(t, w.payment.Status.Terminal())
			require.Contains(t, r.Case.Reason, c.text, name)
			require.Equal(t, c.currency, string(r.Case.Amount.Currency))
			n, _ := w.kinds("unexplained")
			require.Equal(t, c.posted, n == 1, name)
			if c.currency != "CNY" || !c.posted {
				_, err := w.decide(1, Accept)
				require.ErrorContains(t, err, "decision_refused", "%s: what wasn't posted can't be accepted", name)
			}
			require.True(t, w.settle(1, c.outcome).Quiet, "%s, once more", name)
			_, err := w.decide(1, Reject)
			require.NoError(t, err)
			require.True(t, w.payment.Status.Terminal())
			require.Zero(t, w.order.Authorized.Minor, "nothing stays reserved")
		}
	}
}

// Contradictions are as credible as successes.
func TestIncredibleContradictionsPostNothing(t *testing.T) {
	t.Parallel()
	for _, o := range []Outcome{of(succeeded, math.MaxInt64, "CNY"), of(succeeded, -1, "CNY"), of(succeeded, meant, "C\x00")} {
		w := newWorld(t)
		w.open()
		w.settle(1, softNo, last)
		r := w.settle(1, o)
		require.Equal(t, exception.LateSuccess, r.Case.Kind)
		require.Empty(t, r.Journals)
	}
	_, err := Contradict(Case{Outcome: succeeded})
	require.Error(t, err)
}

func TestVetted(t *testing.T) {
	t.Parallel()
	for _, o := range outcomes { // what is in order isn't touched
		require.Equal(t, o.Outcome, o.Vetted())
	}
	strange := Outcome{Verdict: "paid", AmountMinor: 1, Currency: "CNY", Dead: true}.Vetted()
	require.Equal(t, Unknown, strange.Verdict)
	require.False(t, strange.Dead)
	require.Zero(t, strange.AmountMinor)
	require.NotEmpty(t, strange.Reason)
	require.Equal(t, Unknown, Outcome{}.Vetted().Verdict)
	require.True(t, Outcome{Verdict: Closed}.Vetted().Dead, "closed is the proof")
	for _, v := range []Verdict{Succeeded, Authorized, Pending, Unknown, Absent} {
		require.False(t, Outcome{Verdict: v, Dead: true}.Vetted().Dead, "%s proves nothing", v)
	}

	long := strings.Repeat("x", 5000)
	o := Outcome{Verdict: Declined, Currency: "\x00", ChannelID: "a\x00", Reason: "\xff",
		Decline: &Decline{Code: "Not Ours", Channel: long}, ExpiresAt: time.Unix(1<<50, 0), EffectiveAt: time.Unix(0, 0)}
	given := *o.Decline
	v := o.Vetted()
	require.Equal(t, given, *o.Decline, "Vetted doesn't change what it was given")
	require.Equal(t, Outcome{Verdict: Declined, Reason: "the channel's reason can't be shown", Decline: &Decline{Code: "declined"}}, v)
	_, err := json.Marshal(v)
	require.NoError(t, err)

	for _, a := range []Action{{}, {Type: "qr_code"}, {Type: "redirect", URL: "javascript:alert(1)"}, {Type: "redirect", URL: "//x"},
		{Type: "dance", URL: "https://x"}, {Type: "qr_code", URL: "a\nb"}, {Type: "qr_code", URL: long}, {Type: "qr_code", URL: "\xff"}} {
		require.Nil(t, Outcome{Verdict: Pending, Action: &a}.Vetted().Action, "%+v", a)
	}
	for _, a := range []Action{{Type: "redirect", URL: "https://x.example/pay"}, {Type: "redirect", URL: "http://127.0.0.1:8090/pay/1"}, {Type: "qr_code", URL: "weixin://付款/1"}} {
		require.Equal(t, &a, Outcome{Verdict: Pending, Action: &a}.Vetted().Action)
	}
}

// A channel's clock decides business days, but not absurd ones.
func TestEffectiveTime(t *testing.T) {
	t.Parallel()
	now := at(noon)
	for text, want := range map[string]string{
		"2026-11-21T11:59:58Z": "2026-11-21T11:59:58Z",
		"2026-11-20T23:00:00Z": "2026-11-20T23:00:00Z", // before the payment was received: clocks and zones differ
		"2026-11-22T11:00:00Z": "2026-11-22T11:00:00Z",
		"2026-11-22T12:00:01Z": noon, // it can't have happened yet
		"2026-11-19T12:00:00Z": noon, // nobody had asked for it
		"1999-12-31T00:00:00Z": noon,
		"9999-01-01T00:00:00Z": noon,
		"0001-01-01T00:00:00Z": noon,
	} {
		w := newWorld(t)
		w.open()
		o := succeeded
		o.EffectiveAt = at(text)
		w.settle(1, o)
		require.Equal(t, at(want).UTC(), w.payment.EffectiveAt.UTC(), text)
		require.Equal(t, now, w.payment.UpdatedAt)
		require.Equal(t, w.payment.EffectiveAt, w.journals[0].EffectiveAt())
	}
}
