package channels

import (
	"slices"

	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// Standing is whether new attempts are routed to an account.
type Standing string

// The standings. Whatever an account's is, what is open there goes on being asked about, captured, given back, and called
// back: money that moved there has no other way.
const (
	Active   Standing = "active"
	Paused   Standing = "paused"
	Draining Standing = "draining" // paused, and watched until nothing is open there any more
	Disabled Standing = "disabled" // not even shown in plans
)

// Act is what an operator does about an account.
type Act string

// The acts.
const (
	Pause   Act = "pause"
	Resume  Act = "resume"
	Drain   Act = "drain"
	Disable Act = "disable"
	Enable  Act = "enable"
)

// acts says from where each act leads where.
var acts = map[Act]struct {
	from []Standing
	to   Standing
}{
	Pause:   {[]Standing{Active, Draining}, Paused},
	Resume:  {[]Standing{Paused, Draining}, Active},
	Drain:   {[]Standing{Active, Paused}, Draining},
	Disable: {[]Standing{Active, Paused, Draining}, Disabled},
	Enable:  {[]Standing{Disabled}, Active},
}

// After is the standing that an act makes of s; moved is false if it is so already. An act that doesn't fit is fault.Conflict
// "standing_refused".
func (s Standing) After(act Act) (after Standing, moved bool, err error) {
	a, known := acts[act]
	switch {
	case !known:
		return s, false, fault.Invalid("act_unknown", "act", "an act is pause, resume, drain, disable or enable")
	case s == a.to:
		return s, false, nil
	case !slices.Contains(a.from, s):
		return s, false, fault.Conflict("standing_refused", "the account is "+string(s)+": it can't be made "+string(a.to)+" by "+string(act))
	}
	return a.to, true, nil
}

// why a plan leaves an account out; empty: it doesn't.
func (a OpenAccount) halted() string {
	switch a.Standing {
	case Paused:
		return "an operator has paused it: " + a.Reason
	case Draining:
		return "an operator drains it: " + a.Reason
	}
	return ""
}

// Open are the accounts of a list that a payment may be routed over at all: one whose money goes to a wallet, whole or in
// part, not over accounts of own funds, since what comes in there never becomes ours.
func Open(list []OpenAccount, p payment.Payment) []OpenAccount {
	if !p.TopUp() && p.WalletPart() == nil {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(a OpenAccount) bool { return a.OwnFunds })
}
