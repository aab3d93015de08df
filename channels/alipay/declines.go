package alipay

type decline struct {
	code string
	hard bool
}

// declines are the reasons for which a charge is refused, in our words. A wallet is never refused for good: what is hard
// is only what no other try with it can change.
var declines = map[string]decline{
	"ACQ.BUYER_BALANCE_NOT_ENOUGH":               {"insufficient_funds", false},
	"ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH":      {"insufficient_funds", false},
	"ACQ.ERROR_BALANCE_PAYMENT_DISABLE":          {"not_permitted", false},
	"ACQ.NO_PAYMENT_INSTRUMENTS_AVAILABLE":       {"not_permitted", false},
	"ACQ.MOBILE_PAYMENT_SWITCH_OFF":              {"not_permitted", false},
	"ACQ.BUYER_SELLER_EQUAL":                     {"not_permitted", true},
	"ACQ.BUYER_ENABLE_STATUS_FORBID":             {"account_closed", true},
	"ACQ.PAYMENT_REQUEST_HAS_RISK":               {"suspected_fraud", true},
	"ACQ.PAYMENT_AUTH_CODE_INVALID":              {"invalid_token", false},
	"ACQ.SOUNDWAVE_PARSER_FAIL":                  {"invalid_token", false},
	"ACQ.PAYMENT_FAIL":                           {"declined", false},
	"ACQ.PULL_MOBILE_CASHIER_FAIL":               {"processing_error", false},
	"ACQ.TOTAL_FEE_EXCEED":                       {"amount_not_allowed", false},
	"ACQ.PRODUCT_AMOUNT_LIMIT_ERROR":             {"limit_exceeded", false},
	"ACQ.BEYOND_PAY_RESTRICTION":                 {"limit_exceeded", false},
	"ACQ.BEYOND_PER_RECEIPT_RESTRICTION":         {"limit_exceeded", false},
	"ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR":   {"limit_exceeded", false},
	"ACQ.BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR": {"limit_exceeded", false},
}
