package workers

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/domain/accrual"
	"paysaga/domain/delivery"
	"paysaga/domain/dispute"
	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
	"paysaga/domain/refund"
	"paysaga/domain/transfer"
)

// Waiting reads what has been received and still waits. Each row is claimed by
// one relay for a while (SKIP LOCKED), and comes again if nothing came of it.
type Waiting interface {
	Unstarted(ctx context.Context, olderThan time.Duration, limit int) ([]payment.Payment, error)
	UnstartedRefunds(ctx context.Context, olderThan time.Duration, limit int) ([]refund.Refund, error)
	UnstartedTransfers(ctx context.Context, olderThan time.Duration, limit int) ([]transfer.Transfer, error)
	UnstartedPayouts(ctx context.Context, olderThan time.Duration, limit int) ([]payout.Payout, error)
	CancelsWaiting(ctx context.Context, limit int) ([]payment.Payment, error)
	CapturesWaiting(ctx context.Context, limit int) ([]payment.Capture, error)
	CallbacksWaiting(ctx context.Context, limit int) ([]channels.Received, error)
	CasesWaiting(ctx context.Context, limit int) ([]exception.Case, error)
	Maturing(ctx context.Context, limit int) ([]payment.Payment, error)
	DeliveriesDue(ctx context.Context, limit int) ([]delivery.Start, error)
}

// Rebates reads what is waiting of rebates.
type Rebates interface {
	RebateOrdersDue(ctx context.Context, limit int) ([]accrual.Due, error)
	SettlementsWaiting(ctx context.Context, limit int) ([]accrual.Run, error)
	WithdrawalsDue(ctx context.Context, limit int) ([]accrual.Withdrawal, error)
	ReratingsDue(ctx context.Context, limit int) ([]accrual.Rerating, error)
}

// Outbox holds the events that haven't left.
type Outbox interface {
	// ClaimEvents takes events on a lease, of each object its oldest, and marks those as delivered that nobody is to hear; found counts
	// them too.
	ClaimEvents(ctx context.Context, limit int, lease time.Duration) (list []delivery.Leaving, found int, err error)
	// TellEvents writes what the first tries came to.
	TellEvents(ctx context.Context, list []delivery.Left) error
	// ReleaseEvents gives leases back.
	ReleaseEvents(ctx context.Context, list []delivery.Leaving) error
	// DeliveryStarted says that a delivery that was due has its saga.
	DeliveryStarted(ctx context.Context, d delivery.Start) error
}

// Sagas starts and reaches sagas.
type Sagas interface {
	Start(context.Context, payment.Payment) error
	StartRefund(context.Context, refund.Refund) error
	StartTransfer(context.Context, transfer.Transfer) error
	StartPayout(context.Context, payout.Payout) error
	Cancel(context.Context, payment.Payment) error
	Capture(ctx context.Context, p payment.Payment, captureID string) error
	Deliver(ctx context.Context, businessID, callbackID string) error
	TellAgain(context.Context, delivery.Start) error
	StartCase(context.Context, exception.Case) error
	StartSettlement(context.Context, accrual.Run) error
}

// Settler settles what comes for a payment, a refund or a payout after its saga
// has ended.
type Settler interface {
	Settle(context.Context, activities.Settlement) (payment.Payment, error)
	SettleRefund(context.Context, activities.OutSettlement) (refund.Refund, error)
	// AskAbout asks a channel what became of what a callback only names.
	AskAbout(context.Context, activities.Question) (payment.Outcome, error)
	// Rebate brings an order's rebates to what its payments and refunds say.
	Rebate(context.Context, accrual.Due) error
	// Withdraw orders the payout of a wallet that a settlement has paid into.
	Withdraw(context.Context, accrual.Withdrawal) error
	// Rerate does the next page of a re-rating.
	Rerate(context.Context, accrual.Rerating) error
	SettlePayout(context.Context, activities.OutSettlement) (payout.Payout, error)
	// Mature makes a payment's captured money available, once.
	Mature(context.Context, activities.Ref) error
}

