package payment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
)

func TestMoneyMaturesAsTheMerchantsDayBegins(t *testing.T) {
	t.Parallel()
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	at := time.Date(2026, 11, 21, 17, 30, 0, 0, time.UTC) // 01:30 on the 22nd in Shanghai
	for _, c := range []struct {
		terms Terms
		want  string
	}{
		{Terms{SettlementDays: 1}, "2026-11-22T00:00:00Z"},
		{Terms{SettlementDays: 7, Zone: shanghai}, "2026-11-28T16:00:00Z"},
		{Terms{SettlementDays: 1, Zone: shanghai, DayCut: 2 * time.Hour}, "2026-11-21T18:00:00Z"}, // the 21st's business day still
	} {
		require.Equal(t, c.want, c.terms.MaturesAt(at).UTC().Format(time.RFC3339), "%+v", c.terms)
	}
}

func TestOnlyWhatWasPaidMatures(t *testing.T) {
	t.Parallel()
	for _, s := range Statuses {
		_, err := MaturityOf(Dossier{Payment: Payment{Status: s}, Attempts: []Attempt{{Ordinal: 1}}}, time.Now())
		require.True(t, fault.Is(err, fault.KindConflict, "nothing_to_mature"), s)
	}
}
