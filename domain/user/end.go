package user

import (
	"strconv"

	"paysaga/domain/fault"
)

// Doing is an act as somebody asks for it.
type Doing struct {
	Act Act
	// GiveUpRebates lets a user end who was promised rebates, or owes some: what falls due goes back to its campaign, and what is owed
	// stays owed, though nothing will come to pay it.
	GiveUpRebates bool
}

// Ends says whether an act is for good: then nothing may be left in the user's wallets, or be on its way to them.
func (a Act) Ends() bool { return a == Close || a == Erase }

// Running is how much of a kind a user has under way: refund, payout, transfer, topup, dispute, rebate (promised, not paid), rebate_debt
// (owed of rebates), and of one who is to be erased payment, payment_refund and callback, too.
type Running struct {
	Kind  string
	Count int64
}

// Busy refuses, as fault.Conflict "<kind>_under_way", the end of a user who has something under way; its details say how much of each kind.
// Nil: nothing is.
func Busy(list []Running, d Doing) error {
	var busy *fault.Error
	for _, r := range list {
		if r.Count == 0 || d.GiveUpRebates && (r.Kind == "rebate" || r.Kind == "rebate_debt") {
			continue
		}
		if busy == nil {
			busy = fault.Conflict(r.Kind+"_under_way", "the user has something under way; wait for its end")
		}
		busy = busy.WithDetail(r.Kind+"s", strconv.FormatInt(r.Count, 10))
	}
	if busy == nil {
		return nil
	}
	return busy
}
