// Package rebates is the campaign against the rebate system: random sequences of what happens to orders and their rebates, with the
// promises held after every single thing that happened (I-06, I-08, I-22).
package rebates

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// Kind is something that happens.
type Kind string

// What happens.
const (
	Pay      Kind = "pay"      // an order is paid
	Refund   Kind = "refund"   // a part of an order, or all that is left, is given back, or the channel refuses that
	Return   Kind = "return"   // a refund that had got through comes back after all
	Relay    Kind = "relay"    // what was put off for orders is made good
	Settle   Kind = "settle"   // a settlement pays what is open; Twice: two at once pay the same pages
	Spend    Kind = "spend"    // a user spends a part of the wallet
	Freeze   Kind = "freeze"   // a user's wallets are frozen
	Unfreeze Kind = "unfreeze" // and freed
	Close    Kind = "close"    // a user is closed
	FundMore Kind = "fund"     // the campaign gets more budget
	Rerate   Kind = "rerate"   // other rules rate everything again; Twice: two workers do the same page
	Plant    Kind = "plant"    // something that no Step does, for the judge to see; never by chance
)

// Act is one of them. What a field means depends on the kind.
type Act struct {
	Kind  Kind
	Which int     // of the orders, or of the users
	Lines []int64 // minor units of the lines that are paid
	Part  int64   // percent
	Fails bool    // the channel refuses the refund
	Late  bool    // its rebates wait for the relay
	Twice bool
	Rules int    // by which it is rated again
	Plant string // SQL
}

// String is the act as a failure prints it.
func (a Act) String() string {
	switch a.Kind {
	case Pay:
		return fmt.Sprintf("pay%v late=%v", a.Lines, a.Late)
	case Refund:
		return fmt.Sprintf("refund %d%% of order %d fails=%v late=%v", a.Part, a.Which, a.Fails, a.Late)
	case Settle:
		return fmt.Sprintf("settle twice=%v", a.Twice)
	case Spend:
		return fmt.Sprintf("user %d spends %d%%", a.Which, a.Part)
	case Rerate:
		return fmt.Sprintf("rerate by %d twice=%v late=%v", a.Rules, a.Twice, a.Late)
	case Relay:
		return "relay"
	case Return:
		return fmt.Sprintf("a refund of order %d comes back late=%v", a.Which, a.Late)
	case FundMore:
		return fmt.Sprintf("fund %d", a.Part)
	}
	return fmt.Sprintf("%s user %d", a.Kind, a.Which)
}

// Sequence is what happens to one buyer, and to who referred them, one after the other.
type Sequence struct {
	Budget int64 // that is put in at first
	Acts   []Act
}

// String is the sequence as a failure prints it.
func (s Sequence) String() string {
	parts := []string{fmt.Sprintf("fund %d", s.Budget)}
	for _, a := range s.Acts {
		parts = append(parts, a.String())
	}
	return strings.Join(parts, "; ")
}

// users is how many people a sequence is about: the buyer, the referrer, and that one's.
const users = 3

// Sequences generates them: an order first, then whatever happens. Budgets are often too small.
func Sequences() *rapid.Generator[Sequence] {
	kinds := rapid.SampledFrom([]Kind{Pay, Refund, Refund, Refund, Return, Relay, Settle, Settle, Spend, Spend, Freeze, Unfreeze, Close, FundMore, Rerate, Rerate})
	lines := rapid.SliceOfN(rapid.Int64Range(1, 99_99), 1, 3)
	part := rapid.SampledFrom([]int64{1, 10, 33, 50, 67, 99, 100, 100})
	act := rapid.Custom(func(t *rapid.T) Act {
		a := Act{Kind: kinds.Draw(t, "kind"), Which: rapid.IntRange(0, users-1).Draw(t, "which"), Part: part.Draw(t, "part")}
		switch a.Kind {
		case Pay:
			a.Lines, a.Late = lines.Draw(t, "lines"), rapid.IntRange(0, 3).Draw(t, "late") == 0
		case Refund, Return:
			a.Fails, a.Late = rapid.IntRange(0, 4).Draw(t, "fails") == 0, rapid.IntRange(0, 3).Draw(t, "late") == 0
		case Rerate:
			a.Rules, a.Twice = rapid.IntRange(0, len(rulebooks())-1).Draw(t, "rules"), rapid.IntRange(0, 3).Draw(t, "twice") == 0
			a.Late = rapid.IntRange(0, 3).Draw(t, "late") == 0
		case Settle:
			a.Twice = rapid.IntRange(0, 3).Draw(t, "twice") == 0
		}
		return a
	})
	return rapid.Custom(func(t *rapid.T) Sequence {
		s := Sequence{Budget: rapid.SampledFrom([]int64{0, 5, 200, 1_000, 20_000, 20_000, 20_000}).Draw(t, "budget")}
		first := Act{Kind: Pay, Lines: lines.Draw(t, "lines")}
		s.Acts = append([]Act{first}, rapid.SliceOfN(act, 2, 8).Draw(t, "acts")...)
		return s
	})
}
