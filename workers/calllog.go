package workers

import (
	"context"
	"log/slog"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
)

// CallLog gathers the lines about channel calls and writes many at once, so
// that a call costs no commit of its own. It never blocks: with its buffer full
// a line is lost, and counted in the log.
type CallLog struct {
	lines chan channels.CallLine
	write func(context.Context, []channels.CallLine) error
	log   *slog.Logger
}

// NewCallLog writes lines by write, a few times a second.
func NewCallLog(write func(context.Context, []channels.CallLine) error, log *slog.Logger) *CallLog {
	return &CallLog{lines: make(chan channels.CallLine, 8192), write: write, log: log}
}

// Note takes a line.
func (c *CallLog) Note(line channels.CallLine) {
	select {
	case c.lines <- line:
	default:
		c.log.Warn("a line about a channel call was lost", "business_id", line.BusinessID, "operation", line.Operation)
	}
}

// Run writes until ctx ends, and then what is left.
func (c *CallLog) Run(ctx context.Context) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			rest, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer stop()
			c.flush(rest)
			return
		case <-tick.C:
			c.flush(ctx)
		}
	}
}

func (c *CallLog) flush(ctx context.Context) {
	for n := len(c.lines); n > 0; n = len(c.lines) {
		lines := make([]channels.CallLine, 0, min(n, 1000))
		for len(lines) < cap(lines) {
			lines = append(lines, <-c.lines)
		}
		if err := c.write(ctx, lines); err != nil {
			c.log.Warn("lines about channel calls were lost", "lines", len(lines), "error", fault.As(err).Error())
			return
		}
	}
}
