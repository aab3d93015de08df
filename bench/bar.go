package bench

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// bar shows on a terminal how far a run is.
type bar struct {
	out         io.Writer // nil: nowhere
	done, total int
	began       time.Time
}

func newBar(out io.Writer, total int) *bar { return &bar{out: out, total: total, began: time.Now()} }

// step draws one more cell as done.
func (b *bar) step(what string) {
	if b.done++; b.out == nil {
		return
	}
	const width = 30
	full := min(width*b.done/b.total, width)
	left := time.Duration(float64(time.Since(b.began)) / float64(b.done) * float64(max(b.total-b.done, 0)))
	fmt.Fprintf(b.out, "\r[%s%s] %d of %d, %s left: %s ", strings.Repeat("=", full), strings.Repeat(" ", width-full),
		b.done, b.total, left.Round(time.Second), what)
}

// end clears the line.
func (b *bar) end() {
	if b.out != nil {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}
