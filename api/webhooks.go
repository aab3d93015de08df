package api

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// CreateWebhookEndpoint registers an endpoint. Its secret is in this answer alone.
func (s *server) CreateWebhookEndpoint(c echo.Context, _ CreateWebhookEndpointParams) error {
	var r WebhookEndpointRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	who := callerOf(c)
	e, err := s.newEndpoint(r)
	if err != nil {
		return err
	}
	if err := s.conforms("createWebhookEndpoint", body); err != nil {
		return err
	}
	e.Book, e.MerchantID = who.Book, who.merchant
	secret, err := s.Hooks.NewSecret()
	if err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	if e, err = s.Endpoints.CreateEndpoint(ctx, e, secret, who.by(c)); err != nil {
		return err
	}
	about(c, e.ID)
	c.Response().Header().Set("Location", "/v1/webhook_endpoints/"+e.ID)
	return showEndpoint(c, http.StatusCreated, e, secret.Reveal())
}

func showEndpoint(c echo.Context, code int, e delivery.Endpoint, secret string) error {
	v := e.Public()
	v.Secret = secret
	return reply(c, code, mediaJSON, v)
}

// newEndpoint judges a request field by field.
func (s *server) newEndpoint(r WebhookEndpointRequest) (delivery.Endpoint, error) {
	e := delivery.Endpoint{URL: r.URL, Description: value(r.Description), Events: value(r.Events), IncludeChildren: value(r.IncludeChildren),
		APIVersion: delivery.Versions()[0]}
	if r.URL == "" {
		return e, required("url", "an endpoint needs a URL")
	}
	if r.APIVersion != nil {
		e.APIVersion = *r.APIVersion
	}
	schedule := value(r.Schedule)
	var err error
	if e.Schedule, err = schedule.schedule(); err != nil {
		return e, err
	}
	return e, s.checkEndpoint(e)
}

func (s *server) checkEndpoint(e delivery.Endpoint) error {
	if err := s.Hooks.CheckURL("url", e.URL); err != nil {
		return err
	}
	if !written(e.Description, 500, "\n") {
		return fault.Invalid("description_invalid", "description", "a description has at most 500 characters, and no control characters")
	}
	return e.Check()
}

// schedule is a preset, or waits of the merchant's own.
func (r WebhookScheduleRequest) schedule() (delivery.Schedule, error) {
	if r.Waits == nil {
		if r.JitterPercent != nil {
			return delivery.Schedule{}, fault.Invalid("schedule_invalid", "schedule.jitter_percent", "a preset has its own jitter")
		}
		preset, err := delivery.Preset(string(value(r.Preset)))
		return preset, fault.Under("schedule.preset", withoutParam(err))
	}
	if r.Preset != nil {
		return delivery.Schedule{}, fault.Invalid("schedule_invalid", "schedule.preset", "a schedule is a preset or has waits of its own")
	}
	s := delivery.Schedule{Name: "custom", JitterPercent: int64(value(r.JitterPercent))}
	for i, text := range *r.Waits {
		var w delivery.Wait
		if err := w.UnmarshalText([]byte(text)); err != nil {
			return s, fault.Under("schedule.waits["+itoa(i)+"]", err)
		}
		s.Waits = append(s.Waits, w)
	}
	return s, fault.Under("schedule", s.Check())
}

func withoutParam(err error) error {
	if err == nil {
		return nil
	}
	return fault.As(err).WithParam("")
}

// ListWebhookEndpoints lists a merchant's; there are never many.
func (s *server) ListWebhookEndpoints(c echo.Context, _ ListWebhookEndpointsParams) error {
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	list, err := s.Endpoints.Endpoints(ctx, who.Book, who.merchant)
	if err != nil {
		return err
	}
	page := WebhookEndpointList{Data: []WebhookEndpoint{}}
	for _, e := range list {
		page.Data = append(page.Data, e.Public())
	}
	return reply(c, http.StatusOK, mediaJSON, page)
}

func checkEndpointID(c echo.Context, endpointID string) error {
	if !id.Is(id.Endpoint, endpointID) {
		return fault.NotFound("webhook endpoint")
	}
	about(c, endpointID)
	return nil
}

// endpoint names one of the caller's merchant.
func (w caller) endpoint(endpointID string) delivery.EndpointRef {
	return delivery.EndpointRef{Book: w.Book, MerchantID: w.merchant, ID: endpointID}
}

// GetWebhookEndpoint reads one.
func (s *server) GetWebhookEndpoint(c echo.Context, endpointID WebhookEndpointID, _ GetWebhookEndpointParams) error {
	if err := checkEndpointID(c, endpointID); err != nil {
		return err
	}
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	e, err := s.Endpoints.Endpoint(ctx, who.Book, who.merchant, endpointID)
	if err != nil {
		return err
	}
	return showEndpoint(c, http.StatusOK, e, "")
}

