package id

import (
	"strings"

	"paysaga/domain/fault"
)

// Key returns the one key of a step, "<business id>:<step>": the cause of its journal, and the idempotency key of its
// channel call. It is a function of committed names only, so a retry, a reset and a replay make the same one (I-13).
// It doesn't check its arguments; ParseKey and Reference do.
func Key(businessID string, s Step) string { return businessID + ":" + s.String() }

// ParseKey takes a key apart, or returns Invalid "key_invalid".
func ParseKey(key string) (businessID string, s Step, err error) {
	businessID, step, found := strings.Cut(key, ":")
	if found {
		_, idErr := Parse(businessID)
		s, err = ParseStep(step)
		if idErr == nil && err == nil {
			return businessID, s, nil
		}
	}
	return "", Step{}, fault.Invalid("key_invalid", "", "this is not the key of a step")
}

// letterOf lists the kinds of object that reach a channel. A letter in a sent reference keeps its meaning for ever.
func letterOf(p Prefix) (byte, bool) {
	switch p {
	case Payment:
		return 'p', true
	case Refund:
		return 'r', true
	case Payout:
		return 'y', true
	case Transfer:
		return 't', true
	case TopUp:
		return 'o', true
	case Rebate:
		return 'b', true
	case Capture:
		return 'k', true
	}
	return 0, false
}

// Reference returns the name that a channel sees for a key: a kind letter, the 26 characters and the step, as in
// "p01hx…ch1". It is at most 31 long, [0-9a-z] only, so that every channel takes it unchanged, and two keys never share one.
// Keys of objects that reach no channel, such as orders, are Invalid "reference_invalid".
func Reference(key string) (string, error) {
	businessID, s, err := ParseKey(key)
	if err != nil {
		return "", err
	}
	letter, ok := letterOf(Prefix(businessID[:prefixLen]))
	if !ok {
		return "", invalidReference()
	}
	return string(letter) + businessID[prefixLen+1:] + s.String(), nil
}

// ParseReference takes a reference apart. What comes back from a channel is compared with our own row before it is believed.
func ParseReference(ref string) (businessID string, s Step, err error) {
	if len(ref) > 1+bodyLen && isBody(ref[1:1+bodyLen]) {
		s, err = ParseStep(ref[1+bodyLen:])
		for _, p := range Prefixes() {
			if letter, ok := letterOf(p); ok && letter == ref[0] && err == nil {
				return string(p) + "_" + ref[1:1+bodyLen], s, nil
			}
		}
	}
	return "", Step{}, invalidReference()
}

func invalidReference() error {
	return fault.Invalid("reference_invalid", "", "this is not a reference of ours")
}
