package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/store"
)

// house is what a round is run on: a server, two processes that commit, and the owner's connections, through which the
// judge looks.
type house struct {
	server *server
	owner  *pgxpool.Pool
	local  *local
	remote *remote
	procs  [2]process
	notes  *notes
}

func newHouse(ctx context.Context, dir string, durable bool) (*house, error) {
	h := &house{notes: newNotes()}
	var err error
	if h.server, err = newServer(ctx, dir, durable); err != nil {
		return h, err
	}
	if h.owner, err = pgxpool.New(ctx, h.server.owner()); err != nil {
		return h, err
	}
	if h.local, err = newLocal(ctx, h.server.app()); err != nil {
		return h, err
	}
	if h.remote, err = newRemote(h.server.app()); err != nil {
		return h, err
	}
	h.procs = [2]process{h.local, h.remote}
	return h, nil
}

func (h *house) close() {
	if h.remote != nil {
		h.remote.close()
	}
	if h.local != nil {
		h.local.close()
	}
	if h.owner != nil {
		h.owner.Close()
	}
	if h.server != nil {
		_ = h.server.release()
	}
}

// payments makes n payments for Moves to be about.
func (h *house) payments(ctx context.Context, n int) ([]string, error) {
	merchant, err := h.local.store.CreateMerchant(ctx, store.Merchant{Book: book, Name: "Drill"})
	if err != nil {
		return nil, err
	}
	var list []string
	for i := range n {
		p, err := receive(ctx, h.local.store, merchant, fmt.Sprintf("drill-%d", i))
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// heat opens accounts and makes them hot.
func (h *house) heat(ctx context.Context, round int, numbers ...int) error {
	for _, n := range numbers {
		a, _ := h.insist(transfer(fmt.Sprintf("heat_r%d:a%d", round, n), n, bankVault, 1), 0, 0)
		b, _ := h.insist(transfer(fmt.Sprintf("heat_r%d:b%d", round, n), bankVault, n, 1), 0, 0)
		if a.Kind != "" || b.Kind != "" {
			return fmt.Errorf("an account can't be opened: %+v %+v", a, b)
		}
		var name string
		if err := h.owner.QueryRow(ctx, `SELECT id FROM accounts WHERE code = $1`, accountOf(n).Code).Scan(&name); err != nil {
			return err
		}
		err := h.local.store.MarkHot(ctx, name, ledger.Service("drill"))
		for fault.Of(err) == fault.KindUnavailable && rest(ctx, 10*time.Millisecond) == nil { // what was booked a moment ago may lie a little ahead of the clock
			err = h.local.store.MarkHot(ctx, name, ledger.Service("drill"))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// insisting is how long a Step is repeated before that in itself breaks a promise.
const insisting = time.Minute

// insist calls until the answer is definite. doubt: an answer before it was unknown, so that Step may have happened then.
// fresh forgives a few times without an answer.
func (h *house) insist(s Spec, at int, cancel time.Duration) (a Answer, doubt bool) {
	began := time.Now()
	for try := 0; ; try++ {
		a = h.procs[at%2].commit(Call{Spec: s, Cancel: cancel})
		if a.outcome() == "replayed" && doubt {
			a.Replayed = false
		}
		switch a.Kind {
		case died, "unknown":
			h.notes.count("answers_" + a.Kind)
			doubt = true
		case "unavailable":
			h.notes.count("answers_unavailable")
			if a.Code == "" {
				h.notes.broken("an answer without a code: %+v", a)
			}
		default:
			return a, doubt
		}
		if time.Since(began) > insisting {
			h.notes.broken("%s: no definite answer after %d tries: %+v", s.Cause, try+1, a)
			return a, doubt
		}
		at, cancel = at+try%2, 0
		_ = rest(context.Background(), min(time.Duration(try)*2*time.Millisecond, 50*time.Millisecond))
	}
}

// notes are what the clerks learnt, for the judge.
type notes struct {
	mu         sync.Mutex
	counts     map[string]int
	stands     map[string]kept   // causes acknowledged since the last judgement
	absent     map[string]string // causes that must not stand, with the reason
	refusals   []refusal
	violations []string
	lasting    int // causes that the book has in all
	faults     int // since the last judgement
}

// kept is a Step that stands.
type kept struct {
	spec Spec
	hash string
	at   time.Time
}

// refusal is a refused posting to an account that others post to as well: there has to have been a moment at which it would
// have taken the account below its floor.
type refusal struct {
	spec     Spec
	from, to time.Time
}

func newNotes() *notes {
	return &notes{counts: map[string]int{}, stands: map[string]kept{}, absent: map[string]string{}}
}

func (n *notes) count(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.counts[what]++
}

func (n *notes) broken(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.violations) < 100 {
		n.violations = append(n.violations, fmt.Sprintf(format, args...))
	}
}

// stood notes that a Step was acknowledged.
func (n *notes) stood(s Spec, a Answer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, cause := range s.causes() {
		delete(n.absent, cause)
	}
	n.lasting += len(s.causes())
	n.stands[s.Cause] = kept{s, a.Hash, a.BookedAt}
}

// left notes that a Step was refused, and leaves nothing.
func (n *notes) left(s Spec, why string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, cause := range s.causes() {
		n.absent[cause] = why
	}
}

func (n *notes) refused(r refusal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refusals = append(n.refusals, r)
}

func (n *notes) disturb(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.counts[what]++
	n.faults++
}

func (n *notes) disturbed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.faults > 0
}

func (n *notes) of(what string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.counts[what]
}
