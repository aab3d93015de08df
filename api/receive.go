package api

import (
	"context"

	"github.com/labstack/echo/v4"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// receive commits what a request asks for, in the Step that makes the object minted for it, and marks the answer if it is a repeat: then
// objectID is that of the first request. The Step belongs to business, which is the object itself, or what it is a part of.
func (s *server) receive(ctx context.Context, c echo.Context, minted, business string, change ledger.Change) (objectID string, err error) {
	who := callerOf(c)
	receipt, err := s.Book.Commit(ctx, ledger.Step{Book: who.Book, Cause: id.Key(minted, id.Step{Code: id.Receive, Ordinal: 1}), Business: business,
		By: who.by(c), Changes: []ledger.Change{change}})
	if err != nil {
		return "", err
	}
	objectID, replayed := objectOf(receipt, minted)
	markReplayed(c, replayed)
	return objectID, nil
}

// objectOf is the object that a receipt stands for, and whether it is an earlier request's.
func objectOf(r ledger.Receipt, minted string) (objectID string, replayed bool) {
	if r.Object == "" {
		return minted, r.Replayed
	}
	return r.Object, r.Replayed
}

func markReplayed(c echo.Context, replayed bool) {
	if replayed {
		c.Response().Header().Set(replayedHeader, "true")
	}
}
