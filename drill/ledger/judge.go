package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/audit"
	"paysaga/domain/ledger"
)

// judge compares the book with what was answered. It runs while nobody commits.
type judge struct {
	house    *house
	before   int           // causes that were there before the first clerk
	balances map[int]int64 // what all Steps acknowledged so far come to
	audits   int
}

func newJudge(ctx context.Context, h *house) (*judge, error) {
	j := &judge{house: h, balances: map[int]int64{}}
	return j, h.owner.QueryRow(ctx, `SELECT count(*) FROM causes`).Scan(&j.before)
}

// row is a cause as it stands.
type row struct {
	hash    string
	step    string
	entries []entry
}

type entry struct {
	journal, amount int64
	after           *int64
	leg             int
	code            string
}

const sqlCauses = `
	SELECT c.cause, encode(c.hash, 'hex'), coalesce(c.step, c.cause), coalesce(e.journal, 0), coalesce(e.leg, 0), coalesce(a.code, ''),
		coalesce(e.amount, 0), e.balance_after
	FROM causes c LEFT JOIN entries e ON e.journal = c.journal LEFT JOIN accounts a ON a.no = e.account
	WHERE c.book = $1 AND c.cause = ANY($2) ORDER BY e.journal, e.leg`

func (j *judge) rows(ctx context.Context, causes []string) (map[string]*row, error) {
	found := map[string]*row{}
	list, err := j.house.owner.Query(ctx, sqlCauses, book, causes)
	if err != nil {
		return nil, err
	}
	var cause, hash, step string
	var e entry
	_, err = pgx.ForEachRow(list, []any{&cause, &hash, &step, &e.journal, &e.leg, &e.code, &e.amount, &e.after}, func() error {
		r := found[cause]
		if r == nil {
			r = &row{hash: hash, step: step}
			found[cause] = r
		}
		if e.leg > 0 {
			r.entries = append(r.entries, e)
		}
		return nil
	})
	return found, err
}

// batch judges what happened since the last time: every acknowledged Step stands as it was acknowledged, every refused one
// left nothing, the balances are those of the model, and I-01 to I-08 hold.
func (j *judge) batch(ctx context.Context, full bool) error {
	n := j.house.notes
	n.mu.Lock()
	stands, absent, refusals := n.stands, n.absent, n.refusals
	n.stands, n.absent, n.refusals, n.faults = map[string]kept{}, map[string]string{}, nil, 0
	n.mu.Unlock()
	causes := slices.Collect(maps.Keys(absent))
	for _, k := range stands {
		causes = append(causes, k.spec.causes()...)
	}
	found, err := j.rows(ctx, causes)
	if err != nil {
		return err
	}
	for cause, why := range absent {
		if found[cause] != nil {
			n.broken("%s stands, though it was refused: %s", cause, why)
		}
	}
	j.refusals(refusals, found)
	for _, k := range stands {
		j.stands(k, found)
	}
	if err := j.compare(ctx); err != nil {
		return err
	}
	return j.audit(ctx, full)
}

// stands holds one Step against its rows.
func (j *judge) stands(k kept, found map[string]*row) {
	n := j.house.notes
	if r := found[k.spec.Cause]; r == nil || r.hash != k.hash || r.step != k.spec.Cause {
		n.broken("%s was acknowledged with %s, and stands as %+v", k.spec.Cause, k.hash, r)
		return
	}
	for _, p := range k.spec.Journals {
		r := found[p.Cause]
		if r == nil || len(r.entries) != len(p.Legs) || r.step != k.spec.Cause {
			n.broken("%s was acknowledged with %+v, and stands as %+v", p.Cause, p, r)
			continue
		}
		for i, l := range p.Legs {
			if e := r.entries[i]; e.code != accountOf(l.Account).Code || e.amount != l.Minor {
				n.broken("%s was acknowledged with %+v, and stands as %+v", p.Cause, p, r.entries)
			}
			j.balances[l.Account] += l.Minor
		}
	}
}

