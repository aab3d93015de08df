package fake

import "strings"

// card is how a test payment method behaves.
type card struct {
	code, decline, advice string // the bank's no
	action                bool   // 3-D Secure first
	refund                string // "", "pending" or "fail"
}

// cards are Stripe's test payment methods, by their names without "pm_card_" and "visa_".
var cards = map[string]card{
	"visa":                                {},
	"mastercard":                          {},
	"unionpay":                            {},
	"chargeDeclined":                      {code: "card_declined", decline: "generic_decline", advice: "try_again_later"},
	"chargeDeclinedInsufficientFunds":     {code: "card_declined", decline: "insufficient_funds", advice: "try_again_later"},
	"chargeDeclinedLostCard":              {code: "card_declined", decline: "lost_card", advice: "do_not_try_again"},
	"chargeDeclinedStolenCard":            {code: "card_declined", decline: "stolen_card", advice: "do_not_try_again"},
	"chargeDeclinedFraudulent":            {code: "card_declined", decline: "fraudulent"},
	"chargeDeclinedExpiredCard":           {code: "expired_card"},
	"chargeDeclinedIncorrectCvc":          {code: "incorrect_cvc", advice: "confirm_card_data"},
	"chargeDeclinedProcessingError":       {code: "processing_error"},
	"chargeDeclinedVelocityLimitExceeded": {code: "card_declined", decline: "card_velocity_exceeded"},
	"threeDSecure2Required":               {action: true},
	"threeDSecureRequired":                {action: true},
	"authenticationRequired":              {action: true},
	"pendingRefund":                       {refund: "pending"},
	"refundFail":                          {refund: "fail"},
}

func cardOf(paymentMethod string) (card, bool) {
	name, ok := strings.CutPrefix(paymentMethod, "pm_card_")
	if !ok {
		return card{}, false
	}
	c, ok := cards[name]
	if !ok {
		c, ok = cards[strings.TrimPrefix(name, "visa_")]
	}
	return c, ok
}
