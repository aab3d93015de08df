package ledger

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/payment"
	"paysaga/store"
)

// Call is one call of Commit as it goes to a process.
type Call struct {
	ID     uint64        `json:"id"`
	Spec   Spec          `json:"spec"`
	Cancel time.Duration `json:"cancel,omitempty"` // after which the caller leaves; 0: stays
	Shared *Shared       `json:"shared,omitempty"` // instead of the one Step: many
}

// Answer is what Commit said. An empty Kind is a receipt.
type Answer struct {
	ID       uint64    `json:"id"`
	Kind     string    `json:"kind,omitempty"`
	Code     string    `json:"code,omitempty"`
	Text     string    `json:"text,omitempty"`
	Hash     string    `json:"hash"` // of the Step's content
	Replayed bool      `json:"replayed,omitempty"`
	BookedAt time.Time `json:"booked_at"`
	Sharing  *Sharing  `json:"sharing,omitempty"` // of a Call with Shared
}

// died is the Kind of an Answer that a killed process never gave: unknown.
const died = "died"

// outcome is what the model compares.
func (a Answer) outcome() string {
	switch {
	case a.Kind != "":
		return a.Code
	case a.Replayed:
		return "replayed"
	}
	return "fresh"
}

// process is somebody with a Store of its own.
type process interface {
	commit(Call) Answer
	close()
}

// local is this process.
type local struct {
	store *store.Store
	build builder
}

var sealKeys = store.SealKeys{Current: "drill", Keys: map[string][]byte{"drill": []byte("0123456789abcdef0123456789abcdef")}}

func newLocal(ctx context.Context, url string) (*local, error) {
	s, err := store.Open(ctx, store.Config{URL: url, SealKeys: sealKeys, Lazy: true})
	if err != nil {
		return nil, err
	}
	return &local{store: s, build: builder{store: s, payments: map[string]payment.Payment{}}}, nil
}

func (l *local) close() { l.store.Close() }

func (l *local) commit(c Call) Answer {
	ctx := context.Background()
	a := Answer{ID: c.ID}
	if c.Shared != nil {
		a.Sharing = c.Shared.commit(l.store)
		return a
	}
	step, err := l.build.step(ctx, c.Spec)
	if err == nil {
		a.Hash = step.ContentHash()
		if c.Cancel > 0 {
			var leave context.CancelFunc
			ctx, leave = context.WithCancel(ctx)
			defer time.AfterFunc(c.Cancel, leave).Stop()
		}
		receipt, errC := l.store.Commit(ctx, step)
		a.Replayed, a.BookedAt, err = receipt.Replayed, receipt.BookedAt, errC
	}
	if err != nil {
		a.Kind, a.Text = string(fault.Of(err)), err.Error()
		var f *fault.Error
		if errors.As(err, &f) {
			a.Code = f.Code
		}
	}
	return a
}

// childURL names the variable that makes a process a child of the drill.
const childURL = "PAYSAGA_DRILL_LEDGER"

// Child is a process that commits what its standard input says, if it was started as one: it never returns then. Otherwise
// it does nothing. Call it first in main.
func Child() {
	url := os.Getenv(childURL)
	if url == "" {
		return
	}
	l, err := newLocal(context.Background(), url)
	if err == nil {
		err = serve(os.Stdin, os.Stdout, l)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(in io.Reader, out io.Writer, l *local) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	defer wg.Wait()
	answers, calls := json.NewEncoder(out), json.NewDecoder(bufio.NewReaderSize(in, 1<<16))
	for {
		var c Call
		if err := calls.Decode(&c); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		wg.Go(func() {
			a := l.commit(c)
			mu.Lock()
			defer mu.Unlock()
			_ = answers.Encode(a) // nobody listens any more: then nobody asks
		})
	}
}

// remote is another process of the operating system.
type remote struct {
	url string

	mu      sync.Mutex
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *json.Encoder
	next    uint64
	waiting map[uint64]chan Answer
	gone    chan struct{} // the one that runs now has ended
}

func newRemote(url string) (*remote, error) {
	r := &remote{url: url}
	return r, r.start()
}

func (r *remote) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env, cmd.Stderr = append(os.Environ(), childURL+"="+r.url), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	gone := make(chan struct{})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cmd, r.in, r.out, r.waiting, r.gone = cmd, in, json.NewEncoder(in), map[uint64]chan Answer{}, gone
	go r.listen(cmd, out, gone)
	return nil
}

// listen hands out answers until the process is gone; whoever still waits then learns nothing.
func (r *remote) listen(cmd *exec.Cmd, out io.Reader, gone chan struct{}) {
	answers := json.NewDecoder(bufio.NewReaderSize(out, 1<<16))
	for {
		var a Answer
		if answers.Decode(&a) != nil {
			break
		}
		r.mu.Lock()
		if ch := r.waiting[a.ID]; ch != nil {
			delete(r.waiting, a.ID)
			ch <- a
		}
		r.mu.Unlock()
	}
	_ = cmd.Wait()
	r.mu.Lock()
	for _, ch := range r.waiting {
		ch <- Answer{Kind: died}
	}
	r.waiting, r.out = nil, nil
	r.mu.Unlock()
	close(gone)
}

func (r *remote) commit(c Call) Answer {
	ch := make(chan Answer, 1)
	r.mu.Lock()
	if r.waiting == nil {
		r.mu.Unlock()
		return Answer{Kind: died}
	}
	r.next++
	c.ID = r.next
	r.waiting[c.ID] = ch
	_ = r.out.Encode(c) // a process that is gone says so below
	r.mu.Unlock()
	return <-ch
}

// kill ends the process as a power cut would, and starts another one.
func (r *remote) kill() error {
	r.mu.Lock()
	cmd, gone := r.cmd, r.gone
	r.mu.Unlock()
	_ = cmd.Process.Kill()
	<-gone
	return r.start()
}

func (r *remote) close() {
	r.mu.Lock()
	in, gone := r.in, r.gone
	r.mu.Unlock()
	_ = in.Close()
	<-gone
}
