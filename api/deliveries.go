package api

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/trade"
)

// ListEvents lists a merchant's events, newest first.
func (s *server) ListEvents(c echo.Context, p ListEventsParams) error {
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	list, more, err := s.Outbox.Events(ctx, delivery.EventFilter{Book: who.Book, MerchantID: who.merchant, Type: value(p.Type), ObjectID: value(p.ObjectID),
		CreatedFrom: value(p.CreatedFrom), CreatedBefore: value(p.CreatedBefore), After: value(p.StartingAfter), Limit: pageSize(p.Limit)})
	if err != nil {
		return err
	}
	if list == nil {
		list = []trade.Event{}
	}
	return reply(c, http.StatusOK, mediaJSON, EventList{Data: list, HasMore: more})
}

// GetEvent reads one.
func (s *server) GetEvent(c echo.Context, eventID EventID, _ GetEventParams) error {
	if !id.Is(id.Event, eventID) {
		return fault.NotFound("event")
	}
	about(c, eventID)
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	e, err := s.Outbox.MerchantEvent(ctx, who.Book, who.merchant, eventID)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, e)
}

// ListWebhookDeliveries lists what was told, or is to be.
func (s *server) ListWebhookDeliveries(c echo.Context, p ListWebhookDeliveriesParams) error {
	who := callerOf(c)
	f := delivery.RowFilter{Book: who.Book, MerchantID: who.merchant, EndpointID: value(p.EndpointID), EventID: value(p.EventID),
		State: value(p.Status), Limit: pageSize(p.Limit)}
	if p.StartingAfter != nil {
		var err error
		if f.After, err = delivery.ParseID(*p.StartingAfter); err != nil {
			return err
		}
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	list, more, err := s.Outbox.Deliveries(ctx, f)
	if err != nil {
		return err
	}
	page := WebhookDeliveryList{Data: []WebhookDelivery{}, HasMore: more}
	for _, d := range list {
		page.Data = append(page.Data, d.Public())
	}
	return reply(c, http.StatusOK, mediaJSON, page)
}

// refOf names a delivery of the caller's book.
func refOf(c echo.Context, eventID, endpointID string) (delivery.Ref, error) {
	if !id.Is(id.Event, eventID) || !id.Is(id.Endpoint, endpointID) {
		return delivery.Ref{}, fault.NotFound("webhook delivery")
	}
	about(c, eventID)
	return delivery.Ref{Book: callerOf(c).Book, EventID: eventID, EndpointID: endpointID}, nil
}

// GetWebhookDelivery reads one with its log.
func (s *server) GetWebhookDelivery(c echo.Context, eventID EventID, endpointID WebhookEndpointID, _ GetWebhookDeliveryParams) error {
	ref, err := refOf(c, eventID, endpointID)
	if err != nil {
		return err
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	d, tries, err := s.Outbox.Delivery(ctx, callerOf(c).merchant, ref)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, d.Public(tries...))
}

// RedeliverWebhook has an event told again.
func (s *server) RedeliverWebhook(c echo.Context, eventID EventID, endpointID WebhookEndpointID, _ RedeliverWebhookParams) error {
	ref, err := refOf(c, eventID, endpointID)
	if err != nil {
		return err
	}
	if _, err := readEmpty(c); err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	d, err := s.Again.Redeliver(ctx, callerOf(c).merchant, ref)
	if err != nil {
		return err
	}
	return reply(c, http.StatusAccepted, mediaJSON, d.Public())
}

// RedeliverWebhooks has told again what a filter chooses.
func (s *server) RedeliverWebhooks(c echo.Context, endpointID WebhookEndpointID, _ RedeliverWebhooksParams) error {
	if err := checkEndpointID(c, endpointID); err != nil {
		return err
	}
	var r WebhookRedeliverRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	who := callerOf(c)
	f := delivery.RedeliverFilter{Book: who.Book, MerchantID: who.merchant, EndpointID: endpointID, From: value(r.From), To: value(r.To),
		Types: value(r.Types), States: value(r.Statuses)}
	switch {
	case r.From != nil && (f.From.Year() < 1970 || f.From.Year() >= 2200):
		return fault.Invalid("time_invalid", "from", "a time between 1970 and 2199")
	case r.To != nil && (f.To.Year() < 1970 || f.To.Year() >= 2200):
		return fault.Invalid("time_invalid", "to", "a time between 1970 and 2199")
	case r.From != nil && r.To != nil && f.To.Before(f.From):
		return fault.Invalid("time_invalid", "to", "the end comes before the beginning")
	case r.Statuses != nil && len(f.States) == 0:
		return fault.Invalid("status_invalid", "statuses", "leave statuses out, or name one")
	}
	for i, state := range f.States {
		if !state.Valid() || state == delivery.StateHeld {
			return fault.Invalid("status_invalid", "statuses["+itoa(i)+"]", "this is not a status to tell again from; what is held goes on when its endpoint is enabled")
		}
	}
	for i, kind := range f.Types {
		if !eventFilter(kind) {
			return fault.Invalid("events_invalid", "types["+itoa(i)+"]", "this is not a type of events")
		}
	}
	if err := s.conforms("redeliverWebhooks", body); err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	n, err := s.Again.RedeliverMany(ctx, f)
	if err != nil {
		return err
	}
	return reply(c, http.StatusAccepted, mediaJSON, WebhookRedelivery{Count: n, HasMore: n == delivery.MaxRedeliver})
}

func itoa(n int) string { return strconv.Itoa(n) }

// eventFilter reports whether text may stand in a filter of events.
func eventFilter(text string) bool {
	return delivery.Endpoint{Events: []string{text}, APIVersion: delivery.Versions()[0]}.CheckEvents() == nil
}

func isEvent(text string) bool    { return id.Is(id.Event, text) }
func isEndpoint(text string) bool { return id.Is(id.Endpoint, text) }

func isDelivery(text string) bool {
	_, err := delivery.ParseID(text)
	return err == nil
}

func isDeliveryStatus(text string) bool {
	return slices.Contains(delivery.States(), delivery.State(text))
}

func isObject(text string) bool { return visible(text, 100) }
