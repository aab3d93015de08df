package store

import (
	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// receiveHeld receives a payment that comes, whole or in part, from its customer's wallet: that part is set aside in the same Step, or the
// payment isn't received.
type receiveHeld struct{ *receive }

// newReceiveHeld names what it will post before anything is locked, so the customer has to be known by id.
func newReceiveHeld(r *receive) (move, error) {
	switch {
	case r.Customer == nil || !r.Customer.Existing:
		return nil, fault.Invalid("field_required", "customer.id", "a wallet is named by its holder: give the customer's id")
	case r.Payment.Amount.Currency == "":
		return nil, fault.Internal("a payment from a wallet names its currency", nil)
	}
	return receiveHeld{r}, nil
}

func (r receiveHeld) claim(l *locks) {
	r.receive.claim(l)
	l.holders = append(l.holders, r.Customer.ID)
}

func (r receiveHeld) chart() ledger.Chart {
	return ledger.Chart{Book: r.Payment.Book, Currency: r.Payment.Amount.Currency}
}

func (r receiveHeld) posts() posts {
	c, user := r.chart(), r.Customer.ID
	return posts{accounts: []ledger.Account{c.Wallet(user), c.Held(user)}, causes: []string{payment.HoldCause(r.Payment.ID)}}
}

func (r receiveHeld) judge(w *work) error {
	switch err := w.holds(r.Payment.MerchantID, r.Customer.ID); {
	case fault.Of(err) == fault.KindNotFound:
		return fault.Invalid("customer_unknown", "customer.id", "no such customer")
	case err != nil:
		return fault.Under("customer.id", err)
	}
	p, err := r.receive.received(w)
	if err != nil {
		return err
	}
	has, err := w.balance(r.chart().Wallet(r.Customer.ID))
	if err != nil {
		return err
	}
	if has < p.FromWallet().Minor {
		w.short = true
		return fault.Conflict("insufficient_balance", "the wallet doesn't hold so much").WithParam("parts").
			WithDetail("available", money.New(has, p.Amount.Currency).Decimal())
	}
	j, err := p.SetAside()
	w.late = append(w.late, j)
	return err
}
