package notice

import (
	"slices"
	"strings"
)

// Subject is what people choose by: a kind of events that they understand.
type Subject string

// The subjects.
const (
	Orders   Subject = "orders"
	Payments Subject = "payments"
	Refunds  Subject = "refunds"
	Rebates  Subject = "rebates"
	Wallet   Subject = "wallet"
)

// Subjects returns every subject once.
func Subjects() []Subject { return []Subject{Orders, Payments, Refunds, Rebates, Wallet} }

// topic is what is told of one type of events.
type topic struct {
	subject Subject
	media   []Medium // by default
}

// topics are the types of events that people are told of. What isn't here is for merchants alone; payment.succeeded is told by the
// order's own event, which comes with it. Each has a template of its name in every language; a test holds them together.
var topics = map[string]topic{
	"order.partially_paid":     {Orders, []Medium{Push}},
	"order.paid":               {Orders, []Medium{Mail, Push}},
	"order.partially_refunded": {Orders, nil}, // told by the refund's event
	"order.refunded":           {Orders, nil},
	"order.closed":             {Orders, []Medium{Mail, Push}},
	"payment.succeeded":        {Payments, nil},
	"payment.failed":           {Payments, []Medium{Push}},
	"payment.expired":          {Payments, []Medium{Push}},
	"refund.succeeded":         {Refunds, []Medium{Mail, SMS, Push}},
	"refund.failed":            {Refunds, []Medium{Mail}},
	"rebate.accrued":           {Rebates, []Medium{Push}},
	"rebate.settled":           {Rebates, []Medium{Mail, Push}},
	"rebate.clawed_back":       {Rebates, []Medium{Mail}},
	"rebate.restored":          {Rebates, []Medium{Mail}},
	"topup.succeeded":          {Wallet, []Medium{Push}},
	"transfer.succeeded":       {Wallet, []Medium{Push}},
	"payout.succeeded":         {Wallet, []Medium{Mail, SMS, Push}},
	"payout.failed":            {Wallet, []Medium{Mail, SMS, Push}},
	"payout.returned":          {Wallet, []Medium{Mail, SMS, Push}},
}

// Types returns the types of events that people are told of, sorted.
func Types() []string {
	list := make([]string, 0, len(topics))
	for kind := range topics {
		list = append(list, kind)
	}
	slices.Sort(list)
	return list
}

// Concerns reports whether people are told of events of a type.
func Concerns(kind string) bool { return topics[kind].subject != "" }

// SubjectOf is the subject of a type of events, empty for one that nobody is told of.
func SubjectOf(kind string) Subject { return topics[kind].subject }

// Object is what a type of events is about: "order" of "order.paid".
func Object(kind string) string {
	object, _, _ := strings.Cut(kind, ".")
	return object
}

// DefaultMedia are the media by which a type of events is told to who has said nothing.
func DefaultMedia(kind string) []Medium { return slices.Clone(topics[kind].media) }
