package rule

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// Failure says in a word why a condition had no answer. It never quotes the
// payment (I-26).
type Failure string

// The failures of an evaluation.
const (
	NoSuchKey  Failure = "no_such_key" // metadata without that key: ask `"key" in metadata` first
	CostLimit  Failure = "cost_limit"
	Evaluation Failure = "evaluation_failed" // a division by zero, an overflow, a text that is no number
)

// View is the facts of one payment as conditions read them. It belongs to one
// goroutine.
type View struct {
	facts Facts
	extra map[string]string
	known map[string]any // what was read once is kept: fifty rules ask for the same few facts
}

// NewView returns a view of the facts and of the values of those that the
// environment declares besides.
func NewView(f Facts, extra map[string]string) *View {
	return &View{facts: f, extra: extra, known: make(map[string]any, 8)}
}

// Facts returns what the view shows.
func (v *View) Facts() Facts { return v.facts }

// Holds reports whether the condition is true of the payment. A Failure means
// that nobody knows; the answer is false then.
func (c Condition) Holds(v *View) (bool, Failure) {
	return c.HoldsIn(&activation{view: v, env: c.env})
}

// HoldsIn reports whether the condition is true of what a package of its own
// facts shows: their values in CEL's types, by name.
func (c Condition) HoldsIn(facts cel.Activation) (bool, Failure) {
	if c.program == nil {
		return true, ""
	}
	out, _, err := c.program.Eval(facts)
	if err != nil {
		return false, classify(err)
	}
	return out == types.True, ""
}

// classify reads CEL's text because CEL has nothing else; a text that changes
// makes a failure less precise, never a success.
func classify(err error) Failure {
	switch text := err.Error(); {
	case strings.Contains(text, "no such key"):
		return NoSuchKey
	case strings.Contains(text, "cost limit"):
		return CostLimit
	}
	return Evaluation
}

// activation answers CEL's questions for names.
type activation struct {
	view *View
	env  *Env
}

// ResolveName implements cel.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	if value, ok := a.view.known[name]; ok {
		return value, true
	}
	fact, ok := a.env.facts[name]
	if !ok {
		return nil, false
	}
	var value any
	if fact.read == nil {
		value = types.String(a.view.extra[name])
	} else {
		value = fact.read(&a.view.facts)
	}
	if native, ok := value.(map[string]string); ok {
		value = types.DefaultTypeAdapter.NativeToValue(native)
	}
	a.view.known[name] = value
	return value, true
}

// Parent implements cel.Activation: there is none.
func (*activation) Parent() cel.Activation { return nil }
