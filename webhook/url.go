package webhook

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"paysaga/domain/fault"
)

// maxURL is longer than any real endpoint's, and short enough to be kept and shown.
const maxURL = 2000

// private are the last labels of names that never belong to the public DNS (RFC 6761, 6762, 7686, 8375, 9476, ICANN's
// .internal, and those that ICANN won't delegate because house networks use them).
var private = []string{"localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "home", "lan", "mail",
	"arpa", "invalid", "test", "onion", "alt"}

// CheckURL refuses what can't be an endpoint; param is the path of the field, for the error: fault.Invalid, codes
// url_invalid, url_scheme, url_port and url_host. It looks nothing up: where a name leads is judged when it is dialled,
// each time, since names move.
func (s *Sender) CheckURL(param, raw string) error {
	_, err := s.parse(param, raw)
	return err
}

// endpoint is a URL that was judged. What is dialled comes from here and not from another reading of the text: two
// parsers that disagree are how such guards are passed by.
type endpoint struct {
	url  *url.URL
	host string     // lower case; empty if addr is valid
	addr netip.Addr // of a URL with an address instead of a name
	port uint16
}

func (s *Sender) parse(param, raw string) (endpoint, error) {
	refuse := func(code, why string) (endpoint, error) { return endpoint{}, fault.Invalid(code, param, why) }
	if raw == "" || len(raw) > maxURL {
		return refuse("url_invalid", "a URL has 1 to 2000 characters")
	}
	for i := range len(raw) {
		if raw[i] <= ' ' || raw[i] > '~' || raw[i] == '\\' {
			return refuse("url_invalid", "a URL is visible ASCII without backslashes; write an international name in its xn-- form")
		}
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return refuse("url_invalid", "not an absolute URL")
	}
	switch {
	case u.Scheme != "https" && !(u.Scheme == "http" && s.c.AllowPlaintext):
		return refuse("url_scheme", "an endpoint's URL begins with https://")
	case u.User != nil || strings.Contains(u.Host, "@"):
		return refuse("url_invalid", "a URL must not hold a user or a password")
	case strings.Contains(raw, "#"):
		return refuse("url_invalid", "a URL must not hold a fragment")
	}
	port, ok := portOf(u)
	if !ok || !slices.Contains(s.c.Ports, port) {
		return refuse("url_port", "endpoints are called on port "+list(s.c.Ports)+" only")
	}
	e := endpoint{url: u, port: port}
	if why := s.judgeHost(&e, strings.ToLower(u.Hostname())); why != "" {
		return refuse("url_host", why)
	}
	return e, nil
}

// portOf reads the port as it would be written by us: no sign, no leading zero, no colon without a number.
func portOf(u *url.URL) (uint16, bool) {
	text := u.Port()
	if text == "" {
		if strings.HasSuffix(u.Host, ":") {
			return 0, false
		}
		return map[string]uint16{"http": 80, "https": 443}[u.Scheme], true
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), err == nil && strconv.FormatUint(n, 10) == text
}

func list(ports []uint16) string {
	var words []string
	for _, p := range ports {
		words = append(words, strconv.Itoa(int(p)))
	}
	return strings.Join(words, " or ")
}

// judgeHost fills in the name or the address, or says why it can be neither.
func (s *Sender) judgeHost(e *endpoint, host string) string {
	if strings.HasPrefix(e.url.Host, "[") || endsInNumber(host) {
		addr, err := netip.ParseAddr(host)
		switch {
		// An address has one spelling here. The others (octal, hexadecimal, one number, fewer parts, a zone, IPv4 inside
		// IPv6) mean different things to different readers.
		case err != nil || addr.Zone() != "" || addr.Is4In6() || addr.Is4() == strings.HasPrefix(e.url.Host, "["):
			return "not an address in its usual form"
		case s.judge(addr) != nil:
			return "an endpoint has a public address"
		}
		e.addr = addr
		return ""
	}
	labels := strings.Split(host, ".")
	if len(host) > 253 || slices.ContainsFunc(labels, badLabel) {
		return "not a host name: letters, digits and hyphens, no dot at its end"
	}
	// An xn-- label that no name encodes to is somebody's trick.
	if ascii, err := idna.Lookup.ToASCII(host); err != nil || ascii != host {
		return "not a host name: its xn-- form doesn't hold"
	}
	if local := len(labels) < 2 || slices.Contains(private, labels[len(labels)-1]); local && len(s.c.AllowNetworks) == 0 {
		return "an endpoint has a name in the public DNS"
	}
	e.host = host
	return ""
}

// endsInNumber is what makes browsers, and inet_aton, read a host as an IPv4 address.
func endsInNumber(host string) bool {
	host = strings.TrimRight(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if rest, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

func badLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return true
	}
	if len(label) > 3 && label[2:4] == "--" && !strings.HasPrefix(label, "xn--") {
		return true
	}
	return strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != ""
}
