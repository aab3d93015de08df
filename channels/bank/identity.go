package bank

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/maphash"
	"strconv"
)

// id is the bank's name of a movement, the same in each file that tells of it.
// Banks give one reference to all transactions of an entry: amount, references
// and the place among equal ones tell them apart.
func (m *movement) id() string {
	to := append(make([]byte, 0, 256), m.entryRef...)
	to = append(append(append(to, '|'), m.ref...), '|')
	to = append(strconv.AppendInt(to, m.minor, 10), '|')
	to = append(append(to, m.currency...), '|')
	to = append(append(to, m.day...), '|')
	to = append(append(append(to, m.endToEnd...), '|'), m.reference...)
	sum := sha256.Sum256(strconv.AppendInt(append(to, '|'), int64(m.occurrence), 10))
	name := to[:0] // what is summed isn't needed any more
	if m.ref != "" && len(m.ref) <= 35 && bare(m.ref) {
		name = append(append(name, m.ref...), '-')
	}
	return string(hex.AppendEncode(name, sum[:8]))
}

// prints tells one movement of a file from another in memory: no file can be made so that two have the same.
var prints = maphash.MakeSeed()

// print is a movement's without its day: two of a file with the same one are told apart by their place.
func (m *movement) print() uint64 {
	to := append(make([]byte, 0, 256), m.entryRef...)
	to = append(append(append(to, '|'), m.ref...), '|')
	to = append(strconv.AppendInt(to, m.minor, 10), '|')
	to = append(append(to, m.currency...), '|')
	to = append(append(append(to, m.endToEnd...), '|'), m.reference...)
	return maphash.Bytes(prints, to)
}
