package stripe

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdk "github.com/stripe/stripe-go/v85"

	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

func intent(t *testing.T, fields string) *sdk.PaymentIntent {
	t.Helper()
	raw := `{"id":"pi_1","object":"payment_intent","amount":1234,"currency":"eur","created":1000` + fields + `}`
	var pi sdk.PaymentIntent
	require.NoError(t, json.Unmarshal([]byte(raw), &pi))
	pi.LastResponse = &sdk.APIResponse{RawJSON: []byte(raw)}
	return &pi
}

func TestIntentOutcomes(t *testing.T) {
	t.Parallel()
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	const charge = `"latest_charge":{"id":"ch_1","created":2000,"balance_transaction":{"id":"txn_1","created":3000}}`
	cases := map[string]struct {
		fields string
		want   payment.Outcome
	}{
		"succeeded": {`,"status":"succeeded","amount_received":1234,` + charge,
			payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 1234, Currency: "EUR", EffectiveAt: at(3000)}},
		"succeeded, not settled yet": {`,"status":"succeeded","amount_received":1234,"latest_charge":{"id":"ch_1","created":2000}`,
			payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 1234, Currency: "EUR", EffectiveAt: at(2000)}},
		"succeeded, not expanded": {`,"status":"succeeded","amount_received":1234,"latest_charge":"ch_1"`,
			payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 1234, Currency: "EUR"}},
		"captured in part": {`,"status":"succeeded","amount_received":34`,
			payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 34, Currency: "EUR"}},
		"requires_capture": {`,"status":"requires_capture","amount_capturable":1234,"latest_charge":{"id":"ch_1","created":2000,"payment_method_details":{"card":{"capture_before":9000}}}`,
			payment.Outcome{Verdict: payment.Authorized, AmountMinor: 1234, Currency: "EUR", EffectiveAt: at(2000), ExpiresAt: at(9000)}},
		"requires_capture, seven days": {`,"status":"requires_capture","amount_capturable":1234,"latest_charge":{"id":"ch_1","created":2000}`,
			payment.Outcome{Verdict: payment.Authorized, AmountMinor: 1234, Currency: "EUR", EffectiveAt: at(2000), ExpiresAt: at(2000 + 7*86400)}},
		"requires_action, redirect": {`,"status":"requires_action","next_action":{"type":"redirect_to_url","redirect_to_url":{"url":"https://a.test/1"}}`,
			payment.Outcome{Verdict: payment.Pending, Action: &payment.Action{Type: "redirect", URL: "https://a.test/1"}}},
		"requires_action, alipay": {`,"status":"requires_action","next_action":{"type":"alipay_handle_redirect","alipay_handle_redirect":{"url":"https://a.test/2"}}`,
			payment.Outcome{Verdict: payment.Pending, Action: &payment.Action{Type: "redirect", URL: "https://a.test/2"}}},
		"requires_action, wechat": {`,"status":"requires_action","next_action":{"type":"wechat_pay_display_qr_code","wechat_pay_display_qr_code":{"data":"weixin://1"}}`,
			payment.Outcome{Verdict: payment.Pending, Action: &payment.Action{Type: "qr_code", URL: "weixin://1"}}},
		"requires_action, for a browser's library": {`,"status":"requires_action","next_action":{"type":"use_stripe_sdk","use_stripe_sdk":{}}`,
			payment.Outcome{Verdict: payment.Pending}},
		"requires_action, to a script": {`,"status":"requires_action","next_action":{"type":"redirect_to_url","redirect_to_url":{"url":"javascript:alert(1)"}}`,
			payment.Outcome{Verdict: payment.Pending}},
		"processing":            {`,"status":"processing"`, payment.Outcome{Verdict: payment.Pending}},
		"requires_confirmation": {`,"status":"requires_confirmation"`, payment.Outcome{Verdict: payment.Pending}},
		"never confirmed":       {`,"status":"requires_payment_method"`, payment.Outcome{Verdict: payment.Pending}},
		"declined": {`,"status":"requires_payment_method","last_payment_error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds"}`,
			payment.Outcome{Verdict: payment.Declined, Decline: &payment.Decline{Code: "insufficient_funds", Channel: "insufficient_funds"}}},
		"declined for ever": {`,"status":"requires_payment_method","last_payment_error":{"type":"card_error","code":"card_declined","decline_code":"generic_decline","advice_code":"do_not_try_again"}`,
			payment.Outcome{Verdict: payment.Declined, Decline: &payment.Decline{Code: "declined", Channel: "generic_decline", Hard: true}}},
		"canceled": {`,"status":"canceled"`, payment.Outcome{Verdict: payment.Closed, Dead: true}},
	}
	for name, c := range cases {
		out, err := intentOutcome(intent(t, c.fields))
		require.NoError(t, err, name)
		c.want.ChannelID = "pi_1"
		assert.Equal(t, c.want, out, name)
	}
}

