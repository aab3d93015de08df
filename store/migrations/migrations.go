// Package migrations holds the schema of a paysaga database: goose files, forward only, each fit to run beside the binary
// before it.
package migrations

import "embed"

// FS holds the files, in the order of their numbers.
//
//go:embed *.sql
var FS embed.FS
