package stripe

import (
	"errors"
	"net/http"

	sdk "github.com/stripe/stripe-go/v85"

	"paysaga/domain/fault"
)

// complete returns Stripe's own error answer, nil if there was none: the connection failed, or what came can't be read.
func complete(err error) *sdk.Error {
	var e *sdk.Error
	if errors.As(err, &e) && e != nil && e.HTTPStatusCode != 0 {
		return e
	}
	return nil
}

// readError classifies an error of the library and leaves all of its text behind (I-26).
func readError(err error) error {
	var f *fault.Error
	if errors.As(err, &f) { // wire has judged it, or we have
		return f
	}
	e := complete(err)
	if e == nil {
		return unreadable()
	}
	said := "stripe refused the request"
	if code := codeText(string(e.Code)); code != "" {
		said += ": " + code
	}
	switch e.HTTPStatusCode {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		code := "channel_refused"
		if e.Code == sdk.ErrorCodeAmountTooSmall || e.Code == sdk.ErrorCodeAmountTooLarge {
			code = string(e.Code)
		}
		return fault.Invalid(code, "", said)
	case http.StatusNotFound:
		return fault.NotFound("object at stripe")
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault.Internal("stripe refused our credentials", nil)
	case http.StatusTooManyRequests:
		return fault.Unavailable("channel_rate_limited", "stripe asks to slow down", nil)
	case http.StatusConflict:
		return fault.Unknown("channel_busy", "stripe is still at work on this key", nil)
	case http.StatusPaymentRequired:
		return fault.Unknown("channel_answer_unreadable", "stripe refused the payment without a reason", nil)
	}
	return fault.Unknown("channel_failed", "stripe failed", nil)
}

// declines says whether an error is a bank's no.
func declines(e *sdk.Error) bool {
	return e.HTTPStatusCode == http.StatusPaymentRequired || e.Type == sdk.ErrorTypeCard
}

// reused says whether the key was used before with other parameters. Nothing was done then, this time.
func reused(err error) bool {
	e := complete(err)
	return e != nil && e.Type == sdk.ErrorTypeIdempotency && e.HTTPStatusCode == http.StatusBadRequest
}

// keyReused is for a key that made something of another request: our bug, and nothing was done now (I-20).
func keyReused() error {
	return fault.Invalid("key_reused", "", "the key was used with another request")
}

// replayed says whether an answer is one that Stripe stored under the key earlier.
func replayed(res *sdk.APIResponse) bool {
	return res != nil && res.Header.Get("Idempotent-Replayed") == "true"
}
