package api

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

const (
	issuerOfTokens = "paysaga"
	keyOfToken     = "token"
)

// userClaims are what a user's token says: who (sub), of which merchant and book, in which session.
type userClaims struct {
	jwt.RegisteredClaims
	Book     id.Book `json:"book"`
	Merchant string  `json:"mer"`
	Session  string  `json:"sid"`
	Period   int     `json:"per"` // of the key that signs it
}

// readTokens is the middleware that finds out which user a token is. One that can't be read is told from one that nobody could look up now.
func (s *server) readTokens() (echo.MiddlewareFunc, error) {
	return echojwt.Config{
		ContextKey:     keyOfToken,
		TokenLookup:    "header:Authorization", // whatever the scheme's case: bearer has looked at it
		ParseTokenFunc: s.parseToken,
		ErrorHandler: func(_ echo.Context, err error) error {
			var known *fault.Error
			if errors.As(err, &known) && known.Kind != fault.KindNotFound && known.Kind != fault.KindInvalid {
				return known
			}
			return unauthenticated("the token is invalid or has expired, or its session has ended")
		},
	}.ToMiddleware()
}

// userOf is the user whose token the request has.
func (s *server) userOf(c echo.Context) (who access.Principal, err error) {
	err = s.tokens(func(c echo.Context) error {
		who, _ = c.Get(keyOfToken).(access.Principal)
		return nil
	})(c)
	return who, err
}

// parseToken verifies a token, and that its session is still open.
func (s *server) parseToken(c echo.Context, header string) (any, error) {
	token, err := bearer([]string{header})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.StoreTimeout)
	defer cancel()
	var unanswered error // the library wraps what its key function returns in its own words
	claims := &userClaims{}
	_, err = jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithIssuer(issuerOfTokens), jwt.WithTimeFunc(s.Now),
		jwt.WithExpirationRequired(), jwt.WithStrictDecoding()).ParseWithClaims(token, claims, func(*jwt.Token) (any, error) {
		public, err := s.tokenKeyOf(ctx, claims)
		unanswered = err
		return public, err
	})
	if unanswered != nil {
		return nil, unanswered
	} else if err != nil {
		return nil, err
	}
	session, err := s.Sessions.Session(ctx, claims.Book, claims.Session)
	if err != nil {
		return nil, err
	}
	if session.UserID != claims.Subject || session.MerchantID != claims.Merchant {
		return nil, fault.NotFound("session")
	}
	return session.Principal(), nil
}

// tokenKeyOf is the key that has to have signed a token. Only a period's that tokens can be of is looked up: what claims name isn't verified yet.
func (s *server) tokenKeyOf(ctx context.Context, claims *userClaims) (ed25519.PublicKey, error) {
	now := s.Now()
	book, err := id.ParseBook(string(claims.Book))
	if err != nil || !id.Is(id.Session, claims.Session) ||
		claims.Period != access.TokenPeriod(now) && claims.Period != access.TokenPeriod(now.Add(-access.TokenLife)) {
		return nil, fault.NotFound("key")
	}
	key, err := s.Sessions.TokenKey(ctx, book, claims.Period)
	if err != nil {
		return nil, err
	}
	public, ok := key.Private.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fault.Internal("a signing key of another kind", nil)
	}
	return public, nil
}

// SignToken is a token of a session, issued at a time, good for access.TokenLife.
func SignToken(key access.TokenKey, session access.Session, at time.Time) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, userClaims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: issuerOfTokens, Subject: session.UserID, IssuedAt: jwt.NewNumericDate(at),
			ExpiresAt: jwt.NewNumericDate(at.Add(access.TokenLife))},
		Book: session.Book, Merchant: session.MerchantID, Session: session.ID, Period: key.Period,
	})
	text, err := token.SignedString(key.Private)
	if err != nil {
		return "", fault.Internal(fmt.Sprintf("a token of period %d can't be signed", key.Period), err)
	}
	return text, nil
}
