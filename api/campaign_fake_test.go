package api_test

import (
	"context"
	"slices"
	"strings"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/rebate"
)

// campaignBook keeps campaigns as the store promises to. Every merchant has 1,000.00 to fund budgets with.
type campaignBook struct {
	rows     map[string]rebate.Campaign
	versions []rebate.Version
	fundings []rebate.Funding
	of       map[string]string // funding → campaign
}

func newCampaignBook() campaignBook {
	return campaignBook{rows: map[string]rebate.Campaign{}, of: map[string]string{}}
}

// count is how many rows it has.
func (b *campaignBook) count() int { return len(b.rows) + len(b.versions) + len(b.fundings) }

func (b *campaignBook) move(s ledger.Step) error {
	switch c := s.Changes[0].(type) {
	case rebate.Create:
		k := c.Campaign
		k.Book, k.Status, k.Sequence, k.CreatedAt, k.UpdatedAt = s.Book, rebate.Draft, 1, time.Now(), time.Now()
		b.rows[k.ID] = k
	case rebate.SaveVersion:
		k := b.rows[c.Version.CampaignID]
		k.Latest++
		b.rows[k.ID] = k
		v := c.Version
		v.By, v.CreatedAt = s.By, time.Now()
		b.versions = append(b.versions, v)
	case rebate.Revise:
		k, _, err := b.rows[c.CampaignID].Revised(c.Revision, time.Now())
		if err != nil {
			return err
		}
		b.rows[c.CampaignID] = k
	case rebate.Fund:
		left := b.left(c.CampaignID)
		if left+c.Amount.Minor < 0 || left+c.Amount.Minor > 100_000 {
			return fault.Conflict("balance_insufficient", "there is less")
		}
		b.fundings = append(b.fundings, rebate.Funding{ID: c.ID, Amount: c.Amount, Reason: c.Reason, By: s.By.ID, CreatedAt: time.Now()})
		b.of[c.ID] = c.CampaignID
	}
	return nil
}

func (b *campaignBook) left(campaignID string) (sum int64) {
	for _, f := range b.fundings {
		if b.of[f.ID] == campaignID {
			sum += f.Amount.Minor
		}
	}
	return sum
}

func (m *memory) Campaign(_ context.Context, book id.Book, merchantID, campaignID string) (rebate.Campaign, error) {
	unlock, err := m.lock("Campaign")
	defer unlock()
	k, ok := m.campaigns.rows[campaignID]
	if err == nil && (!ok || k.Book != book || merchantID != "" && k.MerchantID != merchantID) {
		return rebate.Campaign{}, fault.NotFound("campaign")
	}
	return k, err
}

func (m *memory) Campaigns(_ context.Context, f rebate.Filter) (page []rebate.Campaign, more bool, err error) {
	unlock, err := m.lock("Campaigns")
	defer unlock()
	for _, k := range m.campaigns.rows {
		if k.Book == f.Book && (f.MerchantID == "" || k.MerchantID == f.MerchantID) && (f.Status == "" || k.Status == f.Status) && (f.After == "" || k.ID < f.After) {
			page = append(page, k)
		}
	}
	slices.SortFunc(page, func(a, b rebate.Campaign) int { return strings.Compare(b.ID, a.ID) })
	return page[:min(len(page), f.Limit)], len(page) > f.Limit, err
}

func (m *memory) CampaignVersion(_ context.Context, _ id.Book, campaignID string, version int) (rebate.Version, error) {
	unlock, err := m.lock("CampaignVersion")
	defer unlock()
	for _, v := range m.campaigns.versions {
		if v.CampaignID == campaignID && v.Number == version {
			return v, err
		}
	}
	return rebate.Version{}, fault.NotFound("campaign version")
}

func (m *memory) CampaignVersions(_ context.Context, _ id.Book, campaignID string, before, limit int) (page []rebate.Version, more bool, err error) {
	unlock, err := m.lock("CampaignVersions")
	defer unlock()
	for _, v := range slices.Backward(m.campaigns.versions) {
		if v.CampaignID == campaignID && (before == 0 || v.Number < before) {
			page = append(page, v)
		}
	}
	return page[:min(len(page), limit)], len(page) > limit, err
}

func (m *memory) CampaignSpend(_ context.Context, _ id.Book, campaignID string) (rebate.Spend, error) {
	unlock, err := m.lock("CampaignSpend")
	defer unlock()
	cur := m.campaigns.rows[campaignID].Currency
	left := money.New(m.campaigns.left(campaignID), cur)
	return rebate.Spend{Funded: left, Left: left, Recoverable: money.Zero(cur)}, err
}

func (m *memory) Fundings(_ context.Context, _ id.Book, campaignID, one, before string, limit int) (page []rebate.Funding, more bool, err error) {
	unlock, err := m.lock("Fundings")
	defer unlock()
	for _, f := range slices.Backward(m.campaigns.fundings) {
		if m.campaigns.of[f.ID] == campaignID && (one == "" || f.ID == one) && (before == "" || f.ID < before) {
			page = append(page, f)
		}
	}
	return page[:min(len(page), limit)], len(page) > limit, err
}

func (m *memory) RebateOrder(_ context.Context, book id.Book, merchantID, orderID string, paidAt time.Time) (rebate.Order, error) {
	unlock, err := m.lock("RebateOrder")
	defer unlock()
	o, ok := m.orders[orderID]
	if !ok || o.Book != book || o.MerchantID != merchantID {
		return rebate.Order{}, fault.NotFound("order")
	}
	lines, err2 := rebate.Lines(o)
	if err == nil {
		err = err2
	}
	return rebate.Order{Book: book, ID: o.ID, MerchantID: o.MerchantID, Type: o.Type, Currency: o.Currency, PaidAt: time.Now(), Lines: lines,
		Buyer: rebate.Buyer{UserID: mint(id.User)}}, err
}

func (m *memory) RebateBuyer(context.Context, id.Book, string, rebate.Bought) (rebate.Buyer, error) {
	unlock, _ := m.lock("RebateBuyer")
	defer unlock()
	return rebate.Buyer{}, fault.NotFound("user")
}

func (m *memory) RebateCounters(context.Context, id.Book, []string) (map[string]int64, error) {
	unlock, err := m.lock("RebateCounters")
	defer unlock()
	return nil, err
}

func (m *memory) RebateRules(_ context.Context, book id.Book, merchantID string, currency money.Currency, paidAt time.Time) (list []*rebate.Rules, err error) {
	unlock, err := m.lock("RebateRules")
	defer unlock()
	for _, k := range m.campaigns.rows {
		if k.Book != book || k.MerchantID != merchantID || k.Currency != currency || !k.In(paidAt) {
			continue
		}
		for _, v := range m.campaigns.versions {
			if v.CampaignID == k.ID && v.Number == k.Version {
				r, err := rebate.Compile(k, v)
				if err != nil {
					return nil, err
				}
				list = append(list, r)
			}
		}
	}
	return list, err
}

func (m *memory) MerchantZone(context.Context, id.Book, string) (*time.Location, error) {
	return time.UTC, nil
}
