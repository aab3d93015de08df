package api

import (
	"context"
	"time"

	"paysaga/domain/delivery"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/trade"
)

// Endpoints keeps where merchants are told of events. Another merchant's is fault.NotFound (I-25).
type Endpoints interface {
	CreateEndpoint(ctx context.Context, e delivery.Endpoint, secret delivery.Secret, by ledger.Principal) (delivery.Endpoint, error)
	Endpoints(ctx context.Context, book id.Book, merchantID string) ([]delivery.Endpoint, error)
	Endpoint(ctx context.Context, book id.Book, merchantID, endpointID string) (delivery.Endpoint, error)
	// ChangeEndpoint asks change under the row's lock; what change refuses isn't changed.
	ChangeEndpoint(ctx context.Context, ref delivery.EndpointRef, by ledger.Principal, change func(*delivery.Endpoint) error) (delivery.Endpoint, error)
	DeleteEndpoint(ctx context.Context, ref delivery.EndpointRef, by ledger.Principal) error
	// RotateSecret lets the secrets before sign on for the overlap.
	RotateSecret(ctx context.Context, ref delivery.EndpointRef, secret delivery.Secret, overlap time.Duration) (delivery.Endpoint, error)
}

// Outbox reads events, and what came of them at endpoints (I-25).
type Outbox interface {
	Events(ctx context.Context, f delivery.EventFilter) (page []trade.Event, more bool, err error)
	MerchantEvent(ctx context.Context, book id.Book, merchantID, eventID string) (trade.Event, error)
	Deliveries(ctx context.Context, f delivery.RowFilter) (page []delivery.Row, more bool, err error)
	Delivery(ctx context.Context, merchantID string, ref delivery.Ref) (delivery.Row, []delivery.Try, error)
}

// Again has events told: a relay sees to it.
type Again interface {
	// Ping leaves an event that this endpoint alone is told of.
	Ping(ctx context.Context, book id.Book, merchantID, endpointID string) (eventID string, err error)
	Redeliver(ctx context.Context, merchantID string, ref delivery.Ref) (delivery.Row, error)
	RedeliverMany(ctx context.Context, f delivery.RedeliverFilter) (count int, err error)
}

// Hooks judges URLs as whoever dials them does, and draws secrets.
type Hooks interface {
	// CheckURL refuses what can never be an endpoint; where a name leads is judged by each try.
	CheckURL(param, raw string) error
	NewSecret() (delivery.Secret, error)
}
