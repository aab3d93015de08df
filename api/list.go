package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

const (
	maxPage     = 100
	defaultPage = 20
)

// checkPage judges query values before the generated stubs read them: these would say less, and quote the request.
func checkPage(c echo.Context, op operation) error {
	for name, values := range c.QueryParams() {
		if name == "starting_after" && op.after != nil {
			if !op.after(values[0]) {
				return fault.Invalid("parameter_invalid", name, "the list has nothing of this name")
			}
			continue
		}
		if judge := op.values[name]; judge != nil {
			if !judge(values[0]) {
				return fault.Invalid("parameter_invalid", name, "the list has nothing of this kind")
			}
			continue
		}
		if message := queryFault(name, values[0]); message != "" {
			return fault.Invalid("parameter_invalid", name, message)
		}
	}
	return nil
}

// queryFault says what is wrong with a value; empty if nothing is.
func queryFault(name, text string) string {
	switch name {
	case "status":
		if !payment.Status(text).Valid() {
			return "this is not a status of payments"
		}
	case "kind":
		if !slices.Contains(exception.Kinds(), exception.Kind(text)) {
			return "this is not a kind of cases"
		}
	case "payment_id":
		if !id.Is(id.Payment, text) {
			return "this is not a payment's id"
		}
	case "order_id":
		if !id.Is(id.Order, text) {
			return "this is not an order's id"
		}
	case "starting_after":
		if !id.Is(id.Payment, text) {
			return "this is not a payment's id"
		}
	case "channel":
		if !channelName.MatchString(text) {
			return "no channel has such a name"
		}
	case "created_from", "created_before":
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			return "this is not a time as in 2026-01-31T08:00:00Z"
		}
	case "at", "from", "to":
		if !instant(text) {
			return "this is not a time as in 2026-01-31T08:00:00Z, between 1970 and 2199"
		}
	case "by":
		if by := ledger.Dating(text); by != ledger.ByBooking && by != ledger.ByEffective {
			return "by is booking or effective"
		}
	case "code":
		if len(text) > 200 || !codeFilter.MatchString(text) {
			return "this is not an account's code, nor the beginning of one with a slash at its end"
		}
	case "currency":
		if _, known := money.Currency(text).Exponent(); !known { // ended ones still stand in the books
			return "this is not a currency that we know"
		}
	case "limit":
		if n, err := strconv.Atoi(text); err != nil || n < 1 || n > maxPage || strconv.Itoa(n) != text {
			return "a limit is 1 to 100"
		}
	}
	return ""
}

// ListPayments lists payments, newest first.
func (s *server) ListPayments(c echo.Context, p ListPaymentsParams) error {
	who := callerOf(c)
	filter := payment.Filter{
		Book: who.Book, MerchantID: who.merchant, Status: value(p.Status), OrderID: value(p.OrderID), Channel: value(p.Channel),
		CreatedFrom: value(p.CreatedFrom), CreatedBefore: value(p.CreatedBefore), After: value(p.StartingAfter), Limit: pageSize(p.Limit),
	}
	return listed(s, c, filter, s.Reader.Payments, payment.Payment.Public)
}

// page is what every list answers: a page of views, and whether more follow.
type page[V any] struct {
	Data    []V  `json:"data"`
	HasMore bool `json:"has_more"`
}

// listed answers a page: what the store has for a filter, each as it is shown. An empty one is [], not null.
func listed[F, T, V any](s *server, c echo.Context, filter F, read func(context.Context, F) ([]T, bool, error), show func(T) V) error {
	ctx, cancel := s.reading(c)
	defer cancel()
	list, more, err := read(ctx, filter)
	if err != nil {
		return err
	}
	p := page[V]{Data: make([]V, len(list)), HasMore: more}
	for i, one := range list {
		p.Data[i] = show(one)
	}
	return reply(c, http.StatusOK, mediaJSON, p)
}

// shown answers one object as it is shown. What is no id of its kind is as little there as what another merchant has (I-25).
func shown[T, V any](s *server, c echo.Context, kind id.Prefix, objectID, what string, read func(context.Context, id.Book, string, string) (T, error),
	show func(T) V) error {
	if !id.Is(kind, objectID) {
		return fault.NotFound(what)
	}
	about(c, objectID)
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	object, err := read(ctx, who.Book, who.merchant, objectID)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, show(object))
}

// pageSize is the limit that was given, or the default.
func pageSize(limit *int) int {
	if limit == nil {
		return defaultPage
	}
	return *limit
}

// whose is the user whose things are listed: to a user their own (I-25), to anybody else whoever is named; empty: all of the merchant's.
func (w caller) whose(userID *string) (string, error) {
	if userID == nil {
		return w.user, nil
	}
	if err := w.owns("user", *userID); err != nil {
		return "", fault.As(err).WithParam("user_id")
	}
	return *userID, nil
}