// RelayConfig is what the relays need.
type RelayConfig struct {
	Waiting Waiting
	Sagas   Sagas
	Settler Settler
	// Outbox and Courier tell merchants of events.
	Outbox   Outbox
	Courier  *activities.Courier
	Steps    activities.Committer
	Payments interface {
		Dossier(ctx context.Context, book id.Book, paymentID string) (payment.Dossier, error)
		RefundDossier(ctx context.Context, book id.Book, refundID string) (refund.Dossier, error)
		PayoutDossier(ctx context.Context, book id.Book, payoutID string) (payout.Dossier, error)
		Dispute(ctx context.Context, book id.Book, merchantID, disputeID string) (dispute.Dispute, error)
		// AnswerCallback keeps what a channel said when it was asked about a callback.
		AnswerCallback(ctx context.Context, book id.Book, callbackID string, said payment.Outcome) error
		// ChargeReference is our reference of a charge that a channel account knows by an id of its own.
		ChargeReference(ctx context.Context, book id.Book, channelAccount, channelID string) (string, error)
	}
	// Months makes the ledger's months before they begin; nil: somebody else does.
	Months interface {
		MakeMonths(ctx context.Context, ahead int) (int, error)
	}
	// Books folds the ledger's hot accounts, so that reading their balances stays short; nil: somebody else does.
	Books interface {
		Fold(ctx context.Context, book id.Book, limit int) (more bool, err error)
	}
	// Risk is what is judged later, by Judge; nil: somebody else does.
	Risk Rechecks
	// Rebates are what moves of promised rebates; nil: somebody else does.
	Rebates Rebates
	Judge   interface {
		Recheck(ctx context.Context, ref activities.Ref) error
	}
	// Notices and Carriers tell people; nil: somebody else does.
	Notices  Notices
	Carriers Carriers
	// StartAfter is how long the API has before a relay starts a payment (5 s).
	StartAfter time.Duration
	// OrphanAfter is how long an unknown reference is tried (1 h).
	OrphanAfter time.Duration
	// Every is how often each relay looks without being poked (500 ms).
	Every time.Duration
	Log   *slog.Logger
	Now   func() time.Time
}

// Rechecks is what is left of judgements: payments that were judged blind, and
// counters whose window is over.
type Rechecks interface {
	Rechecks(ctx context.Context, limit int) ([]payment.Payment, error)
	SweepCounters(ctx context.Context, limit int) (more bool, err error)
}

// batch is how many rows a relay takes at once.
const batch = 64

// Relays are the parts of paysaga that make good what was promised: payments
// received and not started, cancels and callbacks not delivered, events.
type Relays struct {
	c         RelayConfig
	callbacks *relay
	again     *relay
	events    *Events
	cases     *relay
	all       []*relay
}

// NewRelays completes c with its defaults.
func NewRelays(c RelayConfig) *Relays {
	if c.StartAfter == 0 {
		c.StartAfter = 5 * time.Second
	}
	if c.OrphanAfter == 0 {
		c.OrphanAfter = time.Hour
	}
	if c.Every == 0 {
		c.Every = 500 * time.Millisecond
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	r := &Relays{c: c}
	r.cases = newRelay("cases", c.Every, r.startCases)
	r.callbacks = newRelay("callbacks", c.Every, r.placeCallbacks)
	r.again = newRelay("deliveries", c.Every, r.tellAgain)
	r.events = NewEvents(EventsConfig{Outbox: c.Outbox, Courier: c.Courier, Every: c.Every, HandedOver: r.again.Poke, Log: c.Log, Now: c.Now})
	r.all = []*relay{newRelay("starts", c.Every, r.startReceived), newRelay("refund starts", c.Every, r.startRefunds),
		newRelay("transfer starts", c.Every, r.startTransfers),
		newRelay("payout starts", c.Every, r.startPayouts),
		newRelay("cancels", c.Every, r.deliverCancels),
		newRelay("captures", c.Every, r.deliverCaptures),
		r.callbacks, r.cases, r.again,
		newRelay("maturities", max(c.Every, time.Second), r.mature)}
	r.all = append(r.all, r.noticeRelays()...)
	if c.Months != nil {
		r.all = append(r.all, newRelay("months", time.Hour, r.makeMonths))
	}
	if c.Books != nil {
		r.all = append(r.all, newRelay("folds", max(c.Every, time.Second), r.fold))
	}
	if c.Risk != nil {
		r.all = append(r.all, newRelay("rechecks", max(c.Every, time.Second), r.recheck), newRelay("counters", time.Minute, r.sweepCounters))
	}
	if c.Rebates != nil {
		r.all = append(r.all, newRelay("rebates", c.Every, r.rebate), newRelay("settlements", c.Every, r.startSettlements),
			newRelay("reratings", c.Every, r.rerate), newRelay("withdrawals", c.Every, r.withdraw))
	}
	return r
}

// PokeCallbacks says that a callback was stored just now.
func (r *Relays) PokeCallbacks() { r.callbacks.Poke() }

// PokeCases says that a case was opened just now.
func (r *Relays) PokeCases() { r.cases.Poke() }

// Run runs all relays until ctx ends, and returns when each has stopped.
func (r *Relays) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, one := range r.all {
		wg.Go(func() { one.run(ctx, r.c.Log) })
	}
	wg.Go(func() { r.events.Run(ctx) })
	wg.Wait()
}

