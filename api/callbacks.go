package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// ReceiveCallback verifies a channel's callback over the raw body, stores it, and only then answers. What it means is
// decided later, from the store: a forged one changes nothing, a repeated one is stored once (I-21).
func (s *server) ReceiveCallback(c echo.Context, channel ChannelName, accountID ChannelAccountID) error {
	adapter, err := s.Channels.Get(channel)
	if err != nil || !id.Is(id.ChannelAccount, accountID) {
		return fault.NotFound("channel account")
	}
	body, err := readBody(c)
	if err != nil {
		return err
	}
	ctx, cancel := s.durable(c)
	defer cancel()
	account, err := s.Accounts.Account(ctx, channel, accountID)
	if err != nil {
		return err
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	callback, err := adapter.ParseCallback(account, channels.RawCallback{
		Header: c.Request().Header, Query: c.QueryParams(), Body: body, Now: now,
	})
	if err != nil {
		return err
	}
	received := channels.Received{
		ID: s.Book.Mint(id.Callback), Book: account.Book, Channel: channel, ChannelAccount: accountID,
		EventID: callback.EventID, Subject: callback.Subject, Reference: callback.Reference, Outcome: callback.Outcome,
		Dispute: callback.Dispute, Body: body, ReceivedAt: now,
	}
	if received.EventID == "" {
		sum := sha256.Sum256(body)
		received.EventID = "sha256:" + hex.EncodeToString(sum[:])
	}
	callbackID, fresh, err := s.Inbox.ReceiveCallback(ctx, received)
	if err != nil {
		return err
	}
	about(c, callbackID)
	if fresh {
		s.Poke()
	}
	return acknowledge(c, adapter.Describe().Reply)
}

// acknowledge says to a channel what it takes for a yes.
func acknowledge(c echo.Context, r channels.Reply) error {
	switch {
	case r.Status == 0:
		return reply(c, http.StatusOK, mediaJSON, CallbackReceipt{Received: true})
	case r.Body == "":
		return c.NoContent(r.Status)
	}
	return c.Blob(r.Status, r.Type, []byte(r.Body))
}
