package notice

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/id"
)

func in(t require.TestingT, zone string) *time.Location {
	l, err := time.LoadLocation(zone)
	require.NoError(t, err)
	return l
}

func TestQuietHours(t *testing.T) {
	t.Parallel()
	night, noon := &Quiet{From: "22:00", To: "08:00"}, &Quiet{From: "12:00", To: "13:30"}
	for _, c := range []struct {
		q         *Quiet
		zone, at  string
		until     string // empty: they don't hold
		localOnly bool
	}{
		{night, "UTC", "2026-11-21T21:59:59Z", "", false},
		{night, "UTC", "2026-11-21T22:00:00Z", "2026-11-22T08:00:00Z", false},
		{night, "UTC", "2026-11-22T03:00:00Z", "2026-11-22T08:00:00Z", false},
		{night, "UTC", "2026-11-22T08:00:00Z", "", false},
		{night, "UTC", "2026-12-31T23:00:00Z", "2027-01-01T08:00:00Z", false},
		{night, "Asia/Shanghai", "2026-11-21T14:00:00Z", "2026-11-22T00:00:00Z", false}, // 22:00 there
		{night, "Asia/Shanghai", "2026-11-21T13:59:00Z", "", false},
		{noon, "UTC", "2026-11-21T12:30:00Z", "2026-11-21T13:30:00Z", false},
		{noon, "UTC", "2026-11-21T13:30:00Z", "", false},
		{night, "Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T06:00:00Z", false}, // the night loses an hour
		{night, "Europe/Berlin", "2026-10-24T21:00:00Z", "2026-10-25T07:00:00Z", false}, // and this one has one more
		{&Quiet{From: "02:15", To: "02:45"}, "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T01:45:00Z", false},
		{&Quiet{From: "08:00", To: "08:00"}, "UTC", "2026-11-21T08:00:00Z", "", false},
		{nil, "UTC", "2026-11-21T03:00:00Z", "", false},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		require.NoError(t, err)
		until, holds := c.q.Until(at, in(t, c.zone))
		require.Equal(t, c.until != "", holds, "%v %s", c.q, c.at)
		if holds && c.q.From != "02:15" { // an hour that comes twice ends at either end
			require.Equal(t, c.until, until.UTC().Format(time.RFC3339), "%v %s", c.q, c.at)
		}
	}
}

// Whatever the zone and the hour: what is put off is put off to a later time, by less than two days, and not again at the end.
func TestQuietHoursEnd(t *testing.T) {
	t.Parallel()
	zones := []string{"UTC", "Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"}
	rapid.Check(t, func(t *rapid.T) {
		hour := rapid.Map(rapid.IntRange(0, 24*60-1), func(m int) string {
			return string([]byte{byte('0' + m/600), byte('0' + m/60%10), ':', byte('0' + m%60/10), byte('0' + m%10)})
		})
		q := &Quiet{From: hour.Draw(t, "from"), To: hour.Draw(t, "to")}
		require.NoError(t, q.Check("q"))
		zone := in(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		at := time.Unix(rapid.Int64Range(1_700_000_000, 1_900_000_000).Draw(t, "at"), 0)
		for range 200 {
			until, holds := q.Until(at, zone)
			if !holds {
				return
			}
			require.True(t, until.After(at) && until.Sub(at) < 48*time.Hour)
			at = until
		}
		t.Fatal("they never end")
	})
}

func TestRule(t *testing.T) {
	t.Parallel()
	settings := Settings{Media: Media(), Quiet: &Quiet{From: "22:00", To: "08:00"}}
	person := Person{ID: "usr_1", Mail: "ada@people.example", Phone: "+8613800138000", PushTokens: []string{"t"}}
	day, night := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC)
	with := func(f func(*Person, *Settings)) (Person, Settings) {
		p, s := person, settings
		f(&p, &s)
		return p, s
	}
	for name, c := range map[string]struct {
		change func(*Person, *Settings)
		kind   string
		medium Medium
		at     time.Time
		reason string
		wait   bool
	}{
		"by default":               {nil, "order.paid", Mail, day, "", false},
		"not by default":           {nil, "order.paid", SMS, day, ReasonUnwanted, false},
		"a subject by a medium on": {func(p *Person, _ *Settings) { p.Preferences.On = []string{"orders.sms"} }, "order.paid", SMS, day, "", false},
		"a medium off":             {func(p *Person, _ *Settings) { p.Preferences.Off = []string{"mail"} }, "order.paid", Mail, day, ReasonUnwanted, false},
		"a subject off":            {func(p *Person, _ *Settings) { p.Preferences.Off = []string{"orders"} }, "order.paid", Mail, day, ReasonUnwanted, false},
		"what is more exact wins": {func(p *Person, _ *Settings) {
			p.Preferences.Off, p.Preferences.On = []string{"orders"}, []string{"orders.mail"}
		},
			"order.paid", Mail, day, "", false},
		"another subject's choice": {func(p *Person, _ *Settings) { p.Preferences.Off = []string{"rebates"} }, "order.paid", Mail, day, "", false},
		"the shop doesn't use it":  {func(_ *Person, s *Settings) { s.Media = []Medium{SMS} }, "order.paid", Mail, day, ReasonUnused, false},
		"erased":                   {func(p *Person, _ *Settings) { p.Erased = true }, "order.paid", Mail, day, ReasonErased, false},
		"no address":               {func(p *Person, _ *Settings) { p.PushTokens = nil }, "order.paid", Push, day, ReasonNoAddress, false},
		"for merchants alone":      {nil, "payment.created", Mail, day, ReasonUnknown, false},
		"at night it doesn't ring": {nil, "order.paid", Push, night, "", true},
		"mail doesn't ring":        {nil, "order.paid", Mail, night, "", false},
		"who wants it at night":    {func(p *Person, _ *Settings) { p.Preferences.Quiet = &Quiet{From: "00:00", To: "00:00"} }, "order.paid", Push, night, "", false},
	} {
		if c.change == nil {
			c.change = func(*Person, *Settings) {}
		}
		p, s := with(c.change)
		r := Rule(p, s, c.kind, c.medium, c.at, time.UTC)
		require.Equal(t, c.reason, r.Reason, name)
		require.Equal(t, c.wait, !r.Until.IsZero(), name)
		require.Equal(t, c.reason == "" && !c.wait, r.Send, name)
	}
}

