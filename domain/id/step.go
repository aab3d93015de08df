package id

import (
	"strconv"

	"paysaga/domain/fault"
)

// Code is the two-letter name of a kind of step. The registry is closed: a code in a stored key keeps its meaning for ever.
type Code string

const (
	Receive         Code = "rc" // the request was received
	Open            Code = "op" // the intent of an attempt was committed
	Charge          Code = "ch" // a charge at a channel
	Pending         Code = "pn" // the payer was shown what to do next
	InDoubt         Code = "ud" // an outcome became unknown: the memo posting
	Undo            Code = "ur" // the reversal of ud, once the outcome is known
	Void            Code = "vd" // an authorization given back
	Close           Code = "cl" // a pending charge closed or canceled at the channel
	CancelRequested Code = "cn" // somebody asked to cancel
	CaptureOut      Code = "cp" // authorized money taken
	Mature          Code = "mt" // pending money became available
	Case            Code = "cs" // an exception that brought money: case opened or decided
	Contradict      Code = "ct" // an exception that brought none: a channel took its word back
	RefundOut       Code = "rf" // a refund at a channel
	PayoutOut       Code = "po" // a payout at a channel or a bank
	Act             Code = "ac" // an operator's act
	Park            Code = "pk" // a person was shown that something takes too long
	Explain         Code = "ex" // what stood on suspense was booked as somebody's
	End             Code = "en" // the payment ended after its attempts had, or without one
	Return          Code = "rt" // a refund came back after it had succeeded
	Decide          Code = "cd" // a case was decided
	Recover         Code = "dr" // a merchant's debt was paid back out of what became available
	Review          Code = "rv" // somebody judged a payment that risk had held
	Move            Code = "tf" // money moved inside the ledger alone: a transfer, a budget's funding
	Hold            Code = "wh" // a wallet's part of a payment was set aside
	Accrue          Code = "ra" // a rebate was promised; later ordinals: rated again
	Settle          Code = "rs" // a rebate was paid into its wallet
	ClawBack        Code = "rb" // a rebate, or a part of it, was taken back
	Restore         Code = "rr" // what was taken back was given again: the refund had failed
	Arrive          Code = "gr" // an order's goods were received
	Chargeback      Code = "cb" // a channel took money back in a dispute, or gave it again
	Fee             Code = "fe" // our fee on money that never becomes ours: charged, returned
)

// Codes returns the registry of step codes.
func Codes() []Code {
	return []Code{Receive, Open, Charge, Pending, InDoubt, Undo, Void, Close, CancelRequested, CaptureOut, Mature, Case, Contradict,
		RefundOut, PayoutOut, Act, Park, Explain, End, Return, Decide, Recover, Review,
		Move, Hold, Accrue, Settle, ClawBack, Restore, Chargeback, Arrive, Fee}
}

// MaxOrdinal is the last ordinal of a step: two digits, so that a reference keeps its length on every channel.
const MaxOrdinal = 99

// Step is one step of one business object: ch1 is its first charge.
type Step struct {
	Code    Code
	Ordinal int // 1–99; a new one is given only after the one before is provably dead
}

// String returns the step as it stands in keys, "ch1".
func (s Step) String() string { return string(s.Code) + strconv.Itoa(s.Ordinal) }

// Valid reports whether the code is registered and the ordinal within 1–99.
func (s Step) Valid() bool {
	if s.Ordinal < 1 || s.Ordinal > MaxOrdinal {
		return false
	}
	for _, c := range Codes() {
		if s.Code == c {
			return true
		}
	}
	return false
}

// Next returns the step with the next ordinal, or Conflict "steps_exhausted" after 99. It can't know whether the step
// before is dead; its caller must (I-09).
func (s Step) Next() (Step, error) {
	if s.Ordinal >= MaxOrdinal {
		return Step{}, fault.Conflict("steps_exhausted", "no ordinal is left for this step")
	}
	return Step{s.Code, s.Ordinal + 1}, nil
}

// ParseStep reads what String writes, and nothing else.
func ParseStep(text string) (Step, error) {
	if len(text) == 3 || len(text) == 4 {
		// Atoi takes signs and leading zeros; writing the step out again refuses them.
		n, err := strconv.Atoi(text[2:])
		if s := (Step{Code(text[:2]), n}); err == nil && s.Valid() && s.String() == text {
			return s, nil
		}
	}
	return Step{}, fault.Invalid("step_invalid", "", "this is not a step")
}
