package refund

import (
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// Opening is all that Open looks at: read under lock, in the Step that receives
// the refund.
type Opening struct {
	Refund  Refund // as it was asked for
	Payment Payment
	Terms   payment.Terms
	// Available is what the merchant has, in minor units; DebtRoom what it may
	// still owe.
	Available, DebtRoom int64
	// Wallet is what the user has whose top-up goes back.
	Wallet int64
}

// Opened is a refund that was received: its posting, and what it makes of the
// payment.
type Opened struct {
	Refund  Refund
	Payment Payment
	Journal ledger.Journal
	Fee     *ledger.Journal // of our fee, where the money isn't ours; nil: it is part of Journal, or none goes back
}

// Open arbitrates a refund (I-12): it is refused at once, or its money is set
// aside. It refuses, as fault.Conflict, "payment_not_refundable",
// "refund_exceeds_payment" with what is left, and "insufficient_balance", of a
// top-up with what is there; as fault.Invalid, another currency and an amount
// of nothing.
func Open(o Opening) (Opened, error) {
	p := o.Payment
	if err := Admit(p, o.Refund.Amount); err != nil {
		return Opened{}, err
	}
	r, err := o.split()
	if err != nil {
		return Opened{}, err
	}
	taken, err := o.take()
	if err != nil {
		return Opened{}, err
	}
	r.Source, r.Taken = FromMerchant, taken
	r = r.begun(p)
	j, err := opened(r)
	if err != nil {
		return Opened{}, err
	}
	fee, err := r.feeReturned()
	if err != nil {
		return Opened{}, err
	}
	p.Refunding.Minor += r.Amount.Minor
	p.Parts = bear(p.Parts, r, 1, 0)
	p.FeeReturned.Minor += taken.Fee.Minor
	p.Pending.Minor -= taken.Pending.Minor
	p.Sequence++
	p.UpdatedAt = r.UpdatedAt
	return Opened{Refund: r, Payment: p, Journal: j, Fee: fee}, nil
}

// Admit says whether a payment has an amount left to be given back, without
// asking where it comes from; see Open. What is read without a lock may have
// moved since.
func Admit(p Payment, amount money.Amount) error {
	switch left := p.Left(); {
	case p.Status != payment.Paid:
		return fault.Conflict("payment_not_refundable", "the payment is "+string(p.Status)+": only what was captured can be given back").
			WithDetail("payment_status", string(p.Status)).WithDetail("amount_refundable", left.Decimal())
	case amount.Currency != p.Amount.Currency:
		return fault.Invalid("currency_mismatch", "currency", "the payment is in "+string(p.Amount.Currency))
	case amount.Minor <= 0 && left.Minor > 0, amount.Minor < 0:
		return fault.Invalid("amount_invalid", "amount", "a refund is of more than nothing")
	case amount.Minor > left.Minor, left.Minor <= 0:
		return fault.Conflict("refund_exceeds_payment", "of this payment "+left.Text()+" can still be refunded").WithParam("amount").
			WithDetail("amount_refundable", left.Decimal())
	}
	return nil
}

// Return receives a refund of what stands on suspense for a case: nothing is
// set aside, and the payment's sums stay.
func Return(r Refund, p Payment) (Refund, error) {
	switch {
	case reasonOf(r.CaseID) == "":
		return r, fault.Internal("money is returned from suspense for a case", nil)
	case r.Amount.Minor <= 0 || r.ChannelAccount == "" || r.Charge == 0:
		return r, fault.Internal("a case says what is returned, and of which charge", nil)
	}
	zero := money.Zero(r.Amount.Currency)
	r.Wallet = zero
	r.Source, r.Taken = FromSuspense, nothing(zero)
	return r.begun(p), nil
}

func (r Refund) begun(p Payment) Refund {
	r.Status, r.Sequence, r.UpdatedAt = Processing, 1, r.CreatedAt
	r.MerchantID, r.PaymentID, r.OrderID, r.Book, r.User = p.MerchantID, p.ID, p.OrderID, p.Book, p.CustomerID
	if r.Part == 0 {
		r.Part = 1
	}
	return r
}

// nothing is taken of any account.
func nothing(zero money.Amount) Taken {
	return Taken{Fee: zero, Pending: zero, Available: zero, Debt: zero, Wallet: zero}
}

// take finds the money: our fee's share, what of the payment hasn't matured,
// what the merchant has, and what it may owe. A top-up's is the user's.
func (o Opening) take() (Taken, error) {
	amount := o.Refund.Amount
	t := nothing(money.Zero(amount.Currency))
	if o.Payment.TopUp() {
		if o.Wallet < amount.Minor {
			return t, fault.Conflict("insufficient_balance", "the wallet doesn't hold so much any more").WithParam("amount").
				WithDetail("available", money.New(o.Wallet, amount.Currency).Decimal()).WithDetail("amount_refundable", o.Payment.Left().Decimal())
		}
		t.Wallet = amount
		return t, nil
	}
	var err error
	if t.Fee, err = o.feeShare(); err != nil {
		return t, err
	}
	rest := amount.Minor - t.Fee.Minor
	if o.Refund.OwnFunds { // it comes out of what the merchant has at the channel, which alone knows how much that is
		t.Available.Minor = rest
		return t, nil
	}
	for _, from := range []struct {
		to   *money.Amount
		room int64
	}{{&t.Pending, o.Payment.Pending.Minor}, {&t.Available, o.Available}, {&t.Debt, o.DebtRoom}} {
		from.to.Minor = min(rest, max(0, from.room))
		rest -= from.to.Minor
	}
	if rest > 0 {
		return t, fault.Conflict("insufficient_balance", "the merchant's balance and its debt limit don't cover the refund").
			WithDetail("amount_refundable", o.Payment.Left().Decimal())
	}
	return t, nil
}

// feeShare is what of our fee goes back with this refund, where the merchant's
// terms say so. It is the difference of two rounded sums, so that the shares
// of a payment that is refunded whole, in however many parts, are its fee
// (I-08).
func (o Opening) feeShare() (money.Amount, error) {
	p, share := o.Payment, money.Zero(o.Refund.Amount.Currency)
	if o.Terms.FeeOnRefund == "keep" || p.Captured.Minor == 0 {
		return share, nil
	}
	back, err := money.Share(p.Fee, p.Refunded.Minor+p.Refunding.Minor+o.Refund.Amount.Minor, p.Captured.Minor, money.HalfUp)
	if err != nil {
		return share, err
	}
	share.Minor = min(max(0, back.Minor-p.FeeReturned.Minor), o.Refund.Amount.Minor)
	return share, nil
}

func opened(r Refund) (ledger.Journal, error) {
	return ledger.RefundOpened(id.Key(r.ID, id.Step{Code: id.Receive, Ordinal: 1}), r.ledger())
}

// ledger is the refund as its postings need it.
func (r Refund) ledger() ledger.Refund {
	return ledger.Refund{Chart: r.Chart(), ChannelAccount: r.ChannelAccount, Merchant: r.MerchantID, Gross: r.Amount, Wallet: r.Wallet, User: r.User, Fee: r.Taken.Fee,
		Pending: r.Taken.Pending, Available: r.Taken.Available, Debt: r.Taken.Debt, FromWallet: r.Taken.Wallet, Reason: r.SuspenseReason()}
}

// Chart makes the accounts of the refund's book and currency.
func (r Refund) Chart() ledger.Chart {
	c := ledger.Chart{Book: r.Book, Currency: r.Amount.Currency, AtBank: r.Channel == payment.BankRail}
	if r.OwnFunds {
		c.Own = ledger.Own{ChannelAccount: r.ChannelAccount, Merchant: r.MerchantID}
	}
	return c
}

// FeeCauses are those of the journals of our fee, where the money isn't ours: returned when the refund is opened, and
// charged again when it fails.
func FeeCauses(refundID string) (returned, again string) {
	return id.Key(refundID, id.Step{Code: id.Fee, Ordinal: 1}), id.Key(refundID, id.Step{Code: id.Fee, Ordinal: 2})
}

func (r Refund) feeReturned() (*ledger.Journal, error) {
	if !r.OwnFunds || r.Source != FromMerchant || r.Taken.Fee.IsZero() {
		return nil, nil
	}
	cause, _ := FeeCauses(r.ID)
	j, err := ledger.FeeReturned(cause, r.Chart(), r.MerchantID, r.Taken.Fee)
	return &j, err
}
