package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// book is everything the sandbox knows, in memory under one mutex, and behind it an append-only file with one JSON line
// per change: the object as it is after it. Lines are written before an answer leaves and not fsynced: they survive a
// kill of the process, not a power cut.
type book struct {
	mu       sync.Mutex
	file     *os.File // nil: in memory only
	last     int64    // the last number given to an object; never goes back, not even on reset
	charges  map[string]*Charge
	moves    map[string]*Move
	keys     map[string]any    // account/key → *Charge or *Move, until the key is forgotten
	groups   map[string]*group // by business id
	byID     map[string]*Charge
	moveByID map[string]*Move
	spacing  Spacing
	secrets  map[string]string // account → callback secret, to sign what is sent later
	order    []any             // *Charge and *Move, in the order of creation
	refs     map[string]string // reference → business id
	closed   bool
}

type group struct {
	charges []*Charge
	moves   []*Move
}

// line is one line of the file.
type line struct {
	Charge *Charge `json:"charge,omitempty"`
	Move   *Move   `json:"move,omitempty"`
	Reset  int64   `json:"reset,omitempty"` // everything before is void; numbers go on after this one
	Opened *opened `json:"opened,omitempty"`
}

// opened notes the callback secret of an account, so that callbacks go on after a restart.
type opened struct {
	Account string `json:"account"`
	Secret  string `json:"callback_secret"`
}

func (b *book) clear() {
	b.charges, b.moves, b.keys = map[string]*Charge{}, map[string]*Move{}, map[string]any{}
	b.groups, b.byID, b.order = map[string]*group{}, map[string]*Charge{}, nil
	b.refs, b.moveByID = map[string]string{}, map[string]*Move{}
	if b.secrets == nil {
		b.secrets = map[string]string{}
	}
}

// openBook loads the book of a folder; without a folder it is kept in memory only.
func openBook(dir string) (*book, error) {
	b := &book{}
	b.clear()
	if dir == "" {
		return b, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	path := filepath.Join(dir, "book.jsonl")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("sandbox: another sandbox uses %s", path)
	}
	if err := b.load(file); err != nil {
		file.Close()
		return nil, fmt.Errorf("sandbox: %s: %w", path, err)
	}
	b.file = file
	return b, nil
}

// load reads the file. A last line without its end was being written when the process died: nobody was answered for
// it, so it is cut off. Anything else that can't be read is an error, since a book with holes is no judge.
func (b *book) load(file *os.File) error {
	r := bufio.NewReaderSize(file, 1<<20)
	var good int64
	for n := 1; ; n++ {
		raw, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return file.Truncate(good)
		}
		if err != nil {
			return err
		}
		var l line
		if err := json.Unmarshal(bytes.TrimSpace(raw), &l); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		good += int64(len(raw))
		b.replay(l)
	}
}

func (b *book) replay(l line) {
	if l.Reset > 0 {
		b.clear()
		b.last = l.Reset
	}
	if l.Opened != nil {
		b.secrets[l.Opened.Account] = l.Opened.Secret
	}
	if c := l.Charge; c != nil {
		if old := b.byID[c.ID]; old != nil {
			*old = *c
		} else {
			b.seen(c.ID)
			b.addCharge(c)
		}
	}
	if m := l.Move; m != nil {
		if old := b.moves[moveKey(m.Kind, m.Account, m.Reference)]; old != nil && old.ID == m.ID {
			*old = *m
		} else {
			b.seen(m.ID)
			b.addMove(m)
		}
	}
}

// seen keeps the numbers of a loaded book from being given again.
func (b *book) seen(id string) {
	if n, err := strconv.ParseInt(strings.TrimPrefix(id, "sbx_"), 10, 64); err == nil {
		b.last = max(b.last, n)
	}
}

func moveKey(kind, account, reference string) string { return kind + "/" + account + "/" + reference }

func (b *book) group(key string) *group {
	id := businessID(key)
	g := b.groups[id]
	if g == nil {
		g = &group{}
		b.groups[id] = g
	}
	return g
}

