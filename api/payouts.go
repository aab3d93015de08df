package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payout"
	"paysaga/domain/trade"
)

// CreatePayout receives a payout, or refuses it at once, and joins its saga (I-19, I-20).
func (s *server) CreatePayout(c echo.Context, _ CreatePayoutParams) error {
	deadline := time.Now().Add(s.Deadline)
	var r PayoutRequest
	body, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	who := callerOf(c)
	ctx, cancel := s.durable(c)
	defer cancel()
	key, err := idempotency(c, who, body)
	if err != nil {
		return err
	}
	first, found, err := s.Book.Replayed(ctx, who.Book, key)
	if err != nil {
		return err
	}
	if found { // a repeat isn't judged anew: its destination may be forgotten by now
		markReplayed(c, true)
		return s.answerPayout(c, deadline, first)
	}
	if err := s.opened(ctx, who, &r); err != nil {
		return err
	}
	received, err := s.intake(who).payout(r, who)
	if err != nil {
		return err
	}
	if err := s.conforms("createPayout", body); err != nil {
		return err
	}
	received.Idempotency = key
	p := &received.Payout
	about(c, p.ID)
	if err := s.payable(ctx, p, value(r.Channel)); err != nil {
		return err
	}
	payoutID, err := s.receive(ctx, c, p.ID, p.ID, received)
	if err != nil {
		return err
	}
	return s.answerPayout(c, deadline, payoutID)
}

// payable finds the account over which the payout leaves, and refuses whom nobody knows before anything is opened for them.
func (s *server) payable(ctx context.Context, p *payout.Payout, channel string) error {
	open, err := s.Accounts.OpenAccounts(ctx, p.Book, p.MerchantID)
	if err != nil {
		return err
	}
	over, err := s.Channels.Payer(open, p.Amount.Currency, channel)
	if err != nil {
		return err
	}
	p.Channel, p.ChannelAccount, p.Lane = over.Channel, over.ID, over.Lane
	if p.UserID == "" {
		return nil
	}
	if err := s.Transfers.Holder(ctx, p.Book, p.MerchantID, p.UserID); err != nil {
		return fault.As(err).WithParam("user_id")
	}
	return nil
}

// answerPayout waits for a payout that was received, and shows it.
func (s *server) answerPayout(c echo.Context, deadline time.Time, payoutID string) error {
	about(c, payoutID)
	p, err := s.joinPayout(context.WithoutCancel(c.Request().Context()), deadline, callerOf(c), payoutID)
	if err != nil {
		return err
	}
	return ended(c, p.Status.Terminal(), "/v1/payouts/"+p.ID, p.Public())
}

// payout judges the fields of a request. What is there to take out is settled under its account's lock.
func (in intake) payout(r PayoutRequest, who caller) (payout.Receive, error) {
	mine := payout.Payout{Book: who.Book, ID: in.mint(id.Payout), MerchantID: who.merchant, UserID: who.user, Note: value(r.Note), CreatedAt: in.now}
	if r.UserID != nil {
		if !id.Is(id.User, *r.UserID) {
			return payout.Receive{}, fault.Invalid("id_invalid", "user_id", "this is not a user's id")
		}
		if err := who.owns("user", *r.UserID); err != nil {
			return payout.Receive{}, err
		}
		mine.UserID = *r.UserID
	}
	var err error
	if mine.Amount, err = parseAmount(r.Amount, r.Currency); err != nil {
		return payout.Receive{}, err
	}
	to, err := payout.Destination{Type: payout.Type(r.Destination.Type), Account: r.Destination.Account, Name: value(r.Destination.Name)}.Checked()
	if err != nil {
		return payout.Receive{}, err
	}
	if r.Channel != nil && !channelName.MatchString(*r.Channel) {
		return payout.Receive{}, fault.Invalid("channel_invalid", "channel", "no channel has such a name")
	}
	if !written(mine.Note, trade.MaxDescription, "") {
		return payout.Receive{}, fault.Invalid("note_invalid", "note", "a note is at most 255 characters, none of them a control character")
	}
	if r.Metadata != nil {
		if err := checkMetadata(*r.Metadata); err != nil {
			return payout.Receive{}, err
		}
		mine.Metadata = *r.Metadata
	}
	return payout.Receive{Payout: mine, Destination: to}, nil
}

// joinPayout brings a received payout to its end, or as far as it gets until the deadline, and reads it.
func (s *server) joinPayout(ctx context.Context, deadline time.Time, who caller, payoutID string) (payout.Payout, error) {
	return joined(ctx, s, deadline, underWay[payout.Payout]{id: payoutID, accept: s.Starter.AcceptPayout,
		read: func(ctx context.Context) (payout.Payout, error) {
			return s.Payouts.Payout(ctx, who.Book, who.merchant, who.user, payoutID)
		},
		ended: func(p payout.Payout) bool { return p.Status.Terminal() }})
}

// GetPayout reads a payout.
func (s *server) GetPayout(c echo.Context, payoutID PayoutID, _ GetPayoutParams) error {
	if !id.Is(id.Payout, payoutID) {
		return fault.NotFound("payout")
	}
	about(c, payoutID)
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	p, err := s.Payouts.Payout(ctx, who.Book, who.merchant, who.user, payoutID)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, p.Public())
}

// ListPayouts lists payouts, newest first. A user sees their own.
func (s *server) ListPayouts(c echo.Context, p ListPayoutsParams) error {
	who := callerOf(c)
	of, err := who.whose(p.UserID)
	if err != nil {
		return err
	}
	f := payout.Filter{Book: who.Book, MerchantID: who.merchant, UserID: of, Status: value(p.Status), CreatedFrom: value(p.CreatedFrom),
		CreatedBefore: value(p.CreatedBefore), After: value(p.StartingAfter), Limit: pageSize(p.Limit)}
	return listed(s, c, f, s.Payouts.Payouts, payout.Payout.Public)
}

func isPayout(text string) bool { return id.Is(id.Payout, text) }

// payoutValues judges what payouts are filtered by.
var payoutValues = map[string]func(string) bool{"status": func(text string) bool { return payout.Status(text).Valid() },
	"user_id": func(text string) bool { return id.Is(id.User, text) }}
