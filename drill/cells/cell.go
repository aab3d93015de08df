// Package cells is the drill: a fault of every kind, at every boundary of every activity, before, during and after what the
// activity does, in every scenario that calls it. A cell is one such run. It is judged by the sandbox's book, by our own, by the
// ledger and by the audit, never by what the saga believes of itself.
package cells

import (
	"fmt"
	"hash/fnv"
	"slices"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/exception"
)

// Moment is when a fault strikes, seen from what an activity does to the world.
type Moment string

// The moments.
const (
	Before Moment = "before" // nothing has happened yet
	Effect Moment = "effect" // it has happened, and the activity doesn't know yet
	Reply  Moment = "reply"  // the activity knows, and nobody else does
)

// Moments are all of them.
var Moments = []Moment{Before, Effect, Reply}

// Fault is a kind of fault.
type Fault string

// The faults.
const (
	Crash       Fault = "crash"        // the worker dies with its task
	Timeout     Fault = "timeout"      // the activity hangs until its time is over
	Panic       Fault = "panic"        // the activity panics
	PostgresCut Fault = "postgres_cut" // every connection to PostgreSQL is cut
	CommitLost  Fault = "commit_lost"  // the answer to a commit is lost
	TemporalCut Fault = "temporal_cut" // every connection to Temporal is cut
	ReplyLost   Fault = "reply_lost"   // Temporal takes the result, its answer is lost
	Refused     Fault = "refused"      // the channel refuses connections
	CutBefore   Fault = "cut_before"   // the connection to the channel is cut under the request
	CutAfter    Fault = "cut_after"    // and under the answer
	Hang        Fault = "hang"         // the channel holds the request, or the answer, and then drops it
	Status500   Fault = "500"          // the channel answers 500, done or not
	Status429   Fault = "429"          // the channel asks to slow down
	Garbage     Fault = "garbage"      // the channel answers with a web page
	WrongAmount Fault = "wrong_amount" // the channel moves one minor unit more
	Duplicate   Fault = "duplicate"    // callbacks come three times
	Reordered   Fault = "reordered"    // the end is told before the beginning
	Forged      Fault = "forged"       // somebody tells a success and signs it himself
	ClockSkew   Fault = "clock_skew"   // the worker's clock is 13 hours ahead
)

// Faults are all of them.
var Faults = []Fault{Crash, Timeout, Panic, PostgresCut, CommitLost, TemporalCut, ReplyLost, Refused, CutBefore, CutAfter, Hang,
	Status500, Status429, Garbage, WrongAmount, Duplicate, Reordered, Forged, ClockSkew}

// Kind is what an activity does to the world.
type Kind string

// The kinds of activities.
const (
	Commits Kind = "commits" // one Step
	Calls   Kind = "calls"   // a channel, and money may move
	Asks    Kind = "asks"    // a channel, and nothing moves
	Reads   Kind = "reads"   // our own rows
)

// Boundary is one execution of an activity in a scenario: the nth of its name in its saga.
type Boundary struct {
	Saga     string // the workflow's type, in lower case
	Activity string
	Nth      int
	Kind     Kind
	// Told: by now there is something at the channel that a callback could speak of.
	Told bool
}

func (b Boundary) String() string { return fmt.Sprintf("%s/%s-%d", b.Saga, b.Activity, b.Nth) }

// Cell is one run: a scenario, in which one fault strikes at one moment of one boundary.
type Cell struct {
	Scenario string
	Boundary
	Moment Moment
	Fault  Fault
}

func (c Cell) String() string {
	return fmt.Sprintf("%s:%s:%s:%s", c.Scenario, c.Boundary, c.Moment, c.Fault)
}

// Place is where it strikes: scenario, boundary and moment.
func (c Cell) Place() string { return fmt.Sprintf("%s:%s:%s", c.Scenario, c.Boundary, c.Moment) }

// Seed is one cell of each place, by a hash of the place's name, so that the kinds of faults are spread over them and a
// place keeps its cell.
func Seed(all []Cell) (seed []Cell) {
	for begin := 0; begin < len(all); {
		end, place := begin+1, all[begin].Place()
		for end < len(all) && all[end].Place() == place {
			end++
		}
		hash := fnv.New32a()
		hash.Write([]byte(place))
		seed = append(seed, all[begin+int(hash.Sum32()%uint32(end-begin))])
		begin = end
	}
	return seed
}

