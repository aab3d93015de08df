package bank

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Names are kept with lines and callbacks: a movement has to have the one that it had before.
func TestAMovementKeepsItsName(t *testing.T) {
	t.Parallel()
	m := movement{entryRef: "E/1", ref: "R-1", minor: -1234, currency: "EUR", when: when{day: "2026-11-16"}, endToEnd: "e2e",
		reference: "RF18539007547034", occurrence: 2}
	for ref, prefix := range map[string]string{"R-1": "R-1-", "": "", "R 1": "", "R/1": "", "Rä1": "", "R12345678901234567890123456789012345": ""} {
		m.ref = ref
		sum := sha256.Sum256([]byte("E/1|" + ref + "|-1234|EUR|2026-11-16|e2e|RF18539007547034|2"))
		require.Equal(t, prefix+hex.EncodeToString(sum[:8]), m.id(), ref)
	}
	names := map[string]bool{}
	prints := map[uint64]bool{}
	for i := range 100 {
		m.ref = fmt.Sprintf("R%d", i)
		names[m.id()], prints[m.print()] = true, true
		require.Equal(t, m.print(), m.print())
	}
	require.Len(t, names, 100)
	require.Len(t, prints, 100)
}
