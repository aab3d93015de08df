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
	keyOfCaller    = "caller"
)

// caller is who asks, and the merchant they ask for.
type caller struct {
	access.Principal
	merchant string // empty: every merchant of the book, for operators who read
}

func callerOf(c echo.Context) caller {
	who, _ := c.Get(keyOfCaller).(caller)
	return who
}

// by is the principal that a Step stores.
func (w caller) by(c echo.Context) ledger.Principal {
	return ledger.Principal{Kind: w.Kind, ID: w.ID, RequestID: requestID(c)}
}

// admit finds out who asks and whether they may (I-25).
func (s *server) admit(c echo.Context, op operation) error {
	token, err := bearer(c.Request().Header["Authorization"])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.StoreTimeout)
	defer cancel()
	who, err := s.Keys.Authenticate(ctx, token)
	if fault.Of(err) == fault.KindDenied || fault.Of(err) == fault.KindNotFound {
		return unauthenticated("the API key is unknown or revoked") // nobody learns which
	}
	if err != nil {
		return err
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
	c.Set(keyOfCaller, caller{who, merchant})
	return nil
}

// bearer reads the key out of "Bearer sk_…".
func bearer(headers []string) (string, error) {
	if len(headers) != 1 {
		return "", unauthenticated("send one header Authorization: Bearer <API key>")
	}
	scheme, token, found := strings.Cut(headers[0], " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || len(token) > maxToken || !strings.HasPrefix(token, "sk_") {
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
