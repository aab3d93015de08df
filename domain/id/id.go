// Package id makes and reads paysaga's names: ids of business objects, steps, keys and channel references, and books.
// All of it is computed from arguments; whoever mints an id brings the time and the entropy.
package id

import (
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"paysaga/domain/fault"
)

// Prefix says what an id names. The set is closed.
type Prefix string

const (
	Payment        Prefix = "pay"
	Order          Prefix = "ord"
	Refund         Prefix = "rfd"
	Transfer       Prefix = "trf"
	Payout         Prefix = "pyt"
	TopUp          Prefix = "top"
	Rebate         Prefix = "reb"
	Campaign       Prefix = "cmp"
	User           Prefix = "usr"
	Account        Prefix = "acc" // a ledger account
	ChannelAccount Prefix = "cha"
	Merchant       Prefix = "mer"
	Event          Prefix = "evt"
	APIKey         Prefix = "key"
	Operator       Prefix = "opr"
	Request        Prefix = "req"
	Callback       Prefix = "clb"
	Capture        Prefix = "cap"
	Endpoint       Prefix = "whk" // where a merchant is told of events
	ListEntry      Prefix = "lst" // of a block or allow list
	Notice         Prefix = "ntf" // a message to a person
	Session        Prefix = "ses" // of a user who has logged in
	Destination    Prefix = "dst" // where a user can be paid out to
	Settlement     Prefix = "stl" // a run that pays a campaign's vested rebates
	Rerating       Prefix = "rrt" // a run that rates a campaign's orders again
	Dispute        Prefix = "dsp" // a customer's bank takes money back
)

// Prefixes returns every prefix once.
func Prefixes() []Prefix {
	return []Prefix{Payment, Order, Refund, Transfer, Payout, TopUp, Rebate, Campaign, User, Account, ChannelAccount,
		Merchant, Event, APIKey, Operator, Request, Callback, Capture, Endpoint, ListEntry, Notice, Session, Destination, Settlement, Rerating, Dispute}
}

const (
	bodyLen   = 26 // 130 bits of base32 hold the 128 of a ULID; the first character is therefore 0–7
	prefixLen = 3
	idLen     = prefixLen + 1 + bodyLen
	alphabet  = "0123456789abcdefghjkmnpqrstvwxyz" // Crockford's: without i, l, o, u
)

// New returns "<prefix>_" and 26 lower-case Crockford base32 characters of a ULID: ms (milliseconds since 1970, the low
// 48 bits) first, so that ids sort by time, then entropy. Equal arguments give equal ids; uniqueness is the entropy's.
func New(prefix Prefix, ms uint64, entropy [10]byte) string {
	var u ulid.ULID
	_ = u.SetTime(ms & (1<<48 - 1)) // can't fail below 2^48
	_ = u.SetEntropy(entropy[:])    // can't fail with ten bytes
	return string(prefix) + "_" + strings.ToLower(u.String())
}

// Parse returns the prefix of an id, or Invalid "id_invalid". Only the form that New writes is an id: upper case, other
// alphabets and unknown prefixes are refused, so that an id has one spelling.
func Parse(s string) (Prefix, error) {
	if len(s) == idLen && s[prefixLen] == '_' && isBody(s[prefixLen+1:]) {
		for _, p := range Prefixes() {
			if s[:prefixLen] == string(p) {
				return p, nil
			}
		}
	}
	return "", fault.Invalid("id_invalid", "", "this is not an id")
}

// Is reports whether s is a well-formed id with this prefix. It says nothing about whether the thing exists.
func Is(prefix Prefix, s string) bool {
	p, err := Parse(s)
	return err == nil && p == prefix
}

// Time returns when an id was minted, in UTC to the millisecond.
func Time(s string) (time.Time, error) {
	if _, err := Parse(s); err != nil {
		return time.Time{}, err
	}
	u, err := ulid.ParseStrict(s[prefixLen+1:])
	if err != nil {
		return time.Time{}, fault.Invalid("id_invalid", "", "this is not an id")
	}
	return time.UnixMilli(int64(u.Time())).UTC(), nil
}

func isBody(s string) bool {
	if len(s) != bodyLen || s[0] > '7' {
		return false
	}
	for i := range len(s) {
		if strings.IndexByte(alphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}
