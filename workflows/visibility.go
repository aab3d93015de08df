package workflows

import (
	"go.temporal.io/sdk/temporal"

	"paysaga/domain/payment"
)

// The search attributes by which operators find sagas in the Temporal Web UI.
// They are never encrypted and hold no personal datum (I-26).
var (
	attrBook          = temporal.NewSearchAttributeKeyKeyword("Book")
	attrBusinessID    = temporal.NewSearchAttributeKeyKeyword("BusinessID")
	attrMerchantID    = temporal.NewSearchAttributeKeyKeyword("MerchantID")
	attrOrderRef      = temporal.NewSearchAttributeKeyKeyword("OrderRef")
	attrChannel       = temporal.NewSearchAttributeKeyKeyword("Channel")
	attrState         = temporal.NewSearchAttributeKeyKeyword("State")
	attrCurrency      = temporal.NewSearchAttributeKeyKeyword("Currency")
	attrBusinessDate  = temporal.NewSearchAttributeKeyKeyword("BusinessDate")
	attrNeedsOperator = temporal.NewSearchAttributeKeyBool("NeedsOperator")
	attrAmountMinor   = temporal.NewSearchAttributeKeyInt64("AmountMinor")
)

// attributes are the search attributes a payment starts with.
func attributes(p payment.Payment) temporal.SearchAttributes {
	list := []temporal.SearchAttributeUpdate{
		attrBook.ValueSet(string(p.Book)), attrBusinessID.ValueSet(p.ID), attrMerchantID.ValueSet(p.MerchantID),
		attrOrderRef.ValueSet(p.OrderRef), attrState.ValueSet(string(p.Status)),
		attrCurrency.ValueSet(string(p.Amount.Currency)), attrAmountMinor.ValueSet(p.Amount.Minor), attrNeedsOperator.ValueSet(false),
	}
	if p.Channel != "" {
		list = append(list, attrChannel.ValueSet(p.Channel))
	}
	return temporal.NewSearchAttributes(list...)
}

// summary is the line by which a payment is known in the Web UI.
func summary(p payment.Payment) string {
	via := p.Channel
	if via == "" {
		via = string(p.Method)
	}
	if p.TopUp() {
		return p.Amount.Text() + " via " + via + " for the wallet of " + p.CustomerID + " of " + p.MerchantID
	}
	return p.Amount.Text() + " via " + via + " for " + p.MerchantID + " / order " + p.OrderRef
}
