package alipay

import (
	"strings"

	"paysaga/domain/fault"
)

// verdict is what every answer of the gateway says of itself.
type verdict struct {
	Code    string `json:"code"`
	SubCode string `json:"sub_code"`
}

// The gateway's codes.
const (
	codeDone     = "10000"
	codeWaiting  = "10003" // the customer has to confirm a barcode payment
	codeUnclear  = "20000" // Alipay can't say now
	codeMissing  = "40001"
	codeInvalid  = "40002"
	codeUnfit    = "40003"
	codeBusiness = "40004"
	codeLimited  = "40005"
	codeNoRight  = "40006"
	codeToken    = "20001"
)

func (v verdict) done() bool { return v.Code == codeDone }

// strangers are the sub-codes by which the gateway says that it doesn't take us for who we say we are. It may answer so
// without a signature.
var strangers = map[string]bool{"isv.invalid-signature": true, "isv.missing-signature": true, "isv.invalid-app-id": true,
	"isv.missing-app-id": true, "isv.invalid-signature-type": true, "isv.missing-signature-key": true, "isv.invalid-timestamp": true,
	"isv.app-cert-not-match": true, "isv.invalid-app-cert-sn": true, "isv.missing-app-cert-sn": true, "isv.invalid-alipay-root-cert-sn": true}

// refused is what an answer means that isn't about business: nil for the others.
func (v verdict) refused(signed bool) error {
	switch {
	case v.Code == codeInvalid && strangers[v.SubCode]:
		return fault.Internal("alipay refuses the account's credentials: "+v.SubCode, nil)
	case !signed:
		return fault.Unknown("channel_answer_unsigned", "alipay's answer isn't signed", nil)
	case v.Code == codeDone, v.Code == codeWaiting, v.Code == codeBusiness && !v.unclear():
		return nil
	case v.Code == codeMissing, v.Code == codeInvalid, v.Code == codeUnfit:
		return fault.Invalid("channel_refused", "", "alipay refuses the request: "+v.word())
	case v.Code == codeLimited:
		return fault.Unavailable("channel_rate_limited", "alipay asks to slow down", nil)
	case v.Code == codeNoRight, v.Code == codeToken:
		return fault.Internal("the alipay application lacks the right to do this: "+v.word(), nil)
	}
	return fault.Unknown("channel_failed", "alipay doesn't say what became of it: "+v.word(), nil)
}

// unclear: it may have happened all the same.
func (v verdict) unclear() bool {
	return v.SubCode == "" || strings.HasSuffix(v.SubCode, "SYSTEM_ERROR") || strings.HasPrefix(v.SubCode, "isp.") ||
		strings.HasPrefix(v.SubCode, "aop.")
}

// is says whether the business answer has one of these sub-codes.
func (v verdict) is(codes ...string) bool {
	for _, code := range codes {
		if v.Code == codeBusiness && v.SubCode == code {
			return true
		}
	}
	return false
}

// word is the sub-code if it is one: what a person can look up, and nothing else.
func (v verdict) word() string {
	if v.SubCode != "" && len(v.SubCode) <= 64 && strings.Trim(v.SubCode, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == "" {
		return v.SubCode
	}
	return "no reason given"
}

// unexplained is the error of a business answer that we don't know: it isn't believed to be a no.
func (v verdict) unexplained() error {
	return fault.Unknown("channel_answer_unknown", "alipay answers with something that we don't know: "+v.word(), nil)
}
