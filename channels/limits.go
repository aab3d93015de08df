package channels

import (
	"time"

	"paysaga/domain/fault"
)

// Limits bound the calls that one process makes at a channel account. What exceeds them isn't sent, and waits as
// fault.Unavailable "channel_limited". The zero bounds nothing.
type Limits struct {
	Limit
	// Operations bound single operations, beside what bounds all of them.
	Operations map[Operation]Limit `json:"operations,omitempty"`
}

// Limit bounds calls.
type Limit struct {
	PerSecond float64 `json:"per_second,omitempty"` // 0: as many as there are
	Burst     int     `json:"burst,omitempty"`      // calls that may come at once within PerSecond; 0: a second's worth, at least one
	AtOnce    int     `json:"at_once,omitempty"`    // calls under way; 0: as many as there are
	TimeoutMS int     `json:"timeout_ms,omitempty"` // the longest call; 0: the process's own
}

// Timeout is the longest call; zero: the process's own.
func (l Limit) Timeout() time.Duration { return time.Duration(l.TimeoutMS) * time.Millisecond }

// Check refuses, as fault.Invalid "limits_invalid", what can't be meant.
func (l Limits) Check() error {
	list := map[Operation]Limit{"": l.Limit}
	for op, one := range l.Operations {
		list[op] = one
	}
	known := map[Operation]bool{"": true, OpCharge: true, OpCapture: true, OpCancel: true, OpAsk: true, OpRefund: true, OpAskRefund: true,
		OpPayout: true, OpAskPayout: true}
	for op, one := range list {
		switch {
		case !known[op]:
			return fault.Invalid("limits_invalid", "limits", "there is no operation "+string(op)+" to limit")
		case one.PerSecond < 0 || one.PerSecond > 1e6 || one.Burst < 0 || one.AtOnce < 0 || one.TimeoutMS < 0 || one.TimeoutMS > 60_000:
			return fault.Invalid("limits_invalid", "limits", "limits are not negative, and a call takes a minute at most")
		}
	}
	return nil
}
