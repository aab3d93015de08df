package store

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// A batch sends its rows as arrays, a column each: some forty values a journal. pgx encodes an array by asking it for each element as an
// interface, and each element for how it is encoded; columns write plain slices directly, in the same bytes.

// column is a codec of an array type that writes slices of T itself; everything else is left to pgx's own.
type column[T any] struct {
	pgtype.Codec
	element uint32                 // the OID of the elements' type
	size    func(T) int            // bytes of an element
	put     func([]byte, T) []byte // appends them
	null    func(T) bool           // nil: no element is NULL
}

// registerColumns lets the type map of a connection write the columns of batches.
func registerColumns(m *pgtype.Map) {
	register(m, pgtype.TextArrayOID, column[string]{element: pgtype.TextOID, size: func(s string) int { return len(s) },
		put: func(buf []byte, s string) []byte { return append(buf, s...) }})
	register(m, pgtype.ByteaArrayOID, column[[]byte]{element: pgtype.ByteaOID, size: func(b []byte) int { return len(b) },
		put: func(buf []byte, b []byte) []byte { return append(buf, b...) }, null: func(b []byte) bool { return b == nil }})
	register(m, pgtype.Int8ArrayOID, column[int64]{element: pgtype.Int8OID, size: func(int64) int { return 8 },
		put: func(buf []byte, n int64) []byte { return binary.BigEndian.AppendUint64(buf, uint64(n)) }})
	register(m, pgtype.Int8ArrayOID, column[*int64]{element: pgtype.Int8OID, size: func(*int64) int { return 8 },
		put:  func(buf []byte, n *int64) []byte { return binary.BigEndian.AppendUint64(buf, uint64(*n)) },
		null: func(n *int64) bool { return n == nil }})
	register(m, pgtype.Int2ArrayOID, column[int16]{element: pgtype.Int2OID, size: func(int16) int { return 2 },
		put: func(buf []byte, n int16) []byte { return binary.BigEndian.AppendUint16(buf, uint16(n)) }})
	register(m, pgtype.TimestamptzArrayOID, column[time.Time]{element: pgtype.TimestamptzOID, size: func(time.Time) int { return 8 },
		put: func(buf []byte, t time.Time) []byte {
			return binary.BigEndian.AppendUint64(buf, uint64(t.UnixMicro()-epoch))
		}})
}

// epoch is PostgreSQL's, in microseconds since 1970.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

func register[T any](m *pgtype.Map, oid uint32, c column[T]) {
	known, ok := m.TypeForOID(oid)
	if !ok {
		return
	}
	c.Codec = known.Codec
	m.RegisterType(&pgtype.Type{Name: known.Name, OID: oid, Codec: c})
}

// PlanEncode is of pgtype.Codec.
func (c column[T]) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.([]T); ok && format == pgtype.BinaryFormatCode {
		return c
	}
	return c.Codec.PlanEncode(m, oid, format, value)
}

// Encode is of pgtype.EncodePlan.
func (c column[T]) Encode(value any, buf []byte) ([]byte, error) {
	list, _ := value.([]T)
	if list == nil {
		return nil, nil
	}
	size, nulls := 20, 0
	for _, v := range list {
		size += 4
		if c.null != nil && c.null(v) {
			nulls = 1
			continue
		}
		size += c.size(v)
	}
	buf = slices.Grow(buf, size)
	buf = binary.BigEndian.AppendUint32(buf, 1) // dimensions
	buf = binary.BigEndian.AppendUint32(buf, uint32(nulls))
	buf = binary.BigEndian.AppendUint32(buf, c.element)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(list)))
	buf = binary.BigEndian.AppendUint32(buf, 1) // the lower bound
	for _, v := range list {
		if c.null != nil && c.null(v) {
			buf = binary.BigEndian.AppendUint32(buf, 1<<32-1)
			continue
		}
		buf = binary.BigEndian.AppendUint32(buf, uint32(c.size(v)))
		buf = c.put(buf, v)
	}
	return buf, nil
}
