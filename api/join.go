package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// underWay is an object of money that was received, and whose saga brings it to its end.
type underWay[T any] struct {
	id     string
	read   func(context.Context) (T, error)
	ended  func(T) bool
	accept func(context.Context, T) error // starts its saga, or joins it
}

// joined brings what was received to its end, or as far as it gets until the deadline, and reads it.
func joined[T any](ctx context.Context, s *server, deadline time.Time, w underWay[T]) (T, error) {
	read := func() (T, error) {
		ctx, cancel := context.WithTimeout(ctx, s.StoreTimeout)
		defer cancel()
		return w.read(ctx)
	}
	is, err := read()
	if err != nil || w.ended(is) {
		return is, err
	}
	waiting, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	s.unexpected(w.accept(waiting, is), w.id, "accept")
	return read()
}

// ended answers with an object of money: 201 once it has come to its end, 202 while it goes on.
func ended(c echo.Context, over bool, location string, view any) error {
	code := http.StatusCreated
	if !over {
		code = http.StatusAccepted
	}
	c.Response().Header().Set("Location", location)
	return reply(c, code, mediaJSON, view)
}
