// Package statement brings channels' statements in: from a file or from the channel itself, over a copy on disk, so that what is read twice
// is the same both times, into the book.
package statement

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/reconcile"
)

// Book keeps statements; *store.Store is one.
type Book interface {
	StatementAccount(ctx context.Context, accountID string) (channels.Account, *time.Location, error)
	ImportStatement(ctx context.Context, f reconcile.Stored, read func(each func(*reconcile.Line) error) (reconcile.Control, error),
		progress func(done, of int64)) (reconcile.Stored, error)
}

// Importer brings statements in.
type Importer struct {
	Book     Book
	Channels channels.Registry
	// MaxBytes bounds a file. Default 4 GiB: ten million lines are some two.
	MaxBytes int64
	// Progress hears of lines looked at, of 0, and then of lines kept, of all. May be nil.
	Progress func(done, of int64)
}

// Which says of which account a statement is, of which of its channel's kinds, and of which day; a zero Day says nothing.
type Which struct {
	Account string // cha_…
	Kind    string
	Day     reconcile.Date
}

// Import keeps a file. What it returns besides an error says what became of it: see store.ImportStatement.
func (i Importer) Import(ctx context.Context, w Which, name string, from io.Reader) (reconcile.Stored, error) {
	a, zone, err := i.Book.StatementAccount(ctx, w.Account)
	if err != nil {
		return reconcile.Stored{}, err
	}
	ch, err := i.reader(a, w.Kind)
	if err != nil {
		return reconcile.Stored{}, err
	}
	return i.keep(ctx, ch, named(a, zone, w, name), from)
}

// Fetch asks the channel for its statement of a day in the account's zone, and keeps it.
func (i Importer) Fetch(ctx context.Context, w Which) (reconcile.Stored, error) {
	a, zone, err := i.Book.StatementAccount(ctx, w.Account)
	if err != nil {
		return reconcile.Stored{}, err
	}
	ch, err := i.reader(a, w.Kind)
	if err != nil {
		return reconcile.Stored{}, err
	}
	if w.Day.IsZero() {
		return reconcile.Stored{}, fault.Invalid("day_required", "day", "a channel is asked for the statement of a day")
	}
	body, err := ch.Statement(ctx, a, channels.StatementRequest{Kind: w.Kind, Day: time.Date(w.Day.Year, w.Day.Month, w.Day.Day, 0, 0, 0, 0, zone)})
	if err != nil {
		return reconcile.Stored{}, err
	}
	defer func() { _ = body.Close() }()
	return i.keep(ctx, ch, named(a, zone, w, fmt.Sprintf("%s %s %s", a.Channel, w.Kind, w.Day)), body)
}

func named(a channels.Account, zone *time.Location, w Which, name string) reconcile.Stored {
	return reconcile.Stored{File: reconcile.File{Name: name, Kind: w.Kind, Account: a.ID, Book: a.Book, Zone: zone}, Channel: a.Channel, Day: w.Day}
}

func (i Importer) reader(a channels.Account, kind string) (channels.Channel, error) {
	ch, err := i.Channels.Get(a.Channel)
	if err != nil {
		return nil, err
	}
	if known := ch.Describe().Statements; !slices.Contains(known, kind) {
		return nil, fault.Invalid("statement_unknown", "kind", fmt.Sprintf("%s has no statements of this kind; it has %q", a.Channel, known))
	}
	return ch, nil
}

// keep copies the bytes to a file of our own, and keeps what the copy says.
func (i Importer) keep(ctx context.Context, ch channels.Channel, f reconcile.Stored, from io.Reader) (_ reconcile.Stored, err error) {
	copied, err := os.CreateTemp("", "paysaga-statement-") // for nobody else to read
	if err != nil {
		return f, fault.Unavailable("disk_unavailable", "there is no place for a copy of the statement", err)
	}
	defer func() { err = errors.Join(err, copied.Close(), os.Remove(copied.Name())) }()
	most := i.MaxBytes
	if most == 0 {
		most = 4 << 30
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(copied, hash), io.LimitReader(from, most+1))
	switch {
	case err != nil && fault.Of(err) != fault.KindInternal:
		return f, err // the channel's own word for what went wrong
	case err != nil:
		return f, fault.Unavailable("statement_unread", "the statement can't be read, or there is no place for its copy", err)
	case n > most:
		return f, f.Broken(0, "the file is too large")
	}
	f.Bytes, f.Hash = n, hex.EncodeToString(hash.Sum(nil))
	return i.Book.ImportStatement(ctx, f, func(each func(*reconcile.Line) error) (reconcile.Control, error) {
		if _, err := copied.Seek(0, io.SeekStart); err != nil {
			return reconcile.Control{}, fault.Unavailable("disk_unavailable", "the copy of the statement can't be read", err)
		}
		return ch.ReadStatement(f.File, copied, each)
	}, i.Progress)
}
