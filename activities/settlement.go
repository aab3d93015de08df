package activities

import (
	"context"
	"strconv"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Settlements reads what the steps of settlements need. A missing row is
// fault.NotFound.
type Settlements interface {
	// Settlement reads a settlement with what it has come to so far.
	Settlement(ctx context.Context, book id.Book, merchantID, runID string) (accrual.Run, error)
	// SettlementHead reads it without.
	SettlementHead(ctx context.Context, book id.Book, runID string) (accrual.Run, error)
	SettlementTaken(ctx context.Context, book id.Book, runID string) error
	// SettlementsDue are settlements that could begin now: of each campaign without
	// an open one that has rebates vested by its merchant's date.
	SettlementsDue(ctx context.Context, book id.Book, campaignID string, now time.Time) ([]accrual.Run, error)
	VestedPage(ctx context.Context, of accrual.PageOf) (accrual.Page, error)
	Mint(id.Prefix) string
}

// SettlementRef names the settlement a step works on. Payloads carry ids only.
type SettlementRef struct {
	Book  id.Book `json:"book"`
	RunID string  `json:"run_id"`
}

// OpenedSettlement is a settlement as it stands.
type OpenedSettlement struct {
	Status     accrual.RunStatus `json:"status"`
	MerchantID string            `json:"merchant_id"`
	CampaignID string            `json:"campaign_id"`
	Date       time.Time         `json:"date"`
	Currency   string            `json:"currency"`
	Total      accrual.Tally     `json:"total"`
	Done       accrual.Tally     `json:"done"`
	Sequence   int64             `json:"sequence"`
}

func openedSettlement(r accrual.Run) OpenedSettlement {
	return OpenedSettlement{Status: r.Status, MerchantID: r.MerchantID, CampaignID: r.CampaignID, Date: r.BusinessDate,
		Currency: string(r.Currency), Total: r.Total, Done: r.Done, Sequence: r.Sequence}
}

// OpenSettlement notes that the saga has the settlement, and reads it.
func (s *Steps) OpenSettlement(ctx context.Context, in SettlementRef) (OpenedSettlement, error) {
	r, err := s.c.Settlements.Settlement(ctx, in.Book, "", in.RunID)
	if err == nil {
		err = s.c.Settlements.SettlementTaken(ctx, in.Book, in.RunID)
	}
	return openedSettlement(r), failure(ctx, err)
}

// WatchSettlementInput asks for news of a settlement.
type WatchSettlementInput struct {
	SettlementRef
	Sequence int64 `json:"sequence"` // as it is known
}

// WatchSettlement fails with NotYet while nobody has steered the settlement:
// Temporal's retries are the poll, and the history stays short.
func (s *Steps) WatchSettlement(ctx context.Context, in WatchSettlementInput) (OpenedSettlement, error) {
	r, err := s.c.Settlements.Settlement(ctx, in.Book, "", in.RunID)
	if err == nil && r.Sequence == in.Sequence {
		return OpenedSettlement{}, notYet("the settlement is " + string(r.Status))
	}
	return openedSettlement(r), failure(ctx, err)
}

// SettlePageInput says where a settlement goes on.
type SettlePageInput struct {
	SettlementRef
	After accrual.Cursor `json:"after"`
	Limit int            `json:"limit"`
}

// SettledPage is what a page came to. Over: there is nothing after it. Left
// counts users whose rebates couldn't be paid now: they stay open, and Why is
// the first reason.
type SettledPage struct {
	Run   OpenedSettlement `json:"run"`
	Next  accrual.Cursor   `json:"next"`
	Over  bool             `json:"over"`
	Tally accrual.Tally    `json:"tally"`
	Left  int64            `json:"left"`
	Why   string           `json:"why,omitempty"`
}

const (
	// payers is how many users are paid at once: enough that the committer's
	// batches are full.
	payers = 256
	// payAtOnce bounds the rebates of one Step.
	payAtOnce = 32
)

// SettlePage pays the next rebates that have vested: a Step per user, many at
// once. What was paid already isn't read again, so a repeat goes on where it
// stopped (I-22). A user who can't be paid never stops the others.
func (s *Steps) SettlePage(ctx context.Context, in SettlePageInput) (SettledPage, error) {
	run, err := s.c.Settlements.SettlementHead(ctx, in.Book, in.RunID)
	p := SettledPage{Run: openedSettlement(run), Next: in.After}
	if err != nil || run.Status != accrual.Running {
		return p, failure(ctx, err)
	}
	page, err := s.c.Settlements.VestedPage(ctx, accrual.PageOf{Book: in.Book, CampaignID: run.CampaignID, Date: run.BusinessDate,
		After: in.After, Limit: in.Limit})
	if err != nil {
		return p, failure(ctx, err)
	}
	if p.Over = len(page.Rebates) < in.Limit; len(page.Rebates) > 0 {
		last := page.Rebates[len(page.Rebates)-1]
		p.Next = accrual.Cursor{User: last.Beneficiary, RebateID: last.ID}
	}
	return p, failure(ctx, s.payAll(ctx, run, page, &p))
}

// payAll commits the page's Steps. Only what may work later, the database being
// away for one, is an error: the page is done again then.
func (s *Steps) payAll(ctx context.Context, run accrual.Run, page accrual.Page, p *SettledPage) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var first error
	slots := make(chan struct{}, payers)
	for _, one := range paymentsOf(run, page) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			t, err := s.pay(ctx, run, one)
			if activity.IsActivity(ctx) { // a campaign pays pages without a saga
				activity.RecordHeartbeat(ctx)
			}
			mu.Lock()
			defer mu.Unlock()
			p.Tally = p.Tally.Add(t)
			switch kind := fault.Of(err); {
			case err == nil:
			case kind == fault.KindUnavailable, kind == fault.KindUnknown, ctx.Err() != nil:
				first = err
			default:
				if p.Left++; p.Why == "" {
					p.Why = one.User + ": " + fault.As(err).Error()
				}
			}
		})
	}
	wg.Wait()
	return first
}

