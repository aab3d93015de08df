package sandbox

import (
	"net/http"
	"time"

	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// answer is a charge, a capture, a refund, a payout or a callback's view of one, as the sandbox writes it.
type answer struct {
	ID          string    `json:"id"`
	Reference   string    `json:"reference"`
	Key         string    `json:"key"`
	State       string    `json:"state"`
	AmountMinor int64     `json:"amount_minor"`
	Currency    string    `json:"currency"`
	Decline     *decline  `json:"decline"`
	Action      *action   `json:"action"`
	ExpiresAt   time.Time `json:"expires_at"`
	SucceededAt time.Time `json:"succeeded_at"`
}

type decline struct {
	Code string `json:"code"`
	Hard bool   `json:"hard"`
}

type action struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

// declines are the sandbox's codes in our words. It says itself whether a decline is hard.
var declines = map[string]string{
	"insufficient_funds": "insufficient_funds",
	"stolen_card":        "stolen_card",
	"invalid_token":      "invalid_token",
	"customer_declined":  "customer_declined",
	"do_not_honor":       "do_not_honor",
	"account_closed":     "account_closed",
}

// returned are the codes of what came back after its success.
var returned = map[string]bool{"refund_returned": true, "payout_returned": true}

// outcome reads a state strictly: what we don't know, or what lacks its amount, is Unknown.
func (a answer) outcome() (payment.Outcome, error) {
	out := payment.Outcome{ChannelID: a.ID}
	switch a.State {
	case "succeeded", "authorized":
		if a.ID == "" || a.AmountMinor <= 0 || len(a.Currency) != 3 {
			return payment.Outcome{}, unreadable("a success without its amount")
		}
		out.AmountMinor, out.Currency = a.AmountMinor, a.Currency
		if a.State == "authorized" {
			out.Verdict, out.ExpiresAt = payment.Authorized, a.ExpiresAt
		} else {
			out.Verdict, out.EffectiveAt = payment.Succeeded, a.SucceededAt
		}
	case "declined":
		d := payment.Decline{Code: "declined"}
		if a.Decline != nil {
			d.Channel, d.Hard = a.Decline.Code, a.Decline.Hard
			if code, ok := declines[a.Decline.Code]; ok {
				d.Code = code
			} else if returned[a.Decline.Code] {
				d.Code = a.Decline.Code
			}
		}
		// What is declined is final at the sandbox.
		out.Verdict, out.Decline, out.Dead = payment.Declined, &d, true
	case "pending":
		out.Verdict, out.ExpiresAt = payment.Pending, a.ExpiresAt
		if a.Action != nil {
			if a.Action.Type != "qr_code" && a.Action.Type != "redirect" {
				return payment.Outcome{}, unreadable("an action of an unknown type")
			}
			out.Action = &payment.Action{Type: payment.ActionType(a.Action.Type), URL: a.Action.URL}
		}
	case "abnormal":
		// A no that isn't final: it may still be made, under the same key or by a person.
		out.Verdict, out.Decline = payment.Declined, &payment.Decline{Code: "refund_abnormal"}
		if a.Decline != nil {
			out.Decline.Channel = a.Decline.Code
			if a.Decline.Code == "payout_abnormal" {
				out.Decline.Code = a.Decline.Code
			}
		}
	case "closed", "expired":
		out.Verdict, out.Dead = payment.Closed, true
	default:
		return payment.Outcome{}, unreadable("a state that we don't know")
	}
	return out, nil
}

func unreadable(what string) error {
	return fault.Unknown("channel_answer_unreadable", "the channel answered with "+what, nil)
}

// refused reads a 4xx. Only an answer in the sandbox's own words says that nothing was done; any other, such as a
// proxy's page, leaves it open.
func refused(res wire.Response, asked bool) (payment.Outcome, error) {
	var p struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := res.Decode(&p); err != nil || p.Error.Code == "" || res.Status < 400 {
		return payment.Outcome{}, unreadable("a refusal that can't be read")
	}
	switch code := p.Error.Code; {
	case code == "reference_closed" || code == "charge_closed":
		return payment.Outcome{Verdict: payment.Closed, Dead: true}, nil
	case code == "too_many_refunds" || code == "charge_too_old":
		return payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: code, Channel: code}}, nil
	case res.Status == http.StatusNotFound && asked &&
		(code == "charge_not_found" || code == "refund_not_found" || code == "payout_not_found"):
		return payment.Outcome{Verdict: payment.Absent}, nil
	case res.Status == http.StatusNotFound && code == "charge_not_found":
		return payment.Outcome{}, fault.NotFound("charge at the channel")
	case res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden:
		return payment.Outcome{}, fault.Internal("the channel refuses the account's credentials", nil)
	case res.Status == http.StatusConflict:
		return payment.Outcome{}, fault.Conflict(code, "the channel refuses: "+code)
	case res.Status == http.StatusBadRequest || res.Status == http.StatusUnprocessableEntity ||
		res.Status == http.StatusRequestEntityTooLarge:
		return payment.Outcome{}, fault.Invalid(code, "", "the channel refuses the request: "+code)
	}
	return payment.Outcome{}, unreadable("a refusal that we don't know")
}
