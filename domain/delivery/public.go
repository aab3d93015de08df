package delivery

import "time"

// PublicEndpoint is an endpoint as the API and events show it.
type PublicEndpoint struct {
	ID              string         `json:"id"`
	Object          string         `json:"object"`
	Livemode        bool           `json:"livemode"`
	MerchantID      string         `json:"merchant_id"`
	URL             string         `json:"url"`
	Description     string         `json:"description"`
	Events          []string       `json:"events"`
	IncludeChildren bool           `json:"include_children"`
	APIVersion      string         `json:"api_version"`
	Schedule        Schedule       `json:"schedule"`
	Status          EndpointStatus `json:"status"`
	Reason          string         `json:"reason,omitempty"`
	FailingSince    *time.Time     `json:"failing_since,omitempty"`
	LastSuccessAt   *time.Time     `json:"last_success_at,omitempty"`
	Sequence        int64          `json:"sequence"`
	CreatedAt       time.Time      `json:"created_at"`
	UpdatedAt       time.Time      `json:"updated_at"`
	// Secret is shown by creation and rotation alone.
	Secret string `json:"secret,omitempty"`
}

// Public is what may be shown to the endpoint's merchant.
func (e Endpoint) Public() PublicEndpoint {
	p := PublicEndpoint{ID: e.ID, Object: "webhook_endpoint", Livemode: e.Book.Livemode(), MerchantID: e.MerchantID, URL: e.URL,
		Description: e.Description, Events: e.Events, IncludeChildren: e.IncludeChildren, APIVersion: e.APIVersion, Schedule: e.Schedule,
		Status: e.Status, Reason: e.Reason, Sequence: e.Sequence, CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt,
		FailingSince: given(e.FailingSince), LastSuccessAt: given(e.LastSuccessAt)}
	if p.Events == nil {
		p.Events = []string{}
	}
	return p
}

// PublicTry is a try as the API shows it.
type PublicTry struct {
	No         int       `json:"no"`
	At         time.Time `json:"at"`
	Outcome    Outcome   `json:"outcome"`
	Reason     string    `json:"reason,omitempty"`
	Status     int       `json:"http_status,omitempty"`
	DurationMS int64     `json:"duration_ms"`
	Excerpt    string    `json:"excerpt,omitempty"`
}

// PublicDelivery is a delivery as the API shows it.
type PublicDelivery struct {
	ID          string     `json:"id"`
	Object      string     `json:"object"`
	Livemode    bool       `json:"livemode"`
	EventID     string     `json:"event_id"`
	EndpointID  string     `json:"endpoint_id"`
	Type        string     `json:"type"`
	ObjectType  string     `json:"object_type"`
	ObjectID    string     `json:"object_id"`
	Sequence    int64      `json:"sequence"`
	Status      State      `json:"status"`
	TryCount    int        `json:"try_count"`
	LastOutcome Outcome    `json:"last_outcome,omitempty"`
	LastReason  string     `json:"last_reason,omitempty"`
	LastStatus  int        `json:"last_http_status,omitempty"`
	NextAt      *time.Time `json:"next_at,omitempty"`
	CreatedAt   time.Time  `json:"created_at"`
	LastTryAt   *time.Time `json:"last_try_at,omitempty"`
	DeliveredAt *time.Time `json:"delivered_at,omitempty"`
	// Tries are there when one delivery is read, oldest first.
	Tries []PublicTry `json:"tries,omitempty"`
}

// Public is what may be shown to the endpoint's merchant.
func (r Row) Public(tries ...Try) PublicDelivery {
	p := PublicDelivery{ID: r.ID(), Object: "webhook_delivery", Livemode: r.Book.Livemode(), EventID: r.EventID, EndpointID: r.EndpointID,
		Type: r.Type, ObjectType: r.Object.Type, ObjectID: r.Object.ID, Sequence: r.Object.Sequence, Status: r.State, TryCount: r.Tries,
		LastOutcome: r.Last.Outcome, LastReason: r.Last.Reason, LastStatus: r.Last.Status, NextAt: given(r.NextAt), CreatedAt: r.CreatedAt,
		LastTryAt: given(r.At), DeliveredAt: given(r.Delivered)}
	for _, t := range tries {
		p.Tries = append(p.Tries, PublicTry{No: t.No, At: t.At, Outcome: t.Result.Outcome, Reason: t.Result.Reason, Status: t.Result.Status,
			DurationMS: t.Result.Duration.Milliseconds(), Excerpt: t.Result.Excerpt})
	}
	return p
}

func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
