package notice

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"paysaga/domain/fault"
)

// Preferences are what a person has said about being told. The zero value is what nobody has said anything about: what each subject
// does by default.
type Preferences struct {
	// Off and On list media ("sms"), subjects ("rebates"), or one of a subject ("rebates.sms"). What is more exact wins, and Off wins
	// over On where both are as exact.
	Off []string `json:"off,omitempty"`
	On  []string `json:"on,omitempty"`
	// Quiet are hours in which nothing rings; nil: the merchant's. Equal ends are no hours at all.
	Quiet *Quiet `json:"quiet,omitempty"`
	// TimeZone is the person's, IANA; empty: the merchant's.
	TimeZone string `json:"time_zone,omitempty"`
}

// Quiet is a daily span in which nothing rings, over midnight if From is after To.
type Quiet struct {
	From string `json:"from"` // HH:MM, included
	To   string `json:"to"`   // HH:MM, excluded
}

const maxChoices = 40

// Check refuses choices that mean nothing; the error's param is below "preferences". zone finds an IANA time zone.
func (p Preferences) Check(zone func(name string) (*time.Location, error)) error {
	for name, list := range map[string][]string{"off": p.Off, "on": p.On} {
		if len(list) > maxChoices {
			return fault.Invalid("preferences_invalid", name, "a list of choices has at most 40")
		}
		for i, choice := range list {
			if !isChoice(choice) || slices.Contains(list[:i], choice) {
				return fault.Invalid("preferences_invalid", name+"["+strconv.Itoa(i)+"]",
					"a choice is a medium (sms), a subject (rebates), or both (rebates.sms), and stands once")
			}
		}
	}
	if p.TimeZone != "" {
		if _, err := zone(p.TimeZone); err != nil {
			return fault.Invalid("time_zone_unknown", "time_zone", "this is not an IANA time zone")
		}
	}
	return p.Quiet.Check("quiet")
}

func isChoice(text string) bool {
	subject, medium, both := strings.Cut(text, ".")
	if both {
		return slices.Contains(Subjects(), Subject(subject)) && Medium(medium).Valid()
	}
	return slices.Contains(Subjects(), Subject(text)) || Medium(text).Valid()
}

// wants says whether the person wants a subject by a medium; base is what holds if they have said nothing about it.
func (p Preferences) wants(s Subject, m Medium, base bool) bool {
	for _, choice := range []string{string(s) + "." + string(m), string(s), string(m)} {
		switch {
		case slices.Contains(p.Off, choice):
			return false
		case slices.Contains(p.On, choice):
			return true
		}
	}
	return base
}

// Check refuses what isn't a span of a day; param is its path.
func (q *Quiet) Check(param string) error {
	if q == nil {
		return nil
	}
	for name, text := range map[string]string{"from": q.From, "to": q.To} {
		if _, ok := minutes(text); !ok {
			return fault.Invalid("quiet_invalid", param+"."+name, "quiet hours are times of the day, as in 22:00")
		}
	}
	return nil
}

// minutes reads HH:MM as minutes since midnight.
func minutes(text string) (int, bool) {
	if len(text) != 5 || text[2] != ':' || strings.Trim(text[:2]+text[3:], "0123456789") != "" {
		return 0, false
	}
	h, _ := strconv.Atoi(text[:2])
	m, _ := strconv.Atoi(text[3:])
	return h*60 + m, h < 24 && m < 60
}

// Until returns when quiet hours that hold at a time are over, and false if none hold. It goes by the clock on the wall, so that hours
// over a change of the clocks end when the clock says so.
func (q *Quiet) Until(at time.Time, in *time.Location) (time.Time, bool) {
	if q == nil {
		return time.Time{}, false
	}
	from, ok := minutes(q.From)
	to, valid := minutes(q.To)
	if !ok || !valid || from == to {
		return time.Time{}, false
	}
	local := at.In(in)
	now := local.Hour()*60 + local.Minute()
	day := local.Day()
	switch {
	case from < to && (now < from || now >= to), from > to && now < from && now >= to:
		return time.Time{}, false
	case from > to && now >= from:
		day++
	}
	end := time.Date(local.Year(), local.Month(), day, to/60, to%60, 0, 0, in)
	if !end.After(at) { // the clock was put back, and shows this hour twice
		end = at.Add(time.Minute)
	}
	return end, true
}
