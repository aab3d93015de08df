package bank

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// The bytes of XML 1.0, as its recommendation names them.
const (
	isPlain = 1 << iota // stands for itself in a text
	isSpace
	isName  // in a name
	isFirst // and at its begin
)

var classes = func() (c [256]byte) {
	for b := byte(' '); b < 0x80; b++ {
		c[b] = isPlain
	}
	for _, b := range []byte("&<]") {
		c[b] = 0
	}
	for _, b := range []byte(" \t\n") {
		c[b] = isPlain | isSpace
	}
	c['\r'] = isSpace // a line's end is read as \n
	for b := 'a'; b <= 'z'; b++ {
		c[b] |= isName | isFirst
		c[b-'a'+'A'] |= isName | isFirst
	}
	for _, b := range []byte("_:") {
		c[b] |= isName | isFirst
	}
	for _, b := range []byte("0123456789.-") {
		c[b] |= isName
	}
	return c
}()

// verbatim texts stand for themselves.
func verbatim(text []byte) bool {
	for _, b := range text {
		if classes[b]&isPlain == 0 {
			return false
		}
	}
	return true
}

// name is how long the name is that a text begins with, of which so many bytes are known to be a name's; 0: it begins with none.
func name(text []byte, known int) int {
	if len(text) == 0 || classes[text[0]]&isFirst == 0 && text[0] < utf8.RuneSelf {
		return 0
	}
	for i := known; i < len(text); {
		if b := text[i]; b < utf8.RuneSelf {
			if classes[b]&isName == 0 {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if !beyondASCII(r, i == 0) {
			return 0
		}
		i += size
	}
	return len(text)
}

// beyondASCII: a name may have the character, or begin with it (XML 1.0, fifth edition, 2.3).
func beyondASCII(r rune, first bool) bool {
	if !first && (r == 0xb7 || r >= 0x300 && r <= 0x36f || r == 0x203f || r == 0x2040) {
		return true
	}
	for _, x := range [][2]rune{{0xc0, 0xd6}, {0xd8, 0xf6}, {0xf8, 0x2ff}, {0x370, 0x37d}, {0x37f, 0x1fff}, {0x200c, 0x200d}, {0x2070, 0x218f},
		{0x2c00, 0x2fef}, {0x3001, 0xd7ff}, {0xf900, 0xfdcf}, {0xfdf0, 0xfffc}, {0x10000, 0xeffff}} {
		if r >= x[0] && r <= x[1] {
			return true
		}
	}
	return false
}

// split takes the prefix off a name. One without either part is a name as a whole; one with two prefixes is none (Namespaces in XML 1.0, 4).
func split(name []byte) (prefix, local []byte, ok bool) {
	i := bytes.IndexByte(name, ':')
	switch {
	case i < 0:
		return nil, name, true
	case bytes.IndexByte(name[i+1:], ':') >= 0:
		return nil, nil, false
	case i == 0 || i == len(name)-1:
		return nil, name, true
	}
	return name[:i], name[i+1:], true
}

func spaced(text []byte) []byte {
	for len(text) > 0 && classes[text[0]]&isSpace != 0 {
		text = text[1:]
	}
	return text
}

// attribute is the first one of the rest of a tag, its value as it stands; no key: there is none left.
func attribute(rest []byte) (key, value, after []byte, err error) {
	text := spaced(rest)
	if len(text) == 0 {
		return nil, nil, nil, nil
	}
	n := name(text, 0)
	if n == 0 || len(text) == len(rest) {
		return nil, nil, nil, errMalformed
	}
	key, text = text[:n], spaced(text[n:])
	if len(text) == 0 || text[0] != '=' {
		return nil, nil, nil, errMalformed
	}
	if text = spaced(text[1:]); len(text) < 2 || text[0] != '"' && text[0] != '\'' {
		return nil, nil, nil, errMalformed
	}
	end := bytes.IndexByte(text[1:], text[0])
	if end < 0 {
		return nil, nil, nil, errMalformed
	}
	return key, text[1 : end+1], text[end+2:], nil
}

// decode appends what a text stands for: its references replaced, its lines ended by \n. It refuses what XML has no place for.
func decode(to, text []byte, cdata bool) ([]byte, error) {
	for len(text) > 0 {
		b := text[0]
		switch {
		case b == '&' && !cdata:
			r, size, err := reference(text)
			if err != nil {
				return to, err
			}
			to, text = utf8.AppendRune(to, r), text[size:]
			continue
		case b == '\r':
			if to, text = append(to, '\n'), text[1:]; len(text) > 0 && text[0] == '\n' {
				text = text[1:]
			}
			continue
		}
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 || !allowed(r) {
			return to, errMalformed
		}
		to, text = append(to, text[:size]...), text[size:]
	}
	return to, nil
}

// reference is the character that &…; stands for, and how long it is.
func reference(text []byte) (r rune, size int, err error) {
	n := bytes.IndexByte(text[:min(len(text), 12)], ';')
	if n < 0 {
		return 0, 0, errEntity
	}
	switch inner := string(text[1:n]); {
	case inner == "lt":
		r = '<'
	case inner == "gt":
		r = '>'
	case inner == "amp":
		r = '&'
	case inner == "apos":
		r = '\''
	case inner == "quot":
		r = '"'
	case len(inner) > 1 && inner[0] == '#':
		base := 10
		if inner = inner[1:]; inner[0] == 'x' {
			base, inner = 16, inner[1:]
		}
		code, err := strconv.ParseUint(inner, base, 31)
		if err != nil || !allowed(rune(code)) {
			return 0, 0, errMalformed
		}
		r = rune(code)
	default:
		return 0, 0, errEntity
	}
	return r, n + 1, nil
}

// allowed characters are those that a document of XML 1.0 may have.
func allowed(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd || r >= 0x10000 && r <= 0x10ffff
}