// addCharge puts a charge into the indexes. An extra payment doesn't replace the charge it repeats.
func (b *book) addCharge(c *Charge) {
	if !c.Extra {
		b.charges[c.Account+"/"+c.Reference] = c
		b.keys[c.Account+"/"+c.Key] = c
	}
	b.byID[c.ID] = c
	b.refs[c.Reference] = businessID(c.Key)
	g := b.group(c.Key)
	g.charges = append(g.charges, c)
	b.order = append(b.order, c)
}

func (b *book) addMove(m *Move) {
	b.moves[moveKey(m.Kind, m.Account, m.Reference)] = m
	b.keys[m.Account+"/"+m.Key] = m
	b.moveByID[m.ID] = m
	b.refs[m.Reference] = businessID(m.Key)
	g := b.group(m.Key)
	g.moves = append(g.moves, m)
	if charge := b.charges[m.Account+"/"+m.ChargeReference]; charge != nil {
		// A payment's refunds are found under the payment's id too.
		if of := b.group(charge.Key); of != g {
			of.moves = append(of.moves, m)
		}
	}
	b.order = append(b.order, m)
}

func (b *book) next() string {
	b.last++
	return "sbx_" + itoa(b.last)
}

// write appends the object as it is now. It panics when the disk refuses: a book that forgets would judge wrongly, so
// no answer may leave.
func (b *book) write(l line) {
	if b.closed {
		panic(http.ErrAbortHandler) // the sandbox ends: drop the request without an answer
	}
	if b.file == nil {
		return
	}
	raw, err := json.Marshal(l)
	if err == nil {
		_, err = b.file.Write(append(raw, '\n'))
	}
	if err != nil {
		panic(fmt.Errorf("sandbox: the book can't be written: %w", err))
	}
}

func (b *book) save(c *Charge)   { b.write(line{Charge: c}) }
func (b *book) saveMove(m *Move) { b.write(line{Move: m}) }

// open notes an account the first time its secret is used.
func (b *book) open(account, secret string) {
	if _, ok := b.secrets[account]; ok {
		return
	}
	s := CallbackSecret(secret)
	b.secrets[account] = s
	b.write(line{Opened: &opened{Account: account, Secret: s}})
}

// charge finds a charge and brings it up to now.
func (b *book) charge(account, reference string, now time.Time) *Charge {
	c := b.charges[account+"/"+reference]
	if c != nil && c.refresh(now) {
		b.save(c)
	}
	return c
}

func (b *book) move(kind, account, reference string, now time.Time) *Move {
	m := b.moves[moveKey(kind, account, reference)]
	if m != nil && m.refresh(now) {
		b.saveMove(m)
	}
	return m
}

// find returns the objects that a reference, a key or a business id names, of whatever account.
func (b *book) find(name string, now time.Time) (charges []*Charge, moves []*Move) {
	id, byRef := b.refs[name]
	if !byRef {
		id = businessID(name)
	}
	g := b.groups[id]
	if g == nil {
		return nil, nil
	}
	matches := func(key, reference string) bool { return name == id || name == key || name == reference }
	for _, c := range g.charges {
		if matches(c.Key, c.Reference) {
			if c.refresh(now) {
				b.save(c)
			}
			charges = append(charges, c)
		}
	}
	for _, m := range g.moves {
		if matches(m.Key, m.Reference) {
			if m.refresh(now) {
				b.saveMove(m)
			}
			moves = append(moves, m)
		}
	}
	return charges, moves
}

func (b *book) reset() error {
	b.clear()
	if b.file == nil {
		return nil
	}
	if err := b.file.Truncate(0); err != nil {
		return err
	}
	b.write(line{Reset: max(b.last, 1)})
	for account, secret := range b.secrets {
		b.write(line{Opened: &opened{Account: account, Secret: secret}})
	}
	return nil
}

func (b *book) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.file == nil {
		b.closed = true
		return nil
	}
	b.closed = true
	// Closing frees the lock only with the last copy of the descriptor, and a process that is being started has one
	// until its exec.
	return errors.Join(syscall.Flock(int(b.file.Fd()), syscall.LOCK_UN), b.file.Close())
}
