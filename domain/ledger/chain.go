package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"paysaga/domain/id"
)

// Hash is a SHA-256.
type Hash [sha256.Size]byte

// Booked is a journal as it stands in the book: what its leaf in the chain is
// the hash of.
type Booked struct {
	Number      Number
	Book        id.Book
	Cause, Kind string
	Reverses    Number // 0: none
	EffectiveAt time.Time
	Step        []byte // the content hash of the Step that booked it
	Legs        []BookedLeg
}

// BookedLeg is one entry, in posting order.
type BookedLeg struct {
	Code, Currency string
	Amount         int64
}

// Leaf is the hash of one journal. Each text is preceded by its length, so no
// two journals are written alike.
func (b Booked) Leaf() Hash {
	buf := make([]byte, 0, 512)
	buf = append(buf, "paysaga journal 1\n"...)
	buf = number(buf, int64(b.Number))
	buf = text(buf, string(b.Book))
	buf = text(buf, b.Cause)
	buf = text(buf, b.Kind)
	buf = number(buf, int64(b.Reverses))
	buf = number(buf, b.EffectiveAt.UnixMicro())
	buf = text(buf, string(b.Step))
	for _, l := range b.Legs {
		buf = text(buf, l.Code)
		buf = text(buf, l.Currency)
		buf = number(buf, l.Amount)
	}
	return sha256.Sum256(buf)
}

// LeafBytes is how much of each leaf a block keeps: enough to tell which
// journal changed, while the root proves that one did.
const LeafBytes = 8

// Block is one batch of journals in its lane's chain.
type Block struct {
	Lane     int
	Number   int64  // from 1
	First    Number // its first journal; the others follow without a gap
	Journals int
	Previous Hash // the block before; zeros for the first
	Root     Hash
	Leaves   []byte // LeafBytes of each leaf
}

// NewBlock chains leaves to the block before.
func NewBlock(lane int, number int64, first Number, previous Hash, leaves []Hash) Block {
	b := Block{Lane: lane, Number: number, First: first, Journals: len(leaves), Previous: previous, Root: Root(leaves)}
	for _, l := range leaves {
		b.Leaves = append(b.Leaves, l[:LeafBytes]...)
	}
	return b
}

// Root is the hash over a block's leaves.
func Root(leaves []Hash) Hash {
	h := sha256.New()
	h.Write([]byte("paysaga root 1\n"))
	for _, l := range leaves {
		h.Write(l[:])
	}
	return Hash(h.Sum(nil))
}

// Hash is what the next block of the lane holds as Previous, and the lane's
// head as its own.
func (b Block) Hash() Hash {
	buf := make([]byte, 0, 256)
	buf = append(buf, "paysaga block 1\n"...)
	for _, n := range []int64{int64(b.Lane), b.Number, int64(b.First), int64(b.Journals)} {
		buf = number(buf, n)
	}
	buf = append(buf, b.Previous[:]...)
	buf = append(buf, b.Root[:]...)
	leaves := sha256.Sum256(b.Leaves)
	return sha256.Sum256(append(buf, leaves[:]...))
}

func number(buf []byte, n int64) []byte { return binary.BigEndian.AppendUint64(buf, uint64(n)) }

func text(buf []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(buf, uint32(len(s))), s...)
}
