package rebate

import (
	"time"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/money"
)

// Create is the change by which a campaign comes to be, as a draft.
type Create struct {
	Idempotency access.Idempotency
	Campaign    Campaign
}

// Content implements ledger.Change.
func (c Create) Content() any {
	k := c.Campaign
	return []any{"campaign", k.MerchantID, k.Name, k.Currency, k.StartsAt.Unix(), k.EndsAt.Unix(), k.Priority, k.Exclusive}
}

// SaveVersion keeps rules as a campaign's next version. Nothing goes by it before it is activated. That it compiles is the caller's to
// know. A Number that isn't the next one any more is Conflict "stale_state".
type SaveVersion struct {
	MerchantID string // empty: an operator's
	Version    Version
}

// Content implements ledger.Change.
func (v SaveVersion) Content() any {
	return []any{"campaign_version", v.Version.CampaignID, v.Version.Number, v.Version.Definition, v.Version.Note}
}

// Revision is what somebody wants to be otherwise about a campaign; nil leaves a thing as it is.
type Revision struct {
	Name      *string
	StartsAt  *time.Time
	EndsAt    *time.Time
	Priority  *int
	Exclusive *bool
	Version   *int    // to be active from now on; a draft becomes active with its first
	Status    *Status // Paused, Active (resumed) or Ended
}

// Revise is the change that carries a Revision out, judged under the campaign's lock.
type Revise struct {
	CampaignID string
	MerchantID string // empty: an operator's
	Revision   Revision
}

// Content implements ledger.Change.
func (r Revise) Content() any { return []any{"campaign_revised", r.CampaignID, r.Revision} }

// Revised is the campaign with r, and its event; "" where nothing changes. What was promised by then stays as it was.
func (c Campaign) Revised(r Revision, now time.Time) (Campaign, string, error) {
	if c.Status == Ended {
		return c, "", fault.Conflict("campaign_ended", "the campaign has ended")
	}
	after, kind := c, "campaign.changed"
	if r.Name != nil {
		after.Name = *r.Name
	}
	if r.StartsAt != nil && !r.StartsAt.Equal(c.StartsAt) {
		if !c.StartsAt.After(now) && c.Status != Draft {
			return c, "", fault.Conflict("campaign_started", "the campaign has started: its start can't be moved")
		}
		after.StartsAt = *r.StartsAt
	}
	if r.EndsAt != nil && !r.EndsAt.Equal(c.EndsAt) {
		if !r.EndsAt.After(now) {
			return c, "", fault.Invalid("period_invalid", "ends_at", "the campaign can't have ended before now")
		}
		after.EndsAt = *r.EndsAt
	}
	if r.Priority != nil {
		after.Priority = *r.Priority
	}
	if r.Exclusive != nil {
		after.Exclusive = *r.Exclusive
	}
	if r.Version != nil && *r.Version != c.Version {
		if *r.Version < 1 || *r.Version > c.Latest {
			return c, "", fault.NotFound("campaign version")
		}
		after.Version, kind = *r.Version, "campaign.activated"
		if c.Status == Draft {
			after.Status = Active
		}
	}
	if r.Status != nil && *r.Status != c.Status {
		if c.Status == Draft && *r.Status != Ended {
			return c, "", fault.Conflict("campaign_draft", "the campaign has no active version yet")
		}
		after.Status, kind = *r.Status, map[Status]string{Active: "campaign.resumed", Paused: "campaign.paused", Ended: "campaign.ended"}[*r.Status]
	}
	if after == c {
		return c, "", nil
	}
	after.Sequence, after.UpdatedAt = c.Sequence+1, now
	return after, kind, after.Check()
}

// Fund moves money from the merchant's available balance into the campaign's budget, or back out of it where the amount is negative:
// only what isn't promised. It is judged under the locks: Conflict "balance_insufficient".
type Fund struct {
	Idempotency access.Idempotency
	ID          string // trf_…
	CampaignID  string
	MerchantID  string // the campaign's, whose money it is
	Amount      money.Amount
	Reason      string
}

// Content implements ledger.Change.
func (f Fund) Content() any { return []any{"campaign_funded", f.CampaignID, f.Amount} }

// Funding is money that was put into a budget (or taken out, negative).
type Funding struct {
	ID        string
	Amount    money.Amount
	Reason    string
	By        string
	CreatedAt time.Time
}

// Spend is a campaign's budget as it stands.
type Spend struct {
	Funded      money.Amount // put in, less what was taken out again
	Left        money.Amount // not promised
	Recoverable money.Amount // paid back of debts, once they are
}
