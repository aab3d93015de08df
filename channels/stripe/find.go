package stripe

import (
	"context"
	"net/url"
	"strconv"
	"time"

	sdk "github.com/stripe/stripe-go/v85"

	"paysaga/domain/fault"
)

const (
	// skew is how far Stripe's clock may be from ours.
	skew = 2 * time.Minute
	// settled is the age from which no request under a key can still be on its way: Guard sends none past half of
	// KeyLife, and no call lasts an hour.
	settled = keyLife/2 + time.Hour
	// pageSize is Stripe's limit; maxPages bounds the work of one call.
	pageSize = 100
	maxPages = 100
)

// find looks for the intent that was made under the key: nil if Stripe has none now. The id is tried first. Without it,
// all intents created since the key was born are compared by metadata; Stripe's search would be faster, but lags by up
// to an hour and so can't show an absence.
func (s session) find(ctx context.Context) (*sdk.PaymentIntent, error) {
	if s.ChannelID != "" {
		pi, err := s.retrieve(ctx, s.ChannelID)
		if err != nil {
			return nil, err
		}
		if pi != nil && s.ours(pi.Metadata) {
			return pi, nil
		}
	}
	from, to := s.Key.BornAt.Add(-skew), s.Now.Add(skew)
	if end := s.Key.BornAt.Add(settled); to.After(end) {
		to = end
	}
	// Most charges follow their intent at once, and a list begins with the newest: look there first.
	near := s.Key.BornAt.Add(skew)
	if near.After(to) {
		near = to
	}
	pages := maxPages
	found, err := s.scan(ctx, from, near, &pages)
	if err == nil && found == nil && near.Before(to) {
		found, err = s.scan(ctx, near.Add(time.Second), to, &pages)
	}
	if err != nil || found == nil {
		return nil, err
	}
	if _, err := intentOutcome(&sdk.PaymentIntent{Status: found.Status, Currency: "usd"}); err != nil {
		return nil, err // a state that we don't know is one wherever it shows
	}
	return s.retrieve(ctx, found.ID)
}

// scan goes through the intents created from one second to another, both included.
func (s session) scan(ctx context.Context, from, to time.Time, pages *int) (*listed, error) {
	return s.search(ctx, "/v1/payment_intents", pages, url.Values{
		"created[gte]": {strconv.FormatInt(from.Unix(), 10)}, "created[lte]": {strconv.FormatInt(to.Unix(), 10)}})
}

// listed is what a search reads of an object.
type listed struct {
	ID       string                  `json:"id"`
	Status   sdk.PaymentIntentStatus `json:"status"`
	Metadata map[string]string       `json:"metadata"`
}

type page struct {
	sdk.APIResource
	Object  string    `json:"object"`
	HasMore bool      `json:"has_more"`
	Data    []*listed `json:"data"`
}

// search finds the object of a list that was made under the key, nil if there is none. The library's own lists won't do:
// they panic on a null among the data, and never end when a server keeps answering has_more without any.
func (s session) search(ctx context.Context, path string, pages *int, filter url.Values) (*listed, error) {
	filter.Set("limit", strconv.Itoa(pageSize))
	for ; *pages > 0; *pages-- {
		var p page
		err := s.raw.Call("GET", path+"?"+filter.Encode(), s.secret, &sdk.Params{Context: ctx}, &p)
		if err != nil {
			return nil, readError(err)
		}
		if p.Object != "list" {
			return nil, unreadable()
		}
		for _, o := range p.Data {
			switch {
			case o == nil || o.ID == "":
				return nil, unreadable()
			case s.ours(o.Metadata):
				return o, nil
			}
			filter.Set("starting_after", o.ID)
		}
		switch {
		case !p.HasMore:
			return nil, nil
		case len(p.Data) == 0:
			return nil, unreadable()
		}
	}
	return nil, fault.Unknown("channel_search_too_long", "there is too much to look through", nil)
}