// ChangeWebhookEndpoint changes what the request names.
func (s *server) ChangeWebhookEndpoint(c echo.Context, endpointID WebhookEndpointID, _ ChangeWebhookEndpointParams) error {
	if err := checkEndpointID(c, endpointID); err != nil {
		return err
	}
	var r WebhookEndpointChangeRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	schedule, err := value(r.Schedule).schedule()
	if err != nil {
		return err
	}
	status := delivery.EndpointStatus(value(r.Status))
	if r.Status != nil && status != delivery.Enabled && status != delivery.Disabled {
		return fault.Invalid("status_invalid", "status", "an endpoint is enabled or disabled; it is paused by itself")
	}
	// Judged first as it would be if it stood with the least that an endpoint has, so that a refusal doesn't tell whether it stands.
	probe := delivery.Endpoint{URL: value(r.URL), Description: value(r.Description), Events: value(r.Events), APIVersion: delivery.Versions()[0], Schedule: schedule}
	if r.APIVersion != nil {
		probe.APIVersion = *r.APIVersion
	}
	if r.URL != nil {
		err = s.checkEndpoint(probe)
	} else {
		err = probe.Check()
	}
	if err == nil {
		err = s.conforms("changeWebhookEndpoint", body)
	}
	if err != nil {
		return err
	}
	who := callerOf(c)
	ctx, cancel := s.durable(c)
	defer cancel()
	e, err := s.Endpoints.ChangeEndpoint(ctx, who.endpoint(endpointID), who.by(c), func(e *delivery.Endpoint) error {
		set(&e.URL, r.URL)
		set(&e.Description, r.Description)
		set(&e.Events, r.Events)
		set(&e.IncludeChildren, r.IncludeChildren)
		set(&e.APIVersion, r.APIVersion)
		if r.Schedule != nil {
			e.Schedule = schedule
		}
		if r.Status != nil && e.Status != status {
			e.Status, e.Reason = status, "by_merchant"
		}
		return nil
	})
	if err != nil {
		return err
	}
	return showEndpoint(c, http.StatusOK, e, "")
}

func set[T any](into *T, given *T) {
	if given != nil {
		*into = *given
	}
}

// DeleteWebhookEndpoint ends one.
func (s *server) DeleteWebhookEndpoint(c echo.Context, endpointID WebhookEndpointID, _ DeleteWebhookEndpointParams) error {
	if err := checkEndpointID(c, endpointID); err != nil {
		return err
	}
	who := callerOf(c)
	ctx, cancel := s.durable(c)
	defer cancel()
	if err := s.Endpoints.DeleteEndpoint(ctx, who.endpoint(endpointID), who.by(c)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// maxOverlap is how long a secret may sign on after its successor has come.
const maxOverlap = 7 * 24 * time.Hour

// RotateWebhookSecret draws a new secret. It is in this answer alone.
func (s *server) RotateWebhookSecret(c echo.Context, endpointID WebhookEndpointID, _ RotateWebhookSecretParams) error {
	if err := checkEndpointID(c, endpointID); err != nil {
		return err
	}
	var r WebhookRotationRequest
	if err := readMaybe(c, &r); err != nil {
		return err
	}
	overlap := delivery.Overlap
	if r.ExpireAfter != nil {
		if *r.ExpireAfter < 0 || *r.ExpireAfter > int(maxOverlap/time.Second) {
			return fault.Invalid("expire_after_out_of_range", "expire_after", "older secrets sign on for 0 seconds to 7 days")
		}
		overlap = time.Duration(*r.ExpireAfter) * time.Second
	}
	secret, err := s.Hooks.NewSecret()
	if err != nil {
		return err
	}
	who := callerOf(c)
	ctx, cancel := s.durable(c)
	defer cancel()
	e, err := s.Endpoints.RotateSecret(ctx, who.endpoint(endpointID), secret, overlap)
	if err != nil {
		return err
	}
	return showEndpoint(c, http.StatusOK, e, secret.Reveal())
}

// readMaybe reads a body that may be left out.
func readMaybe(c echo.Context, into any) error {
	if c.Request().ContentLength == 0 {
		return nil
	}
	_, err := readJSON(c, into)
	return err
}

// TestWebhookEndpoint sends a ping.
func (s *server) TestWebhookEndpoint(c echo.Context, endpointID WebhookEndpointID, _ TestWebhookEndpointParams) error {
	if err := checkEndpointID(c, endpointID); err != nil {
		return err
	}
	if _, err := readEmpty(c); err != nil {
		return err
	}
	who := callerOf(c)
	ctx, cancel := s.durable(c)
	defer cancel()
	eventID, err := s.Again.Ping(ctx, who.Book, who.merchant, endpointID)
	if err != nil {
		return err
	}
	ref := delivery.Ref{EventID: eventID, EndpointID: endpointID}
	return reply(c, http.StatusAccepted, mediaJSON, WebhookPing{EventID: eventID, Delivery: ref.ID()})
}
