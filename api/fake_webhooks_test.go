package api_test

import (
	"context"
	"testing"
	"time"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/trade"
	"paysaga/webhook"
)

// hooks judges URLs as production does.
func hooks(t testing.TB) *webhook.Sender {
	t.Helper()
	s, err := webhook.New(webhook.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (m *memory) CreateEndpoint(_ context.Context, e delivery.Endpoint, _ delivery.Secret, _ ledger.Principal) (delivery.Endpoint, error) {
	unlock, err := m.lock("CreateEndpoint")
	defer unlock()
	for _, other := range m.endpoints {
		if other.MerchantID == e.MerchantID && other.URL == e.URL {
			err = fault.Conflict("endpoint_exists", "there is an endpoint with this URL").WithParam("url")
		}
	}
	if err != nil {
		return e, err
	}
	e.ID, e.Status = mint(id.Endpoint), delivery.Enabled
	m.endpoints[e.ID] = e
	return e, nil
}

func (m *memory) Endpoints(_ context.Context, book id.Book, merchantID string) (list []delivery.Endpoint, err error) {
	unlock, err := m.lock("Endpoints")
	defer unlock()
	for _, e := range m.endpoints {
		if e.Book == book && e.MerchantID == merchantID {
			list = append(list, e)
		}
	}
	return list, err
}

func (m *memory) Endpoint(_ context.Context, book id.Book, merchantID, endpointID string) (delivery.Endpoint, error) {
	unlock, err := m.lock("Endpoint")
	defer unlock()
	e, ok := m.endpoints[endpointID]
	if err == nil && (!ok || e.Book != book || e.MerchantID != merchantID) {
		err = fault.NotFound("webhook endpoint")
	}
	return e, err
}

func (m *memory) ChangeEndpoint(ctx context.Context, ref delivery.EndpointRef, _ ledger.Principal, change func(*delivery.Endpoint) error) (delivery.Endpoint, error) {
	e, err := m.Endpoint(ctx, ref.Book, ref.MerchantID, ref.ID)
	if err == nil {
		err = change(&e)
	}
	if err != nil {
		return e, err
	}
	unlock, err := m.lock("ChangeEndpoint")
	defer unlock()
	m.endpoints[ref.ID] = e
	return e, err
}

func (m *memory) DeleteEndpoint(ctx context.Context, ref delivery.EndpointRef, _ ledger.Principal) error {
	if _, err := m.Endpoint(ctx, ref.Book, ref.MerchantID, ref.ID); err != nil {
		return err
	}
	unlock, err := m.lock("DeleteEndpoint")
	defer unlock()
	delete(m.endpoints, ref.ID)
	return err
}

func (m *memory) RotateSecret(ctx context.Context, ref delivery.EndpointRef, _ delivery.Secret, _ time.Duration) (delivery.Endpoint, error) {
	return m.Endpoint(ctx, ref.Book, ref.MerchantID, ref.ID)
}

func (m *memory) Events(context.Context, delivery.EventFilter) ([]trade.Event, bool, error) {
	unlock, err := m.lock("Events")
	defer unlock()
	return nil, false, err
}

func (m *memory) MerchantEvent(context.Context, id.Book, string, string) (trade.Event, error) {
	return trade.Event{}, fault.NotFound("event")
}

func (m *memory) Ping(ctx context.Context, book id.Book, merchantID, endpointID string) (string, error) {
	_, err := m.Endpoint(ctx, book, merchantID, endpointID)
	return mint(id.Event), err
}

func (m *memory) Deliveries(context.Context, delivery.RowFilter) ([]delivery.Row, bool, error) {
	unlock, err := m.lock("Deliveries")
	defer unlock()
	return nil, false, err
}

func (m *memory) Delivery(context.Context, string, delivery.Ref) (delivery.Row, []delivery.Try, error) {
	return delivery.Row{}, nil, fault.NotFound("webhook delivery")
}

func (m *memory) Redeliver(context.Context, string, delivery.Ref) (delivery.Row, error) {
	return delivery.Row{}, fault.NotFound("webhook delivery")
}

func (m *memory) RedeliverMany(ctx context.Context, f delivery.RedeliverFilter) (int, error) {
	_, err := m.Endpoint(ctx, f.Book, f.MerchantID, f.EndpointID)
	return 0, err
}
