package api

import (
	"context"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

const (
	merchantHeader = "Paysaga-Merchant"
	maxToken       = 256
	maxUserToken   = 1024
	keyOfCaller    = "caller"
)

// caller is who asks, and the merchant they ask for.
type caller struct {
	access.Principal
	merchant string // empty: every merchant of the book, for operators who read
	user     string // usr_…: a user, who acts for themselves; empty: a merchant or an operator does
}

func callerOf(c echo.Context) caller {
	who, _ := c.Get(keyOfCaller).(caller)
	return who
}

// by is the principal that a Step stores.
func (w caller) by(c echo.Context) ledger.Principal {
	return ledger.Principal{Kind: w.Kind, ID: w.ID, RequestID: requestID(c)}
}

// owns refuses what is another user's, as if it weren't there (I-25). Whoever isn't a user owns all that their merchant does.
func (w caller) owns(object, user string) error {
	if w.user != "" && w.user != user {
		return fault.NotFound(object)
	}
	return nil
}

// admit finds out who asks and whether they may (I-25).
func (s *server) admit(c echo.Context, op operation) error {
	token, err := bearer(c.Request().Header["Authorization"])
	if err != nil {
		return err
	}
	who, err := s.principal(c, token)
	if err != nil {
		return err
	}
	if who.UserID != "" && !op.user {
		return fault.Denied("users_forbidden", "this is the merchant's business, and no user's")
	}
	if !who.May(op.scope) {
		return fault.Denied("scope_missing", "the API key lacks the scope "+string(op.scope))
	}
	merchant, err := actsFor(who, c.Request().Header.Values(merchantHeader))
	if err != nil {
		return err
	}
	if (op.merchant || (op.key && !op.anyone)) && merchant == "" {
		return fault.Invalid("merchant_required", merchantHeader, "an operator's key has to name the merchant it acts for")
	}
	c.Set(keyOfCaller, caller{who, merchant, who.UserID})
	return nil
}

// principal is whose key or token it is.
func (s *server) principal(c echo.Context, token string) (access.Principal, error) {
	if !strings.HasPrefix(token, "sk_") {
		return s.userOf(c)
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.StoreTimeout)
	defer cancel()
	who, err := s.Keys.Authenticate(ctx, token)
	if fault.Of(err) == fault.KindDenied || fault.Of(err) == fault.KindNotFound {
		err = unauthenticated("the API key is unknown or revoked") // nobody learns which
	}
	return who, err
}

// bearer reads the key out of "Bearer sk_…", or a user's token out of "Bearer ey….….…".
func bearer(headers []string) (string, error) {
	if len(headers) != 1 {
		return "", unauthenticated("send one header Authorization: Bearer <API key>")
	}
	scheme, token, found := strings.Cut(headers[0], " ")
	key := strings.HasPrefix(token, "sk_") && len(token) <= maxToken
	if !found || !strings.EqualFold(scheme, "Bearer") || !key && (strings.Count(token, ".") != 2 || !visible(token, maxUserToken)) {
		return "", unauthenticated("send the header Authorization: Bearer <API key>")
	}
	return token, nil
}

// actsFor is the merchant of a request: the key's own, or the one that the header names, if the key may.
func actsFor(who access.Principal, headers []string) (string, error) {
	switch {
	case len(headers) == 0:
		return who.MerchantID, nil
	case len(headers) > 1 || !id.Is(id.Merchant, headers[0]):
		return "", fault.Invalid("id_invalid", merchantHeader, "the header names one merchant, mer_…")
	case who.Kind == ledger.ByOperator && who.MerchantID == "", headers[0] == who.MerchantID, slices.Contains(who.Children, headers[0]):
		return headers[0], nil
	}
	return "", fault.Denied("merchant_forbidden", "the API key doesn't act for this merchant")
}

func unauthenticated(message string) error { return fault.Denied("unauthenticated", message) }
