package payment

// Advice is what a merchant's customer service may do about a decline, by our
// code and its class; its wording may change. Empty: no channel declined.
func Advice(code, class string) string {
	if class == "" {
		return ""
	}
	if class == "hard" && soothing[code] {
		return "The bank refuses this card for good. Ask for another way to pay."
	}
	if text, ok := advice[code]; ok {
		return text
	}
	return advice["declined"]
}

// soothing are the codes whose advice tells to try again.
var soothing = map[string]bool{"declined": true, "do_not_honor": true, "insufficient_funds": true, "processing_error": true,
	"issuer_unavailable": true, "limit_exceeded": true}

// advice is by our code.
var advice = map[string]string{
	"account_closed":          "The account is closed. Ask for another one.",
	"amount_not_allowed":      "The bank doesn't take this amount. Ask for another way to pay.",
	"authentication_failed":   "The customer wasn't recognized by the bank. Let them try again, or pay another way.",
	"authentication_required": "The bank wants to see the customer. Send them through the authentication.",
	"card_changed":            "The customer has a new card. Ask for its number.",
	"card_not_supported":      "This kind of card isn't taken. Ask for another one.",
	"currency_not_supported":  "The card doesn't do this currency. Ask for another way to pay.",
	"customer_declined":       "The customer said no at the channel's page. Offer another way to pay.",
	"declined":                "The bank gave no reason. The customer may ask it, or pay another way.",
	"do_not_honor":            "The bank gave no reason. The customer may ask it, or pay another way.",
	"duplicate_transaction":   "The bank believes that this was paid a moment ago. Check before trying again.",
	"expired":                 "The customer took too long. Begin a new payment.",
	"expired_card":            "The card has expired. Ask for another one.",
	"incorrect_address":       "The address isn't the card's. Ask for it again.",
	"incorrect_cvc":           "The security code is wrong. Ask for it again.",
	"incorrect_pin":           "The PIN was wrong. Let the customer try again.",
	"insufficient_funds":      "There isn't enough money. The customer may try later, or pay another way.",
	"invalid_card":            "There is no such card. Ask for its data again.",
	"invalid_token":           "The channel doesn't know this token. Collect the card again.",
	"issuer_unavailable":      "The bank can't be reached. Try again in a while.",
	"limit_exceeded":          "The customer has reached a limit of the card. They may ask their bank, or pay another way.",
	"lost_card":               "Ask for another way to pay. Don't tell the customer more than that.",
	"not_permitted":           "The card isn't made for this. Ask for another way to pay.",
	"pin_required":            "The bank wants a PIN. Offer a way to pay that has one.",
	"processing_error":        "Something failed on the way. Try again in a while.",
	"restricted_card":         "Ask for another way to pay. Don't tell the customer more than that.",
	"revoked":                 "The customer has withdrawn the permission. Ask for another way to pay.",
	"stolen_card":             "Ask for another way to pay. Don't tell the customer more than that.",
	"suspected_fraud":         "Ask for another way to pay. Don't tell the customer more than that.",
}
