package posting

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"sync"

	"paysaga/domain/ledger"
)

// tally counts what was acknowledged.
type tally struct {
	mu sync.Mutex
	sums
}

// sums are counts, and a digest of the causes that doesn't depend on their
// order: the sum of the first 36 bits of each one's MD5.
type sums struct {
	Steps    int64
	Causes   int64 // of Steps and of journals, each once
	Journals int64
	Digest   int64
}

// add counts Steps.
func (t *tally) add(steps ...ledger.Step) {
	var s sums
	for _, step := range steps {
		s.step(step)
	}
	t.merge(s)
}

func (t *tally) merge(s sums) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Steps, t.Causes, t.Journals, t.Digest = t.Steps+s.Steps, t.Causes+s.Causes, t.Journals+s.Journals, t.Digest+s.Digest
}

func (s *sums) step(step ledger.Step) {
	s.Steps++
	s.cause(step.Cause)
	for _, j := range step.Journals {
		s.Journals++
		if j.Cause() != step.Cause {
			s.cause(j.Cause())
		}
	}
}

func (s *sums) cause(cause string) {
	sum := md5.Sum([]byte(cause))
	s.Causes++
	s.Digest += int64(binary.BigEndian.Uint64(sum[:8]) >> 28)
}

// Causes that begin with an account's id are what was done to the account: it
// was made hot.
const sqlStands = `
	SELECT count(*) FILTER (WHERE step IS NULL), count(*), coalesce(sum(('x' || left(md5(cause), 9))::bit(36)::bigint), 0)::bigint,
		(SELECT count(*) FROM journals)
	FROM causes WHERE cause NOT LIKE 'acc\_%'`

// stands holds the book against the tally: every acknowledged cause stands
// there, exactly once, and nothing besides.
func (p *place) stands(ctx context.Context) (sums, error) {
	var found sums
	if err := p.owner.QueryRow(ctx, sqlStands).Scan(&found.Steps, &found.Causes, &found.Digest, &found.Journals); err != nil {
		return found, err
	}
	if found != p.tally.sums {
		return found, fmt.Errorf("acknowledged: %+v; in the book: %+v", p.tally.sums, found)
	}
	return found, nil
}
