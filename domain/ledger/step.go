package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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
	type leg struct {
		Code     string
		Currency string
		Amount   int64
	}
	type post struct {
		Cause, Kind, Reverses string
		Legs                  []leg
	}
	c := struct {
		Book     id.Book
		Cause    string
		Changes  []any
		Journals []post
	}{Book: s.Book, Cause: s.Cause}
	for _, ch := range s.Changes {
		c.Changes = append(c.Changes, ch.Content())
	}
	for _, j := range s.Journals {
		p := post{Cause: j.cause, Kind: j.kind, Reverses: j.reverses}
		for _, e := range j.entries {
			p.Legs = append(p.Legs, leg{e.Account.Code, string(e.Account.Currency), e.Amount})
		}
		c.Journals = append(c.Journals, p)
	}
	b, err := json.Marshal(c)
	if err != nil { // only a Change whose Content can't be JSON: a bug of ours
		panic("ledger: content of a step: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
