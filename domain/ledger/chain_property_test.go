package ledger

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/id"
)

func bookeds(t *rapid.T, name string) Booked {
	b := Booked{
		Number: Number(rapid.Int64Min(1).Draw(t, name+" number")), Book: rapid.SampledFrom(id.Books()).Draw(t, name+" book"),
		Cause: rapid.String().Draw(t, name+" cause"), Kind: rapid.String().Draw(t, name+" kind"), Reverses: Number(rapid.Int64Min(0).Draw(t, name+" reverses")),
		EffectiveAt: time.UnixMicro(rapid.Int64Range(-1<<50, 1<<50).Draw(t, name+" at")), Step: rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, name+" step"),
	}
	b.Legs = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) BookedLeg {
		return BookedLeg{Code: rapid.String().Draw(t, "code"), Currency: rapid.StringN(0, 3, -1).Draw(t, "currency"), Amount: rapid.Int64().Draw(t, "amount")}
	}), 2, 6).Draw(t, name+" legs")
	return b
}

// Whatever is changed of a journal, its leaf is another one: nothing of what was booked is outside the chain (I-04).
func TestALeafSeesEachChange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := bookeds(t, "journal")
		changed := b
		changed.Legs, changed.Step = slices.Clone(b.Legs), slices.Clone(b.Step)
		leg := rapid.IntRange(0, len(b.Legs)-1).Draw(t, "leg")
		more := rapid.StringN(1, 5, -1).Draw(t, "more")
		switch rapid.IntRange(0, 11).Draw(t, "what") {
		case 0:
			changed.Number++
		case 1:
			changed.Book += "x"
		case 2:
			changed.Cause += more
		case 3:
			changed.Kind = more + b.Kind
		case 4:
			changed.Reverses ^= 1
		case 5:
			changed.EffectiveAt = b.EffectiveAt.Add(time.Microsecond)
		case 6:
			changed.Step[leg] ^= 1
		case 7:
			changed.Legs[leg].Amount ^= 1 << rapid.IntRange(0, 63).Draw(t, "bit")
		case 8:
			changed.Legs[leg].Code += more
		case 9:
			changed.Legs[leg].Currency += more
		case 10:
			changed.Legs = changed.Legs[:len(changed.Legs)-1]
		case 11: // letters that wander from one text to the next
			changed.Cause, changed.Kind = b.Cause+more, b.Kind
			b.Kind = more + b.Kind
		}
		require.NotEqual(t, b.Leaf(), changed.Leaf())
	})
}

func TestALeafIsAFunctionOfTheJournal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := bookeds(t, "journal")
		same := b
		same.Legs, same.Step = slices.Clone(b.Legs), slices.Clone(b.Step)
		same.EffectiveAt = b.EffectiveAt.In(time.FixedZone("elsewhere", 3600))
		require.Equal(t, b.Leaf(), same.Leaf())
	})
}

// Journals in another order, one more, one fewer, one exchanged: another root, another block, and so all blocks after it.
func TestAChainSeesEachChange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		leaf := rapid.Custom(func(t *rapid.T) (h Hash) {
			copy(h[:], rapid.SliceOfN(rapid.Byte(), len(h), len(h)).Draw(t, "leaf"))
			return h
		})
		blocks := rapid.SliceOfN(rapid.SliceOfNDistinct(leaf, 1, 5, rapid.ID[Hash]), 2, 6).Draw(t, "blocks")
		chain := func() (hashes []Hash) {
			var previous Hash
			first := First(time.UnixMilli(1), 3)
			for i, leaves := range blocks {
				b := NewBlock(3, int64(i+1), first, previous, leaves)
				require.Equal(t, len(leaves), b.Journals)
				require.Len(t, b.Leaves, LeafBytes*len(leaves))
				for k, l := range leaves {
					require.Equal(t, l[:LeafBytes], b.Leaves[k*LeafBytes:(k+1)*LeafBytes])
				}
				previous = b.Hash()
				hashes = append(hashes, previous)
				first += Number(len(leaves))
			}
			return hashes
		}
		before := chain()
		require.Equal(t, before, chain())
		n := rapid.IntRange(0, len(blocks)-1).Draw(t, "block")
		leaves := slices.Clone(blocks[n])
		at := rapid.IntRange(0, len(leaves)-1).Draw(t, "journal")
		switch what := rapid.IntRange(0, 3).Draw(t, "what"); {
		case what == 0 && len(leaves) > 1:
			other := (at + 1) % len(leaves)
			leaves[at], leaves[other] = leaves[other], leaves[at]
		case what == 1 && len(leaves) > 1:
			leaves = slices.Delete(leaves, at, at+1)
		case what == 2:
			leaves = append(leaves, leaves[at])
		default:
			leaves[at][rapid.IntRange(0, len(Hash{})-1).Draw(t, "byte")] ^= 1
		}
		blocks[n] = leaves
		after := chain()
		require.Equal(t, before[:n], after[:n])
		for i := n; i < len(before); i++ {
			require.NotEqual(t, before[i], after[i], "block %d", i+1)
		}
	})
}

// Each field of a block is in its hash.
func TestABlocksHashSeesEachField(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lane, number := rapid.IntRange(0, MaxLane).Draw(t, "lane"), rapid.Int64Range(1, 1<<60).Draw(t, "number")
		first := Number(rapid.Int64Range(1, 1<<62).Draw(t, "first"))
		b := NewBlock(lane, number, first, Hash{1}, []Hash{{2}, {3}})
		other := b
		other.Leaves = slices.Clone(b.Leaves)
		switch rapid.IntRange(0, 6).Draw(t, "what") {
		case 0:
			other.Lane++
		case 1:
			other.Number++
		case 2:
			other.First++
		case 3:
			other.Journals++
		case 4:
			other.Previous[31] ^= 1
		case 5:
			other.Root[0] ^= 1
		case 6:
			other.Leaves[len(other.Leaves)-1] ^= 1
		}
		require.NotEqual(t, b.Hash(), other.Hash())
	})
}
