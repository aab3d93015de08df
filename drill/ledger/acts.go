package ledger

import (
	"fmt"
	"math"
	"time"
)

// post is an ordinary Step; now and then its accounts haven't got the money. A refused Step leaves its cause free.
func (c *clerk) post() {
	s := c.one(c.draw(c.cause(), c.private(), 4, 300))
	if c.commit(s, c.expect(s)) {
		c.undoable = append(c.undoable, s.Journals[0])
		if len(c.undoable) > 100 {
			c.undoable = c.undoable[50:]
		}
		return
	}
	if c.r.IntN(3) == 0 {
		again := c.one(Posting{Cause: s.Cause, Legs: []Leg{{c.own(0), 7}, {c.own(4), -7}}})
		c.commit(again, "fresh")
	}
}

// postShared is one among accounts that everybody posts to, hot ones too.
func (c *clerk) postShared() {
	accounts := []int{c.own(0), c.own(4), sharedFrom, sharedFrom + 1, hotA, hotB}
	s := c.one(c.draw(c.cause(), accounts, 4, 300))
	if c.r.IntN(3) == 0 { // money for those that have a floor
		s = c.one(Posting{Cause: s.Cause, Legs: []Leg{{c.own(0), 200}, {sharedFloorA + c.r.IntN(2), -200}}})
	}
	c.commit(s, "fresh")
}

func (c *clerk) postSeveral() {
	s := Spec{Cause: c.cause()}
	for i := range 2 + c.r.IntN(3) {
		cause := s.Cause
		if i > 0 {
			cause = fmt.Sprintf("%s_%d", s.Cause, i)
		}
		s.Journals = append(s.Journals, c.draw(cause, c.private(), 3, 200))
	}
	c.commit(s, c.expect(s))
}

func (c *clerk) postNothing() { c.commit(Spec{Cause: c.cause()}, "fresh") }

// overdraw takes one minor unit more than a private account may give, or exactly what it may.
func (c *clerk) overdraw() {
	i := 1 + c.r.IntN(3)
	floor := accountOf(c.own(i)).Floor
	rest := -c.balances[i] - floor + int64(c.r.IntN(2))
	if rest <= 0 {
		rest = 1
	}
	s := c.one(Posting{Cause: c.cause(), Legs: []Leg{{c.own(i), rest}, {c.own(4), -rest}}})
	c.commit(s, c.expect(s))
}

// drain takes from a shared account with a floor, as all the others do.
func (c *clerk) drain() {
	minor := 1 + c.r.Int64N(600)
	c.commit(c.one(Posting{Cause: c.cause(), Legs: []Leg{{sharedFloorA + c.r.IntN(2), minor}, {c.own(4), -minor}}}), "fresh", "insufficient_balance")
}

// opposite is a reversal of p.
func (c *clerk) opposite(p Posting) Posting {
	r := Posting{Cause: c.cause(), Reverses: p.Cause}
	for _, l := range p.Legs {
		r.Legs = append(r.Legs, Leg{l.Account, -l.Minor})
	}
	return r
}

// pick takes a posting that can be reversed; there may be none yet.
func (c *clerk) pick() (p Posting, ok bool) {
	if len(c.undoable) == 0 {
		return p, false
	}
	return c.undoable[c.r.IntN(len(c.undoable))], true
}

func (c *clerk) reverse() {
	p, ok := c.pick()
	if !ok {
		c.post()
		return
	}
	s := c.one(c.opposite(p))
	if c.commit(s, c.expect(s)) {
		c.wasUndone(p)
	}
}

func (c *clerk) wasUndone(p Posting) {
	for i := range c.undoable {
		if c.undoable[i].Cause == p.Cause {
			c.undoable = append(c.undoable[:i:i], c.undoable[i+1:]...)
			break
		}
	}
	c.undone = append(c.undone, p)
	if len(c.undone) > 50 {
		c.undone = c.undone[25:]
	}
}

func (c *clerk) reverseTwice() {
	if len(c.undone) == 0 {
		c.reverse()
		return
	}
	s := c.one(c.opposite(c.undone[c.r.IntN(len(c.undone))]))
	if c.expect(s) == "fresh" { // else two reasons speak against it
		c.commit(s, "already_reversed")
	}
}

func (c *clerk) reverseNothing() {
	p := Posting{Cause: c.cause(), Legs: []Leg{{c.own(0), 5}, {c.own(4), -5}}}
	p.Reverses = p.Cause + "_never"
	c.commit(c.one(p), "reversal_of_nothing")
}

func (c *clerk) reverseOther() {
	p, ok := c.pick()
	if !ok {
		c.post()
		return
	}
	r := Posting{Cause: c.cause(), Reverses: p.Cause, Legs: []Leg{{c.own(0), 1_000_003}, {c.own(4), -1_000_003}}} // nothing posts so much
	c.commit(c.one(r), "reversal_differs")
}

