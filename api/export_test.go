package api

import (
	"fmt"
	"slices"
)

// Guarded says whether an operation has its entry.
func Guarded(operationID string) bool { _, ok := operations[operationID]; return ok }

// Operations is how many entries there are.
func Operations() int { return len(operations) }

// Matches compares an entry with what the document says of the operation.
func Matches(operationID string, open, key, user bool, query []string) error {
	op := operations[operationID]
	if (op.scope == "") != open || op.user != user || op.key != key || !slices.Equal(slices.Sorted(slices.Values(op.query)), slices.Sorted(slices.Values(query))) {
		return fmt.Errorf("the code has %+v", op)
	}
	return nil
}

// Decode is decode, for tests and fuzzing.
func Decode(body []byte, into any) error { return decode(body, into) }
