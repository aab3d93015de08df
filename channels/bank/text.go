package bank

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const (
	maxName = 70  // what SEPA and pain.001.03 have room for
	maxNote = 140 // of one unstructured line
)

// plain spells what decomposes into nothing that banks take.
var plain = strings.NewReplacer("ß", "ss", "ẞ", "SS", "æ", "ae", "Æ", "AE", "œ", "oe", "Œ", "OE", "ø", "o", "Ø", "O", "ł", "l", "Ł", "L",
	"đ", "d", "Đ", "D", "ð", "d", "Ð", "D", "þ", "th", "Þ", "TH", "ı", "i", "ħ", "h", "Ħ", "H", "’", "'", "‘", "'", "–", "-", "—", "-", "&", "+")

// latinText is text in the characters that every bank takes: letters, digits,
// and / - ? : ( ) . , ' + and space. Accents go; what can't be written so becomes
// a point. It has no double slash, and none at its ends.
func latinText(text string, limit int) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(plain.Replace(text)) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("/-?:().,'+", r):
			b.WriteRune(r)
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		default:
			b.WriteByte('.')
		}
	}
	out := strings.Join(strings.Fields(b.String()), " ")
	for strings.Contains(out, "//") {
		out = strings.ReplaceAll(out, "//", "/")
	}
	out = strings.Trim(out, "/ ")
	if len(out) > limit {
		out = strings.Trim(out[:limit], "/ ")
	}
	return out
}

// bare texts are what latinText makes of them, and have neither a space nor a slash.
func bare(text string) bool {
	for i := range len(text) {
		b := text[i]
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && strings.IndexByte("-?:().,'+", b) < 0 {
			return false
		}
	}
	return true
}

// legible: something of a name is left that a bank can compare.
func legible(name string) bool {
	return strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}