func TestEveryStatusOfTheLibraryIsMapped(t *testing.T) {
	t.Parallel()
	for _, s := range []sdk.PaymentIntentStatus{sdk.PaymentIntentStatusCanceled, sdk.PaymentIntentStatusProcessing,
		sdk.PaymentIntentStatusRequiresAction, sdk.PaymentIntentStatusRequiresCapture, sdk.PaymentIntentStatusRequiresConfirmation,
		sdk.PaymentIntentStatusRequiresPaymentMethod, sdk.PaymentIntentStatusSucceeded} {
		_, err := intentOutcome(intent(t, fmt.Sprintf(`,"status":%q`, s)))
		assert.NoError(t, err, s)
	}
	for _, s := range []sdk.RefundStatus{sdk.RefundStatusCanceled, sdk.RefundStatusFailed, sdk.RefundStatusPending,
		sdk.RefundStatusRequiresAction, sdk.RefundStatusSucceeded} {
		_, err := refundOutcome(&sdk.Refund{Status: s, Currency: "eur"})
		assert.NoError(t, err, s)
	}
	_, err := refundOutcome(&sdk.Refund{Status: "odd"})
	assert.Equal(t, fault.KindUnknown, fault.Of(err))
}

func TestDeclines(t *testing.T) {
	t.Parallel()
	hard := []string{"do_not_try_again", "expired_card", "fraudulent", "incorrect_number", "invalid_account", "invalid_expiry_month",
		"invalid_expiry_year", "invalid_number", "lost_card", "merchant_blacklist", "pickup_card", "restricted_card",
		"revocation_of_all_authorizations", "revocation_of_authorization", "security_violation", "stolen_card", "stop_payment_order"}
	soft := []sdk.DeclineCode{sdk.DeclineCodeAuthenticationRequired, sdk.DeclineCodeApproveWithID, sdk.DeclineCodeCallIssuer,
		sdk.DeclineCodeCardNotSupported, sdk.DeclineCodeCardVelocityExceeded, sdk.DeclineCodeCurrencyNotSupported,
		sdk.DeclineCodeDoNotHonor, sdk.DeclineCodeDuplicateTransaction, sdk.DeclineCodeGenericDecline, sdk.DeclineCodeIncorrectCVC,
		sdk.DeclineCodeIncorrectPIN, sdk.DeclineCodeIncorrectZip, sdk.DeclineCodeInsufficientFunds, sdk.DeclineCodeInvalidAmount,
		sdk.DeclineCodeInvalidCVC, sdk.DeclineCodeInvalidPIN, sdk.DeclineCodeIssuerNotAvailable,
		sdk.DeclineCodeNewAccountInformationAvailable, sdk.DeclineCodeNoActionTaken, sdk.DeclineCodeNotPermitted,
		sdk.DeclineCodeOfflinePINRequired, sdk.DeclineCodeOnlineOrOfflinePINRequired, sdk.DeclineCodePINTryExceeded,
		sdk.DeclineCodeProcessingError, sdk.DeclineCodeReenterTransaction, sdk.DeclineCodeServiceNotAllowed,
		sdk.DeclineCodeTestModeDecline, sdk.DeclineCodeTransactionNotAllowed, sdk.DeclineCodeTryAgainLater,
		sdk.DeclineCodeWithdrawalCountLimitExceeded}
	for _, code := range hard {
		d := declineOf(&sdk.Error{DeclineCode: sdk.DeclineCode(code)}, "try_again_later")
		assert.True(t, d.Hard, code)
		assert.Equal(t, code, d.Channel)
		assert.Contains(t, declineCodes, code)
	}
	for _, code := range soft {
		d := declineOf(&sdk.Error{DeclineCode: code}, "confirm_card_data")
		assert.False(t, d.Hard, code)
		assert.Contains(t, declineCodes, string(code), "every code that the library knows has a word of ours")
		assert.True(t, declineOf(&sdk.Error{DeclineCode: code}, "do_not_try_again").Hard, code)
	}
	assert.Equal(t, &payment.Decline{Code: "expired_card", Channel: "expired_card", Hard: true}, declineOf(&sdk.Error{Code: "expired_card"}, ""))
	assert.Equal(t, &payment.Decline{Code: "declined", Channel: "brand_new"}, declineOf(&sdk.Error{DeclineCode: "brand_new"}, ""))
	assert.Equal(t, &payment.Decline{Code: "declined"}, declineOf(&sdk.Error{DeclineCode: "pi_1_secret_X <script>"}, ""), "what isn't a code isn't shown")
	for code, n := range declineCodes {
		assert.NotEmpty(t, codeText(code))
		assert.NotEmpty(t, codeText(n.code))
	}
}

