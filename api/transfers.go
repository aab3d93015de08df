package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/trade"
	"paysaga/domain/transfer"
)

// Transfers reads transfers. Another merchant's is fault.NotFound (I-25).
type Transfers interface {
	Transfer(ctx context.Context, book id.Book, merchantID, transferID string) (transfer.Transfer, error)
	Transfers(ctx context.Context, filter transfer.Filter) (page []transfer.Transfer, more bool, err error)
	// Holder says whether a user's wallets may move now: nil, NotFound for a stranger, Conflict for one who is frozen or closed.
	Holder(ctx context.Context, book id.Book, merchantID, userID string) error
}

// CreateTransfer receives a transfer, or refuses it at once, and joins its saga (I-19, I-20).
func (s *server) CreateTransfer(c echo.Context, _ CreateTransferParams) error {
	deadline := time.Now().Add(s.Deadline)
	var r TransferRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	who := callerOf(c)
	received, err := s.intake(who).transfer(r)
	if err != nil {
		return err
	}
	if err := s.conforms("createTransfer", body); err != nil {
		return err
	}
	if received.Idempotency, err = idempotency(c, who, body); err != nil {
		return err
	}
	t := received.Transfer
	about(c, t.ID)
	ctx, cancel := s.durable(c)
	defer cancel()
	if err := s.transferable(ctx, received); err != nil {
		return err
	}
	transferID, err := s.receive(ctx, c, t.ID, t.ID, received)
	if err != nil {
		return err
	}
	about(c, transferID)
	if t, err = s.joinTransfer(context.WithoutCancel(ctx), deadline, t, transferID); err != nil {
		return err
	}
	return ended(c, t.Status.Terminal(), "/v1/transfers/"+t.ID, t.Public())
}

// transferable refuses whom nobody knows before anything is opened for them. A repeat isn't judged anew.
func (s *server) transferable(ctx context.Context, r transfer.Receive) error {
	t := r.Transfer
	_, found, err := s.Book.Replayed(ctx, t.Book, r.Idempotency)
	if err != nil || found {
		return err
	}
	standing := transfer.Standing{Available: t.Amount.Minor} // that is settled under the lock
	standing.From = s.Transfers.Holder(ctx, t.Book, t.MerchantID, t.From)
	standing.To = s.Transfers.Holder(ctx, t.Book, t.MerchantID, t.To)
	return transfer.Admit(t, standing)
}

// transfer judges the fields of a request. Whose the users are, and what there is, comes later.
func (in intake) transfer(r TransferRequest) (transfer.Receive, error) {
	t := transfer.Transfer{Book: in.caller.Book, ID: in.mint(id.Transfer), MerchantID: in.caller.merchant, From: r.From, To: r.To,
		Description: value(r.Description), CreatedAt: in.now}
	for _, side := range []struct{ name, user string }{{"from", t.From}, {"to", t.To}} {
		switch {
		case side.user == "":
			return transfer.Receive{}, required(side.name, "a transfer goes from one user to another")
		case !id.Is(id.User, side.user):
			return transfer.Receive{}, fault.Invalid("id_invalid", side.name, "this is not a user's id")
		}
	}
	if err := in.caller.owns("user", t.From); err != nil {
		return transfer.Receive{}, fault.As(err).WithParam("from")
	}
	if t.From == t.To {
		return transfer.Receive{}, fault.Invalid("transfer_to_self", "to", "a transfer goes to another user")
	}
	var err error
	if t.Amount, err = parseAmount(r.Amount, r.Currency); err != nil {
		return transfer.Receive{}, err
	}
	if !written(t.Description, trade.MaxDescription, "") {
		return transfer.Receive{}, fault.Invalid("description_invalid", "description", "a description is at most 255 characters, none of them a control character")
	}
	if r.Metadata != nil {
		if err := checkMetadata(*r.Metadata); err != nil {
			return transfer.Receive{}, err
		}
		t.Metadata = *r.Metadata
	}
	return transfer.Receive{Transfer: t}, nil
}

// joinTransfer brings a received transfer to its end, or as far as it gets until the deadline, and reads it.
func (s *server) joinTransfer(ctx context.Context, deadline time.Time, of transfer.Transfer, transferID string) (transfer.Transfer, error) {
	return joined(ctx, s, deadline, underWay[transfer.Transfer]{id: transferID, accept: s.Starter.AcceptTransfer,
		read: func(ctx context.Context) (transfer.Transfer, error) {
			return s.Transfers.Transfer(ctx, of.Book, of.MerchantID, transferID)
		},
		ended: func(t transfer.Transfer) bool { return t.Status.Terminal() }})
}

// GetTransfer reads a transfer.
func (s *server) GetTransfer(c echo.Context, transferID TransferID, _ GetTransferParams) error {
	if !id.Is(id.Transfer, transferID) {
		return fault.NotFound("transfer")
	}
	about(c, transferID)
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	t, err := s.Transfers.Transfer(ctx, who.Book, who.merchant, transferID)
	if err != nil {
		return err
	}
	if who.user != t.To {
		if err := who.owns("transfer", t.From); err != nil {
			return err
		}
	}
	return reply(c, http.StatusOK, mediaJSON, t.Public())
}

// ListTransfers lists transfers, newest first; a user's own to a user.
func (s *server) ListTransfers(c echo.Context, p ListTransfersParams) error {
	who := callerOf(c)
	of, err := who.whose(p.UserID)
	if err != nil {
		return err
	}
	f := transfer.Filter{Book: who.Book, MerchantID: who.merchant, UserID: of, Status: value(p.Status), CreatedFrom: value(p.CreatedFrom),
		CreatedBefore: value(p.CreatedBefore), After: value(p.StartingAfter), Limit: pageSize(p.Limit)}
	return listed(s, c, f, s.Transfers.Transfers, transfer.Transfer.Public)
}

func isTransfer(text string) bool { return id.Is(id.Transfer, text) }

func isUser(text string) bool { return id.Is(id.User, text) }

func isTransferStatus(text string) bool { return transfer.Status(text).Valid() }

// transferValues judges what transfers are filtered by.
var transferValues = map[string]func(string) bool{"status": isTransferStatus, "user_id": isUser}
