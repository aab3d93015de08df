package notice

import (
	"encoding/json"
	"slices"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/money"
)

// Facts are what a template can tell of an event: what the API shows of its object, amounts as decimals. Names and addresses aren't
// among them, so no message holds any (I-26).
type Facts struct {
	Sender   string // the merchant's name
	Order    string // the merchant's reference of the order; empty: about none
	Amount   string // what moved
	Currency string
	Total    string // of an order
	Paid     string
	Refunded string
	VestsOn  string // the date from which a rebate is paid out
	Incoming bool   // a transfer came, instead of going
}

// object is what the objects of all events have in common, as far as people are told of it.
type object struct {
	Amount         string `json:"amount"`
	Currency       string `json:"currency"`
	Reference      string `json:"reference"`
	OrderReference string `json:"order_reference"`
	OrderID        string `json:"order_id"`
	AmountTotal    string `json:"amount_total"`
	AmountPaid     string `json:"amount_paid"`
	AmountRefunded string `json:"amount_refunded"`
	VestsOn        string `json:"vests_on"`
	CustomerID     string `json:"customer_id"`
	UserID         string `json:"user_id"`
	From           string `json:"from"`
	To             string `json:"to"`
	SettlementID   string `json:"settlement_id"`
}

func read(data json.RawMessage) (object, error) {
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		return o, fault.Internal("an event's object can't be read", nil) // the decoder would quote it
	}
	return o, nil
}

// FactsOf reads them out of an event's data, for the person of the row.
func FactsOf(r Row, s Settings) (Facts, error) {
	o, err := read(r.Event)
	if err != nil {
		return Facts{}, err
	}
	f := Facts{Sender: s.Sender, Order: o.OrderReference, Amount: o.Amount, Currency: o.Currency, Total: o.AmountTotal, Paid: o.AmountPaid,
		Refunded: o.AmountRefunded, VestsOn: o.VestsOn, Incoming: o.To == r.UserID && o.To != ""}
	if r.Sum != 0 {
		f.Amount = money.New(r.Sum, money.Currency(o.Currency)).Decimal()
	}
	switch {
	case f.Order == "" && r.ObjectType == "order":
		f.Order = o.Reference
	case f.Order == "":
		f.Order = r.OrderReference
	}
	return f, nil
}

// People are the users whom an event's object names, each once; none: its order may know one, OrderOf.
func People(data json.RawMessage) ([]string, error) {
	o, err := read(data)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, user := range []string{o.CustomerID, o.UserID, o.From, o.To} {
		if user != "" && !slices.Contains(list, user) {
			list = append(list, user)
		}
	}
	return list, nil
}

// DigestWait is how long a message about many events waits for the rest of them.
const DigestWait = 20 * time.Second

// together is how long claw-backs of one order are one piece of news.
const together = 10 * time.Minute

// Digest names the message that tells a person of an event together with others: what an order earns on its lines, what a settlement
// pays, what a return takes back. It is empty for an event that is told alone.
func Digest(kind string, data json.RawMessage, at time.Time) (string, error) {
	o, err := read(data)
	switch kind {
	case "rebate.accrued":
		return kind + "/" + o.OrderID, err
	case "rebate.settled":
		return kind + "/" + o.SettlementID, err
	case "rebate.clawed_back", "rebate.restored":
		return kind + "/" + o.OrderID + "/" + at.UTC().Truncate(together).Format("200601021504"), err
	}
	return "", err
}

// OrderOf is the order that an event's object belongs to, empty if to none.
func OrderOf(objectType, objectID string, data json.RawMessage) (string, error) {
	if objectType == "order" {
		return objectID, nil
	}
	o, err := read(data)
	return o.OrderID, err
}
