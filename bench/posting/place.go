package posting

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/store"
)

// place is a database of a run.
type place struct {
	name             string
	ownerURL, appURL string
	keys             store.SealKeys
	owner            *pgxpool.Pool
	tally            tally

	mu     sync.Mutex
	stores map[int]*store.Store // by use
	shop   *shop                // once payments were prepared
}

// usual is the store as production has it. Other uses are numbers of lanes
// that gather nothing.
const usual = 0

// store opens a store as the application's role, or finds it open.
func (p *place) store(ctx context.Context, use int) (*store.Store, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.stores[use]; s != nil {
		return s, nil
	}
	c := store.Config{URL: p.appURL, SealKeys: p.keys}
	if use != usual {
		c.MaxBatch, c.Lanes, c.MaxConns = 1, use, use+2
	}
	s, err := store.Open(ctx, c)
	if err == nil {
		if p.stores == nil {
			p.stores = map[int]*store.Store{}
		}
		p.stores[use] = s
	}
	return s, err
}

func (p *place) closeStores() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.stores {
		s.Close()
	}
	p.stores = nil
}

func (p *place) close() {
	p.closeStores()
	p.owner.Close()
}

// exec runs statements as the owner, each by itself.
func (p *place) exec(ctx context.Context, statements ...string) error {
	for _, sql := range statements {
		if _, err := p.owner.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
	}
	return nil
}

// fill is what the floored account begins with: more than can be debited.
const fill = 1 << 50

// commitAll commits steps through the usual store.
func (p *place) commitAll(ctx context.Context, steps []ledger.Step, clients int) error {
	s, err := p.store(ctx, usual)
	if err != nil {
		return err
	}
	return commitAll(ctx, s, &p.tally, steps, clients)
}

// furnish opens the accounts, so that no measurement has to, and marks the hot
// one.
func (p *place) furnish(ctx context.Context) error {
	ring, err := together(others, func(i int) (ledger.Account, ledger.Account, int64) { return accounts[i], accounts[(i+1)%others], 1 })
	if err != nil {
		return err
	}
	hot, err := transfer(source, hotAccount, 1)
	if err != nil {
		return err
	}
	floored, err := transfer(source, flooredAccount(flooredCode), fill)
	if err != nil {
		return err
	}
	if err := p.commitAll(ctx, []ledger.Step{ring, hot, floored}, 1); err != nil {
		return err
	}
	return p.markHot(ctx, hotAccount)
}

const sqlAccountID = `SELECT id FROM accounts WHERE book = $1 AND code = $2 AND currency = $3`

func (p *place) markHot(ctx context.Context, a ledger.Account) error {
	s, err := p.store(ctx, usual)
	if err != nil {
		return err
	}
	var account string
	if err := p.owner.QueryRow(ctx, sqlAccountID, book, a.Code, a.Currency).Scan(&account); err != nil {
		return err
	}
	for { // what was booked a moment ago may lie a little ahead of the clock
		err := s.MarkHot(ctx, account, principal)
		if fault.Of(err) != fault.KindUnavailable {
			return err
		}
		if err := wait(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

const sqlAccountIDs = `SELECT id FROM accounts WHERE book = $1 AND code LIKE 'user/%'`

// accountIDs are the 1,000 accounts as readers name them.
func (p *place) accountIDs(ctx context.Context) ([]string, error) {
	rows, err := p.owner.Query(ctx, sqlAccountIDs, book)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