const sqlBalances = `
	SELECT a.code, CASE WHEN a.hot THEN coalesce(f.balance, 0) + coalesce((SELECT sum(amount) FROM entries
		WHERE account = a.no AND journal >= coalesce(f.upto, 0)), 0)::bigint ELSE a.balance END
	FROM accounts a LEFT JOIN LATERAL (SELECT upto, balance FROM folds WHERE account = a.no ORDER BY upto DESC LIMIT 1) f ON true
	WHERE a.code LIKE 'drill/%'`

// compare holds all balances, and how many causes there are, against the model.
func (j *judge) compare(ctx context.Context) error {
	n := j.house.notes
	list, err := j.house.owner.Query(ctx, sqlBalances)
	if err != nil {
		return err
	}
	book := map[string]int64{}
	var code string
	var minor int64
	if _, err := pgx.ForEachRow(list, []any{&code, &minor}, func() error { book[code] = minor; return nil }); err != nil {
		return err
	}
	for account, want := range j.balances {
		if a := accountOf(account); book[a.Code] != want {
			n.broken("%s holds %d, and everything acknowledged comes to %d", a.Code, book[a.Code], want)
		}
	}
	var causes, deadlocks int
	if err := j.house.owner.QueryRow(ctx, `SELECT (SELECT count(*) FROM causes),
		(SELECT deadlocks FROM pg_stat_database WHERE datname = current_database())`).Scan(&causes, &deadlocks); err != nil {
		return err
	}
	n.mu.Lock()
	due := j.before + n.lasting
	n.mu.Unlock()
	if causes != due {
		n.broken("%d causes stand; %d were acknowledged", causes, due)
	}
	if deadlocks > 0 {
		n.broken("%d deadlocks", deadlocks)
	}
	return nil
}

// audit asks for everything that SQL can judge, and walks the chain.
func (j *judge) audit(ctx context.Context, full bool) error {
	r, err := audit.Check(ctx, j.house.owner, audit.Options{Full: full, UndeliveredAfter: -1})
	if err != nil {
		return err
	}
	j.audits++
	for _, v := range r.Violations {
		j.house.notes.broken("audit: %s", v)
	}
	chain, err := audit.Chain(ctx, audit.ChainOptions{Parallel: 2, Connect: func(ctx context.Context) (*pgx.Conn, error) {
		return pgx.Connect(ctx, j.house.server.owner())
	}})
	if err != nil {
		return err
	}
	for _, b := range chain.Breaks {
		j.house.notes.broken("chain: %s", b)
	}
	if chain.Journals != r.Journals || chain.Unchained > 0 {
		j.house.notes.broken("%d of %d journals are in the chain", chain.Journals, r.Journals)
	}
	return nil
}

// slack is how far the clocks of a caller and of a booking may lie apart: a number may run ahead of its time a little.
const slack = 250 * time.Millisecond

// refusals holds each "insufficient" on an account that all post to against its balances around that time.
func (j *judge) refusals(list []refusal, found map[string]*row) {
	type point struct {
		journal int64
		minor   int64
	}
	history := map[string][]point{}
	for _, r := range found {
		for _, e := range r.entries {
			if e.after != nil {
				history[e.code] = append(history[e.code], point{e.journal, *e.after})
			}
		}
	}
	for _, h := range history {
		slices.SortFunc(h, func(a, b point) int { return int(min(max(a.journal-b.journal, -1), 1)) })
	}
	for _, r := range list {
		just, told := false, []string{}
		for _, p := range r.spec.Journals {
			for _, l := range p.Legs {
				a := accountOf(l.Account)
				if l.Account < sharedFrom || !a.Floored {
					continue
				}
				balance := j.balances[l.Account]
				just = just || low(a, balance+l.Minor) && len(history[a.Code]) == 0
				for i, at := range history[a.Code] {
					booked := ledger.Number(at.journal).BookedAt()
					if booked.After(r.from.Add(-slack)) && low(a, balance+l.Minor) {
						just = true
					}
					if booked.After(r.to.Add(slack)) {
						break
					}
					balance = at.minor
					just = just || i == len(history[a.Code])-1 && low(a, balance+l.Minor)
				}
				told = append(told, fmt.Sprintf("%s, at last %d", a.Code, balance))
			}
		}
		if !just {
			j.house.notes.broken("%s was refused for want of money that was there all the time: %v", r.spec.Cause, told)
		}
	}
}
