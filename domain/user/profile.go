package user

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/notice"
)

// Profile is what is personal about a user. It is sealed wherever it is kept, and stands in no event (I-26).
type Profile struct {
	Name       string   `json:"name,omitempty"`
	Email      string   `json:"email,omitempty"`
	Phone      string   `json:"phone,omitempty"` // E.164
	Country    string   `json:"country,omitempty"`
	PushTokens []string `json:"push_tokens,omitempty"` // of the devices that messages are pushed to
}

// maxTokens is how many devices a user has at most.
const maxTokens = 20

// Over is p, with what payments brought where p says nothing.
func (p Profile) Over(details map[string]string) Profile {
	for name, field := range map[string]*string{"name": &p.Name, "email": &p.Email, "phone": &p.Phone, "country": &p.Country} {
		if *field == "" {
			*field = details[name]
		}
	}
	return p
}

// Same says whether two profiles say the same.
func (p Profile) Same(q Profile) bool {
	return p.Name == q.Name && p.Email == q.Email && p.Phone == q.Phone && p.Country == q.Country && slices.Equal(p.PushTokens, q.PushTokens)
}

// Change is what is to be said of a user; nil says nothing, and an empty text takes back what was said.
type Change struct {
	Name, Email, Phone, Country *string
	PushTokens                  *[]string
	Language                    *notice.Language
	Preferences                 *notice.Preferences
	Reference, ReferrerID       *string
	Metadata                    *map[string]string
	Withdraw                    *Withdrawal
}

// Check refuses what can't be; zone finds an IANA time zone.
func (c Change) Check(zone func(string) (*time.Location, error)) error {
	bad := func(param, message string) error { return fault.Invalid(param+"_invalid", param, message) }
	switch {
	case said(c.Name) && !text(*c.Name, 200):
		return bad("name", "a name is 1 to 200 characters, none of them a control character")
	case said(c.Email) && !isMail(*c.Email):
		return bad("email", "this is not a mail address")
	case said(c.Phone) && !isPhone(*c.Phone):
		return bad("phone", "a phone number is E.164, as in +8613800138000")
	case said(c.Country) && !(len(*c.Country) == 2 && strings.Trim(*c.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""):
		return bad("country", "a country has two capital letters, ISO 3166-1")
	case c.Language != nil && *c.Language != "" && !c.Language.Valid():
		return bad("language", "messages are written in en and zh")
	case said(c.Reference) && !ascii(*c.Reference, 64):
		return bad("reference", "a reference is 1 to 64 visible ASCII characters")
	case said(c.ReferrerID) && !id.Is(id.User, *c.ReferrerID):
		return fault.Invalid("id_invalid", "referrer", "this is not a user's id")
	}
	if c.PushTokens != nil {
		if len(*c.PushTokens) > maxTokens {
			return bad("push_tokens", "a user has at most 20 devices")
		}
		for i, t := range *c.PushTokens {
			if !ascii(t, 512) || slices.Contains((*c.PushTokens)[:i], t) {
				return fault.Invalid("push_tokens_invalid", "push_tokens["+strconv.Itoa(i)+"]", "a device's token is 1 to 512 visible ASCII characters, and stands once")
			}
		}
	}
	if c.Withdraw != nil {
		if err := c.Withdraw.Check(); err != nil {
			return err
		}
	}
	if c.Preferences != nil {
		return fault.Under("preferences", c.Preferences.Check(zone))
	}
	return nil
}

// Apply says of u what c says. Whose referrer is known keeps them; whether there is a circle only the store can see.
func (c Change) Apply(u *User) error {
	if c.ReferrerID != nil && *c.ReferrerID != u.ReferrerID {
		switch {
		case u.ReferrerID != "":
			return fault.Conflict("referrer_known", "who brought a user is said once").WithParam("referrer")
		case *c.ReferrerID == u.ID:
			return Circle()
		}
		u.ReferrerID = *c.ReferrerID
	}
	for field, to := range map[*string]*string{&u.Profile.Name: c.Name, &u.Profile.Email: c.Email, &u.Profile.Phone: c.Phone,
		&u.Profile.Country: c.Country, &u.Reference: c.Reference} {
		if to != nil {
			*field = *to
		}
	}
	if c.PushTokens != nil {
		u.Profile.PushTokens = slices.Clone(*c.PushTokens)
	}
	if c.Language != nil {
		u.Language = *c.Language
	}
	if c.Preferences != nil {
		u.Preferences = *c.Preferences
	}
	if c.Metadata != nil {
		u.Metadata = maps.Clone(*c.Metadata)
	}
	if c.Withdraw != nil {
		u.Withdraw = *c.Withdraw
	}
	return nil
}

// Circle is for a referrer whom the user has brought themselves, at whatever distance.
func Circle() error {
	return fault.Invalid("referral_circle", "referrer", "the user has brought this referrer themselves")
}

func said(s *string) bool { return s != nil && *s != "" }

func text(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, unicode.IsControl)
}

func ascii(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func isMail(s string) bool {
	local, host, found := strings.Cut(s, "@")
	return found && local != "" && host != "" && len(s) <= 254 && text(s, 254) && !strings.ContainsFunc(s, unicode.IsSpace) && !strings.Contains(host, "@")
}

func isPhone(s string) bool {
	return len(s) >= 7 && len(s) <= 16 && s[0] == '+' && s[1] != '0' && strings.Trim(s[1:], "0123456789") == ""
}
