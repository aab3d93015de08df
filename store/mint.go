package store

import (
	"crypto/rand"
	"time"

	"paysaga/domain/id"
)

// Mint makes a new id: our clock's milliseconds and 80 random bits.
func (s *Store) Mint(prefix id.Prefix) string { return mint(prefix, s.now()) }

func mint(prefix id.Prefix, at time.Time) string {
	var entropy [10]byte
	_, _ = rand.Read(entropy[:]) // never fails: it ends the process instead
	return id.New(prefix, uint64(at.UnixMilli()), entropy)
}
