package store

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
)

// What a column writes is byte for byte what pgx would have written.
func TestColumnsAreWrittenAsPgxWritesThem(t *testing.T) {
	t.Parallel()
	plain, ours := pgtype.NewMap(), pgtype.NewMap()
	registerColumns(ours)
	one, low := int64(1), int64(-1<<63)
	at := time.Date(2026, 11, 22, 1, 2, 3, 456789000, time.UTC)
	for _, c := range []struct {
		oid  uint32
		list []any
	}{
		{pgtype.TextArrayOID, []any{[]string{"", "a", "größer", "x\x00"}, []string{}, []string(nil), []any{"a", nil}}},
		{pgtype.ByteaArrayOID, []any{[][]byte{{1, 2}, nil, {}}, [][]byte{}, [][]byte(nil)}},
		{pgtype.Int8ArrayOID, []any{[]int64{0, 1, -1, low}, []int64{}, []int64(nil), []*int64{&one, nil, &low}, []*int64{&one}, []*int64(nil), []any{int64(1), nil}}},
		{pgtype.Int2ArrayOID, []any{[]int16{0, 1, -1, 32767}, []int16{}, []int16(nil)}},
		{pgtype.TimestamptzArrayOID, []any{[]time.Time{at, at.AddDate(-60, 0, 0), at.In(time.FixedZone("", 3600)), {}}, []time.Time{}, []time.Time(nil)}},
	} {
		for _, value := range c.list {
			want, err := plain.Encode(c.oid, pgtype.BinaryFormatCode, value, []byte("before"))
			require.NoError(t, err)
			got, err := ours.Encode(c.oid, pgtype.BinaryFormatCode, value, []byte("before"))
			require.NoError(t, err)
			require.Equal(t, want, got, "%T %v", value, value)
			text, err := plain.Encode(c.oid, pgtype.TextFormatCode, value, nil)
			require.NoError(t, err)
			other, err := ours.Encode(c.oid, pgtype.TextFormatCode, value, nil)
			require.NoError(t, err)
			require.Equal(t, text, other, "%T as text", value)
		}
	}
}