// startReceived starts what was acknowledged and has no saga (I-19).
func (r *Relays) startReceived(ctx context.Context) (bool, error) {
	list, err := r.c.Waiting.Unstarted(ctx, r.c.StartAfter, batch)
	return len(list) == batch, each(ctx, list, err, r.c.Sagas.Start)
}

// startCases starts the sagas of cases that were opened.
func (r *Relays) startCases(ctx context.Context) (bool, error) {
	list, err := r.c.Waiting.CasesWaiting(ctx, batch)
	return len(list) == batch, each(ctx, list, err, r.c.Sagas.StartCase)
}

// startRefunds starts the refunds that were acknowledged and have no saga.
func (r *Relays) startRefunds(ctx context.Context) (bool, error) {
	list, err := r.c.Waiting.UnstartedRefunds(ctx, r.c.StartAfter, batch)
	return len(list) == batch, each(ctx, list, err, r.c.Sagas.StartRefund)
}

// startTransfers starts the transfers that were acknowledged and have no saga.
func (r *Relays) startTransfers(ctx context.Context) (bool, error) {
	list, err := r.c.Waiting.UnstartedTransfers(ctx, r.c.StartAfter, batch)
	return len(list) == batch, each(ctx, list, err, r.c.Sagas.StartTransfer)
}

// startPayouts starts the payouts that were received and have no saga.
func (r *Relays) startPayouts(ctx context.Context) (bool, error) {
	list, err := r.c.Waiting.UnstartedPayouts(ctx, r.c.StartAfter, batch)
	return len(list) == batch, each(ctx, list, err, r.c.Sagas.StartPayout)
}

// deliverCancels reaches the sagas of payments whose cancel was acknowledged.
func (r *Relays) deliverCancels(ctx context.Context) (bool, error) {
	list, err := r.c.Waiting.CancelsWaiting(ctx, batch)
	return len(list) == batch, each(ctx, list, err, func(ctx context.Context, p payment.Payment) error {
		ctx, stop := context.WithTimeout(ctx, 3*time.Second)
		defer stop()
		if err := r.c.Sagas.Cancel(ctx, p); fault.Of(err) != fault.KindUnknown {
			return err
		}
		return nil // the saga has it, or gets it at the next round
	})
}

// deliverCaptures reaches the sagas of payments whose captures were
// acknowledged.
func (r *Relays) deliverCaptures(ctx context.Context) (bool, error) {
	list, err := r.c.Waiting.CapturesWaiting(ctx, batch)
	return len(list) == batch, each(ctx, list, err, func(ctx context.Context, c payment.Capture) error {
		d, err := r.c.Payments.Dossier(ctx, c.Book, c.PaymentID)
		if err != nil {
			return err
		}
		ctx, stop := context.WithTimeout(ctx, 3*time.Second)
		defer stop()
		if err := r.c.Sagas.Capture(ctx, d.Payment, c.ID); fault.Of(err) != fault.KindUnknown {
			return err
		}
		return nil // the saga has it, or gets it at the next round
	})
}

