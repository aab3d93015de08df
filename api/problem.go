package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
)

// statusOf is the one table from fault kinds to HTTP. Unknown is 503 here, not 202: a handler that holds a committed row
// answers 202 by itself, so what gets here has none, and a 2xx would promise what nobody keeps (I-19). The caller repeats
// under the same key.
var statusOf = map[fault.Kind]int{
	fault.KindInvalid:     http.StatusUnprocessableEntity,
	fault.KindDenied:      http.StatusForbidden,
	fault.KindNotFound:    http.StatusNotFound,
	fault.KindConflict:    http.StatusConflict,
	fault.KindUnavailable: http.StatusServiceUnavailable,
	fault.KindUnknown:     http.StatusServiceUnavailable,
	fault.KindInternal:    http.StatusInternalServerError,
}

// exceptions are the codes for which HTTP has a narrower status: requests that can't be read at all are 400.
var exceptions = map[string]int{
	"json_invalid":             http.StatusBadRequest,
	"body_unreadable":          http.StatusBadRequest,
	"idempotency_key_missing":  http.StatusBadRequest,
	"idempotency_key_invalid":  http.StatusBadRequest,
	"parameter_unknown":        http.StatusBadRequest,
	"parameter_repeated":       http.StatusBadRequest,
	"request_invalid":          http.StatusBadRequest,
	"unauthenticated":          http.StatusUnauthorized,
	"login_failed":             http.StatusUnauthorized,
	"refresh_invalid":          http.StatusUnauthorized,
	"too_many_attempts":        http.StatusTooManyRequests,
	"too_many_requests":        http.StatusTooManyRequests,
	"method_not_allowed":       http.StatusMethodNotAllowed,
	"body_too_large":           http.StatusRequestEntityTooLarge,
	"content_type_unsupported": http.StatusUnsupportedMediaType,
}

// waitByDefault is what Retry-After says when nobody knows better.
const waitByDefault = time.Second

// status is the HTTP status of a fault.
func status(f *fault.Error) int {
	if s, ok := exceptions[f.Code]; ok {
		return s
	}
	return statusOf[f.Kind]
}

// classify makes a fault of whatever a handler or echo returned.
func classify(err error) *fault.Error {
	var known *fault.Error
	var routed *echo.HTTPError
	switch {
	case errors.As(err, &known):
		return fault.As(err)
	case errors.As(err, &routed):
		return ofEcho(routed)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fault.Unavailable("timeout", "the request took too long; repeat it under the same key", err)
	}
	return fault.As(err)
}

// ofEcho reads what echo and the generated stubs say; their texts quote the request, so they aren't shown.
func ofEcho(e *echo.HTTPError) *fault.Error {
	switch {
	case e.Code == http.StatusNotFound:
		return fault.NotFound("route")
	case e.Code == http.StatusMethodNotAllowed:
		return fault.Invalid("method_not_allowed", "", "the route doesn't take this method")
	case e.Code >= 400 && e.Code < 500:
		return fault.Invalid("request_invalid", "", "the request can't be read")
	}
	return fault.Internal("unexpected error", e)
}

// problem answers an error as a problem document (RFC 9457). It tells nothing of an Internal one but its request id.
func (s *server) problem(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	f := classify(err)
	code := status(f)
	doc := Problem{
		Type: "about:blank", Title: http.StatusText(code), Status: code, Detail: f.Message,
		Instance: c.Request().URL.Path, Code: f.Code, RequestID: requestID(c),
	}
	if code >= http.StatusInternalServerError && f.Kind == fault.KindInternal {
		doc.Code, doc.Detail = "internal", "something went wrong on our side; repeat the request under the same key"
	} else {
		if f.Param != "" {
			doc.Param = &f.Param
		}
		doc.AdditionalProperties = details(f.Details)
	}
	c.Set(keyOfFault, f)
	h := c.Response().Header()
	switch code {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="paysaga"`)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		h.Set("Retry-After", retryAfter(f.RetryAfter))
	}
	h.Del("Location")
	if err := reply(c, code, "application/problem+json", doc); err != nil {
		s.Log.Debug("a problem document wasn't read", "request_id", doc.RequestID)
	}
}

// retryAfter rounds up to whole seconds.
func retryAfter(d time.Duration) string {
	if d <= 0 {
		d = waitByDefault
	}
	return strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
}

// details are a fault's own members; they never stand in place of ours.
func details(extra map[string]string) map[string]any {
	members := map[string]any{}
	for name, value := range extra {
		switch name {
		case "type", "title", "status", "detail", "instance", "code", "param", "request_id":
		default:
			members[name] = value
		}
	}
	return members
}
