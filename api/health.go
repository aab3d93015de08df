package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// probeTimeout bounds one look at a part; probes come every few seconds.
const probeTimeout = 2 * time.Second

// GetHealth says that the process lives. It looks at nothing, or a slow database would get all processes killed.
func (s *server) GetHealth(c echo.Context) error {
	return reply(c, http.StatusOK, mediaJSON, Health{Status: HealthStatusOk})
}

// GetReadiness says whether payments can be received. Temporal down is degraded, not down: a process that is taken out of
// service couldn't answer 202 any more.
func (s *server) GetReadiness(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), probeTimeout)
	defer cancel()
	temporalErr := make(chan error, 1)
	go func() { temporalErr <- s.Starter.Health(ctx) }()
	storeErr := s.Store.Health(ctx)

	store, temporal := HealthStoreOk, HealthTemporalOk
	health := Health{Status: HealthStatusOk, Store: &store, Temporal: &temporal}
	code := http.StatusOK
	if <-temporalErr != nil {
		temporal, health.Status = HealthTemporalDown, HealthStatusDegraded
	}
	if storeErr != nil {
		store, health.Status, code = HealthStoreDown, HealthStatusDown, http.StatusServiceUnavailable
	}
	return reply(c, code, mediaJSON, health)
}

// GetMetrics shows the metrics of the whole process.
func (s *server) GetMetrics(c echo.Context) error {
	s.MetricsPage.ServeHTTP(c.Response(), c.Request())
	return nil
}
