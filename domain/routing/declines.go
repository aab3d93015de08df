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
	return Decline{Class: e.class, Code: e.code, Advice: payment.Advice(e.code, string(e.class))}
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

// declines are the channels' codes, as their adapters map them: code and
// hardness are the same there, a test of each adapter holds them together.
var declines = map[string]map[string]entry{
	"alipay": {
		"ACQ.BUYER_BALANCE_NOT_ENOUGH":               {Soft, "insufficient_funds"},
		"ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH":      {Soft, "insufficient_funds"},
		"ACQ.ERROR_BALANCE_PAYMENT_DISABLE":          {AskCustomer, "not_permitted"},
		"ACQ.NO_PAYMENT_INSTRUMENTS_AVAILABLE":       {AskCustomer, "not_permitted"},
		"ACQ.MOBILE_PAYMENT_SWITCH_OFF":              {AskCustomer, "not_permitted"},
		"ACQ.BUYER_SELLER_EQUAL":                     {Hard, "not_permitted"},
		"ACQ.BUYER_ENABLE_STATUS_FORBID":             {Hard, "account_closed"},
		"ACQ.PAYMENT_REQUEST_HAS_RISK":               {Hard, "suspected_fraud"},
		"ACQ.PAYMENT_AUTH_CODE_INVALID":              {AskCustomer, "invalid_token"},
		"ACQ.SOUNDWAVE_PARSER_FAIL":                  {AskCustomer, "invalid_token"},
		"ACQ.PAYMENT_FAIL":                           {Soft, "declined"},
		"ACQ.PULL_MOBILE_CASHIER_FAIL":               {Soft, "processing_error"},
		"ACQ.TOTAL_FEE_EXCEED":                       {AskCustomer, "amount_not_allowed"},
		"ACQ.PRODUCT_AMOUNT_LIMIT_ERROR":             {AskCustomer, "limit_exceeded"},
		"ACQ.BEYOND_PAY_RESTRICTION":                 {AskCustomer, "limit_exceeded"},
		"ACQ.BEYOND_PER_RECEIPT_RESTRICTION":         {AskCustomer, "limit_exceeded"},
		"ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR":   {AskCustomer, "limit_exceeded"},
		"ACQ.BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR": {AskCustomer, "limit_exceeded"},
	},
	"sandbox": {
		"insufficient_funds": {Soft, "insufficient_funds"},
		"stolen_card":        {Hard, "stolen_card"},
		"invalid_token":      {Hard, "invalid_token"},
		"customer_declined":  {AskCustomer, "customer_declined"},
		"do_not_honor":       {Soft, "do_not_honor"},
		"account_closed":     {Hard, "account_closed"},
	},
	"wechatpay": {
		"PAYERROR":      {Soft, "declined"},
		"TRADE_ERROR":   {Soft, "processing_error"},
		"ACCOUNT_ERROR": {Hard, "not_permitted"},
		"RULE_LIMIT":    {AskCustomer, "limit_exceeded"},
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
