package bank

import (
	"slices"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/giro"
	"paysaga/domain/id"
)

// The names of an account's credentials.
const (
	FolderPath   = "folder"        // where files are exchanged with the bank
	Holder       = "name"          // of the account, as the bank knows it
	AccountIBAN  = "iban"          //
	AccountBIC   = "bic"           //
	PainVersion  = "pain"          // V10 or V03
	CutOffs      = "cut_offs"      // when a file is closed: 14:00, or 10:00,14:00
	Zone         = "zone"          // of the cut-offs and of the bank's times: an IANA name
	AnswerWithin = "answer_within" // how long the bank may take to say something of a file: 24h
)

// The versions of pain.001 that banks take.
const (
	V10 = "001.001.10"
	V03 = "001.001.03"
)

// settings are an account's credentials, read.
type settings struct {
	folder, name, iban, bic, pain string
	cutOffs                       []time.Duration // of the day, ascending
	zone                          *time.Location
	within                        time.Duration
}

// credentials are what `paysaga channel add` asks for.
func credentials() []channels.Credential {
	check := func(ok func(string) bool, otherwise string) func(string, id.Book) string {
		return func(value string, _ id.Book) string {
			if value == "" || ok(value) {
				return ""
			}
			return otherwise
		}
	}
	return []channels.Credential{
		{Name: FolderPath, Required: true, Help: "the folder in which files are exchanged with the bank, as an absolute path; outbox and inbox are in it",
			Check: check(func(v string) bool { return strings.HasPrefix(v, "/") && !strings.Contains(v, "..") }, "is not an absolute path")},
		{Name: Holder, Required: true, Help: "the account holder's name, as the bank knows it",
			Check: check(func(v string) bool { return latinText(v, maxName) == v }, "has characters that banks don't take, or more than 70")},
		{Name: AccountIBAN, Required: true, Help: "the account's IBAN, without spaces", Check: check(giro.IsIBAN, "is not an IBAN")},
		{Name: AccountBIC, Required: true, Help: "the bank's BIC", Check: check(giro.IsBIC, "is not a BIC")},
		{Name: PainVersion, Help: "the version of pain.001 that the bank takes: " + V10 + " (default) or " + V03,
			Check: check(func(v string) bool { return v == V10 || v == V03 }, "is neither "+V10+" nor "+V03)},
		{Name: CutOffs, Help: "when instructions leave, on weekdays: 14:00 (default), or several: 10:00,14:00",
			Check: check(func(v string) bool { _, ok := cutOffs(v); return ok }, "is not a list of times like 10:00,14:00")},
		{Name: Zone, Help: "the time zone of the cut-offs and of the bank's files, as in Europe/Berlin; by default UTC",
			Check: check(func(v string) bool { _, err := time.LoadLocation(v); return err == nil && v != "Local" }, "is not an IANA time zone")},
		{Name: AnswerWithin, Help: "after how long without a pain.002 a payout counts as unknown: 24h (default)",
			Check: check(func(v string) bool { d, err := time.ParseDuration(v); return err == nil && d >= time.Minute }, "is not a duration like 24h")},
	}
}

// configured reads them. What is missing or wrong is our own failure, and the
// error doesn't quote it (I-26).
func configured(a channels.Account) (settings, error) {
	c := a.Credentials
	for _, known := range credentials() {
		value := c[known.Name]
		if value == "" && known.Required {
			return settings{}, fault.Internal("the bank's account has no "+known.Name, nil)
		}
		if why := known.Check(value, a.Book); why != "" {
			return settings{}, fault.Internal("the bank account's "+known.Name+" "+why, nil)
		}
	}
	s := settings{folder: c[FolderPath], name: c[Holder], iban: c[AccountIBAN], bic: c[AccountBIC], pain: or(c[PainVersion], V10)}
	s.cutOffs, _ = cutOffs(or(c[CutOffs], "14:00"))
	s.zone, _ = time.LoadLocation(c[Zone]) // empty: UTC
	s.within, _ = time.ParseDuration(or(c[AnswerWithin], "24h"))
	return s, nil
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func cutOffs(text string) (list []time.Duration, ok bool) {
	for _, part := range strings.Split(text, ",") {
		at, err := time.Parse("15:04", strings.TrimSpace(part))
		if err != nil {
			return nil, false
		}
		list = append(list, time.Duration(at.Hour())*time.Hour+time.Duration(at.Minute())*time.Minute)
	}
	slices.Sort(list)
	return slices.Compact(list), true
}

// cutOff is the last one that is over at now: on weekdays, in the bank's zone.
// Its clock time is what counts: a day of 23 hours has its cut-offs too.
func (s settings) cutOff(now time.Time) time.Time {
	day := now.In(s.zone)
	for back := range 8 {
		y, m, d := day.AddDate(0, 0, -back).Date()
		for _, at := range slices.Backward(s.cutOffs) {
			t := time.Date(y, m, d, int(at/time.Hour), int(at%time.Hour/time.Minute), 0, 0, s.zone)
			if w := t.Weekday(); w != time.Saturday && w != time.Sunday && !t.After(now) {
				return t
			}
		}
	}
	return time.Time{}
}
