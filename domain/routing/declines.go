package routing

import "paysaga/domain/payment"

// Class says what a decline means for the next try.
type Class string

// The classes.
const (
	Soft        Class = "soft"         // the next channel of the plan may say yes
	Hard        Class = "hard"         // never try this instrument again, anywhere
	AskCustomer Class = "ask_customer" // the same try can work once the customer has done something
)

// Decline is a channel's no in our words.
type Decline struct {
	Class Class `json:"class"`
	// Code is ours, as payment.Decline has it.
	Code string `json:"code"`
	// Advice is for the merchant's customer service; its wording may change.
	Advice string `json:"advice"`
}

type entry struct {
	class Class
	code  string
}

// Explain looks a decline up by the channel and the code as it came. What the
// table doesn't know keeps the adapter's code, and is soft: a wrong soft costs
// one more no, a wrong hard costs a sale. An adapter that says hard (the card
// network's advice) is never made milder. Whether the next channel may be tried
// is still the proof's matter: only after a dead attempt (I-09).
func Explain(channel string, d payment.Decline) Decline {
	e, ok := declines[channel][d.Channel]
	if !ok {
		e = entry{Soft, d.Code}
		if e.code == "" {
			e.code = "declined"
		}
	}
	if d.Hard {
		e.class = Hard
	}
	text, ok := advice[e.code]
	if !ok {
		text = advice["declined"]
	}
	if e.class == Hard && soothing[e.code] {
		text = "The bank refuses this card for good. Ask for another way to pay."
	}
	return Decline{Class: e.class, Code: e.code, Advice: text}
}

// Declines returns the codes of a channel that the table knows, each explained;
// nil for a channel without a table.
func Declines(channel string) map[string]Decline {
	table, ok := declines[channel]
	if !ok {
		return nil
	}
	out := make(map[string]Decline, len(table))
	for code := range table {
		out[code] = Explain(channel, payment.Decline{Channel: code})
	}
	return out
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

// declines are the channels' codes, as their adapters map them: code and
// hardness are the same there, a test of each adapter holds them together.
var declines = map[string]map[string]entry{
	"sandbox": {
		"insufficient_funds": {Soft, "insufficient_funds"},
		"stolen_card":        {Hard, "stolen_card"},
		"invalid_token":      {Hard, "invalid_token"},
		"customer_declined":  {AskCustomer, "customer_declined"},
		"do_not_honor":       {Soft, "do_not_honor"},
		"account_closed":     {Hard, "account_closed"},
	},
	"stripe": {
		"approve_with_id":                        {Soft, "processing_error"},
		"authentication_required":                {AskCustomer, "authentication_required"},
		"authentication_not_handled":             {AskCustomer, "authentication_required"},
		"call_issuer":                            {Soft, "do_not_honor"},
		"card_declined":                          {Soft, "declined"},
		"card_not_supported":                     {AskCustomer, "card_not_supported"},
		"card_velocity_exceeded":                 {AskCustomer, "limit_exceeded"},
		"currency_not_supported":                 {Soft, "currency_not_supported"},
		"do_not_honor":                           {Soft, "do_not_honor"},
		"do_not_try_again":                       {Hard, "do_not_honor"},
		"duplicate_transaction":                  {AskCustomer, "duplicate_transaction"},
		"expired_card":                           {Hard, "expired_card"},
		"fraudulent":                             {Hard, "suspected_fraud"},
		"generic_decline":                        {Soft, "declined"},
		"incorrect_address":                      {AskCustomer, "incorrect_address"},
		"incorrect_cvc":                          {AskCustomer, "incorrect_cvc"},
		"incorrect_number":                       {Hard, "invalid_card"},
		"incorrect_pin":                          {AskCustomer, "incorrect_pin"},
		"incorrect_zip":                          {AskCustomer, "incorrect_address"},
		"insufficient_funds":                     {Soft, "insufficient_funds"},
		"invalid_account":                        {Hard, "invalid_card"},
		"invalid_amount":                         {Soft, "amount_not_allowed"},
		"invalid_cvc":                            {AskCustomer, "incorrect_cvc"},
		"invalid_expiry_month":                   {Hard, "invalid_card"},
		"invalid_expiry_year":                    {Hard, "invalid_card"},
		"invalid_number":                         {Hard, "invalid_card"},
		"invalid_pin":                            {AskCustomer, "incorrect_pin"},
		"issuer_not_available":                   {Soft, "issuer_unavailable"},
		"lost_card":                              {Hard, "lost_card"},
		"merchant_blacklist":                     {Hard, "suspected_fraud"},
		"new_account_information_available":      {AskCustomer, "card_changed"},
		"no_action_taken":                        {Soft, "declined"},
		"not_permitted":                          {Soft, "not_permitted"},
		"offline_pin_required":                   {AskCustomer, "pin_required"},
		"online_or_offline_pin_required":         {AskCustomer, "pin_required"},
		"payment_intent_authentication_failure":  {AskCustomer, "authentication_failed"},
		"payment_intent_payment_attempt_expired": {AskCustomer, "expired"},
		"payment_intent_payment_attempt_failed":  {Soft, "declined"},
		"pickup_card":                            {Hard, "stolen_card"},
		"pin_try_exceeded":                       {AskCustomer, "limit_exceeded"},
		"processing_error":                       {Soft, "processing_error"},
		"reenter_transaction":                    {Soft, "processing_error"},
		"restricted_card":                        {Hard, "restricted_card"},
		"revocation_of_all_authorizations":       {Hard, "revoked"},
		"revocation_of_authorization":            {Hard, "revoked"},
		"security_violation":                     {Hard, "do_not_honor"},
		"service_not_allowed":                    {Soft, "not_permitted"},
		"stolen_card":                            {Hard, "stolen_card"},
		"stop_payment_order":                     {Hard, "revoked"},
		"testmode_decline":                       {Soft, "declined"},
		"transaction_not_allowed":                {Soft, "not_permitted"},
		"try_again_later":                        {Soft, "processing_error"},
		"withdrawal_count_limit_exceeded":        {AskCustomer, "limit_exceeded"},
	},
}
