package accrual

import (
	"strconv"
	"time"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
)

// RunStatus says how far a settlement has come.
type RunStatus string

// The statuses of a settlement.
const (
	Running   RunStatus = "running"
	Paused    RunStatus = "paused"
	Canceled  RunStatus = "canceled"
	Completed RunStatus = "completed"
)

// RunStatuses returns every status once.
func RunStatuses() []RunStatus { return []RunStatus{Running, Paused, Canceled, Completed} }

// Terminal says that the settlement has ended.
func (s RunStatus) Terminal() bool { return s == Canceled || s == Completed }

// Run is one settlement of a campaign: everything that has vested by its
// business date and isn't paid. What it leaves, the next one takes.
type Run struct {
	Book         id.Book
	ID           string // stl_…
	MerchantID   string
	CampaignID   string
	BusinessDate time.Time
	N            int // counts the campaign's settlements of that date from 1
	Currency     money.Currency
	Status       RunStatus
	Total        Tally // what had vested when it began; Released and Recovered stay zero
	Done         Tally // what it has come to so far
	Sequence     int64
	CreatedAt    time.Time
	UpdatedAt    time.Time
	EndedAt      time.Time
}

// Tally counts rebates, and sums them in minor units. Paid and Released sum to
// what was taken off the promises; Recovered is what of Paid went to debts.
type Tally struct {
	Rebates   int64 `json:"rebates"`
	Paid      int64 `json:"paid"`
	Released  int64 `json:"released"`
	Recovered int64 `json:"recovered"`
}

// Add sums two tallies.
func (t Tally) Add(o Tally) Tally {
	return Tally{t.Rebates + o.Rebates, t.Paid + o.Paid, t.Released + o.Released, t.Recovered + o.Recovered}
}

// Name is how operators know the settlement, and the end of its saga's id:
// "<campaign>/<business date>/<n>".
func (r Run) Name() string {
	return r.CampaignID + "/" + r.BusinessDate.Format(DateFormat) + "/" + strconv.Itoa(r.N)
}

// Begin brings a settlement into being. A campaign that has an open one is
// fault.Conflict "settlement_open"; the number is the next of its date.
type Begin struct {
	Idempotency access.Idempotency // empty: a Step of paysaga's own
	Run         Run
}

// Content implements ledger.Change.
func (b Begin) Content() any { return []any{"begin_settlement", b.Run.ID, b.Idempotency} }

// Steer moves a settlement to another status, judged under its lock: see Next.
type Steer struct {
	RunID string
	To    RunStatus
	Done  Tally // what it has come to, for the event
}

// Content implements ledger.Change.
func (s Steer) Content() any { return []any{"steer_settlement", s.RunID, s.To} }

// Next is the settlement in its new status, and the event. One that has ended,
// or stands so already, is fault.Conflict "settlement_ended" or "stale_state".
func (r Run) Next(to RunStatus, at time.Time) (Run, string, error) {
	switch {
	case r.Status.Terminal():
		return r, "", fault.Conflict("settlement_ended", "the settlement is "+string(r.Status))
	case r.Status == to:
		return r, "", fault.Conflict("stale_state", "the settlement is "+string(to)+" already")
	}
	event := map[RunStatus]string{Running: "settlement.resumed", Paused: "settlement.paused", Canceled: "settlement.canceled",
		Completed: "settlement.completed"}[to]
	if event == "" {
		return r, "", fault.Internal("no such status of a settlement", nil)
	}
	r.Status = to
	r.Sequence++
	if r.UpdatedAt.Before(at) {
		r.UpdatedAt = at
	}
	if to.Terminal() {
		r.EndedAt = r.UpdatedAt
	}
	return r, event, nil
}

// PublicRun is a settlement as the API and its events show it: schema
// Settlement of openapi.yaml.
type PublicRun struct {
	ID           string      `json:"id"`
	Object       string      `json:"object"`
	Livemode     bool        `json:"livemode"`
	MerchantID   string      `json:"merchant_id"`
	CampaignID   string      `json:"campaign_id"`
	BusinessDate string      `json:"business_date"`
	N            int         `json:"n"`
	Status       RunStatus   `json:"status"`
	Currency     string      `json:"currency"`
	Total        PublicTotal `json:"total"`
	Done         PublicTally `json:"done"`
	Sequence     int64       `json:"sequence"`
	CreatedAt    time.Time   `json:"created_at"`
	UpdatedAt    time.Time   `json:"updated_at"`
	EndedAt      *time.Time  `json:"ended_at,omitempty"`
}

// PublicTotal is what had vested when a settlement began.
type PublicTotal struct {
	Rebates int64  `json:"rebates"`
	Amount  string `json:"amount"`
}

// PublicTally is what a settlement has come to so far.
type PublicTally struct {
	Rebates   int64  `json:"rebates"`
	Paid      string `json:"paid"`
	Released  string `json:"released"`
	Recovered string `json:"recovered"`
}

// Public renders r.
func (r Run) Public() PublicRun {
	text := func(minor int64) string { return money.New(minor, r.Currency).Decimal() }
	v := PublicRun{ID: r.ID, Object: "settlement", Livemode: r.Book.Livemode(), MerchantID: r.MerchantID, CampaignID: r.CampaignID,
		BusinessDate: r.BusinessDate.Format(DateFormat), N: r.N, Status: r.Status, Currency: string(r.Currency),
		Total: PublicTotal{Rebates: r.Total.Rebates, Amount: text(r.Total.Paid)},
		Done: PublicTally{Rebates: r.Done.Rebates, Paid: text(r.Done.Paid), Released: text(r.Done.Released),
			Recovered: text(r.Done.Recovered)},
		Sequence: r.Sequence, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC()}
	if !r.EndedAt.IsZero() {
		at := r.EndedAt.UTC()
		v.EndedAt = &at
	}
	return v
}
