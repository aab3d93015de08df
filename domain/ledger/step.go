package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"paysaga/domain/id"
)

// Change is one state move of a Step, as data: a row that comes to be, or a
// compare-and-swap. The packages that own an object declare its changes, and
// the store keeps one writer for each. Content is what a repeat under the same
// cause must bring again: no clock, no minted id.
type Change interface {
	Content() any
}

// Step is the unit of change: the moves, the journals and the events of one
// cause commit together or not at all.
type Step struct {
	Book     id.Book
	Cause    string // "<id>:<step>"; a repeat returns the first receipt
	Business string // the business id that timeline and logs follow
	By       Principal
	Changes  []Change
	Journals []Journal
}

// Principal is who makes a Step. Reason is for people: operators give one.
type Principal struct {
	Kind      PrincipalKind
	ID        string // key_…, opr_…, usr_… or a service's name
	RequestID string
	Reason    string
}

// PrincipalKind says what a principal is.
type PrincipalKind string

// The kinds of principals.
const (
	ByMerchant PrincipalKind = "merchant"
	ByOperator PrincipalKind = "operator"
	ByUser     PrincipalKind = "user"
	ByService  PrincipalKind = "service"
)

// Service is a principal that is a part of paysaga itself.
func Service(name string) Principal { return Principal{Kind: ByService, ID: name} }

// Receipt says what a Step did.
type Receipt struct {
	Cause string
	// Replayed: the cause, or the idempotency key, was there already; nothing
	// changed now.
	Replayed bool
	// Object is the id of the object that an idempotency key stands for: the
	// one received now, or the first one.
	Object string
	// BookedAt is our time of the (first) commit.
	BookedAt time.Time
}

// ContentHash is the hex SHA-256 over what the Step would do. The same cause
// with another hash is a Conflict (I-05).
func (s Step) ContentHash() string {
	sum := sha256.Sum256(s.content(make([]byte, 0, 512)))
	return hex.EncodeToString(sum[:])
}

// content appends the JSON that is hashed: as encoding/json would write
//
//	{Book, Cause, Changes: […], Journals: [{Cause, Kind, Reverses, Legs: [{Code, Currency, Amount}]}]}
//
// What stands in the book was hashed so, and a repeat has to come to the same.
func (s Step) content(buf []byte) []byte {
	buf = quoted(append(buf, `{"Book":`...), string(s.Book))
	buf = quoted(append(buf, `,"Cause":`...), s.Cause)
	buf = append(buf, `,"Changes":`...)
	buf = listed(buf, s.Changes, func(buf []byte, c Change) []byte {
		b, err := json.Marshal(c.Content())
		if err != nil { // only a Change whose Content can't be JSON: a bug of ours
			panic("ledger: content of a step: " + err.Error())
		}
		return append(buf, b...)
	})
	buf = append(buf, `,"Journals":`...)
	buf = listed(buf, s.Journals, func(buf []byte, j Journal) []byte {
		buf = quoted(append(buf, `{"Cause":`...), j.cause)
		buf = quoted(append(buf, `,"Kind":`...), j.kind)
		buf = quoted(append(buf, `,"Reverses":`...), j.reverses)
		buf = append(buf, `,"Legs":`...)
		return append(listed(buf, j.entries, func(buf []byte, e Entry) []byte {
			buf = quoted(append(buf, `{"Code":`...), e.Account.Code)
			buf = quoted(append(buf, `,"Currency":`...), string(e.Account.Currency))
			return append(strconv.AppendInt(append(buf, `,"Amount":`...), e.Amount, 10), '}')
		}), '}')
	})
	return append(buf, '}')
}

// listed appends a JSON array; null where there is nothing.
func listed[T any](buf []byte, list []T, element func([]byte, T) []byte) []byte {
	if len(list) == 0 {
		return append(buf, "null"...)
	}
	for i, v := range list {
		c := byte(',')
		if i == 0 {
			c = '['
		}
		buf = element(append(buf, c), v)
	}
	return append(buf, ']')
}

// quoted appends a JSON string.
func quoted(buf []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			b, _ := json.Marshal(text) // what has to be escaped is rare here
			return append(buf, b...)
		}
	}
	return append(append(append(buf, '"'), text...), '"')
}
