package wechatpay

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

func unreadable(what string) error {
	return fault.Unknown("channel_answer_unreadable", "WeChat Pay answered with "+what, nil)
}

func mismatch() error {
	return fault.Unknown("channel_answer_mismatch", "WeChat Pay's answer speaks of something else", nil)
}

var codeShape = regexp.MustCompile(`^[A-Z][A-Z0-9_]{2,63}$`)

// code is a refusal's code as it came; empty if it isn't a refusal in WeChat's own words, such as a proxy's page.
func (a answer) code() string {
	var p struct {
		Code string `json:"code"`
	}
	if a.Status < 400 || json.Unmarshal(a.Body, &p) != nil || !codeShape.MatchString(p.Code) {
		return ""
	}
	return p.Code
}

// refused is the code without underscores: WeChat writes some both ways, ORDERPAID and ORDER_PAID.
func (a answer) refused() string { return strings.ReplaceAll(a.code(), "_", "") }

// faults are the refusals by which WeChat did nothing and never will for this request. Codes that are neither here nor
// among an operation's own prove nothing: they are Unknown.
var faults = map[string]fault.Kind{
	"PARAMERROR":         fault.KindInvalid,
	"INVALIDREQUEST":     fault.KindInvalid,
	"OPENIDMISMATCH":     fault.KindInvalid,
	"OUTTRADENOUSED":     fault.KindConflict,
	"ALREADYEXISTS":      fault.KindConflict,
	"SIGNERROR":          fault.KindInternal,
	"NOAUTH":             fault.KindInternal,
	"MCHNOTEXISTS":       fault.KindInternal,
	"APPIDMCHIDNOTMATCH": fault.KindInternal,
}

// refusal reads a refusal that no operation understands by itself. Credentials that are refused are our failure, never
// the merchant's or the customer's.
func (a answer) refusal() (payment.Outcome, error) {
	code := a.code()
	kind := faults[a.refused()]
	switch {
	case code == "":
		return payment.Outcome{}, unreadable("a refusal that can't be read")
	case kind == fault.KindInternal || a.Status == http.StatusUnauthorized:
		return payment.Outcome{}, fault.Internal("WeChat Pay refuses the account's credentials or permissions: "+code, nil)
	case kind == fault.KindConflict:
		return payment.Outcome{}, keyReused()
	case kind == fault.KindInvalid:
		return payment.Outcome{}, fault.Invalid("channel_refused", "", "WeChat Pay refuses the request: "+code)
	}
	return payment.Outcome{}, unreadable("a refusal that we don't know")
}

func keyReused() error {
	return fault.Conflict("key_reused", "WeChat Pay knows the number, with another content")
}

// no is a business no: not final as long as the same number could still be used.
func no(code, channel string, dead bool) payment.Outcome {
	return payment.Outcome{Verdict: payment.Declined, Dead: dead, Decline: &payment.Decline{Code: code, Channel: channel}}
}

var closed = payment.Outcome{Verdict: payment.Closed, Dead: true}
