// Package fake is a bank that runs accounts by files of ISO 20022, and a folder
// in memory between it and paysaga. Test code, not product code: it has a book of
// its own, and checks what a bank checks.
package fake

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"paysaga/channels/bank"
	"paysaga/domain/fault"
)

// Fault is what befalls an operation of a folder.
type Fault int

// The faults.
const (
	None   Fault = iota
	Before       // nothing happened, and the caller is told so
	After        // it happened, and the caller isn't told
	Cut          // Create only: it died in the middle, nothing is there
)

// Folder is a bank.Folder in memory. Its Disk outlives it, as a disk outlives a
// process: Open makes the folder of another process.
type Folder struct {
	disk *Disk
	// Strike, when set, decides before each operation what befalls it.
	Strike func(op, name string) Fault
}

var _ bank.Folder = (*Folder)(nil)

// Disk keeps files.
type Disk struct {
	mu     sync.Mutex
	files  map[string]kept
	locked bool
	Now    func() time.Time
}

type kept struct {
	content []byte
	changed time.Time
}

// NewDisk is an empty one.
func NewDisk(now func() time.Time) *Disk { return &Disk{files: map[string]kept{}, Now: now} }

// Open is the folder as a process sees it.
func (d *Disk) Open() *Folder { return &Folder{disk: d} }

// Crash is what a disk sees of a process that is gone: its locks are free.
func (d *Disk) Crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.locked = false
}

// Files are the names below a directory, sorted.
func (d *Disk) Files(directory string) (names []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.files {
		if strings.HasPrefix(name, directory+"/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Get is a file's content, nil when there is none.
func (d *Disk) Get(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.Clone(d.files[name].content)
}

// Put writes a file, as somebody else would.
func (d *Disk) Put(name string, content []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[name] = kept{bytes.Clone(content), d.Now()}
}

// Delete takes a file away, as somebody else would.
func (d *Disk) Delete(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, name)
}

func (f *Folder) do(op, name string, effect func(d *Disk) error) error {
	strike := None
	if f.Strike != nil {
		strike = f.Strike(op, name)
	}
	if strike == Before || strike == Cut {
		return fault.Unavailable("folder_struck", "the folder fails", nil)
	}
	f.disk.mu.Lock()
	err := effect(f.disk)
	f.disk.mu.Unlock()
	if strike == After {
		return fault.Unknown("folder_struck", "the folder fails", nil)
	}
	return err
}

// Create makes a file that isn't there.
func (f *Folder) Create(_ context.Context, name string, content []byte) error {
	return f.do("create", name, func(d *Disk) error {
		if _, there := d.files[name]; there {
			return fault.Conflict("file_exists", "the file exists")
		}
		d.files[name] = kept{bytes.Clone(content), d.Now()}
		return nil
	})
}

// Open reads a file.
func (f *Folder) Open(_ context.Context, name string) (io.ReadCloser, error) {
	var content []byte
	err := f.do("open", name, func(d *Disk) error {
		k, there := d.files[name]
		if !there {
			return fault.NotFound("file")
		}
		content = k.content
		return nil
	})
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

// List is what a directory has.
func (f *Folder) List(_ context.Context, directory string) (list []bank.File, err error) {
	err = f.do("list", directory, func(d *Disk) error {
		for name, k := range d.files {
			if rest, in := strings.CutPrefix(name, directory+"/"); in && !strings.Contains(rest, "/") {
				list = append(list, bank.File{Name: rest, Size: int64(len(k.content)), Changed: k.changed})
			}
		}
		return nil
	})
	slices.SortFunc(list, func(a, b bank.File) int { return strings.Compare(a.Name, b.Name) })
	return list, err
}

// Move renames a file.
func (f *Folder) Move(_ context.Context, from, to string) error {
	return f.do("move", from, func(d *Disk) error {
		k, there := d.files[from]
		if !there {
			return fault.NotFound("file")
		}
		delete(d.files, from)
		d.files[to] = k
		return nil
	})
}

// Remove takes a file away.
func (f *Folder) Remove(_ context.Context, name string) error {
	return f.do("remove", name, func(d *Disk) error { delete(d.files, name); return nil })
}

// Lock keeps other processes out.
func (f *Folder) Lock(context.Context) (func(), error) {
	err := f.do("lock", "", func(d *Disk) error {
		if d.locked {
			return fault.Conflict("folder_busy", "the folder is locked")
		}
		d.locked = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return func() {
		f.disk.mu.Lock()
		f.disk.locked = false
		f.disk.mu.Unlock()
	}, nil
}
