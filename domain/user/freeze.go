package user

import (
	"slices"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
)

// Hold is a freeze that stands: who has frozen a user, when and why. An operator may freeze whom the merchant has frozen already; then two stand.
type Hold struct {
	By     ledger.PrincipalKind `json:"by"`
	Actor  string               `json:"actor"` // key_…, opr_…
	Reason string               `json:"reason"`
	At     time.Time            `json:"at"`
}

// platforms says whether a freeze is the platform's, and so not a merchant's to undo.
func platforms(by ledger.PrincipalKind) bool { return by != ledger.ByMerchant && by != ledger.ByUser }

// heldByPlatform says whether a freeze of the platform's stands.
func (u User) heldByPlatform() bool {
	return u.Status == Frozen && slices.ContainsFunc(u.Freezes, func(f Hold) bool { return platforms(f.By) })
}

// mayLift refuses, as fault.Denied "frozen_by_operator", whoever would undo what stands above them.
func (u User) mayLift(by ledger.PrincipalKind) error {
	if u.heldByPlatform() && !platforms(by) {
		return fault.Denied("frozen_by_operator", "an operator has frozen this user; an operator alone undoes it")
	}
	return nil
}

// PublicFreeze is a Hold as the API shows it: schema Freeze of openapi.yaml.
type PublicFreeze struct {
	By     string    `json:"by"`
	Actor  string    `json:"actor,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// PublicTo is u as somebody sees it who asks: an operator learns who has frozen the user, when and why; the merchant the same of its own
// freeze, and of an operator's that there is one; the user nothing but the status.
func (u User) PublicTo(who ledger.PrincipalKind) Public {
	p := u.Public()
	if who == ledger.ByUser {
		return p
	}
	for _, f := range u.Freezes {
		v := PublicFreeze{By: "operator", At: f.At.UTC()}
		if f.By == ledger.ByMerchant {
			v.By = "merchant"
		}
		if f.By == ledger.ByMerchant || who != ledger.ByMerchant {
			v.Actor, v.Reason = f.Actor, f.Reason
		}
		p.Freezes = append(p.Freezes, v)
	}
	return p
}
