package trade

import "slices"

// Status says how far an order is paid. It is a function of the sums, save for closed, which somebody decides.
type Status string

const (
	Open              Status = "open"               // nothing was paid
	PartiallyPaid     Status = "partially_paid"     // something was paid, less than the total
	Paid              Status = "paid"               // at least the total was paid, nothing of it went back
	PartiallyRefunded Status = "partially_refunded" // a part went back
	Refunded          Status = "refunded"           // everything that was paid went back
	Closed            Status = "closed"             // takes no payment any more; the sums say what was paid
)

// Statuses returns every status once.
func Statuses() []Status {
	return []Status{Open, PartiallyPaid, Paid, PartiallyRefunded, Refunded, Closed}
}

// StatusOf returns the status that the sums of an order that isn't closed amount to (I-16). What was paid beyond the
// total is not the order's: giving back such an excess, as after a duplicate payment, leaves the order paid.
func StatusOf(s Sums) Status {
	excess := max(0, s.Paid.Minor-s.Total.Minor)
	switch {
	case s.Paid.Minor == 0:
		return Open
	case s.Refunded.Minor >= s.Paid.Minor:
		return Refunded
	case s.Refunded.Minor > excess:
		return PartiallyRefunded
	case s.Paid.Minor >= s.Total.Minor:
		return Paid
	}
	return PartiallyPaid
}

// Edges returns where an order may go from a status by one change (I-15); staying is always allowed. The ways back exist
// because the world has them: a refund that fails after it succeeded, and a duplicate payment after a refund.
func Edges(from Status) []Status {
	switch from {
	case Open:
		return []Status{PartiallyPaid, Paid, Closed}
	case PartiallyPaid:
		return []Status{Paid, PartiallyRefunded, Refunded, Closed}
	case Paid:
		return []Status{PartiallyRefunded, Refunded}
	case PartiallyRefunded:
		return []Status{Refunded, Paid, PartiallyPaid}
	case Refunded:
		return []Status{PartiallyRefunded, Paid, PartiallyPaid}
	}
	return nil // closed is the end
}

// CanMove reports whether the edge table has from → to, or both are the same known status.
func CanMove(from, to Status) bool {
	if from == to {
		return slices.Contains(Statuses(), from)
	}
	return slices.Contains(Edges(from), to)
}
