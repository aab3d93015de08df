// Package user holds the rules about a merchant's users: who they are, what may be said of them, and what may become of them. A user is
// the same whom a payment calls its customer. What is personal stands in a Profile, which is sealed and can be erased (I-26).
package user

import (
	"slices"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/notice"
)

// Status is whether a user's wallets move.
type Status string

// The statuses. Frozen and Closed both keep money where it is; only from Frozen it can go on.
const (
	Active Status = "active"
	Frozen Status = "frozen"
	Closed Status = "closed"
	Erased Status = "erased" // closed, and nothing personal is left
)

// Statuses returns every status once.
func Statuses() []Status { return []Status{Active, Frozen, Closed, Erased} }

// Valid reports whether s is one of Statuses.
func (s Status) Valid() bool { return slices.Contains(Statuses(), s) }

// User is one of a merchant's.
type User struct {
	Book        id.Book
	ID          string // usr_…
	MerchantID  string
	Reference   string // the merchant's own name for them; empty: none
	Status      Status
	Sequence    int64 // counts the user's events; 0: a payment brought them, and nothing was said of them since
	Profile     Profile
	Language    notice.Language // empty: the merchant's
	Preferences notice.Preferences
	ReferrerID  string // who brought them, usr_…; it is said once
	Metadata    map[string]string
	Withdraw    Withdrawal // what becomes of the wallet after a settlement
	Freezes     []Hold     // that stand, oldest first; none of one who isn't frozen
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Ref names a user of a merchant's; an empty merchant is any of the book.
type Ref struct {
	Book       id.Book
	MerchantID string
	ID         string
}

// Filter selects users, newest first.
type Filter struct {
	Book       id.Book
	MerchantID string
	Status     Status
	Reference  string
	ReferrerID string
	After      string
	Limit      int
}

// Open says whether things can still be said and done about the user.
func (u User) Open() error {
	switch u.Status {
	case Closed:
		return fault.Conflict("user_closed", "the user is closed")
	case Erased:
		return fault.Conflict("user_erased", "the user was erased")
	}
	return nil
}

// Act is what may be done to a user.
type Act string

// The acts.
const (
	Freeze   Act = "freeze"
	Unfreeze Act = "unfreeze"
	Close    Act = "close"
	Erase    Act = "erase"
)

// edges are what each act leads to, and from where. It is the whole table.
var edges = map[Act]struct {
	to   Status
	from []Status
}{
	Freeze:   {Frozen, []Status{Active}},
	Unfreeze: {Active, []Status{Frozen}},
	Close:    {Closed, []Status{Active, Frozen}},
	Erase:    {Erased, []Status{Active, Frozen, Closed}},
}

// Do moves the user by an act of somebody's. moved is false if they stand there already, so that a repeat changes nothing. A freeze of the
// platform's takes over the merchant's: whoever lifts it lifts both, and nobody but the platform does.
func (u *User) Do(act Act, by ledger.PrincipalKind) (moved bool, err error) {
	e, known := edges[act]
	switch {
	case !known:
		return false, fault.Internal("an act on users that nobody knows", nil)
	case act == Freeze && u.Status == Frozen:
		return platforms(by) && !u.heldByPlatform(), nil
	case u.Status == e.to:
		return false, nil
	case u.mayLift(by) != nil:
		return false, u.mayLift(by)
	case !slices.Contains(e.from, u.Status):
		return false, fault.Conflict("user_"+string(u.Status), "this can't be done with a user who is "+string(u.Status))
	}
	u.Status, u.Freezes = e.to, nil
	if act == Erase {
		u.Reference, u.Profile, u.Language, u.Preferences, u.Metadata, u.Withdraw = "", Profile{}, "", notice.Preferences{}, nil, Withdrawal{}
	}
	return true, nil
}

// Event names the event of an act.
func (a Act) Event() string {
	return map[Act]string{Freeze: "user.frozen", Unfreeze: "user.unfrozen", Close: "user.closed", Erase: "user.erased"}[a]
}
