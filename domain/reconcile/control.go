package reconcile

import (
	"fmt"
	"math"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
)

// File is a statement as it was received.
type File struct {
	Name    string // for people; in errors
	Kind    string // the adapter's own: "trade", "fundflow", "balance"; see channels.Description
	Account string // cha_…
	Book    id.Book
	Hash    string         // hex SHA-256 of its bytes
	Zone    *time.Location // of the times in it that name none; nil: the channel's own
}

// Broken is the error of a statement that can't be believed: fault.Invalid
// "statement_broken", with file, line and reason. Row 0 is the file as a whole.
// The reason is of our own words; it quotes no cell.
func (f File) Broken(row int, reason string) *fault.Error {
	at := f.Name
	if row > 0 {
		at = fmt.Sprintf("%s, line %d", f.Name, row)
	}
	return fault.Invalid("statement_broken", "", at+": "+reason)
}

// Line is a line of f with what all of them share.
func (f File) Line(row int) Line {
	return Line{Account: f.Account, Book: f.Book, FileHash: f.Hash, Row: row}
}

// Control is the sum of the lines that were read. Read from a file that states
// its own sums it has been held against them.
type Control struct {
	Lines    int
	Totals   map[money.Currency]Total
	Declared bool // the file states sums or counts, and they agree
}

// Total is a sum of lines in one currency, in minor units.
type Total struct {
	Lines           int
	Gross, Fee, Net int64
}

// Add counts a line. A net that isn't gross less fee, or a sum that no int64
// holds, is refused with the reason.
func (c *Control) Add(l *Line) (reason string) {
	if l.Gross-l.Fee != l.Net {
		return "net is not gross less fee"
	}
	if c.Totals == nil {
		c.Totals = map[money.Currency]Total{}
	}
	t := c.Totals[l.Currency]
	if !t.add(l) {
		return "the sums are beyond what can be counted"
	}
	c.Lines++
	c.Totals[l.Currency] = t
	return ""
}

// add reports false, and leaves what doesn't count, where a sum is beyond int64.
func (t *Total) add(l *Line) bool {
	for _, sum := range [...]struct {
		of  *int64
		add int64
	}{{&t.Gross, l.Gross}, {&t.Fee, l.Fee}, {&t.Net, l.Net}} {
		if sum.add > 0 && *sum.of > math.MaxInt64-sum.add || sum.add < 0 && *sum.of < math.MinInt64-sum.add {
			return false
		}
		*sum.of += sum.add
	}
	t.Lines++
	return true
}
