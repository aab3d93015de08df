package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// owner is the user that PostgreSQL runs as. PostgreSQL refuses to run as root,
// so root lends it another one.
type owner struct {
	uid, gid uint32
	name     string
	dropped  bool // we are root, and the children are not
}

// postgresOwner picks the user: ourselves, or for root whoever owns the
// existing data folder, else postgres, else nobody.
func postgresOwner(dataDir string) (owner, error) {
	if os.Geteuid() != 0 {
		return owner{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}, nil
	}
	if info, err := os.Stat(dataDir); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
			return owner{uid: st.Uid, gid: st.Gid, name: userName(st.Uid), dropped: true}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errU := strconv.ParseUint(u.Uid, 10, 32)
		gid, errG := strconv.ParseUint(u.Gid, 10, 32)
		if errU == nil && errG == nil && uid != 0 {
			return owner{uid: uint32(uid), gid: uint32(gid), name: name, dropped: true}, nil
		}
	}
	return owner{}, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody: run devstack as an ordinary user")
}

func userName(uid uint32) string {
	if u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil {
		return u.Username
	}
	return strconv.FormatUint(uint64(uid), 10)
}

// attributes makes a child die with us, and keeps a ctrl-C in the terminal from
// reaching it before the Temporal server is down.
func (o owner) attributes(atOurDeath syscall.Signal) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: atOurDeath}
	if o.dropped {
		attr.Credential = &syscall.Credential{Uid: o.uid, Gid: o.gid}
	}
	return attr
}

// give hands a file or folder over to the owner.
func (o owner) give(path string) error {
	if !o.dropped {
		return nil
	}
	return os.Lchown(path, int(o.uid), int(o.gid))
}

// reaches reports whether the owner may enter dir: each folder above it, and itself, must let them pass.
func (o owner) reaches(dir string) bool {
	if !o.dropped {
		return true
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	for {
		info, err := os.Stat(real)
		if err != nil || !o.mayEnter(info) {
			return false
		}
		if real == filepath.Dir(real) {
			return true
		}
		real = filepath.Dir(real)
	}
}

func (o owner) mayEnter(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	switch {
	case st.Uid == o.uid:
		return info.Mode()&0o100 != 0
	case st.Gid == o.gid:
		return info.Mode()&0o010 != 0
	default:
		return info.Mode()&0o001 != 0
	}
}

// reachableCopy gives binaries that the owner can run: an npm package below a
// private home is copied beside the data (some 60 MB, once).
func (o owner) reachableCopy(b binaries, home string) (binaries, error) {
	if o.reaches(b.dir) {
		return b, nil
	}
	if b.npm == "" {
		return binaries{}, fmt.Errorf("user %s cannot reach PostgreSQL's binaries in %s", o.name, b.dir)
	}
	to := filepath.Join(home, "postgres-"+b.full)
	if _, err := os.Stat(to); err != nil {
		making := to + ".making"
		if err := os.RemoveAll(making); err != nil {
			return binaries{}, err
		}
		if err := os.CopyFS(making, os.DirFS(filepath.Join(b.npm, "native"))); err != nil {
			return binaries{}, fmt.Errorf("cannot copy PostgreSQL's binaries to where user %s can run them: %w", o.name, err)
		}
		if err := os.Rename(making, to); err != nil {
			return binaries{}, err
		}
	}
	b.dir = filepath.Join(to, "bin")
	return b, nil
}
