package gauge

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Bar shows on a terminal how far a run is.
type Bar struct {
	out         io.Writer // nil: nowhere
	done, total int
	began       time.Time
}

// NewBar is a bar of total cells. It goes nowhere if out is nil.
func NewBar(out io.Writer, total int) *Bar { return &Bar{out: out, total: total, began: time.Now()} }

// Step draws one more cell as done.
func (b *Bar) Step(what string) { b.Reach(b.done+1, what) }

// Reach draws done cells as done.
func (b *Bar) Reach(done int, what string) {
	if b.done = done; b.out == nil || done < 1 {
		return
	}
	const width = 30
	full := min(width*b.done/max(b.total, 1), width)
	left := time.Duration(float64(time.Since(b.began)) / float64(b.done) * float64(max(b.total-b.done, 0)))
	fmt.Fprintf(b.out, "\r\x1b[K[%s%s] %d of %d, %s left: %s ", strings.Repeat("=", full), strings.Repeat(" ", width-full),
		b.done, b.total, left.Round(time.Second), what)
}

// End clears the line.
func (b *Bar) End() {
	if b.out != nil {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}
