package paypal

import (
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// outcome reads an order: what moved counts before what the order itself says. A status that we don't know is Unknown.
func (o order) outcome(r channels.ChargeRequest) (payment.Outcome, error) {
	out, ok, err := o.taken()
	if err != nil || ok {
		return out, err
	}
	if o.Status == "VOIDED" || o.Intent != intentOf(r) {
		// Changing the intent is how Cancel closes an order: PayPal refuses what was meant for the old one.
		return payment.Outcome{Verdict: payment.Closed, Dead: true, ChannelID: o.ID}, nil
	}
	token := r.Method.Type == payment.MethodCardToken
	switch o.Status {
	case "CREATED", "SAVED", "PAYER_ACTION_REQUIRED", "APPROVED":
	default:
		return payment.Outcome{}, unreadable("a state that we don't know")
	}
	if token { // nobody has to approve it, so nothing was done yet
		return payment.Outcome{Verdict: payment.Absent}, nil
	}
	out = payment.Outcome{Verdict: payment.Pending, ChannelID: o.ID}
	if !o.CreateTime.IsZero() {
		out.ExpiresAt = o.CreateTime.Add(approval)
	}
	if o.Status == "APPROVED" {
		out.Approved = true
		return out, nil
	}
	for _, l := range o.Links {
		if l.Rel == "approve" || l.Rel == "payer-action" {
			out.Action = &payment.Action{Type: payment.ActionRedirect, URL: l.Href}
		}
	}
	return out, nil
}

// taken is what captures and authorizations say; ok is false if there are none.
func (o order) taken() (out payment.Outcome, ok bool, err error) {
	p := o.Units[0].Payments
	var sum money.Amount
	var at time.Time
	var last moved
	for _, c := range p.Captures {
		switch c.Status {
		case "COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED":
			a, err := c.read()
			if err != nil {
				return out, false, err
			}
			if sum.Currency == "" {
				sum.Currency = a.Currency
			}
			if sum, err = sum.Add(a); err != nil {
				return out, false, unreadable("captures that can't be added")
			}
			at = c.CreateTime
		case "PENDING", "DECLINED", "FAILED":
			if last.Status != "PENDING" {
				last = c
			}
		default:
			return out, false, unreadable("a state that we don't know")
		}
	}
	out.ChannelID = o.ID
	if sum.Currency != "" {
		out.Verdict, out.AmountMinor, out.Currency, out.EffectiveAt = payment.Succeeded, sum.Minor, string(sum.Currency), at
		return out, true, nil
	}
	if last.Status == "PENDING" {
		out.Verdict = payment.Pending
		return out, true, nil
	}
	if n := len(p.Authorizations); n > 0 {
		return o.authorized(p.Authorizations[n-1])
	}
	if last.Status != "" {
		out.Verdict, out.Dead, out.Decline = payment.Declined, true, processorDecline(last.Processor.Code)
		return out, true, nil
	}
	return payment.Outcome{}, false, nil
}

// authorized is what the newest authorization says.
func (o order) authorized(a moved) (out payment.Outcome, ok bool, err error) {
	out.ChannelID = o.ID
	switch a.Status {
	case "CREATED", "PARTIALLY_CAPTURED", "CAPTURED":
		m, err := a.read()
		if err != nil {
			return out, false, err
		}
		out.Verdict, out.AmountMinor, out.Currency = payment.Authorized, m.Minor, string(m.Currency)
		out.EffectiveAt, out.ExpiresAt = a.CreateTime, a.Expires
	case "PENDING":
		out.Verdict = payment.Pending
	case "VOIDED", "EXPIRED":
		out.Verdict, out.Dead = payment.Closed, true
	case "DENIED":
		out.Verdict, out.Dead, out.Decline = payment.Declined, true, processorDecline(a.Processor.Code)
	default:
		return out, false, unreadable("a state that we don't know")
	}
	return out, true, nil
}

// read is the amount of something that moved.
func (m moved) read() (money.Amount, error) {
	a, err := m.Amount.read()
	if err == nil && (!idText(m.ID) || a.Minor <= 0) {
		err = unreadable("a payment without its id or amount")
	}
	return a, err
}

type no struct {
	code string
	hard bool
}

// declines are the issues by which PayPal says that a valid order can't be captured.
var declines = map[string]no{
	"INSTRUMENT_DECLINED":                     {code: "declined"},
	"TRANSACTION_REFUSED":                     {code: "declined"},
	"PAYER_CANNOT_PAY":                        {code: "not_permitted"},
	"PAYER_ACCOUNT_RESTRICTED":                {code: "restricted_account", hard: true},
	"PAYER_ACCOUNT_LOCKED_OR_CLOSED":          {code: "account_closed", hard: true},
	"PAYEE_BLOCKED_TRANSACTION":               {code: "suspected_fraud"},
	"TRANSACTION_BLOCKED_BY_PAYEE":            {code: "suspected_fraud"},
	"TRANSACTION_LIMIT_EXCEEDED":              {code: "limit_exceeded"},
	"TRANSACTION_RECEIVING_LIMIT_EXCEEDED":    {code: "limit_exceeded"},
	"MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED": {code: "limit_exceeded"},
	"REDIRECT_PAYER_FOR_ALTERNATE_FUNDING":    {code: "insufficient_funds"},
	"REFERENCED_CARD_EXPIRED":                 {code: "expired_card", hard: true},
	"CARD_EXPIRED":                            {code: "expired_card", hard: true},
	"CARD_CLOSED":                             {code: "invalid_card", hard: true},
	"TOKEN_ID_NOT_FOUND":                      {code: "invalid_token", hard: true},
	"TOKEN_EXPIRED":                           {code: "invalid_token", hard: true},
	"AGREEMENT_ALREADY_CANCELLED":             {code: "revoked", hard: true},
	"BILLING_AGREEMENT_NOT_FOUND":             {code: "revoked", hard: true},
	"DECLINED_DUE_TO_RELATED_TXN":             {code: "declined"},
	"CARD_BRAND_NOT_SUPPORTED":                {code: "card_not_supported"},
	"COMPLIANCE_VIOLATION":                    {code: "not_permitted", hard: true},
	"DOMESTIC_TRANSACTION_REQUIRED":           {code: "not_permitted"},
}

// declineOf is the decline that an issue means; nil if it is none.
func declineOf(issue string) *payment.Decline {
	n, ok := declines[issue]
	if !ok {
		return nil
	}
	return &payment.Decline{Code: n.code, Channel: strings.ToLower(issue), Hard: n.hard}
}

// processor are the answers of card networks that PayPal hands on.
var processor = map[string]no{
	"0500": {code: "do_not_honor"},
	"0800": {code: "declined"},
	"1000": {code: "declined"},
	"1310": {code: "processing_error"},
	"1330": {code: "invalid_card", hard: true},
	"1335": {code: "invalid_card", hard: true},
	"1340": {code: "processing_error"},
	"5100": {code: "declined"},
	"5110": {code: "incorrect_cvc"},
	"5120": {code: "insufficient_funds"},
	"5130": {code: "incorrect_pin"},
	"5140": {code: "invalid_card", hard: true},
	"5150": {code: "not_permitted"},
	"5180": {code: "invalid_card", hard: true},
	"5190": {code: "do_not_honor"},
	"5200": {code: "limit_exceeded"},
	"5400": {code: "expired_card", hard: true},
	"5650": {code: "authentication_required"},
	"5930": {code: "card_not_supported"},
	"6300": {code: "invalid_card", hard: true},
	"9500": {code: "suspected_fraud", hard: true},
	"9510": {code: "do_not_honor", hard: true},
	"9520": {code: "lost_card", hard: true},
	"9530": {code: "stolen_card", hard: true},
	"9540": {code: "restricted_card", hard: true},
}

// processorDecline is a decline by the card's network; what isn't in the list is a soft "declined".
func processorDecline(code string) *payment.Decline {
	if code = codeText(code); code == "" {
		code = "unknown"
	}
	n, ok := processor[code]
	if !ok {
		n.code = "declined"
	}
	return &payment.Decline{Code: n.code, Channel: code, Hard: n.hard}
}