func (c *clerk) move() {
	s := Spec{Cause: c.cause(), Move: &Move{Payment: c.payment, Sequence: c.sequence, Parked: fmt.Sprintf("for reason %d", c.next)}}
	if c.r.IntN(2) == 0 {
		s.Journals = []Posting{c.draw(s.Cause, c.private(), 3, 100)}
	}
	c.commit(s, c.expect(s))
}

func (c *clerk) moveStale() {
	if c.sequence < 2 {
		c.move()
		return
	}
	s := Spec{Cause: c.cause(), Move: &Move{Payment: c.payment, Sequence: 1 + c.r.Int64N(c.sequence-1), Parked: "late"}}
	s.Journals = []Posting{{Cause: s.Cause, Legs: []Leg{{c.own(0), 9}, {c.own(4), -9}}}}
	c.commit(s, "stale_state")
}

// repeat brings a standing Step again: the first receipt is the answer.
func (c *clerk) repeat() {
	if len(c.stands) == 0 {
		c.post()
		return
	}
	k := c.stands[c.r.IntN(len(c.stands))]
	c.replay(k)
}

func (c *clerk) replay(k kept) {
	a := c.house.procs[c.r.IntN(2)].commit(Call{Spec: k.spec})
	for tries := 0; (a.Kind == "unavailable" || a.Kind == "unknown" || a.Kind == died) && tries < 1000; tries++ {
		_ = rest(bare, 20*time.Millisecond)
		a = c.house.procs[c.r.IntN(2)].commit(Call{Spec: k.spec})
	}
	c.house.notes.count("steps")
	c.house.notes.count(a.outcome())
	if a.outcome() != "replayed" || !a.BookedAt.Equal(k.at) {
		c.house.notes.broken("%s, repeated, answered %+v; the first receipt was of %s", k.spec.Cause, a, k.at)
	}
}

// conflict brings other content under a standing cause.
func (c *clerk) conflict() {
	if len(c.stands) == 0 {
		c.post()
		return
	}
	k := c.stands[c.r.IntN(len(c.stands))]
	s := c.one(Posting{Cause: k.spec.Cause, Legs: []Leg{{c.own(0), 1_000_007}, {c.own(4), -1_000_007}}}) // nothing posts so much
	a, _ := c.house.insist(s, c.r.IntN(2), 0)
	c.house.notes.count("steps")
	c.house.notes.count(a.outcome())
	if a.outcome() != "cause_conflict" {
		c.house.notes.broken("%s with other content answered %+v", k.spec.Cause, a)
	}
}

// leave is a caller that doesn't wait for the end. Unavailable means that nothing happened, also later.
func (c *clerk) leave() {
	s := c.one(c.draw(c.cause(), c.private(), 4, 300))
	want := []string{c.expect(s)}
	cancel := time.Duration(c.r.IntN(3000)) * time.Microsecond
	a := c.house.procs[c.r.IntN(2)].commit(Call{Spec: s, Cancel: cancel + 1})
	if a.Kind == "unavailable" {
		c.house.notes.count("left")
		c.house.notes.count("steps")
		if c.r.IntN(2) == 0 {
			c.house.notes.left(s, "its caller left, and was told that nothing happened")
			return
		}
	}
	doubt := a.Kind == "unknown" || a.Kind == died
	if !doubt && a.Kind != "unavailable" {
		c.judge(s, want, func() (Answer, bool) { return a, false })
		return
	}
	c.judge(s, want, func() (Answer, bool) {
		again, d := c.house.insist(s, c.r.IntN(2), 0)
		if doubt && again.outcome() == "replayed" {
			again.Replayed = false
		}
		return again, d || doubt
	})
}

func (c *clerk) misdate() {
	p := Posting{Cause: c.cause(), Behind: 367 * 24 * time.Hour, Legs: []Leg{{c.own(0), 5}, {c.own(4), -5}}}
	c.commit(c.one(p), "effective_at_out_of_range")
}

// overflow needs accounts that stand on the side to which they'd run over.
func (c *clerk) overflow() {
	s := c.one(Posting{Cause: c.cause(), Legs: []Leg{{c.own(0), math.MaxInt64}, {c.own(4), -math.MaxInt64}}})
	if want := c.expect(s); want == "balance_overflow" {
		c.commit(s, want)
		return
	}
	c.post()
}

func (c *clerk) poison() {
	s := c.one(Posting{Cause: c.cause(), Legs: []Leg{{c.own(0), 5}, {c.own(4), -5}}})
	s.Poison = true
	c.commit(s, "text_invalid")
}
