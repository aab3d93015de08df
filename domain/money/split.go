package money

import (
	"math/big"
	"sort"

	"paysaga/domain/fault"
)

// Split divides a by weights with the largest remainder: the parts sum to a exactly (I-08), each is within one minor unit
// of its exact share, and what is left over goes to the largest remainders, ties to the earlier part. Weights are ≥ 0 and
// not all zero, else Invalid "weights_invalid"; a part without weight gets nothing. A negative amount splits as its mirror.
func Split(a Amount, weights []int64) ([]Amount, error) {
	sum := new(big.Int)
	for _, w := range weights {
		if w < 0 {
			return nil, invalidWeights()
		}
		sum.Add(sum, big.NewInt(w))
	}
	if sum.Sign() == 0 {
		return nil, invalidWeights()
	}
	total := new(big.Int).SetUint64(magnitude(a.Minor))
	left := new(big.Int).Set(total)
	shares, remainders := make([]*big.Int, len(weights)), make([]*big.Int, len(weights))
	order := make([]int, len(weights))
	for i, w := range weights {
		exact := new(big.Int).Mul(total, big.NewInt(w))
		shares[i], remainders[i] = exact.QuoRem(exact, sum, new(big.Int))
		left.Sub(left, shares[i])
		order[i] = i
	}
	sort.SliceStable(order, func(x, y int) bool { return remainders[order[x]].Cmp(remainders[order[y]]) > 0 })
	// The remainders sum to left × sum and each is below sum, so at least left of them are positive: no weightless part is served.
	for _, i := range order[:left.Int64()] {
		shares[i].Add(shares[i], big.NewInt(1))
	}
	parts := make([]Amount, len(weights))
	for i, share := range shares {
		if a.Minor < 0 {
			share.Neg(share)
		}
		parts[i] = Amount{share.Int64(), a.Currency} // |share| ≤ |a|, and has its sign
	}
	return parts, nil
}

// maxParts keeps a wrong count from filling the memory; nothing is shared by more.
const maxParts = 1_000_000

// SplitEven divides a into n parts that differ by at most one minor unit, the larger ones first, and loses nothing (I-08).
func SplitEven(a Amount, n int) ([]Amount, error) {
	if n < 1 || n > maxParts {
		return nil, invalidWeights()
	}
	weights := make([]int64, n)
	for i := range weights {
		weights[i] = 1
	}
	return Split(a, weights)
}

func invalidWeights() error {
	return fault.Invalid("weights_invalid", "", "weights are zero or more, and one of them is more than zero")
}
