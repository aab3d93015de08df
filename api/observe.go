package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"paysaga/domain/fault"
	"paysaga/domain/id"
)

const (
	keyOfFault     = "fault"
	keyOfBusiness  = "business_id"
	keyOfRequest   = "request_id"
	keyOfRequestID = "X-Request-Id"
)

// name gives the request its id: the caller's, if it is sane, or a new one.
func (s *server) name(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		given := c.Request().Header.Get(keyOfRequestID)
		if !sane(given) {
			given = s.Book.Mint(id.Request)
		}
		c.Set(keyOfRequest, given)
		c.Response().Header().Set(keyOfRequestID, given)
		return next(c)
	}
}

func requestID(c echo.Context) string {
	given, _ := c.Get(keyOfRequest).(string)
	return given
}

// sane keeps what we log and store from being somebody's text: 8 to 64 of letters, digits and -_.:
func sane(given string) bool {
	if len(given) < 8 || len(given) > 64 {
		return false
	}
	return strings.Trim(given, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:") == ""
}

// about notes which object a request is about, for the log.
func about(c echo.Context, businessID string) { c.Set(keyOfBusiness, businessID) }

// measure counts, times and logs each request. It logs no body, no token, no query and no path but the route (I-26).
func (s *server) measure() (echo.MiddlewareFunc, error) {
	count := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "paysaga_http_requests_total", Help: "HTTP requests answered.",
	}, []string{"method", "route", "status"})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "paysaga_http_request_duration_seconds", Help: "Time from a request's headers to its answer.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 5, 10},
	}, []string{"method", "route"})
	for _, metric := range []prometheus.Collector{count, seconds} {
		if err := s.Metrics.Register(metric); err != nil {
			return nil, fmt.Errorf("api: metrics: %w", err)
		}
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			began := time.Now()
			if err := next(c); err != nil {
				c.Error(err)
			}
			took := time.Since(began)
			method, route := labels(c)
			count.WithLabelValues(method, route, strconv.Itoa(c.Response().Status)).Inc()
			seconds.WithLabelValues(method, route).Observe(took.Seconds())
			s.log(c, route, took)
			return nil
		}
	}, nil
}

// labels are bounded: a client can't make new ones.
func labels(c echo.Context) (method, route string) {
	method, route = c.Request().Method, c.Path()
	if !slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodHead}, method) {
		method = "other"
	}
	if route == "" {
		route = "unmatched"
	}
	return method, route
}

func (s *server) log(c echo.Context, route string, took time.Duration) {
	level, attrs := slog.LevelInfo, []slog.Attr{
		slog.String("method", c.Request().Method), slog.String("route", route), slog.Int("status", c.Response().Status),
		slog.Duration("duration", took), slog.String("request_id", requestID(c)),
	}
	if who := callerOf(c); who.ID != "" {
		attrs = append(attrs, slog.String("principal", who.ID))
	}
	if business, _ := c.Get(keyOfBusiness).(string); business != "" {
		attrs = append(attrs, slog.String("business_id", business))
	}
	if f, _ := c.Get(keyOfFault).(*fault.Error); f != nil {
		attrs = append(attrs, slog.String("code", f.Code))
		if c.Response().Status >= http.StatusInternalServerError {
			level = slog.LevelError
			attrs = append(attrs, slog.String("error", f.Error()), slog.String("cause", fmt.Sprintf("%T", errors.Unwrap(f))))
		}
	}
	s.Log.LogAttrs(context.WithoutCancel(c.Request().Context()), level, "request", attrs...)
}

// recover turns a panic into a 500. The log gets its type and stack; its value may quote a request (I-26).
func (s *server) recover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			p := recover()
			switch {
			case p == nil:
				return
			case p == http.ErrAbortHandler:
				panic(p)
			}
			s.Log.Error("panic", "request_id", requestID(c), "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = fault.Internal("panic", nil)
		}()
		return next(c)
	}
}
