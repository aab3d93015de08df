package fault

// New makes a fault of any kind. An unknown kind becomes Internal, so that no table meets a kind it lacks.
func New(kind Kind, code, message string) *Error {
	if !kind.Valid() {
		kind = KindInternal
	}
	return &Error{Kind: kind, Code: code, Message: message}
}

// Invalid is for a request that can never work; param is the JSON path of the field at fault, "" if it is the whole.
func Invalid(code, param, message string) *Error {
	return &Error{Kind: KindInvalid, Code: code, Param: param, Message: message}
}

// Denied is for a caller that may not.
func Denied(code, message string) *Error {
	return &Error{Kind: KindDenied, Code: code, Message: message}
}

// NotFound is for a thing that isn't there, or isn't the caller's; what is its noun: "payment". The code is "not_found".
func NotFound(what string) *Error {
	return &Error{Kind: KindNotFound, Code: "not_found", Message: "no such " + what}
}

// Conflict is for a state, or a key used before, that forbids the request.
func Conflict(code, message string) *Error {
	return &Error{Kind: KindConflict, Code: code, Message: message}
}

// Unavailable promises that nothing happened; whoever can't promise that must say Unknown.
func Unavailable(code, message string, cause error) *Error {
	return &Error{Kind: KindUnavailable, Code: code, Message: message, cause: cause}
}

// Unknown is for an effect that may or may not have happened (I-14).
func Unknown(code, message string, cause error) *Error {
	return &Error{Kind: KindUnknown, Code: code, Message: message, cause: cause}
}

// Internal is for our own bugs; its code is "internal".
func Internal(message string, cause error) *Error {
	return &Error{Kind: KindInternal, Code: "internal", Message: message, cause: cause}
}