// paymentsOf makes the page's Steps: each is about one user.
func paymentsOf(run accrual.Run, page accrual.Page) []accrual.Pay {
	var list []accrual.Pay
	for _, a := range page.Rebates {
		n := len(list) - 1
		if n < 0 || list[n].User != a.Beneficiary || len(list[n].Rebates) == payAtOnce {
			pay := accrual.Pay{RunID: run.ID, MerchantID: run.MerchantID, CampaignID: run.CampaignID, User: a.Beneficiary, Chart: a.Chart()}
			if n < 0 || list[n].User != a.Beneficiary {
				pay.Debts = page.Debts[a.Beneficiary]
			}
			list = append(list, pay)
			n++
		}
		list[n].Rebates = append(list[n].Rebates, a.Ref())
		list[n].Expected += a.Open()
	}
	return list
}

func (s *Steps) pay(ctx context.Context, run accrual.Run, p accrual.Pay) (accrual.Tally, error) {
	r, err := s.c.Committer.Commit(ctx, ledger.Step{Book: run.Book, Cause: p.Cause(), Business: run.ID, By: ledger.Service("settlement-saga"),
		Changes: []ledger.Change{p}})
	if err != nil || r.Replayed {
		return accrual.Tally{}, err
	}
	return accrual.Tally{Rebates: int64(len(p.Rebates)), Paid: p.Expected}, nil
}

// SteerSettlementInput moves a settlement to another status. Without an actor
// it is the saga's own doing.
type SteerSettlementInput struct {
	SettlementRef
	To     accrual.RunStatus `json:"to"`
	Actor  string            `json:"actor,omitempty"`
	Reason string            `json:"reason,omitempty"`
	Code   string            `json:"code,omitempty"` // from `paysaga operator sign`
}

