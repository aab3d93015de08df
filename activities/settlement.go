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
	// batches are full, and its lanes overlap.
	payers = 512
	// payAtOnce bounds the rebates of one Step.
	payAtOnce = 32
	// sheetSize is how many rebates are read at once. The next sheet is read while
	// the users of the last one are being paid, so no lane waits for a reading.
	sheetSize = 2000
)

// SettlePage pays the next rebates that have vested, about as many as it may: a
// Step per user, many at once. What was paid already isn't read again, so a
// repeat goes on where it stopped (I-22). A user who can't be paid never stops
// the others. Whoever steers the settlement is heard after a sheet.
func (s *Steps) SettlePage(ctx context.Context, in SettlePageInput) (SettledPage, error) {
	t := &till{s: s, in: in, slots: make(chan struct{}, payers), p: SettledPage{Next: in.After}}
	for left := in.Limit; left > 0 && !t.p.Over; {
		n, err := t.sheet(ctx, left)
		if err != nil {
			t.wg.Wait()
			return t.p, failure(ctx, err)
		}
		if n == 0 {
			break
		}
		left -= n
	}
	t.wg.Wait()
	return t.p, failure(ctx, t.first)
}

// till pays one page.
type till struct {
	s     *Steps
	in    SettlePageInput
	slots chan struct{}
	wg    sync.WaitGroup

	mu    sync.Mutex
	p     SettledPage
	first error // what may work later, the database being away for one: the page is done again then
}

// sheet reads the next rebates, at most limit, and sends their users on their
// way. It returns how many they are; none: there is nothing to do now.
func (t *till) sheet(ctx context.Context, limit int) (int, error) {
	run, err := t.s.c.Settlements.SettlementHead(ctx, t.in.Book, t.in.RunID)
	t.p.Run = openedSettlement(run)
	if err != nil || run.Status != accrual.Running || t.failed() {
		return 0, err
	}
	limit = min(limit, sheetSize)
	page, err := t.s.c.Settlements.VestedPage(ctx, accrual.PageOf{Book: t.in.Book, CampaignID: run.CampaignID, Date: run.BusinessDate,
		After: t.p.Next, Limit: limit})
	if err != nil || len(page.Rebates) == 0 {
		t.p.Over = err == nil
		return 0, err
	}
	t.p.Over = len(page.Rebates) < limit
	alone := !t.p.Over && whole(&page)
	n := len(page.Rebates)
	last := page.Rebates[n-1]
	t.p.Next = accrual.Cursor{User: last.Beneficiary, RebateID: last.ID}
	for _, one := range paymentsOf(run, page) {
		t.slots <- struct{}{}
		t.wg.Go(func() {
			defer func() { <-t.slots }()
			tally, err := t.s.pay(ctx, run, one)
			if activity.IsActivity(ctx) { // a campaign pays pages without a saga
				activity.RecordHeartbeat(ctx)
			}
			t.note(ctx, one.User, tally, err)
		})
	}
	if alone {
		t.wg.Wait()
	}
	return n, nil
}

// whole leaves the last user of a full sheet to the next one: what a user owes is
// paid back by the first of their Steps, so no two sheets that are under way at
// once may be about the same. It says true if there is no other user.
func whole(page *accrual.Page) (alone bool) {
	list := page.Rebates
	n := len(list)
	for n > 0 && list[n-1].Beneficiary == list[len(list)-1].Beneficiary {
		n--
	}
	if n == 0 {
		return true
	}
	page.Rebates = list[:n]
	return false
}

func (t *till) failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.first != nil
}

// note keeps what a Step came to.
func (t *till) note(ctx context.Context, user string, tally accrual.Tally, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p.Tally = t.p.Tally.Add(tally)
	switch kind := fault.Of(err); {
	case err == nil:
	case kind == fault.KindUnavailable, kind == fault.KindUnknown, ctx.Err() != nil:
		t.first = err
	default:
		if t.p.Left++; t.p.Why == "" {
			t.p.Why = user + ": " + fault.As(err).Error()
		}
	}
}

// paymentsOf makes the page's Steps: each is about one user.
func paymentsOf(run accrual.Run, page accrual.Page) []accrual.Pay {
	var list []accrual.Pay
	for _, a := range page.Rebates {
		n := len(list) - 1
		if n < 0 || list[n].User != a.Beneficiary || len(list[n].Rebates) == payAtOnce {
			pay := accrual.Pay{RunID: run.ID, MerchantID: run.MerchantID, CampaignID: run.CampaignID, User: a.Beneficiary, Chart: a.Chart(),
				Withdraws: page.Withdraws}
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
