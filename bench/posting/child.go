package posting

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/store"
)

// children is how many processes write at once.
const children = 2

// task is what a child is told, as a line of JSON on its standard input. It
// says "ready" when its store is open and its Steps are made, and begins with
// the next line.
type task struct {
	URL     string
	Keys    store.SealKeys
	Account string // the floored account that it debits
	Minor   int64  // by how much; 0: at random
	Clients int
	Steps   int
	Clock   clock
	// Drain goes on until the account has nothing left: a refusal at the floor
	// ends a client.
	Drain bool
}

// told is what a child answers at its end.
type told struct {
	Rate  float64
	Took  []time.Duration
	All   int64
	Sums  sums
	Error string
}

// Child is the other process of a measurement: it does what it is told on in,
// and answers on out.
func Child(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	var t task
	if err := json.Unmarshal(line, &t); err != nil {
		return err
	}
	s, err := store.Open(ctx, store.Config{URL: t.URL, SealKeys: t.Keys})
	if err != nil {
		return err
	}
	defer s.Close()
	a := flooredAccount(t.Account)
	steps, err := maker(func() (ledger.Step, error) {
		if t.Minor == 0 {
			return transfer(a, some(), amount())
		}
		return transfer(a, some(), t.Minor)
	}).make(t.Steps)
	if err != nil {
		return err
	}
	var sum tally
	if !t.Drain {
		if err := warm(ctx, s, &sum, a); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(out, "ready"); err != nil {
		return err
	}
	if _, err := lines.ReadBytes('\n'); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(t.run(ctx, s, &sum, steps))
}

// warm lets the store see every account once: what is measured is a process that
// has run for a while.
func warm(ctx context.Context, s *store.Store, t *tally, a ledger.Account) error {
	step, err := together(others, func(i int) (ledger.Account, ledger.Account, int64) { return a, accounts[i], 1 })
	if err != nil {
		return err
	}
	return commitAll(ctx, s, t, []ledger.Step{step}, 1)
}

func (t task) run(ctx context.Context, s *store.Store, sum *tally, steps []ledger.Step) told {
	var found sample
	var err error
	if t.Drain {
		found, err = drain(ctx, s, sum, steps, t.Clients)
	} else {
		found, err = commits(ctx, s, sum, steps, t.Clients, t.Clock)
	}
	r := told{Rate: found.Rate, Took: found.took, All: found.all, Sums: sum.sums}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// errEmpty ends the clients of a drained account.
var errEmpty = errors.New("nothing is left")

func drain(ctx context.Context, s *store.Store, t *tally, steps []ledger.Step, clients int) (sample, error) {
	found, done, err := drive(context.WithoutCancel(ctx), calls{n: len(steps), journals: 1, do: func(_ context.Context, _, i int) error {
		_, err := s.Commit(ctx, steps[i]) // not drive's context: what is under way is answered
		if fault.Of(err) == fault.KindConflict {
			return errEmpty
		}
		return err
	}}, clients, clock{Window: time.Hour})
	for _, i := range done {
		t.add(steps[i])
	}
	if errors.Is(err, errEmpty) {
		err = nil
	}
	return found, err
}

// child is one that runs.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (c Config) startChild(t task) (*child, error) {
	k := &child{cmd: c.Child()}
	var err error
	if k.in, err = k.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	k.out = bufio.NewReaderSize(out, 1<<20)
	if err := k.cmd.Start(); err != nil {
		return nil, err
	}
	return k, json.NewEncoder(k.in).Encode(t)
}

// end waits for it: it stops by itself after its answer, or when nobody talks
// to it any more.
func (k *child) end() {
	_ = k.in.Close()
	_ = k.cmd.Wait()
}

// byChildren debits the floored account from two processes at once.
func (p *place) byChildren(c Config) func(context.Context, int, int) (measured, error) {
	return func(ctx context.Context, clients, n int) (measured, error) {
		list, err := c.startChildren(task{URL: p.appURL, Keys: p.keys, Account: flooredCode, Clients: clients / children, Steps: n / children,
			Clock: clock{c.lead(), c.Window}})
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, _ clock) (sample, error) {
			answers, err := p.tell(ctx, list)
			var s sample
			for _, a := range answers {
				s.Rate, s.calls, s.all, s.took = s.Rate+a.Rate, s.calls+a.Rate, s.all+a.All, append(s.took, a.Took...)
			}
			slices.Sort(s.took)
			return s, err
		}, nil
	}
}

// startChildren gives the same task to two processes, and waits until they are
// ready.
func (c Config) startChildren(t task) (list []*child, err error) {
	defer func() {
		if err != nil {
			end(list)
		}
	}()
	for range children {
		k, err := c.startChild(t)
		if err != nil {
			return list, err
		}
		list = append(list, k)
	}
	for _, k := range list {
		if said, err := k.out.ReadString('\n'); err != nil || said != "ready\n" {
			return list, fmt.Errorf("the other process isn't ready: %q %w", said, err)
		}
	}
	return list, nil
}

func end(list []*child) {
	for _, k := range list {
		k.end()
	}
}

// tell lets them begin together, and waits for their ends.
func (p *place) tell(ctx context.Context, list []*child) (answers []told, err error) {
	defer end(list)
	var failed error
	for _, k := range list {
		if _, err := io.WriteString(k.in, "go\n"); err != nil {
			return nil, err
		}
	}
	for _, k := range list {
		line, broken := k.out.ReadBytes('\n')
		if broken != nil {
			return nil, fmt.Errorf("the other process ended without a word: %w", broken)
		}
		var a told
		if err := json.Unmarshal(line, &a); err != nil {
			return nil, err
		}
		p.tally.merge(a.Sums)
		answers = append(answers, a)
		switch a.Error {
		case "":
		case errTooFew.Error():
			err = errTooFew
		default:
			failed = errors.Join(failed, errors.New(a.Error))
		}
	}
	return answers, cmp.Or(failed, err, ctx.Err())
}