// All makes the cells of some scenarios, and says of those that can't exist why.
func All(list []Scenario) (cells []Cell, without map[string]string) {
	without = map[string]string{}
	for _, s := range list {
		for _, b := range s.Boundaries {
			for _, m := range Moments {
				for _, f := range Faults {
					c := Cell{Scenario: s.Name, Boundary: b, Moment: m, Fault: f}
					if why := absent(c, s); why != "" {
						without[c.String()] = why
						continue
					}
					cells = append(cells, c)
				}
			}
		}
	}
	return cells, without
}

// Quiet: the fault strikes nobody but its own run. The others cut everybody's connections.
func (c Cell) Quiet() bool { return c.Fault != PostgresCut && c.Fault != TemporalCut }

// absent says why a cell can't exist; empty: it can.
func absent(c Cell, s Scenario) string {
	why := ""
	switch c.Fault {
	case CommitLost:
		why = commitLost(c)
	case ReplyLost:
		if c.Moment != Reply {
			why = "there is no result yet that could be handed in"
		}
	case Refused, CutBefore, CutAfter, Hang, Status500, Status429, Garbage, WrongAmount, ClockSkew:
		why = atChannel(c)
	case Duplicate, Reordered:
		if !c.Told && (c.Kind != Calls || c.Moment == Before) {
			why = "there is nothing yet that a callback could speak of"
		}
	}
	switch {
	case why != "":
		return why
	case c.Moment == Effect && c.Kind == Reads:
		return "it only reads: there is no effect"
	}
	return s.Without[c.Boundary.String()+":"+string(c.Moment)+":"+string(c.Fault)]
}

func commitLost(c Cell) string {
	switch {
	case c.Kind != Commits:
		return "only a commit's answer can be lost"
	case c.Moment != Effect:
		return "a commit's answer is lost after the commit and before anybody has it"
	}
	return ""
}

// atChannel says why a fault of a channel, or of the way to it, can't strike.
func atChannel(c Cell) string {
	if c.Kind != Calls && c.Kind != Asks {
		return "only a call to a channel can meet it"
	}
	switch c.Fault {
	case Refused, CutBefore, Status429, ClockSkew:
		switch {
		case c.Moment != Before:
			return "once the channel has acted, it hasn't refused"
		case c.Fault == ClockSkew && c.Kind == Asks:
			return "a question and a close don't age"
		}
	case CutAfter, Garbage:
		if c.Moment != Effect {
			return "it strikes the answer on its way"
		}
	case Hang, Status500:
		if c.Moment == Reply {
			return "the channel has answered"
		}
	case WrongAmount:
		switch {
		case c.Kind != Calls:
			return "no money moves here"
		case c.Moment != Effect:
			return "it is what the channel does"
		}
	}
	return ""
}

// Scenario is one way in which money moves, with every activity that is run on that way.
type Scenario struct {
	Name       string
	Boundaries []Boundary
	// Silent: the channel doesn't call back, so that only questions learn how it ended.
	Silent   bool
	Policies exception.Policies // its merchant's
	// Forgetful: its channel neither closes what it doesn't know, nor remembers that it was asked to.
	Forgetful bool
	Server    func(*server.Config)       // changes its sandboxes
	Accounts  int                        // channel accounts of its merchant, each at a sandbox of its own; 0: one
	Standard  bool                       // they are on the standard lane
	Play      func(*Run) error           // brings it about; returns once the customer's and the operators' part is done
	Ends      []string                   // how it may end; see Run.End
	Struck    func(Cell) (ends []string) // how it may end besides, when this fault strikes; nil: no other way
	Without   map[string]string          // cells that can't exist here, by "boundary:moment:fault", and why
}

// ends are the ends that are right for a cell.
func (s Scenario) ends(c Cell) []string {
	list := slices.Clone(s.Ends)
	if s.Struck != nil {
		list = append(list, s.Struck(c)...)
	}
	return list
}
