// Package fault holds the seven kinds of failure that paysaga tells apart, and the one error type that carries them.
//
// Two tables hang on the kind and nowhere else: activities map it to a Temporal error, api maps it to an HTTP status.
// A bank's "no" is not a fault; it is a result.
package fault

import (
	"errors"
	"maps"
	"time"
)

// Kind says what a failure means for the one who asked, never where it came from.
type Kind string

const (
	// KindInvalid means that the request can never work, however often it is sent.
	KindInvalid Kind = "invalid"
	// KindDenied means that the caller may not do this.
	KindDenied Kind = "denied"
	// KindNotFound means that there is no such thing, or that it is not the caller's: the two look alike on purpose (I-25).
	KindNotFound Kind = "not_found"
	// KindConflict means that the state, or a key used before, forbids it.
	KindConflict Kind = "conflict"
	// KindUnavailable promises that it did not happen, and may work later.
	KindUnavailable Kind = "unavailable"
	// KindUnknown means that it may or may not have happened: ask, or send it again under the same key (I-14).
	KindUnknown Kind = "unknown"
	// KindInternal is our own bug. Everything that nobody classified is Internal.
	KindInternal Kind = "internal"
)

// Kinds returns every kind once, so that a table over kinds can be tested for gaps.
func Kinds() []Kind {
	return []Kind{KindInvalid, KindDenied, KindNotFound, KindConflict, KindUnavailable, KindUnknown, KindInternal}
}

// Valid reports whether k is one of the seven.
func (k Kind) Valid() bool {
	switch k {
	case KindInvalid, KindDenied, KindNotFound, KindConflict, KindUnavailable, KindUnknown, KindInternal:
		return true
	}
	return false
}

// Error is a classified failure. Its exported fields hold no secret and no personal datum (I-26): they are shown to
// callers, logged and stored in histories. The cause may hold anything, so it is reachable by Unwrap only.
type Error struct {
	Kind Kind
	// Code is stable snake_case that programs may branch on, e.g. "amount_exceeds_order".
	Code string
	// Param is the JSON path of the field at fault, e.g. "order.lines[0].quantity"; empty if no field is.
	Param string
	// Message is for people; its wording may change at any time.
	Message string
	// RetryAfter is how long to wait before trying again; zero means that nobody said.
	RetryAfter time.Duration
	// Details are extension members of a problem document, e.g. "remaining": "7.34".
	Details map[string]string

	cause error
}

// Error gives kind, code, message and param. It leaves the cause's text out: that may quote a request or a DSN (I-26).
func (e *Error) Error() string {
	if e == nil {
		return string(KindInternal)
	}
	text := string(e.Kind)
	if e.Code != "" && e.Code != string(e.Kind) {
		text += " " + e.Code
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Param != "" {
		text += " (" + e.Param + ")"
	}
	return text
}

// Unwrap returns the cause, nil if there is none.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.cause
}

// Of returns the kind of err: "" for nil, Internal for whatever is not classified.
func Of(err error) Kind {
	if err == nil {
		return ""
	}
	return As(err).Kind
}

// As returns the outermost *Error within err, or an Internal one around err. It is nil only for a nil err.
func As(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) && e != nil && e.Kind.Valid() {
		return e
	}
	return Internal("unexpected error", err)
}

// Is reports whether err is a fault of this kind and, unless code is empty, of this code.
func Is(err error, kind Kind, code string) bool {
	if err == nil {
		return false
	}
	e := As(err)
	return e.Kind == kind && (code == "" || e.Code == code)
}

// WithParam returns a copy of e that names the field at fault. Pure rules name a field relative to what they were given;
// each caller that knows more of the path puts its own part in front with Under.
func (e *Error) WithParam(param string) *Error {
	c := e.clone()
	c.Param = param
	return c
}

// WithRetryAfter returns a copy of e that says when to try again.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := e.clone()
	c.RetryAfter = d
	return c
}

// WithDetail returns a copy of e with one more extension member.
func (e *Error) WithDetail(name, value string) *Error {
	c := e.clone()
	if c.Details == nil {
		c.Details = map[string]string{}
	}
	c.Details[name] = value
	return c
}

// Wrap returns a copy of e that unwraps to cause.
func (e *Error) Wrap(cause error) *Error {
	c := e.clone()
	c.cause = cause
	return c
}

// Under returns err with path in front of its param: "quantity" under "order.lines[0]" is "order.lines[0].quantity".
// An error that is no fault is returned as it is.
func Under(path string, err error) error {
	var e *Error
	if !errors.As(err, &e) || e == nil {
		return err
	}
	switch {
	case e.Param == "":
		return e.WithParam(path)
	case path == "":
		return e
	case e.Param[0] == '[':
		return e.WithParam(path + e.Param)
	}
	return e.WithParam(path + "." + e.Param)
}

// clone keeps every With from changing an error that others hold, such as one kept in a variable.
func (e *Error) clone() *Error {
	c := *e
	c.Details = maps.Clone(e.Details)
	return &c
}
