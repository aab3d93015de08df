//go:build planted

package cells

import (
	"paysaga/activities"
	"paysaga/api"
	"paysaga/workers"
)

// Planted says how many bugs this build has in it.
const Planted = PlantedBugs

// bug is one planted bug: what it wraps, and the cells in which the judges have to see it.
type bug struct {
	name   string
	cells  []string // patterns of whole names
	steps  func(*activities.Config)
	relays func(*workers.RelayConfig)
	front  func(*api.Parts)
}

func bugOf(p Plant) bug {
	if p < 1 || int(p) > len(bugs) {
		return bug{name: "none"}
	}
	return bugs[p-1]
}

func plantSteps(p Plant, c *activities.Config) {
	if f := bugOf(p).steps; f != nil {
		f(c)
	}
}

func plantRelays(p Plant, c *workers.RelayConfig) {
	if f := bugOf(p).relays; f != nil {
		f(c)
	}
}

func plantFront(p Plant, c *api.Parts) {
	if f := bugOf(p).front; f != nil {
		f(c)
	}
}

func plantName(p Plant) string    { return bugOf(p).name }
func plantCells(p Plant) []string { return bugOf(p).cells }

// calling plants a bug into every channel.
func calling(f func(*badChannel)) func(*activities.Config) {
	return func(c *activities.Config) {
		for name, ch := range c.Channels {
			bad := &badChannel{Channel: ch}
			f(bad)
			c.Channels[name] = bad
		}
	}
}

// committing plants a bug into every commit of a saga.
func committing(change stepChange) func(*activities.Config) {
	return func(c *activities.Config) { c.Committer = &badCommitter{Committer: c.Committer, change: change} }
}

// bugs are all of them; PLANT counts from 1.
var bugs = []bug{
	{name: "a retry has a new key", cells: []string{`express:payment/Charge-1:before:(500|hang|cut_before)`}, steps: calling(newKeyPerRetry)},
	{name: "unknown is taken for failed", cells: []string{`(express|standard):payment/Charge-1:effect:(cut_after|hang|garbage)`}, steps: calling(unknownIsFailed)},
	{name: "after a timeout it is charged again", cells: []string{`express:payment/Charge-1:effect:(hang|cut_after)`}, steps: calling(chargedAgain)},
	{name: "a commit without its journals", cells: []string{`express:payment/Book-1:before:forged`}, steps: committing(withoutJournals)},
	{name: "a refund that was refused is acknowledged", cells: []string{`over_refunded:.*:before:forged`}, front: unarbitrated},
	{name: "a callback isn't verified", cells: []string{`(polled|express):payment/(Book|Charge)-1:(before|effect):forged`}, steps: calling(unverified)},
	{name: "a success after the end is dropped", cells: []string{`late:.*:(before|reply):forged`}, relays: lateIsDropped},
	{name: "a callback that comes twice is booked twice", cells: []string{`express:payment/Book-1:(effect|reply):duplicate`},
		steps: remembering, front: bookedTwice},
	{name: "the fee is lost", cells: []string{`express:payment/Open-1:before:forged`}, steps: committing(withoutFee)},
	{name: "a doubt is never taken back", cells: []string{`in_doubt:payment/Ask-1:before:forged`}, steps: committing(withoutReversals)},
	{name: "the currency is the one that was asked for", cells: []string{`other_currency:.*:before:forged`}, steps: calling(currencyDropped)},
	{name: "more is booked than was captured", cells: []string{`captured_in_parts:payment/Capture-2:before:forged`}, steps: calling(capturedMore)},
	{name: "a compensation is skipped", cells: []string{`(voided|canceled):payment/Close-1:before:forged`}, steps: calling(notClosed)},
	{name: "an event leaves without its commit", cells: []string{`express:payment/Book-1:before:forged`}, steps: committing(eventAhead)},
	{name: "a case isn't opened", cells: []string{`mismatch:payment/Book-1:before:forged`, `other_currency:.*:before:forged`}, steps: committing(withoutCases)},
	{name: "a stale answer is cached", cells: []string{`(polled|canceled):payment/Book-2:before:forged`}, front: stale},
	{name: "what was captured never becomes available", cells: []string{`express:payment/Open-1:before:forged`}, steps: committing(withoutMaturity)},
	{name: "the idempotency key is ignored", cells: []string{`express:payment/Open-1:before:forged`}, front: keyIgnored},
	{name: "another payment's callback is taken", cells: []string{`pair:.*:before:forged`}, steps: calling(othersCallback)},
	{name: "a key is made by the clock", cells: []string{`express:payment/Charge-1:(effect|reply):(crash|panic)`}, steps: calling(keyByTheClock)},
}
