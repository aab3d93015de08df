package stripe

import (
	"encoding/json"
	"time"

	sdk "github.com/stripe/stripe-go/v85"

	"paysaga/channels"
	"paysaga/domain/dispute"
	"paysaga/domain/payment"
)

// disputed reads a dispute as it was when the event happened. An inquiry that has taken no money yet is SubjectOther: what counts is what is
// with Stripe. Stripe knows the dispute's intent, and not our reference.
func disputed(out channels.Callback, event sdk.Event) (channels.Callback, error) {
	var d sdk.Dispute
	if json.Unmarshal(event.Data.Raw, &d) != nil || d.Object != "dispute" || d.ID == "" {
		return channels.Callback{}, unreadableEvent()
	}
	status, taken, known := disputeStatus(&d, event.Type)
	switch {
	case !known:
		return channels.Callback{}, unreadableEvent()
	case !taken, d.PaymentIntent == nil, d.PaymentIntent.ID == "": // a charge without an intent isn't ours
		return out, nil
	}
	amount, err := fromUnits(d.Amount, d.Currency)
	if err != nil {
		return channels.Callback{}, unreadableEvent()
	}
	fee, err := disputeFee(&d)
	if err != nil {
		return channels.Callback{}, unreadableEvent()
	}
	word := dispute.Word{ID: d.ID, Status: status, AmountMinor: amount.Minor, Currency: string(amount.Currency), FeeMinor: fee,
		Reason: string(d.Reason), At: saidAt(&d, event)}
	if word.Check() != nil {
		return channels.Callback{}, unreadableEvent()
	}
	out.Subject, out.Dispute, out.Outcome = channels.SubjectDispute, &word, payment.Outcome{ChannelID: d.PaymentIntent.ID}
	return out, nil
}

// saidAt is the event's time. Stripe tells whole seconds, and closes a dispute and gives the money back within one: what shows more balance
// transactions is the later word.
func saidAt(d *sdk.Dispute, event sdk.Event) time.Time {
	return time.Unix(event.Created, 0).UTC().Add(time.Duration(len(d.BalanceTransactions)) * time.Microsecond)
}

// disputeStatus says whose the money is, whether Stripe has had it at all, and whether its status is one that we know. Stripe takes the money
// when a dispute opens, not when it warns of one; then, and when it gives it back, a balance transaction stands in the dispute.
func disputeStatus(d *sdk.Dispute, kind sdk.EventType) (status dispute.Status, taken, known bool) {
	taken = len(d.BalanceTransactions) > 0 || kind == sdk.EventTypeChargeDisputeFundsWithdrawn || kind == sdk.EventTypeChargeDisputeFundsReinstated
	switch d.Status {
	case sdk.DisputeStatusNeedsResponse, sdk.DisputeStatusUnderReview:
		status = dispute.Open
	case sdk.DisputeStatusLost:
		status = dispute.Lost
	case sdk.DisputeStatusWon:
		status = dispute.Won
	case sdk.DisputeStatusWarningNeedsResponse, sdk.DisputeStatusWarningUnderReview, sdk.DisputeStatusWarningClosed, sdk.DisputeStatusPrevented:
		status = dispute.Open // if something was taken nevertheless
		if returned(d) {
			status = dispute.Won
		}
	default:
		return "", false, false
	}
	if kind == sdk.EventTypeChargeDisputeFundsReinstated {
		status = dispute.Won
	}
	return status, taken, true
}

// returned says that what was taken has come back.
func returned(d *sdk.Dispute) bool {
	net := int64(0)
	for _, b := range d.BalanceTransactions {
		if b != nil {
			net += b.Amount
		}
	}
	return len(d.BalanceTransactions) > 0 && net >= 0
}

// disputeFee is what Stripe keeps for the dispute as it stands, in the minor units of the charge. A balance in another currency has its fee in
// that: then it is left to the statement, which says it too.
func disputeFee(d *sdk.Dispute) (int64, error) {
	sum := int64(0)
	for _, b := range d.BalanceTransactions {
		if b == nil || b.Currency != d.Currency {
			return 0, nil
		}
		sum += b.Fee
	}
	fee, err := fromUnits(max(0, sum), d.Currency)
	return fee.Minor, err
}