func TestErrorKinds(t *testing.T) {
	t.Parallel()
	cases := []struct {
		status int
		kind   fault.Kind
	}{
		{http.StatusBadRequest, fault.KindInvalid}, {http.StatusUnprocessableEntity, fault.KindInvalid},
		{http.StatusNotFound, fault.KindNotFound},
		{http.StatusUnauthorized, fault.KindInternal}, {http.StatusForbidden, fault.KindInternal},
		{http.StatusConflict, fault.KindUnknown}, {http.StatusPaymentRequired, fault.KindUnknown},
		{http.StatusTooManyRequests, fault.KindUnavailable},
		{http.StatusFailedDependency, fault.KindUnknown}, {http.StatusTeapot, fault.KindUnknown},
		{http.StatusInternalServerError, fault.KindUnknown}, {http.StatusBadGateway, fault.KindUnknown},
		{http.StatusServiceUnavailable, fault.KindUnknown}, {0, fault.KindUnknown},
	}
	for _, c := range cases {
		assert.Equal(t, c.kind, fault.Of(readError(&sdk.Error{HTTPStatusCode: c.status})), c.status)
	}
	assert.Equal(t, fault.KindUnknown, fault.Of(readError(fmt.Errorf("couldn't deserialize"))))
	wire := fault.Unavailable("channel_unreachable", "refused", nil)
	assert.Equal(t, wire, readError(fmt.Errorf("Post: %w", wire)))
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	cases := []struct {
		minor    int64
		currency string
		units    int64
	}{
		{1234, "EUR", 1234}, {1234, "JPY", 1234}, {12, "ISK", 1200}, {500, "UGX", 50000}, {1200, "MGA", 12},
		{12340, "KWD", 12340}, {100, "HUF", 100}, {99_999_999, "USD", 99_999_999}, {999_999, "ISK", 99_999_900},
	}
	for _, c := range cases {
		units, err := toUnits(c.minor, c.currency)
		require.NoError(t, err, c)
		assert.Equal(t, c.units, units, c)
		back, err := fromUnits(units, sdk.Currency(c.currency))
		require.NoError(t, err, c)
		assert.Equal(t, money.Amount{Minor: c.minor, Currency: money.Currency(c.currency)}, back)
	}
	for _, currency := range currencies {
		_, err := money.ParseCurrency(currency)
		assert.NoError(t, err, currency)
	}
	for _, currency := range []string{"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"} {
		digits, err := exponents.Of(money.Currency(currency))
		require.NoError(t, err)
		assert.Zero(t, digits, currency)
	}
	_, err := fromUnits(150, "isk")
	assert.Equal(t, fault.KindUnknown, fault.Of(err), "a part of a króna is nothing we asked for")
	_, err = toUnits(1_000_000, "ISK")
	assert.True(t, fault.Is(err, fault.KindInvalid, "amount_too_large"))
}
