package workers

import (
	"context"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/notice"
)

// Notices holds what people are to be told.
type Notices interface {
	// PlanNotices makes messages of events that were picked out of the outbox; found counts the events.
	PlanNotices(ctx context.Context, limit int) (found int, err error)
	// ClaimNotices takes messages of a medium whose time has come, on a lease.
	ClaimNotices(ctx context.Context, m notice.Medium, limit int, lease time.Duration) ([]notice.Due, error)
	// PutNotice writes what a try came to, unless its lease has ended and somebody else has the message.
	PutNotice(ctx context.Context, r notice.Row, v notice.Verdict) error
}

// Carriers bring messages.
type Carriers interface {
	// Media are those that there is a carrier for.
	Media() []notice.Medium
	// Send makes one try.
	Send(ctx context.Context, d notice.Due) notice.Outcome
}

// noticeLease is how long a message is a relay's own: longer than a batch of slow tries takes.
const noticeLease = 3 * time.Minute

// noticeRelays are one that plans, and one for each medium, so that a slow carrier delays nobody but its own. They book nothing and hold
// nothing that books: whatever a carrier does, money isn't touched.
func (r *Relays) noticeRelays() []*relay {
	if r.c.Notices == nil || r.c.Carriers == nil {
		return nil
	}
	list := []*relay{newRelay("notices", r.c.Every, r.planNotices)}
	for _, m := range r.c.Carriers.Media() {
		list = append(list, newRelay("notices by "+string(m), r.c.Every, func(ctx context.Context) (bool, error) { return r.sendNotices(ctx, m) }))
	}
	return list
}

func (r *Relays) planNotices(ctx context.Context) (bool, error) {
	found, err := r.c.Notices.PlanNotices(ctx, batch)
	return found == batch, err
}

func (r *Relays) sendNotices(ctx context.Context, m notice.Medium) (bool, error) {
	list, err := r.c.Notices.ClaimNotices(ctx, m, batch, noticeLease)
	return len(list) >= batch, each(ctx, list, err, r.sendNotice)
}

// sendNotice asks once more whether the person wants the message, makes a try, and writes down what it came to.
func (r *Relays) sendNotice(ctx context.Context, d notice.Due) error {
	now := r.c.Now()
	switch ruling := notice.Rule(d.Person, d.Settings, d.Row.Type, d.Row.Medium, now, zone(d)); {
	case ruling.Reason != "":
		return r.c.Notices.PutNotice(ctx, d.Row, notice.Verdict{State: notice.Skipped, Reason: ruling.Reason})
	case !ruling.Send:
		return r.c.Notices.PutNotice(ctx, d.Row, notice.Verdict{State: notice.Pending, Reason: d.Row.Reason, NextAt: ruling.Until})
	}
	o := r.c.Carriers.Send(ctx, d)
	if ctx.Err() != nil && !o.Sent {
		return fault.Unavailable("stopped", "the try was broken off by our own stop; it is made again when its lease ends", nil)
	}
	v := notice.Judge(d.Row.Ref, d.Row.Tries, o, r.c.Now())
	if v.State == notice.Failed {
		r.c.Log.Warn("a message to a person failed", "event", d.Row.EventID, "medium", string(d.Row.Medium), "reason", v.Reason, "tries", d.Row.Tries+1)
	}
	return r.c.Notices.PutNotice(context.WithoutCancel(ctx), d.Row, v)
}

// zone is the clock that quiet hours go by; one that nobody knows any more is UTC.
func zone(d notice.Due) *time.Location {
	in, err := time.LoadLocation(notice.Zone(d.Person, d.Settings))
	if err != nil {
		return time.UTC
	}
	return in
}
