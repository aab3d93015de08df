package payment

import (
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// Maturity says what of a payment becomes available.
type Maturity struct {
	Cause string // of the journal
	// Later is the net of captures that aren't due yet, in minor units, and Next
	// when the first of them is.
	Later int64
	Next  time.Time
}

// MaturityOf is what becomes available of a payment now: all of it, or what its
// captures that are due have brought. Nothing is fault.Conflict
// "nothing_to_mature".
func MaturityOf(d Dossier, now time.Time) (Maturity, error) {
	var m Maturity
	var last *Capture
	for i := range d.Captures {
		c := &d.Captures[i]
		switch {
		case c.MaturesAt.IsZero():
		case c.MaturesAt.After(now):
			m.Later += c.Amount.Minor - c.Fee.Minor
			if m.Next.IsZero() || c.MaturesAt.Before(m.Next) {
				m.Next = c.MaturesAt
			}
		case last == nil || !c.MaturesAt.Before(last.MaturesAt):
			last = c
		}
	}
	held := d.Payment.heldMaturity(d.Captures)
	if held.at.After(now) {
		m.Later += held.net
		if m.Next.IsZero() || held.at.Before(m.Next) {
			m.Next = held.at
		}
	}
	if due := !held.at.IsZero() && !held.at.After(now); due && (last == nil || held.at.After(last.MaturesAt)) {
		last = nil
	}
	if last != nil { // each capture is the last that is due at most once
		m.Cause = id.Key(last.ID, id.Step{Code: id.Mature, Ordinal: 1})
		return m, nil
	}
	for i := range d.Attempts {
		if d.Attempts[i].Verdict == Succeeded && d.Payment.Status == Paid && (m.Later == 0 || !held.at.IsZero() && !held.at.After(now)) {
			m.Cause = id.Key(d.Payment.ID, id.Step{Code: id.Mature, Ordinal: d.Attempts[i].Ordinal})
			return m, nil
		}
	}
	if len(d.Attempts) == 0 && d.Payment.Status == Paid { // out of a wallet alone
		m.Cause = id.Key(d.Payment.ID, id.Step{Code: id.Mature, Ordinal: 1})
		return m, nil
	}
	return m, fault.Conflict("nothing_to_mature", "the payment is "+string(d.Payment.Status)+", nothing of it is due")
}

// holding is what becomes available of a wallet's part, and when.
type holding struct {
	at  time.Time
	net int64
}

// heldMaturity is when the wallet's part of a payment that was captured in
// steps becomes available: it was taken with the last of them.
func (p *Payment) heldMaturity(captures []Capture) holding {
	part := p.WalletPart()
	if part == nil || part.MaturesAt.IsZero() {
		return holding{}
	}
	h := holding{at: part.MaturesAt, net: part.Captured.Minor - p.Fee.Minor}
	for _, c := range captures {
		h.net += c.Fee.Minor
	}
	return h
}

// maturing is when the first of d's captures becomes available that isn't yet,
// or then if that is sooner.
func maturing(list []Capture, now, then time.Time) time.Time {
	for _, c := range list {
		if c.MaturesAt.After(now) && c.MaturesAt.Before(then) {
			then = c.MaturesAt
		}
	}
	return then
}
