// Package giro has what a bank transfer is addressed and recognised by: IBAN,
// BIC, and the creditor reference of ISO 11649 (RF…). All of it is checked by
// its shape and its check digits alone; whether an account exists only its bank
// knows.
package giro

import (
	"crypto/sha256"
	"strconv"
	"strings"
)

// IsIBAN checks country, length and the check digits of ISO 7064 (mod 97). The
// text has no spaces and only capitals.
func IsIBAN(text string) bool {
	return len(text) >= 4 && lengths[text[:2]] == len(text) && checked(text)
}

// checked: the check digits at the third and fourth place fit the text.
func checked(text string) bool {
	// 00, 01 and 99 would fit where 97, 98 and 02 are right.
	return digits(text[2:4]) && text[2:4] >= "02" && text[2:4] <= "98" && rest(text[4:]+text[:4]) == 1
}

// rest is what text leaves mod 97, its letters read as 10 to 35; -1 when it has
// other characters.
func rest(text string) int {
	n := 0
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			n = (n*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			n = (n*100 + int(c-'A') + 10) % 97
		default:
			return -1
		}
	}
	return n
}

// IsBIC checks the shape of ISO 9362: bank, country, place, and a branch or none.
func IsBIC(text string) bool {
	if len(text) != 8 && len(text) != 11 {
		return false
	}
	for i, c := range text {
		letter, digit := c >= 'A' && c <= 'Z', c >= '0' && c <= '9'
		if !letter && (!digit || i == 4 || i == 5) {
			return false
		}
	}
	return true
}

// maxPayload is how much of a creditor reference is the creditor's own.
const maxPayload = 21

// Reference is the creditor reference that carries payload: RF, two check
// digits, and payload. ok is false when payload isn't 1 to 21 of 0-9 and A-Z.
func Reference(payload string) (reference string, ok bool) {
	if payload == "" || len(payload) > maxPayload || rest(payload) < 0 {
		return "", false
	}
	check := 98 - rest(payload+"RF00")
	return "RF" + string([]byte{byte('0' + check/10), byte('0' + check%10)}) + payload, true
}

// ParseReference finds the creditor reference that people or banks have written
// as text: with or without spaces, in small letters too. ok is false when it
// isn't one, or its check digits don't fit.
func ParseReference(text string) (reference string, ok bool) {
	if len(text) < 5 || len(text) > 64 {
		return "", false
	}
	text = strings.ToUpper(strings.Join(strings.Fields(text), ""))
	if len(text) < 5 || len(text) > 4+maxPayload || text[:2] != "RF" || !checked(text) {
		return "", false
	}
	return text, true
}

// separators of words, besides spaces.
var separators = strings.NewReplacer(",", " ", ";", " ", ":", " ", "/", " ", ".", " ")

// FindReference looks for a creditor reference among the words of a free text,
// as it is found where the payer's bank has no field for it. Only one that
// stands alone, or in groups of four, is found; two different ones are none.
func FindReference(text string) (reference string, ok bool) {
	if len(text) < 5 || len(text) > 1000 {
		return "", false
	}
	words := strings.Fields(separators.Replace(text))
	for i := range words {
		if len(words[i]) < 2 || !strings.EqualFold(words[i][:2], "RF") {
			continue
		}
		found, alone := ParseReference(words[i])
		if !alone && len(words[i]) == 4 { // in groups of four, the last of which may be shorter
			for n := i + 2; n <= min(len(words), i+7) && !alone; n++ {
				found, alone = ParseReference(strings.Join(words[i:n], ""))
				if len(words[n-1]) != 4 {
					break
				}
			}
		}
		if alone && ok && found != reference {
			return "", false
		}
		if alone {
			reference, ok = found, true
		}
	}
	return reference, ok
}

// Grouped is how people read a reference or an IBAN: in groups of four.
func Grouped(text string) string {
	var b strings.Builder
	for i, c := range text {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// ownDigits is how many digits a creditor reference of ours carries: 66 bits,
// and with RF and the check digits six groups of four.
const ownDigits = 20

// ReferenceFor is the creditor reference of a key's reference (see
// channels.Key): always the same for the same, and a part of its hash, since a
// key's 128 bits don't fit. Of digits alone, so that the check digits see every
// slip of a single one, and every two that changed places. Whoever hands one out
// writes down whose it is, and takes the next try for one that is another's
// already: that makes it one to one.
func ReferenceFor(key string, try int) string {
	sum := sha256.Sum256([]byte("paysaga creditor reference " + strconv.Itoa(try) + " " + key))
	out := make([]byte, 0, ownDigits)
	for _, b := range sum {
		if b < 250 && len(out) < ownDigits { // beyond would favour the small ones
			out = append(out, '0'+b%10)
		}
	}
	for len(out) < ownDigits { // 13 of 32 bytes beyond: it won't be seen
		out = append(out, '0')
	}
	reference, _ := Reference(string(out))
	return reference
}

func digits(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}