// SteerSettlement verifies who steers, and carries it out. Repeated, it answers
// with what stands.
func (s *Steps) SteerSettlement(ctx context.Context, in SteerSettlementInput) (OpenedSettlement, error) {
	by := ledger.Service("settlement-saga")
	if in.Actor != "" {
		_, actor, err := s.verify(ctx, Verdict{Book: in.Book, BusinessID: in.RunID, Decision: string(in.To), Actor: in.Actor,
			Reason: in.Reason, Code: in.Code})
		if err != nil {
			return OpenedSettlement{}, failure(ctx, err)
		}
		by = ledger.Principal{Kind: ledger.ByOperator, ID: actor, Reason: in.Reason}
	}
	r, err := s.Steer(ctx, in.Book, "", in.RunID, in.To, by)
	if in.Actor == "" && fault.Is(err, fault.KindConflict, "settlement_ended") { // somebody cancelled it just before
		err = nil
	}
	return openedSettlement(r), failure(ctx, err)
}

// Steer moves a settlement of a merchant, or of anybody's if that is empty, to
// another status. One that stands so already is left as it is. Its errors are
// faults.
func (s *Steps) Steer(ctx context.Context, book id.Book, merchantID, runID string, to accrual.RunStatus, by ledger.Principal) (accrual.Run, error) {
	for try := 1; ; try++ {
		r, err := s.c.Settlements.Settlement(ctx, book, merchantID, runID)
		if err != nil || r.Status == to {
			return r, err
		}
		if r.Status.Terminal() {
			return r, fault.Conflict("settlement_ended", "the settlement is "+string(r.Status))
		}
		// The sequence names the Step, so it has no ordinal of the registry's.
		_, err = s.c.Committer.Commit(ctx, ledger.Step{Book: book, Cause: r.ID + ":" + string(id.Act) + strconv.FormatInt(r.Sequence, 10), Business: r.ID, By: by,
			Changes: []ledger.Change{accrual.Steer{RunID: r.ID, To: to, Done: r.Done}}})
		if err == nil || fault.Of(err) != fault.KindConflict || try == staleTries {
			if err == nil {
				r, err = s.c.Settlements.Settlement(ctx, book, merchantID, runID)
			}
			return r, err
		}
	}
}

// TickInput is a schedule's tick: which settlements begin is read at its time.
type TickInput struct {
	Book id.Book   `json:"book"`
	At   time.Time `json:"at"`
}

// Ticked says what a tick began.
type Ticked struct {
	Begun []string `json:"begun"`
}

// BeginDue begins a settlement of each campaign that has vested rebates and no
// open settlement. Their sagas are started by a relay. Repeated, it begins what
// is still due.
func (s *Steps) BeginDue(ctx context.Context, in TickInput) (Ticked, error) {
	var t Ticked
	due, err := s.c.Settlements.SettlementsDue(ctx, in.Book, "", in.At)
	if err != nil {
		return t, failure(ctx, err)
	}
	for _, r := range due {
		r, err := s.Begin(ctx, accrual.Begin{Run: r}, ledger.Service("settlement-tick"))
		switch {
		case err == nil:
			t.Begun = append(t.Begun, r.ID)
		case fault.Of(err) != fault.KindConflict:
			return t, failure(ctx, err)
		}
	}
	return t, nil
}

// Begin brings a settlement into being. Its errors are faults: a campaign that
// has an open one is fault.Conflict "settlement_open".
func (s *Steps) Begin(ctx context.Context, b accrual.Begin, by ledger.Principal) (accrual.Run, error) {
	b.Run.ID = s.c.Settlements.Mint(id.Settlement)
	r, err := s.c.Committer.Commit(ctx, ledger.Step{Book: b.Run.Book, Cause: id.Key(b.Run.ID, id.Step{Code: id.Receive, Ordinal: 1}),
		Business: b.Run.ID, By: by, Changes: []ledger.Change{b}})
	if err != nil {
		return b.Run, err
	}
	if r.Object != "" {
		b.Run.ID = r.Object
	}
	return s.c.Settlements.Settlement(ctx, b.Run.Book, "", b.Run.ID)
}
