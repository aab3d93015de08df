package ledger

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// clerk makes Steps one after the other. It alone posts to its private accounts, so it knows beforehand what each answer has
// to be; only where it posts to a shared account with a floor do two answers fit.
type clerk struct {
	house    *house
	round, n int
	r        *rand.Rand
	next     int
	balances [private]int64
	stands   []kept    // the last that were acknowledged
	undoable []Posting // private, standing, not reversed
	undone   []Posting
	payment  string
	sequence int64
}

func newClerk(h *house, seed uint64, round, n int, payment string) *clerk {
	return &clerk{house: h, round: round, n: n, r: rand.New(rand.NewPCG(seed, uint64(round)<<32|uint64(n))), payment: payment, sequence: 1}
}

// acts are what a clerk does, with their weight.
var acts = []struct {
	name   string
	weight int
	do     func(*clerk)
}{
	{"post", 500, (*clerk).post},
	{"post_shared", 140, (*clerk).postShared},
	{"several_journals", 60, (*clerk).postSeveral},
	{"no_journal", 40, (*clerk).postNothing},
	{"below_floor", 40, (*clerk).overdraw},
	{"drain_shared", 40, (*clerk).drain},
	{"reverse", 30, (*clerk).reverse},
	{"reverse_twice", 10, (*clerk).reverseTwice},
	{"reverse_nothing", 8, (*clerk).reverseNothing},
	{"reverse_differing", 8, (*clerk).reverseOther},
	{"move", 30, (*clerk).move},
	{"move_stale", 12, (*clerk).moveStale},
	{"repeat", 60, (*clerk).repeat},
	{"conflict", 30, (*clerk).conflict},
	{"same_at_once", 20, (*clerk).raceSame},
	{"conflict_at_once", 12, (*clerk).raceConflict},
	{"reverse_at_once", 8, (*clerk).raceReversals},
	{"move_at_once", 8, (*clerk).raceMoves},
	{"leave", 40, (*clerk).leave},
	{"out_of_range", 8, (*clerk).misdate},
	{"overflow", 8, (*clerk).overflow},
	{"poison", 8, (*clerk).poison},
}

var allWeights = func() (sum int) {
	for _, a := range acts {
		sum += a.weight
	}
	return sum
}()

// act does one thing.
func (c *clerk) act() {
	w := c.r.IntN(allWeights)
	for _, a := range acts {
		if w -= a.weight; w < 0 {
			c.house.notes.count("act_" + a.name)
			a.do(c)
			return
		}
	}
}

// cause is a new one.
func (c *clerk) cause() string {
	c.next++
	return fmt.Sprintf("r%d_c%d:x%d", c.round, c.n, c.next)
}

// own is the number of a private account.
func (c *clerk) own(i int) int { return c.n*private + i }

func (c *clerk) isOwn(account int) bool { return account/private == c.n && account < sharedFrom }

// draw makes a posting on up to n of accounts.
func (c *clerk) draw(cause string, accounts []int, n, most int64) Posting {
	p := Posting{Cause: cause}
	c.r.Shuffle(len(accounts), func(i, j int) { accounts[i], accounts[j] = accounts[j], accounts[i] })
	var sum int64
	for _, a := range accounts[:2+c.r.Int64N(n-1)-1] {
		minor := 1 + c.r.Int64N(most)
		if c.r.IntN(2) == 0 {
			minor = -minor
		}
		sum += minor
		p.Legs = append(p.Legs, Leg{a, minor})
	}
	if sum == 0 { // or the last leg would be none
		p.Legs[0].Minor++
		if p.Legs[0].Minor == 0 {
			p.Legs[0].Minor++
		}
		sum = 0
		for _, l := range p.Legs {
			sum += l.Minor
		}
	}
	p.Legs = append(p.Legs, Leg{accounts[len(p.Legs)], -sum})
	if c.r.IntN(20) == 0 {
		p.Behind = time.Duration(c.r.IntN(48)) * time.Hour
	}
	return p
}

func (c *clerk) private() []int {
	list := make([]int, private)
	for i := range list {
		list[i] = c.own(i)
	}
	return list
}

func (c *clerk) one(p Posting) Spec { return Spec{Cause: p.Cause, Journals: []Posting{p}} }

// expect says what a Step with those journals comes to on the private accounts: fresh, or the reason against it.
func (c *clerk) expect(s Spec) string {
	balances := c.balances
	for _, p := range s.Journals {
		for _, l := range p.Legs {
			if !c.isOwn(l.Account) {
				continue
			}
			b := &balances[l.Account%private]
			if (l.Minor > 0 && *b > math.MaxInt64-l.Minor) || (l.Minor < 0 && *b < math.MinInt64-l.Minor) {
				return "balance_overflow"
			}
			*b += l.Minor
			if low(accountOf(l.Account), *b) {
				return "insufficient_balance"
			}
		}
	}
	return "fresh"
}

// apply books a Step that was acknowledged.
func (c *clerk) apply(s Spec, a Answer) {
	for _, p := range s.Journals {
		for _, l := range p.Legs {
			if c.isOwn(l.Account) {
				c.balances[l.Account%private] += l.Minor
			}
		}
	}
	if s.Move != nil {
		c.sequence = s.Move.Sequence + 1
	}
	c.house.notes.stood(s, a)
	c.stands = append(c.stands, kept{s, a.Hash, a.BookedAt})
	if len(c.stands) > 200 {
		c.stands = slices.Delete(c.stands, 0, 100)
	}
}

// commit makes a new Step happen, or be refused, as want says, and notes what came of it. It reports whether it stands.
func (c *clerk) commit(s Spec, want ...string) bool {
	return c.judge(s, want, func() (Answer, bool) { return c.house.insist(s, c.r.IntN(2), 0) })
}

func (c *clerk) judge(s Spec, want []string, ask func() (Answer, bool)) bool {
	from := time.Now()
	a, _ := ask()
	got := a.outcome()
	c.house.notes.count("steps")
	c.house.notes.count(got)
	if !slices.Contains(want, got) {
		c.house.notes.broken("%s: %s where %v was due: %+v", s.Cause, got, want, a)
	}
	if a.Kind == "" {
		c.apply(s, a)
		return true
	}
	c.house.notes.left(s, got)
	if len(want) > 1 && got == "insufficient_balance" {
		c.house.notes.refused(refusal{s, from, time.Now()})
	}
	return false
}
