package stripe

import (
	"encoding/json"
	"strings"
	"time"

	sdk "github.com/stripe/stripe-go/v85"

	"paysaga/domain/payment"
)

// authorizationLife is how long Stripe keeps an uncaptured authorization when it doesn't say otherwise.
const authorizationLife = 7 * 24 * time.Hour

// intentOutcome maps a payment intent. A status that we don't know is Unknown.
func intentOutcome(pi *sdk.PaymentIntent) (payment.Outcome, error) {
	out := payment.Outcome{ChannelID: pi.ID}
	switch pi.Status {
	case sdk.PaymentIntentStatusSucceeded:
		return moved(out, pi, payment.Succeeded, pi.AmountReceived)
	case sdk.PaymentIntentStatusRequiresCapture:
		out.ExpiresAt = lapses(pi)
		return moved(out, pi, payment.Authorized, pi.AmountCapturable)
	case sdk.PaymentIntentStatusRequiresAction:
		out.Verdict, out.Action = payment.Pending, action(pi.NextAction)
	case sdk.PaymentIntentStatusProcessing, sdk.PaymentIntentStatusRequiresConfirmation:
		out.Verdict = payment.Pending
	case sdk.PaymentIntentStatusRequiresPaymentMethod:
		if pi.LastPaymentError == nil { // never confirmed: nothing was charged
			out.Verdict = payment.Pending
			break
		}
		// Not dead: a browser that holds the client secret can confirm again. Cancel it before the next channel.
		out.Verdict, out.Decline = payment.Declined, declineOf(pi.LastPaymentError, advice(pi.LastResponse))
	case sdk.PaymentIntentStatusCanceled:
		out.Verdict, out.Dead = payment.Closed, true
	default:
		return payment.Outcome{}, unreadable()
	}
	return out, nil
}

func moved(out payment.Outcome, pi *sdk.PaymentIntent, v payment.Verdict, units int64) (payment.Outcome, error) {
	amount, err := fromUnits(units, pi.Currency)
	if err != nil {
		return payment.Outcome{}, err
	}
	out.Verdict, out.AmountMinor, out.Currency = v, amount.Minor, string(amount.Currency)
	out.EffectiveAt = effective(pi)
	return out, nil
}

// effective is when the money moved: the balance transaction's time, which for a capture is later than the charge's.
func effective(pi *sdk.PaymentIntent) time.Time {
	c := pi.LatestCharge
	switch {
	case c == nil || c.Created == 0: // an id only
		return time.Time{}
	case c.BalanceTransaction != nil && c.BalanceTransaction.Created != 0:
		return time.Unix(c.BalanceTransaction.Created, 0).UTC()
	}
	return time.Unix(c.Created, 0).UTC()
}

func lapses(pi *sdk.PaymentIntent) time.Time {
	at := time.Unix(pi.Created, 0)
	if c := pi.LatestCharge; c != nil && c.Created != 0 {
		at = time.Unix(c.Created, 0)
		if d := c.PaymentMethodDetails; d != nil && d.Card != nil && d.Card.CaptureBefore != 0 {
			return time.Unix(d.Card.CaptureBefore, 0).UTC()
		}
	}
	return at.Add(authorizationLife).UTC()
}

// action is what the customer has to do, nil if it is nothing that we can show.
func action(n *sdk.PaymentIntentNextAction) *payment.Action {
	switch {
	case n == nil:
		return nil
	case n.RedirectToURL != nil:
		return redirect(n.RedirectToURL.URL)
	case n.AlipayHandleRedirect != nil:
		return redirect(n.AlipayHandleRedirect.URL)
	case n.WeChatPayDisplayQRCode != nil && n.WeChatPayDisplayQRCode.Data != "":
		return &payment.Action{Type: payment.ActionQR, URL: n.WeChatPayDisplayQRCode.Data}
	}
	return nil
}

// redirect refuses what no browser should be sent to.
func redirect(url string) *payment.Action {
	if !strings.HasPrefix(url, "https://") {
		return nil
	}
	return &payment.Action{Type: payment.ActionRedirect, URL: url}
}

// advice reads advice_code, which the library leaves out, from an answer: of an error, or of the intent's last one.
func advice(res *sdk.APIResponse) string {
	if res == nil {
		return ""
	}
	type coded struct {
		Advice string `json:"advice_code"`
	}
	var body struct {
		Error coded `json:"error"`
		Last  coded `json:"last_payment_error"`
	}
	if json.Unmarshal(res.RawJSON, &body) != nil {
		return ""
	}
	return body.Error.Advice + body.Last.Advice // never both
}
