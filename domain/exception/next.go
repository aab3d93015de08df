package exception

import "time"

// View is what Next looks at.
type View struct {
	Case Case
	Now  time.Time
	// PaymentEnded: nothing of the payment is under way any more; PaymentPaid:
	// it succeeded.
	PaymentEnded, PaymentPaid bool
	// OrderWants: the order isn't closed, and the case's amount doesn't exceed
	// what is unpaid of it. RestPaid: with the case's amount, the order is paid.
	// OrderPaid: without it.
	OrderWants, RestPaid, OrderPaid bool
	// Short: the payment came in part from a wallet, which has that back: what
	// came late isn't what the payment was for.
	Short bool
}

// Next is what is decided about an open case now, without a person; empty while
// it has to wait, and why says for what. The deadline comes first: what waited
// until then waits no longer.
func Next(v View) (d Decision, why string) {
	c := v.Case
	do := c.Policy.Do
	if !c.Deadline.IsZero() && !v.Now.Before(c.Deadline) && c.Policy.Then != "" {
		do = c.Policy.Then
	}
	if c.State() != Open {
		return "", ""
	}
	if d, why = v.resolve(do); d == "" {
		return "", why
	}
	if c.Check(d) != nil { // what a policy can't do for this case, a person has to
		return "", "a person decides"
	}
	return d, ""
}

// resolve makes of a policy's word what it comes to now.
func (v View) resolve(do Decision) (Decision, string) {
	late := v.Case.Kind == LateSuccess
	switch {
	case do == Fulfil && !v.PaymentEnded:
		return "", "the payment is still under way"
	case do == Fulfil && !v.PaymentPaid && v.OrderWants && !v.Short:
		return Accept, ""
	case do == Fulfil:
		return Return, ""
	case do == Wait && v.RestPaid && !v.OrderPaid:
		return Accept, ""
	case do == Wait && v.OrderPaid: // by others, whole
		return Return, ""
	case do == Wait:
		return "", "the rest of the order isn't paid"
	case do == Accept && !late && v.Case.Kind != RefundReturned && v.OrderPaid: // somebody else paid it meanwhile
		return Return, ""
	case do == Ask || do == "":
		return "", "a person decides"
	}
	return do, ""
}
