package routing

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
)

// split orders targets by chance, each with its weight, and always the same way
// for one payment and rule. Targets of weight 0 keep their places behind. The
// version isn't mixed in: a new version leaves payments where they were.
func split(paymentID, rule string, targets []Target) (ordered []Target, first string) {
	var left []Target
	total := uint64(0)
	for _, t := range targets {
		if t.Weight > 0 {
			left = append(left, t)
			total += uint64(t.Weight)
		}
	}
	whole := total
	for draw := 0; len(left) > 0; draw++ {
		at := hash(paymentID, rule, draw) % total
		if draw == 0 && len(left) > 1 {
			first = ", " + strconv.FormatUint(at, 10) + " of " + strconv.FormatUint(whole, 10) + " in the split"
		}
		i := 0
		for ; at >= uint64(left[i].Weight); i++ {
			at -= uint64(left[i].Weight)
		}
		ordered = append(ordered, left[i])
		total -= uint64(left[i].Weight)
		left = append(left[:i:i], left[i+1:]...)
	}
	for _, t := range targets {
		if t.Weight == 0 {
			ordered = append(ordered, t)
		}
	}
	return ordered, first
}

// hash spreads ids, which begin alike because they begin with the time.
func hash(paymentID, rule string, draw int) uint64 {
	sum := sha256.Sum256([]byte(paymentID + "\x00" + rule + "\x00" + strconv.Itoa(draw)))
	return binary.BigEndian.Uint64(sum[:8])
}
