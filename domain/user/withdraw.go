package user

import (
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
)

// Withdrawal is what a user wants to become of their wallet after a settlement has paid into it. The zero says nothing: then it is as
// the merchant says.
type Withdrawal struct {
	Off           bool           `json:"off,omitempty"` // nothing leaves by itself, whatever the merchant says
	DestinationID string         `json:"destination_id,omitempty"`
	Currency      money.Currency `json:"currency,omitempty"`
	AtLeast       int64          `json:"at_least_minor,omitempty"` // less stays in the wallet
}

// Check refuses what can't be meant.
func (w Withdrawal) Check() error {
	switch {
	case w == (Withdrawal{}):
		return nil
	case w.Off && w != (Withdrawal{Off: true}):
		return fault.Invalid("field_forbidden", "auto_withdraw.off", "who wants nothing paid out names no destination")
	case w.Off:
		return nil
	case !id.Is(id.Destination, w.DestinationID):
		return fault.Invalid("destination_invalid", "auto_withdraw.destination_id", "this is not a kept destination's id")
	case w.AtLeast <= 0:
		return fault.Invalid("amount_invalid", "auto_withdraw.at_least", "at least more than nothing is paid out")
	}
	return nil
}

// PublicWithdrawal is a Withdrawal as the API shows it.
type PublicWithdrawal struct {
	Off           bool   `json:"off,omitempty"`
	DestinationID string `json:"destination_id,omitempty"`
	Currency      string `json:"currency,omitempty"`
	AtLeast       string `json:"at_least,omitempty"`
}

// Public renders w; nil: nothing was said.
func (w Withdrawal) Public() *PublicWithdrawal {
	if w == (Withdrawal{}) {
		return nil
	}
	v := PublicWithdrawal{Off: w.Off, DestinationID: w.DestinationID, Currency: string(w.Currency)}
	if !w.Off {
		v.AtLeast = money.New(w.AtLeast, w.Currency).Decimal()
	}
	return &v
}
