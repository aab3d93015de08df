package statement_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/reconcile"
	"paysaga/statement"
)

// shelf is a book that remembers what it was given; it reads twice, as the store does.
type shelf struct{ kept []reconcile.Stored }

func (*shelf) StatementAccount(_ context.Context, accountID string) (channels.Account, *time.Location, error) {
	return channels.Account{ID: accountID, Channel: sandbox.Name, Book: id.Test}, time.UTC, nil
}

func (s *shelf) ImportStatement(_ context.Context, f reconcile.Stored, read func(func(*reconcile.Line) error) (reconcile.Control, error),
	_ func(done, of int64)) (reconcile.Stored, error) {
	for range 2 {
		sum, err := read(func(*reconcile.Line) error { return nil })
		if err != nil {
			return f, err
		}
		f.Lines = int64(sum.Lines)
	}
	s.kept = append(s.kept, f)
	return f, nil
}

const day = "kind,id,reference,key,original_id,amount_minor,fee_minor,currency,occurred_at\ncharge,a,b,c,,1,0,CNY,2026-11-20T12:00:00Z\nend,1\n"

func TestAFileIsBoundedAndReadTwiceFromOneCopy(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	book := &shelf{}
	i := statement.Importer{Book: book, Channels: channels.NewRegistry(sandbox.New(nil)), MaxBytes: int64(len(day))}
	w := statement.Which{Account: "cha_1", Kind: sandbox.Moves}

	f, err := i.Import(t.Context(), w, "day.csv", iotest.OneByteReader(strings.NewReader(day)))
	require.NoError(t, err)
	require.Equal(t, int64(1), f.Lines)
	require.Equal(t, int64(len(day)), f.Bytes)

	_, err = i.Import(t.Context(), w, "long.csv", io.MultiReader(strings.NewReader(day), strings.NewReader("x"), iotest.ErrReader(errors.New("more was read than there is room for"))))
	require.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%v", err)
	require.ErrorContains(t, err, "long.csv")
	require.ErrorContains(t, err, "the file is too large")

	_, err = i.Import(t.Context(), w, "lost.csv", io.MultiReader(strings.NewReader(day[:9]), iotest.ErrReader(io.ErrClosedPipe)))
	require.True(t, fault.Is(err, fault.KindUnavailable, "statement_unread"), "what is lost on its way is no broken file: %v", err)
	lost := fault.Unknown("channel_answer_lost", "cut", nil)
	_, err = i.Import(t.Context(), w, "lost.csv", iotest.ErrReader(lost))
	require.ErrorIs(t, err, lost, "the channel's own word")

	_, err = i.Import(t.Context(), statement.Which{Account: "cha_1", Kind: "camt.053"}, "day.csv", strings.NewReader(day))
	require.True(t, fault.Is(err, fault.KindInvalid, "statement_unknown"), "%v", err)
	require.Len(t, book.kept, 1)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "no copy stays")
}
