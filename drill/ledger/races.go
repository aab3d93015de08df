package ledger

import (
	"context"
	"sync"
)

var bare = context.Background()

// atOnce commits Steps from as many callers, in both processes.
func (c *clerk) atOnce(list []Spec) []Answer {
	answers := make([]Answer, len(list))
	doubts := make([]bool, len(list))
	var wg sync.WaitGroup
	for i, s := range list {
		wg.Go(func() { answers[i], doubts[i] = c.house.insist(s, i, 0) })
	}
	wg.Wait()
	for i, a := range answers {
		c.house.notes.count("steps")
		c.house.notes.count(a.outcome())
		if doubts[i] {
			c.house.notes.count("races_with_doubt")
		}
	}
	return answers
}

// small is a Step that nothing but a race can speak against.
func (c *clerk) small(cause string, minor int64) Spec {
	return c.one(Posting{Cause: cause, Legs: []Leg{{c.own(0), minor}, {c.own(4), -minor}}})
}

// raceSame brings one Step several times at once: it happens once, and everybody has its receipt.
func (c *clerk) raceSame() {
	s := c.small(c.cause(), 1+c.r.Int64N(100))
	list := make([]Spec, 2+c.r.IntN(5))
	for i := range list {
		list[i] = s
	}
	c.settle(list, "cause_conflict")
}

// raceConflict brings two contents under one cause: one of them stands, and each caller knows which.
func (c *clerk) raceConflict() {
	cause := c.cause()
	list := make([]Spec, 2+c.r.IntN(5))
	for i := range list {
		list[i] = c.small(cause, int64(1+i%2))
	}
	c.settle(list, "cause_conflict")
}

// raceReversals: a journal is reversed once (I-07).
func (c *clerk) raceReversals() {
	first := c.small(c.cause(), 1+c.r.Int64N(100))
	if !c.commit(first, "fresh") {
		return
	}
	list := make([]Spec, 2+c.r.IntN(3))
	for i := range list {
		list[i] = c.one(c.opposite(first.Journals[0]))
	}
	c.settle(list, "already_reversed")
}

// raceMoves: a state is left once (I-15).
func (c *clerk) raceMoves() {
	list := make([]Spec, 2+c.r.IntN(3))
	for i := range list {
		list[i] = c.small(c.cause(), 3)
		list[i].Move = &Move{Payment: c.payment, Sequence: c.sequence, Parked: "raced"}
	}
	c.settle(list, "stale_state")
}

// settle holds that one content of a race stands, that all who brought it were told so, one of them as the first, and that
// all others were refused.
func (c *clerk) settle(list []Spec, refusal string) {
	answers := c.atOnce(list)
	winner := -1
	for i, a := range answers {
		if a.Kind == "" && winner < 0 {
			winner = i
		}
	}
	if winner < 0 {
		c.house.notes.broken("%s: nobody won: %+v", list[0].Cause, answers)
		return
	}
	for i, a := range answers {
		same := list[i].Cause == list[winner].Cause && a.Hash == answers[winner].Hash
		switch {
		case same && a.Kind == "" && a.BookedAt.Equal(answers[winner].BookedAt):
		case !same && a.outcome() == refusal:
			if list[i].Cause != list[winner].Cause {
				c.house.notes.left(list[i], refusal)
			}
		default:
			c.house.notes.broken("%s: in a race with %s: %+v", list[i].Cause, list[winner].Cause, answers)
			return
		}
	}
	c.firsts(list, answers)
	c.apply(list[winner], answers[winner])
}

// firsts counts who was told to be the first. Only a caller that lost an answer may take another's Step for its own.
func (c *clerk) firsts(list []Spec, answers []Answer) {
	firsts := 0
	for _, a := range answers {
		if a.outcome() == "fresh" {
			firsts++
		}
	}
	if firsts != 1 && !c.house.notes.disturbed() {
		c.house.notes.broken("%s: %d were told to be the first: %+v", list[0].Cause, firsts, answers)
	}
}
