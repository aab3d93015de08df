package api

import (
	"strconv"

	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// parts are where a payment's money comes from, as far as the request says so; nil is all of it over a channel. What they come to is
// settled with the amount (payment.Split).
func (in intake) parts(r PaymentRequest, amount money.Amount) ([]payment.Part, error) {
	alone := r.Method.Type == payment.MethodWallet
	if r.Parts == nil && !alone {
		return nil, nil
	}
	list := []payment.Part{{Source: payment.FromWallet}}
	if r.Parts != nil {
		list = nil
		for i, part := range *r.Parts {
			read, err := readPart(part, amount.Currency)
			if err != nil {
				return nil, fault.Under("parts["+strconv.Itoa(i)+"]", err)
			}
			list = append(list, read)
		}
	}
	if err := fitsMethod(list, r, alone); err != nil {
		return nil, err
	}
	if amount.Minor > 0 {
		if _, err := payment.Split(list, amount); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func readPart(r PartRequest, currency money.Currency) (payment.Part, error) {
	if r.Source != payment.FromChannel && r.Source != payment.FromWallet {
		return payment.Part{}, fault.Invalid("source_invalid", "source", "a part comes over a channel, or from a wallet")
	}
	part := payment.Part{Source: r.Source}
	if r.Amount == nil {
		return part, nil
	}
	var err error
	part.Amount, err = money.ParsePositive(*r.Amount, currency)
	return part, fault.Under("amount", err)
}

// fitsMethod holds the parts against the rest of the request.
func fitsMethod(list []payment.Part, r PaymentRequest, alone bool) error {
	count := map[payment.Source]int{}
	for _, part := range list {
		count[part.Source]++
	}
	switch wallet := count[payment.FromWallet] > 0; {
	case len(list) == 0 || count[payment.FromWallet] > 1 || count[payment.FromChannel] > 1:
		return fault.Invalid("parts_invalid", "parts", "a payment has at most one part over a channel and one from a wallet")
	case alone && count[payment.FromChannel] > 0:
		return fault.Invalid("method_unsupported", "method.type", "say how the customer pays the part over a channel")
	case wallet && !alone && count[payment.FromChannel] == 0:
		return fault.Invalid("method_unsupported", "method.type", "a payment out of a wallet alone has the method wallet")
	case alone && r.CaptureMethod != nil && *r.CaptureMethod == payment.CaptureManual:
		return fault.Invalid("capture_method_invalid", "capture_method", "only a payment with a part over a channel is captured by hand")
	case alone && r.Channel != nil:
		return fault.Invalid("channel_unexpected", "channel", "a payment out of a wallet alone goes over no channel")
	case wallet && (r.Customer == nil || r.Customer.ID == nil):
		return required("customer.id", "a wallet is named by its holder: give the customer's id")
	}
	return nil
}