// mature makes available what has waited out its merchant's settlement delay.
func (r *Relays) mature(ctx context.Context) (bool, error) {
	list, err := r.c.Waiting.Maturing(ctx, batch)
	return len(list) == batch, each(ctx, list, err, func(ctx context.Context, p payment.Payment) error {
		return r.c.Settler.Mature(ctx, activities.Ref{Book: p.Book, PaymentID: p.ID})
	})
}

// rebate brings the rebates of orders to what their payments and refunds say.
func (r *Relays) rebate(ctx context.Context) (bool, error) {
	list, err := r.c.Rebates.RebateOrdersDue(ctx, batch)
	return len(list) == batch, each(ctx, list, err, r.c.Settler.Rebate)
}

// withdraw pays out wallets that a settlement has paid into, where somebody wants it.
func (r *Relays) withdraw(ctx context.Context) (bool, error) {
	list, err := r.c.Rebates.WithdrawalsDue(ctx, batch)
	return len(list) == batch, each(ctx, list, err, r.c.Settler.Withdraw)
}

// rerate does a page of each re-rating, and asks again at once.
func (r *Relays) rerate(ctx context.Context) (bool, error) {
	list, err := r.c.Rebates.ReratingsDue(ctx, batch)
	return len(list) > 0, each(ctx, list, err, r.c.Settler.Rerate)
}

// startSettlements starts the sagas of settlements that were begun.
func (r *Relays) startSettlements(ctx context.Context) (bool, error) {
	list, err := r.c.Rebates.SettlementsWaiting(ctx, batch)
	return len(list) == batch, each(ctx, list, err, r.c.Sagas.StartSettlement)
}

// monthsAhead is how many months stand before they begin: time enough to notice
// that nobody makes them.
const monthsAhead = 3

// recheck judges again what was let through while the risk data couldn't be read.
func (r *Relays) recheck(ctx context.Context) (bool, error) {
	list, err := r.c.Risk.Rechecks(ctx, batch)
	return len(list) == batch, each(ctx, list, err, func(ctx context.Context, p payment.Payment) error {
		return r.c.Judge.Recheck(ctx, activities.Ref{Book: p.Book, PaymentID: p.ID})
	})
}

// sweepLimit is how many counters are swept at once.
const sweepLimit = 1000

func (r *Relays) sweepCounters(ctx context.Context) (bool, error) {
	return r.c.Risk.SweepCounters(ctx, sweepLimit)
}

func (r *Relays) makeMonths(ctx context.Context) (bool, error) {
	made, err := r.c.Months.MakeMonths(ctx, monthsAhead)
	if made > 0 {
		r.c.Log.Info("months were made for the ledger", "months", made)
	}
	return false, err
}

// foldLimit is how many entries of a hot account are folded at once.
const foldLimit = 50_000

// fold folds what is final of the hot accounts of all books.
func (r *Relays) fold(ctx context.Context) (bool, error) {
	more := false
	for _, book := range id.Books() {
		again, err := r.c.Books.Fold(ctx, book, foldLimit)
		if err != nil {
			return false, err
		}
		more = more || again
	}
	return more, nil
}

func (r *Relays) placeCallbacks(ctx context.Context) (bool, error) {
	list, err := r.c.Waiting.CallbacksWaiting(ctx, batch)
	return len(list) == batch, each(ctx, list, err, r.place)
}

// tellAgain starts the sagas of deliveries whose first try failed, or that somebody wants told again.
func (r *Relays) tellAgain(ctx context.Context) (bool, error) {
	list, err := r.c.Waiting.DeliveriesDue(ctx, batch)
	return len(list) == batch, each(ctx, list, err, func(ctx context.Context, d delivery.Start) error {
		ctx, stop := context.WithTimeout(ctx, 5*time.Second)
		defer stop()
		if err := r.c.Sagas.TellAgain(ctx, d); err != nil {
			return err
		}
		return r.c.Outbox.DeliveryStarted(ctx, d)
	})
}

// each does one thing with every row of a batch, a few at a time; the first
// failure is reported after all were tried.
func each[T any](ctx context.Context, list []T, err error, do func(context.Context, T) error) error {
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	var once sync.Once
	slots := make(chan struct{}, 16)
	for _, row := range list {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if e := do(ctx, row); e != nil {
				once.Do(func() { err = e })
			}
		})
	}
	wg.Wait()
	return err
}
