package api

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible reports whether s is 1 to most visible ASCII characters.
func visible(s string, most int) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= most
}

// written reports whether s is at most most characters, none of them a control character but those in allowed.
func written(s string, most int, allowed string) bool {
	if utf8.RuneCountInString(s) > most {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) && !strings.ContainsRune(allowed, r) {
			return false
		}
	}
	return true
}

var (
	channelName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	codeFilter  = regexp.MustCompile(`^[a-z0-9_]+(/[a-z0-9_]+)*/?$`)
	phoneNumber = regexp.MustCompile(`^\+[1-9][0-9]{5,14}$`)
	mailAddress = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
)

// webAddress reports whether s may be handed to a browser: absolute, http or https, without user, password and tricks.
func webAddress(s string) bool {
	if !visible(s, 2048) || strings.ContainsRune(s, '\\') {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && u.Opaque == ""
}
