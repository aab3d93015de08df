package accrual

import (
	"time"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// Rerating is a run that rates a campaign's orders again by a corrected version,
// one after the other by their ids.
type Rerating struct {
	Book       id.Book
	ID         string // rrt_…
	MerchantID string
	CampaignID string
	Version    int // the corrected one
	Corrects   int // only orders that went by this version when they were paid; 0: all
	Currency   money.Currency
	Status     RunStatus // Running, Canceled or Completed
	By         ledger.Principal
	After      string           // the order that it has come to
	Looked     int64            // orders that were looked at
	Left       map[string]int64 // orders that were left alone, by why
	Done       Differences
	Sequence   int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
	EndedAt    time.Time
	Lease      time.Time // until when whoever claimed it has it
}

// Differences are what corrections come to, in minor units.
type Differences struct {
	Orders  int64 // of which something changed
	Changed int64 // promises that stood
	Made    int64 // promises that are new
	More    int64
	Less    int64
}

// Add sums two.
func (d Differences) Add(o Differences) Differences {
	return Differences{d.Orders + o.Orders, d.Changed + o.Changed, d.Made + o.Made, d.More + o.More, d.Less + o.Less}
}

// Differences are what a correction comes to.
func (r Corrected) Differences() Differences {
	d := Differences{Made: int64(len(r.Made))}
	for _, m := range r.Changed {
		more := m.More()
		d.More, d.Less = d.More+max(0, more), d.Less+max(0, -more)
		if more != 0 {
			d.Changed++
		}
	}
	for _, a := range r.Made {
		d.More += a.Accrued
	}
	if d.Changed+d.Made > 0 {
		d.Orders = 1
	}
	return d
}

// Preview is what a run would come to at an order, or why it leaves it alone.
type Preview struct {
	OrderID string
	Left    string
	Corrected
}

// Whole is what a run would come to at all orders that it looked at.
type Whole struct {
	Looked   int64            // orders that the run is about
	Left     map[string]int64 // of them those left alone, by why
	Done     Differences
	Complete bool   // no order is left to look at
	Next     string // the last order that it has come to
}

// Add counts one order.
func (w *Whole) Add(p Preview) {
	w.Looked++
	if w.Done = w.Done.Add(p.Differences()); p.Left != "" {
		if w.Left == nil {
			w.Left = map[string]int64{}
		}
		w.Left[p.Left]++
	}
}

// BeginRerating brings a run into being. A campaign that has an open one is
// fault.Conflict "rerating_open".
type BeginRerating struct {
	Idempotency access.Idempotency
	Run         Rerating
}

// Content implements ledger.Change.
func (b BeginRerating) Content() any { return []any{"begin_rerating", b.Run.ID, b.Idempotency} }

// EndRerating ends a run: Completed, or Canceled. One that has ended is
// fault.Conflict "rerating_ended".
type EndRerating struct {
	RunID string
	To    RunStatus
	Done  Differences // for the event
}

// Content implements ledger.Change.
func (e EndRerating) Content() any { return []any{"end_rerating", e.RunID, e.To} }

// Ended is the run after it ended.
func (r Rerating) Ended(to RunStatus, at time.Time) (Rerating, error) {
	if r.Status.Terminal() {
		return r, fault.Conflict("rerating_ended", "the re-rating is "+string(r.Status))
	}
	r.Status = to
	r.Sequence++
	if r.UpdatedAt.Before(at) {
		r.UpdatedAt = at
	}
	r.EndedAt = r.UpdatedAt
	return r, nil
}

// PublicRerating is a run as the API and its events show it: schema Rerating of
// openapi.yaml.
type PublicRerating struct {
	ID         string            `json:"id"`
	Object     string            `json:"object"`
	Livemode   bool              `json:"livemode"`
	MerchantID string            `json:"merchant_id"`
	CampaignID string            `json:"campaign_id"`
	Version    int               `json:"version"`
	Corrects   int               `json:"corrects,omitempty"`
	Status     RunStatus         `json:"status"`
	Currency   string            `json:"currency"`
	Looked     int64             `json:"looked"`
	LeftAlone  map[string]int64  `json:"left_alone"`
	Done       PublicDifferences `json:"done"`
	Sequence   int64             `json:"sequence"`
	CreatedAt  time.Time         `json:"created_at"`
	UpdatedAt  time.Time         `json:"updated_at"`
	EndedAt    *time.Time        `json:"ended_at,omitempty"`
}

// PublicDifferences are what corrections come to.
type PublicDifferences struct {
	Orders  int64  `json:"orders"`
	Changed int64  `json:"changed"`
	Made    int64  `json:"made"`
	More    string `json:"more"`
	Less    string `json:"less"`
}

// Public renders d.
func (d Differences) Public(currency money.Currency) PublicDifferences {
	return PublicDifferences{Orders: d.Orders, Changed: d.Changed, Made: d.Made, More: money.New(d.More, currency).Decimal(),
		Less: money.New(d.Less, currency).Decimal()}
}

// Public renders r.
func (r Rerating) Public() PublicRerating {
	v := PublicRerating{ID: r.ID, Object: "rerating", Livemode: r.Book.Livemode(), MerchantID: r.MerchantID, CampaignID: r.CampaignID,
		Version: r.Version, Corrects: r.Corrects, Status: r.Status, Currency: string(r.Currency), Looked: r.Looked, LeftAlone: r.Left,
		Done: r.Done.Public(r.Currency), Sequence: r.Sequence, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC()}
	if v.LeftAlone == nil {
		v.LeftAlone = map[string]int64{}
	}
	if !r.EndedAt.IsZero() {
		at := r.EndedAt.UTC()
		v.EndedAt = &at
	}
	return v
}