func TestTriesEnd(t *testing.T) {
	t.Parallel()
	ref := Ref{Book: id.Test, EventID: "evt_1", UserID: "usr_1", Medium: SMS}
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	require.Equal(t, Sent, Judge(ref, 0, Outcome{Sent: true}, at).State)
	require.Equal(t, Verdict{State: Failed, Reason: "http_422", Tried: true}, Judge(ref, 0, Outcome{Never: true, Reason: "http_422"}, at))
	end := at
	for tries := range Schedule().Waits {
		v := Judge(ref, tries, Outcome{Reason: "timeout"}, end)
		require.Equal(t, Pending, v.State)
		require.Equal(t, v, Judge(ref, tries, Outcome{Reason: "timeout"}, end), "a wait is a function of its arguments")
		require.True(t, v.NextAt.After(end))
		end = v.NextAt
	}
	require.Equal(t, Failed, Judge(ref, len(Schedule().Waits), Outcome{Reason: "timeout"}, end).State)
	require.Less(t, end.Sub(at), 30*time.Hour, "what is told a day late is no news")
	require.NoError(t, Schedule().Check())
}

func TestPreferencesAreChecked(t *testing.T) {
	t.Parallel()
	zone := func(name string) (*time.Location, error) {
		if name == "Asia/Shanghai" {
			return time.UTC, nil
		}
		return nil, fault.Invalid("time_zone_unknown", "", "")
	}
	require.NoError(t, Preferences{Off: []string{"sms", "orders", "rebates.push"}, On: []string{"sms"}, TimeZone: "Asia/Shanghai",
		Quiet: &Quiet{From: "22:00", To: "08:00"}}.Check(zone))
	for param, p := range map[string]Preferences{
		"off[0]": {Off: []string{"fax"}}, "on[0]": {On: []string{"orders.fax"}}, "off[1]": {Off: []string{"sms", "sms"}}, "on[1]": {On: []string{"mail", "Mail"}},
		"off": {Off: make([]string, 41)}, "time_zone": {TimeZone: "Mars"}, "quiet.from": {Quiet: &Quiet{From: "9:00", To: "10:00"}},
		"quiet.to": {Quiet: &Quiet{From: "09:00", To: "10:0x"}},
	} {
		err := p.Check(zone)
		require.Equal(t, fault.KindInvalid, fault.Of(err), param)
		require.Equal(t, param, fault.As(err).Param)
	}
}

func TestFactsAndPeople(t *testing.T) {
	t.Parallel()
	data := []byte(`{"amount":"1.00","currency":"CNY","order_id":"ord_1","from":"usr_1","to":"usr_2","customer_id":"usr_1"}`)
	people, err := People(data)
	require.NoError(t, err)
	require.Equal(t, []string{"usr_1", "usr_2"}, people)
	order, err := OrderOf("refund", "rfd_1", data)
	require.NoError(t, err)
	require.Equal(t, "ord_1", order)
	row := Row{Ref: Ref{UserID: "usr_2"}, Event: data, ObjectType: "transfer", OrderReference: "A-1"}
	f, err := FactsOf(row, Settings{Sender: "Shop"})
	require.NoError(t, err)
	require.Equal(t, Facts{Sender: "Shop", Order: "A-1", Amount: "1.00", Currency: "CNY", Incoming: true}, f)
	row.Sum = 305
	f, err = FactsOf(row, Settings{})
	require.NoError(t, err)
	require.Equal(t, "3.05", f.Amount)
	_, err = People([]byte(`{"customer_id": "ada@people.example"`))
	require.Error(t, err)
	require.NotContains(t, err.Error(), "ada")
}
