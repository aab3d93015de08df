package stripe

import (
	"strings"

	sdk "github.com/stripe/stripe-go/v85"

	"paysaga/domain/payment"
)

type no struct {
	code string
	hard bool // this card will never do
}

// declines maps Stripe's decline codes, and the error codes that come without one. What isn't here is a soft
// "declined".
var declineCodes = map[string]no{
	"approve_with_id":                        {code: "processing_error"},
	"authentication_required":                {code: "authentication_required"},
	"authentication_not_handled":             {code: "authentication_required"},
	"call_issuer":                            {code: "do_not_honor"},
	"card_declined":                          {code: "declined"},
	"card_not_supported":                     {code: "card_not_supported"},
	"card_velocity_exceeded":                 {code: "limit_exceeded"},
	"currency_not_supported":                 {code: "currency_not_supported"},
	"do_not_honor":                           {code: "do_not_honor"},
	"do_not_try_again":                       {code: "do_not_honor", hard: true},
	"duplicate_transaction":                  {code: "duplicate_transaction"},
	"expired_card":                           {code: "expired_card", hard: true},
	"fraudulent":                             {code: "suspected_fraud", hard: true},
	"generic_decline":                        {code: "declined"},
	"incorrect_address":                      {code: "incorrect_address"},
	"incorrect_cvc":                          {code: "incorrect_cvc"},
	"incorrect_number":                       {code: "invalid_card", hard: true},
	"incorrect_pin":                          {code: "incorrect_pin"},
	"incorrect_zip":                          {code: "incorrect_address"},
	"insufficient_funds":                     {code: "insufficient_funds"},
	"invalid_account":                        {code: "invalid_card", hard: true},
	"invalid_amount":                         {code: "amount_not_allowed"},
	"invalid_cvc":                            {code: "incorrect_cvc"},
	"invalid_expiry_month":                   {code: "invalid_card", hard: true},
	"invalid_expiry_year":                    {code: "invalid_card", hard: true},
	"invalid_number":                         {code: "invalid_card", hard: true},
	"invalid_pin":                            {code: "incorrect_pin"},
	"issuer_not_available":                   {code: "issuer_unavailable"},
	"lost_card":                              {code: "lost_card", hard: true},
	"merchant_blacklist":                     {code: "suspected_fraud", hard: true},
	"new_account_information_available":      {code: "card_changed"},
	"no_action_taken":                        {code: "declined"},
	"not_permitted":                          {code: "not_permitted"},
	"offline_pin_required":                   {code: "pin_required"},
	"online_or_offline_pin_required":         {code: "pin_required"},
	"payment_intent_authentication_failure":  {code: "authentication_failed"},
	"payment_intent_payment_attempt_expired": {code: "expired"},
	"payment_intent_payment_attempt_failed":  {code: "declined"},
	"pickup_card":                            {code: "stolen_card", hard: true},
	"pin_try_exceeded":                       {code: "limit_exceeded"},
	"processing_error":                       {code: "processing_error"},
	"reenter_transaction":                    {code: "processing_error"},
	"restricted_card":                        {code: "restricted_card", hard: true},
	"revocation_of_all_authorizations":       {code: "revoked", hard: true},
	"revocation_of_authorization":            {code: "revoked", hard: true},
	"security_violation":                     {code: "do_not_honor", hard: true},
	"service_not_allowed":                    {code: "not_permitted"},
	"stolen_card":                            {code: "stolen_card", hard: true},
	"stop_payment_order":                     {code: "revoked", hard: true},
	"testmode_decline":                       {code: "declined"},
	"transaction_not_allowed":                {code: "not_permitted"},
	"try_again_later":                        {code: "processing_error"},
	"withdrawal_count_limit_exceeded":        {code: "limit_exceeded"},
}

// declineOf maps a card error. The advice of the card network makes a soft no hard, never a hard one soft.
func declineOf(e *sdk.Error, advice string) *payment.Decline {
	channel := codeText(string(e.DeclineCode))
	if channel == "" {
		channel = codeText(string(e.Code))
	}
	n, ok := declineCodes[channel]
	if !ok {
		n.code = "declined"
	}
	return &payment.Decline{Code: n.code, Channel: channel, Hard: n.hard || advice == "do_not_try_again"}
}

// refundRefusals are the error codes by which Stripe says that a valid refund can't be had.
var refundRefusals = map[sdk.ErrorCode]string{
	sdk.ErrorCodeChargeAlreadyRefunded: "already_refunded",
	sdk.ErrorCodeChargeDisputed:        "charge_disputed",
	sdk.ErrorCodeChargeNotRefundable:   "not_refundable",
	sdk.ErrorCodeBalanceInsufficient:   "channel_balance_insufficient",
	"refund_disputed_payment":          "charge_disputed",
}

// codeText lets a code of Stripe's through only if it looks like one: whatever else stands there is not ours to show.
func codeText(s string) string {
	if len(s) > 64 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return ""
	}
	return s
}
