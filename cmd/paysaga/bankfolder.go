package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"paysaga/channels/bank"
	"paysaga/domain/fault"
)

// bankFolder is a folder of the file system that is exchanged with a bank. Each
// operation opens it anew, so that one that was mounted again is seen, and none
// leads out of it.
type bankFolder struct{ path string }

var _ bank.Folder = bankFolder{}

// madeBy is what `paysaga bank init` leaves. Without it nothing is read or
// written: a mount point without its file system looks like a folder in which
// nothing was ever instructed, and everything would be sent again.
const madeBy = "book/paysaga"

func openBankFolder(path string) (bank.Folder, error) { return bankFolder{path}, nil }

func (f bankFolder) root() (*os.Root, error) {
	r, err := os.OpenRoot(f.path)
	if err == nil {
		if _, err = r.Stat(madeBy); err != nil {
			_ = r.Close()
		}
	}
	if err != nil {
		return nil, fault.Unavailable("folder_missing", "the bank's folder isn't there, or 'paysaga bank init' hasn't made it", err)
	}
	return r, nil
}

// in runs an operation in the folder.
func (f bankFolder) in(do func(*os.Root) error) error {
	r, err := f.root()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	return do(r)
}

// unchanged is the failure of an operation that has done nothing.
func unchanged(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fault.NotFound("file in the bank's folder")
	case errors.Is(err, fs.ErrExist):
		return fault.Conflict("file_exists", "a file of this name stands in the bank's folder")
	}
	return fault.Unavailable("folder_failed", "the bank's folder can't be read or written", err)
}

// unsure is the failure of one that may have.
func unsure(err error) error {
	if err == nil {
		return nil
	}
	return fault.Unknown("folder_failed", "the bank's folder failed in the middle", err)
}

// synced makes a directory's names safe from a power cut.
func synced(r *os.Root, directory string) error {
	d, err := r.Open(directory)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Create writes beside, and links: a name stands with all of its content or not at all, and never in place of another.
func (f bankFolder) Create(_ context.Context, name string, content []byte) error {
	return f.in(func(r *os.Root) error {
		dir := path.Dir(name)
		if err := makeDir(r, dir); err != nil {
			return unchanged(err)
		}
		var random [8]byte
		_, _ = rand.Read(random[:]) // never fails
		beside := dir + "/.new-" + hex.EncodeToString(random[:])
		defer func() { _ = r.Remove(beside) }()
		if err := written(r, beside, content); err != nil {
			return unchanged(err)
		}
		if err := r.Link(beside, name); err != nil {
			return unchanged(err)
		}
		return unsure(synced(r, dir))
	})
}

// makeDir makes a directory and everything above it, safe from a power cut.
func makeDir(r *os.Root, dir string) error {
	if _, err := r.Stat(dir); err == nil {
		return nil
	}
	if err := r.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for at := path.Dir(dir); ; at = path.Dir(at) {
		if err := synced(r, at); err != nil || at == "." {
			return err
		}
	}
}

func written(r *os.Root, name string, content []byte) error {
	file, err := r.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Sync(), file.Close())
}

// Open reads a file.
func (f bankFolder) Open(_ context.Context, name string) (out io.ReadCloser, err error) {
	err = f.in(func(r *os.Root) error {
		file, err := r.Open(name)
		out = file
		return unchanged(err)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// List leaves out what is no plain file, and what is still being written.
func (f bankFolder) List(_ context.Context, directory string) (list []bank.File, err error) {
	err = f.in(func(r *os.Root) error {
		entries, err := fs.ReadDir(r.FS(), directory)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") || !e.Type().IsRegular() {
				continue
			}
			info, broken := e.Info()
			if errors.Is(broken, fs.ErrNotExist) {
				continue // gone since
			}
			if broken != nil {
				return unchanged(broken)
			}
			list = append(list, bank.File{Name: e.Name(), Size: info.Size(), Changed: info.ModTime()})
		}
		return unchanged(err)
	})
	slices.SortFunc(list, func(a, b bank.File) int { return strings.Compare(a.Name, b.Name) })
	return list, err
}

// Move renames.
func (f bankFolder) Move(_ context.Context, from, to string) error {
	return f.in(func(r *os.Root) error {
		if err := makeDir(r, path.Dir(to)); err != nil {
			return unchanged(err)
		}
		if err := r.Rename(from, to); err != nil {
			return unchanged(err)
		}
		return unsure(errors.Join(synced(r, path.Dir(to)), synced(r, path.Dir(from))))
	})
}

// Remove takes a file away.
func (f bankFolder) Remove(_ context.Context, name string) error {
	return f.in(func(r *os.Root) error {
		if err := r.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unchanged(err)
		}
		return nil
	})
}

// Lock is the operating system's: it is free the moment the process that has it is gone.
func (f bankFolder) Lock(context.Context) (unlock func(), err error) {
	err = f.in(func(r *os.Root) error {
		file, err := r.OpenFile("book/.lock", os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return unchanged(err)
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			_ = file.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return fault.Conflict("folder_busy", "another process works in the bank's folder")
			}
			return unchanged(err)
		}
		unlock = func() {
			// Closing frees the lock only with the last copy of the descriptor, and a process that is being started
			// has one until its exec.
			_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
			_ = file.Close()
		}
		return nil
	})
	return unlock, err
}

// initBankFolder makes the directories of a folder that is there.
func initBankFolder(at string) error {
	r, err := os.OpenRoot(at)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	for _, dir := range []string{bank.Outbox, bank.Inbox, bank.Archive, bank.Refused, "book"} {
		if err := r.MkdirAll(dir, 0o770); err != nil {
			return err
		}
	}
	if err := r.Chmod("book", 0o700); err != nil {
		return err
	}
	if err := written(r, madeBy, []byte("made by paysaga bank init\n")); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return errors.Join(synced(r, "book"), synced(r, "."))
}
