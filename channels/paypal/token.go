package paypal

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"paysaga/domain/fault"
)

// token is an access token. It lives in memory alone and is never logged.
type token struct {
	text    string
	expires time.Time
	used    bool // it came out of the cache
}

// tokens are the access tokens of the accounts of this process, by what they were had for.
type tokens struct {
	mu sync.Mutex
	of map[string]*token
}

// early is how long before its end a token isn't used any more.
const early = 2 * time.Minute

// get is the account's token, from the cache or fresh. Several that come at once may each fetch one: PayPal keeps all valid.
func (t *tokens) get(ctx context.Context, s session) (token, error) {
	t.mu.Lock()
	have := t.of[s.tokenKey()]
	t.mu.Unlock()
	if have != nil && s.now().Before(have.expires) {
		return token{text: have.text, expires: have.expires, used: true}, nil
	}
	fresh, err := s.fetchToken(ctx)
	if err != nil {
		return token{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.of) > 1000 { // accounts whose credentials were replaced
		clear(t.of)
	}
	t.of[s.tokenKey()] = &fresh
	return fresh, nil
}

// drop forgets a token that PayPal no longer takes, unless another has come.
func (t *tokens) drop(s session, old token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if have := t.of[s.tokenKey()]; have != nil && have.text == old.text {
		delete(t.of, s.tokenKey())
	}
}

// tokenKey tells accounts apart, and an account's old credentials from its new ones, without keeping a secret.
func (s session) tokenKey() string {
	sum := sha256.Sum256([]byte(s.Account.Credentials[ClientID] + "\x00" + s.Account.Credentials[ClientSecret]))
	return s.Account.ID + " " + s.base + " " + hex.EncodeToString(sum[:])
}

func (s session) now() time.Time {
	if s.Now.IsZero() {
		return time.Now()
	}
	return s.Now
}

// fetchToken asks for an access token. Whatever goes wrong here, the operation itself was not begun: what the wire calls
// Unknown is Unavailable.
func (s session) fetchToken(ctx context.Context) (token, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+"/v1/oauth2/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		return token{}, fault.Internal("the channel account's address can't be used", err)
	}
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString(
		[]byte(s.Account.Credentials[ClientID]+":"+s.Account.Credentials[ClientSecret])))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	res, err := s.ch.client.Do(ctx, req)
	if fault.Of(err) == fault.KindUnknown {
		return token{}, noToken()
	}
	if err != nil {
		return token{}, err
	}
	if r := refusalOf(res); res.Status == http.StatusUnauthorized && r.readable() {
		return token{}, fault.Internal("paypal refuses the account's credentials", nil)
	}
	var a struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	if res.Status != http.StatusOK || res.Decode(&a) != nil || a.AccessToken == "" || len(a.AccessToken) > 8192 ||
		a.ExpiresIn <= 0 || a.ExpiresIn > 1<<20 || strings.ContainsAny(a.AccessToken, "\r\n\x00") {
		return token{}, noToken()
	}
	return token{text: a.AccessToken, expires: s.now().Add(time.Duration(a.ExpiresIn)*time.Second - early)}, nil
}

func noToken() error {
	return fault.Unavailable("channel_token_unavailable", "paypal gave no access token", nil)
}
