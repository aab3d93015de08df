package bank

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"time"

	"paysaga/domain/fault"
)

// Folder is where a bank and we leave files for each other, and where the
// adapter keeps what it has to know. Names are relative, with slashes.
//
// Errors are faults: NotFound for a name that isn't there, Conflict
// "file_exists" for one that is, Unavailable where nothing has changed, Unknown
// for anything else.
type Folder interface {
	// Create makes a file that isn't there yet, whole or not at all, and safe
	// from a power cut once it returns.
	Create(ctx context.Context, name string, content []byte) error
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// List is what files a directory has, by name; one that isn't there has none.
	List(ctx context.Context, directory string) ([]File, error)
	// Move renames a file, whole or not at all. What stands under the new name is gone then.
	Move(ctx context.Context, from, to string) error
	// Remove takes a file away; that it isn't there is fine.
	Remove(ctx context.Context, name string) error
	// Lock keeps every other process out of Lock until the function is called or
	// this process is gone. Conflict "folder_busy": another has it.
	Lock(ctx context.Context) (unlock func(), err error)
}

// File is one file of a directory.
type File struct {
	Name    string // without the directory
	Size    int64
	Changed time.Time
}

// What the bank, or who carries files to and from it, sees of a folder.
const (
	Outbox  = "outbox"  // our files, to be sent
	Inbox   = "inbox"   // the bank's files, complete: who writes slowly writes under a name that begins with a dot, or ends in .part
	Archive = "archive" // the bank's files once they are dealt with
	Refused = "refused" // the bank's files that can't be believed: for a person
)

// What is the adapter's own. None of it is changed once it is written.
const (
	instructions = "book/instructions" // by reference: what was taken in, for ever
	pending      = "book/pending"      // by reference: what goes with the next file, with its destination
	prepared     = "book/prepared"     // a file to be sent, until it has left for the outbox
	batches      = "book/batches"      // by MsgId: what went with a file
	placed       = "book/placed"       // by reference: in which file it went
	said         = "book/said"         // by reference: what the bank said of it
	payins       = "book/payins"       // by creditor reference: whose it is
	closed       = "book/closed"       // by reference: charges that are over
	credits      = "book/credits"      // by reference: what came in
	claims       = "book/claims"       // by reference: what of a credit goes back
	days         = "book/days"         // by kind and day: the archived statements
)

// own is the name of a record about a reference: spread over directories, since
// there will be many.
func own(kind, reference string) string {
	shard := "00"
	if len(reference) >= 27 { // a letter and 26 characters, the last of them random
		shard = reference[25:27]
	}
	return kind + "/" + shard + "/" + reference
}

// maxRecord bounds what is read of our own.
const maxRecord = 1 << 20

func load(ctx context.Context, f Folder, name string, limit int64) ([]byte, error) {
	r, err := f.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fault.Unavailable("folder_unreadable", "a file of the bank's folder can't be read", err)
	}
	if int64(len(content)) > limit {
		return nil, fault.Internal("a file of the bank's folder is larger than we write them", nil)
	}
	return content, nil
}

// record reads one of our own; found is false when there is none.
func record(ctx context.Context, f Folder, name string, into any) (found bool, err error) {
	content, err := load(ctx, f, name, maxRecord)
	if fault.Of(err) == fault.KindNotFound && err != nil {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return false, fault.Internal("a record in the bank's folder can't be read", nil)
	}
	return true, nil
}

// keep writes a record that may stand already. Equal bytes are fine; other ones
// are fault.Conflict "record_differs".
func keep(ctx context.Context, f Folder, name string, v any) error {
	content, err := json.Marshal(v)
	if err != nil {
		return fault.Internal("a record can't be written", err)
	}
	return put(ctx, f, name, content, maxRecord)
}

func put(ctx context.Context, f Folder, name string, content []byte, limit int64) error {
	err := f.Create(ctx, name, content)
	if !fault.Is(err, fault.KindConflict, "file_exists") {
		return err
	}
	stands, err := load(ctx, f, name, limit)
	if err != nil {
		return err
	}
	if !bytes.Equal(stands, content) {
		return fault.Conflict("record_differs", "another record stands in the bank's folder under this name")
	}
	return nil
}

func exists(ctx context.Context, f Folder, name string) (bool, error) {
	r, err := f.Open(ctx, name)
	if err != nil {
		if fault.Of(err) == fault.KindNotFound {
			return false, nil
		}
		return false, err
	}
	return true, r.Close()
}
