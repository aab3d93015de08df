package paypal

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
)

const (
	// lookup is how long after its birth a key is looked up by creating its order once more: well within what PayPal
	// surely remembers.
	lookup = 5 * time.Hour
	// approval is how long an order can be paid after it was made: 3 hours to send the customer there, 3 more to approve
	// and capture.
	approval = 6 * time.Hour
	// lag is how late PayPal's list of transactions may be.
	lag = 3 * time.Hour
	// kept is how long an order that is gone counts as one that lapsed; after that it may have been put away.
	kept = 25 * 24 * time.Hour
)

// found is what a key stands for at PayPal.
type found struct {
	order *order // nil: there is none
	never bool   // and none can come to money any more
}

// find reads the order of the call's key: by its id; else, while PayPal knows the key, by the key; else among the
// account's transactions, which show only what moved money.
func (s session) find(ctx context.Context, r channels.ChargeRequest) (found, error) {
	age := s.Now.Sub(s.Key.BornAt)
	id := s.ChannelID
	if id == "" && age <= lookup {
		o, fresh, err := s.create(ctx, r)
		if err != nil {
			return found{}, asked(err)
		}
		if fresh { // nobody had asked for it before: it is empty, if it is what PayPal shows
			_, err := s.get(ctx, o.ID)
			return found{}, err
		}
		id = o.ID
	}
	if id == "" {
		return s.search(ctx, age)
	}
	o, err := s.get(ctx, id)
	switch {
	case err != nil:
		return found{}, err
	case o != nil && o.Units[0].CustomID != s.Key.Reference:
		return found{}, fault.Unknown("channel_answer_mismatch", "paypal's answer speaks of something else", nil)
	case o == nil && (age <= approval || age > kept):
		return found{}, fault.Unknown("channel_order_missing", "paypal shows no order under its own id", nil)
	}
	return found{order: o, never: o == nil}, nil
}

// search looks for what the key moved between its birth and the end of what it could move. PayPal's list is late by some
// hours, so finding nothing proves something only after those.
func (s session) search(ctx context.Context, age time.Duration) (found, error) {
	q := url.Values{"start_date": {s.Key.BornAt.Add(-5 * time.Minute).UTC().Format(time.RFC3339)},
		"end_date": {s.Key.BornAt.Add(approval + keyLife).UTC().Format(time.RFC3339)},
		"fields":   {"transaction_info"}, "page_size": {"500"}}
	for page := 1; page <= 20; page++ {
		q.Set("page", itoa(page))
		list, pages, err := s.transactions(ctx, q)
		if err != nil {
			return found{}, err
		}
		for _, t := range list {
			if t.Info.CustomField == s.Key.Reference || t.Info.InvoiceID == s.Key.Reference {
				return s.orderOf(ctx, t.Info.ID)
			}
		}
		if page >= pages {
			return found{never: age > approval+lag}, nil
		}
	}
	return found{}, fault.Unknown("channel_search_too_long", "paypal's list of transactions is too long to be searched", nil)
}

type transaction struct {
	Info struct {
		ID          string `json:"transaction_id"`
		CustomField string `json:"custom_field"`
		InvoiceID   string `json:"invoice_id"`
	} `json:"transaction_info"`
}

func (s session) transactions(ctx context.Context, q url.Values) (list []transaction, pages int, err error) {
	res, err := s.send(ctx, request{method: http.MethodGet, path: "/v1/reporting/transactions?" + q.Encode()})
	if err != nil {
		return nil, 0, err
	}
	if res.Status != http.StatusOK {
		return nil, 0, asked(refusalOf(res).err())
	}
	var a struct {
		List  *[]transaction `json:"transaction_details"`
		Pages int            `json:"total_pages"`
	}
	if err := res.Decode(&a); err != nil {
		return nil, 0, err
	}
	if a.List == nil {
		return nil, 0, unreadable("something that isn't a list of transactions")
	}
	return *a.List, a.Pages, nil
}

// orderOf follows a capture or an authorization to its order.
func (s session) orderOf(ctx context.Context, id string) (found, error) {
	if !idText(id) {
		return found{}, unreadable("a transaction without an id")
	}
	for _, kind := range []string{"captures", "authorizations"} {
		res, err := s.send(ctx, request{method: http.MethodGet, path: "/v2/payments/" + kind + "/" + id})
		if err != nil {
			return found{}, err
		}
		if res.Status == http.StatusNotFound && refusalOf(res).readable() {
			continue
		}
		var m moved
		if res.Status != http.StatusOK {
			return found{}, asked(refusalOf(res).err())
		}
		if err := res.Decode(&m); err != nil {
			return found{}, err
		}
		if m.ID != id || !idText(m.Supplementary.Related.OrderID) {
			return found{}, unreadable("a payment without its order")
		}
		o, err := s.get(ctx, m.Supplementary.Related.OrderID)
		if err == nil && (o == nil || o.Units[0].CustomID != s.Key.Reference) {
			err = fault.Unknown("channel_order_missing", "paypal doesn't show the order of a payment", nil)
		}
		return found{order: o}, err
	}
	return found{}, fault.Unknown("channel_answer_mismatch", "paypal lists a payment that it doesn't show", nil)
}
