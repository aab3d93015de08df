package stripe

import (
	"context"
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
	id, err := s.scan(ctx, from, near, &pages)
	if err == nil && id == "" && near.Before(to) {
		id, err = s.scan(ctx, near.Add(time.Second), to, &pages)
	}
	if err != nil || id == "" {
		return nil, err
	}
	return s.retrieve(ctx, id)
}

// scan goes through the intents created from one second to another, both included. Pages are turned by hand: the
// library's iterator never ends when a server keeps answering has_more without data.
func (s session) scan(ctx context.Context, from, to time.Time, pages *int) (string, error) {
	after := ""
	for ; *pages > 0; *pages-- {
		p := &sdk.PaymentIntentListParams{CreatedRange: &sdk.RangeQueryParams{
			GreaterThanOrEqual: from.Unix(), LesserThanOrEqual: to.Unix()}}
		p.Limit, p.Single = sdk.Int64(pageSize), true
		if after != "" {
			p.StartingAfter = sdk.String(after)
		}
		list := s.api.V1PaymentIntents.List(ctx, p)
		if err := list.Err(); err != nil {
			return "", readError(err)
		}
		for _, pi := range list.Data() {
			if readable(pi) != nil {
				return "", unreadable()
			}
			if s.ours(pi.Metadata) {
				return pi.ID, nil
			}
			after = pi.ID
		}
		if !list.Meta().HasMore {
			return "", nil
		}
		if len(list.Data()) == 0 {
			return "", unreadable()
		}
	}
	return "", fault.Unknown("channel_search_too_long", "there are too many payment intents to look through", nil)
}
