package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payout"
	"paysaga/domain/user"
)

// AddDestination keeps a place that a user can be paid out to.
func (s *server) AddDestination(c echo.Context, userID UserID, _ AddDestinationParams) error {
	var r KeptDestinationRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	to, err := payout.Destination{Type: payout.Type(r.Type), Account: r.Account, Name: value(r.Name)}.Checked()
	if err != nil { // here the fields stand by themselves
		f := fault.As(err)
		return f.WithParam(strings.TrimPrefix(f.Param, "destination."))
	}
	if err := s.conforms("addDestination", body); err != nil {
		return err
	}
	ref, err := userRef(c, userID)
	if err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	d, err := s.Destinations.AddDestination(ctx, ref, to, callerOf(c).by(c))
	if err != nil {
		return err
	}
	return reply(c, http.StatusCreated, mediaJSON, destinationView(d))
}

// ListDestinations lists them. What is sealed of them stays so.
func (s *server) ListDestinations(c echo.Context, userID UserID, _ ListDestinationsParams) error {
	ref, err := userRef(c, userID)
	if err != nil {
		return err
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	list, err := s.Destinations.Destinations(ctx, ref)
	if err != nil {
		return err
	}
	page := KeptDestinationList{Data: []KeptDestination{}}
	for _, d := range list {
		page.Data = append(page.Data, destinationView(d))
	}
	return reply(c, http.StatusOK, mediaJSON, page)
}

// RemoveDestination forgets one.
func (s *server) RemoveDestination(c echo.Context, userID UserID, destinationID string, _ RemoveDestinationParams) error {
	ref, err := userRef(c, userID)
	if err != nil {
		return err
	}
	if !id.Is(id.Destination, destinationID) {
		return fault.NotFound("destination")
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	if err := s.Destinations.RemoveDestination(ctx, ref, destinationID, callerOf(c).by(c)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func destinationView(d user.Destination) KeptDestination {
	return KeptDestination{ID: d.ID, Object: "destination", Type: string(d.To.Type), Last: d.To.Last, CreatedAt: d.CreatedAt.UTC()}
}

// opened puts the destination that a user keeps in the place of its id.
func (s *server) opened(ctx context.Context, who caller, r *PayoutRequest) error {
	if payout.Type(r.Destination.Type) != user.Kept {
		return nil
	}
	ref := user.Ref{Book: who.Book, MerchantID: who.merchant, ID: who.user}
	if r.UserID != nil {
		ref.ID = *r.UserID
	}
	if !id.Is(id.Destination, r.Destination.Account) || !id.Is(id.User, ref.ID) || who.owns("user", ref.ID) != nil {
		return fault.Invalid("destination_invalid", "destination.account", "the user keeps no such destination")
	}
	to, err := s.Destinations.Destination(ctx, ref, r.Destination.Account)
	if fault.Is(err, fault.KindNotFound, "") {
		return fault.Invalid("destination_invalid", "destination.account", "the user keeps no such destination")
	} else if err != nil {
		return err
	}
	r.Destination = Destination{Type: DestinationType(to.Type), Account: to.Account}
	if to.Name != "" {
		r.Destination.Name = &to.Name
	}
	return nil
}
