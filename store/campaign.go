package store

import (
	"encoding/json"
	"strconv"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/rebate"
)

// lockedCampaign is a campaign under lock, and what was put into its budget.
type lockedCampaign struct {
	rebate.Campaign
	funded int64
}

const campaignColumns = `
	c.book::text, c.id, c.merchant_id, c.name, c.currency, c.status, c.version, c.latest_version, c.starts_at, c.ends_at, c.priority,
	c.exclusive, c.sequence, c.by_kind, c.by_id, c.created_at, c.updated_at, c.funded`

func scanCampaign(row pgx.CollectableRow) (c lockedCampaign, err error) {
	err = row.Scan(&c.Book, &c.ID, &c.MerchantID, &c.Name, &c.Currency, &c.Status, &c.Version, &c.Latest, &c.StartsAt, &c.EndsAt, &c.Priority,
		&c.Exclusive, &c.Sequence, &c.By.Kind, &c.By.ID, &c.CreatedAt, &c.UpdatedAt, &c.funded)
	c.StartsAt, c.EndsAt, c.CreatedAt, c.UpdatedAt = c.StartsAt.UTC(), c.EndsAt.UTC(), c.CreatedAt.UTC(), c.UpdatedAt.UTC()
	return c, err
}

const sqlLockCampaigns = `
	SELECT` + campaignColumns + `
	FROM unnest($2::text[]) AS n(id) CROSS JOIN LATERAL (SELECT * FROM campaigns WHERE book = $1 AND id = n.id FOR UPDATE) c`

func (b *batch) queueCampaigns(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.campaigns })
	if list == nil {
		return
	}
	m.Queue(sqlLockCampaigns, b.book(), list).Query(func(rows pgx.Rows) error {
		campaigns, err := pgx.CollectRows(rows, scanCampaign)
		for _, c := range campaigns {
			b.found.campaigns.find(c.ID, c)
		}
		return err
	})
}

// campaignOf is a campaign under lock that a merchant may move; an empty merchant is an operator (I-25).
func (w *work) campaignOf(merchantID, campaignID string) (*lockedCampaign, error) {
	c := w.b.found.campaigns.get(campaignID)
	if c == nil || merchantID != "" && c.MerchantID != merchantID {
		return nil, fault.NotFound("campaign")
	}
	return c, nil
}

func (w *work) emitCampaign(kind string, c rebate.Campaign, funding *rebate.PublicFunding) {
	v := c.Public()
	v.Funding = funding
	w.out.events = append(w.out.events, event{kind: kind, merchant: c.MerchantID, object: "campaign", id: c.ID, sequence: c.Sequence, data: v})
}

type createCampaign struct{ rebate.Create }

var (
	insertCampaign = inserting("campaigns", `id text, merchant_id text, name text, currency text, status text, starts_at timestamptz,
		ends_at timestamptz, priority int, exclusive boolean, sequence bigint, by_kind text, by_id text, created_at timestamptz,
		updated_at timestamptz`)
	insertTerms = inserting("campaign_terms", `campaign_id text, sequence bigint, at timestamptz, status text, version int,
		starts_at timestamptz, ends_at timestamptz, priority int, exclusive boolean, by_kind text, by_id text, reason text`)
)

func (c createCampaign) claim(l *locks) {
	l.claimKey(c.Idempotency, c.Campaign.ID)
	l.campaigns = append(l.campaigns, c.Campaign.ID)
}

func (c createCampaign) judge(w *work) error {
	k := c.Campaign
	if !id.Is(id.Campaign, k.ID) || k.MerchantID == "" {
		return fault.Internal("a campaign comes under an id of its own, and is a merchant's", nil)
	}
	if w.b.found.campaigns.get(k.ID) != nil {
		return fault.Conflict("campaign_exists", "this campaign stands already")
	}
	if err := k.Check(); err != nil {
		return err
	}
	k.Book, k.Status, k.Version, k.Latest, k.Sequence, k.By = w.step.Book, rebate.Draft, 0, 0, 1, w.step.By
	k.StartsAt, k.EndsAt, k.CreatedAt, k.UpdatedAt = kept(k.StartsAt), kept(k.EndsAt), kept(w.at), kept(w.at)
	w.write(insertCampaign, k.ID, k.ID, k.MerchantID, k.Name, k.Currency, k.Status, k.StartsAt, k.EndsAt, k.Priority, k.Exclusive, k.Sequence,
		k.By.Kind, k.By.ID, k.CreatedAt, k.UpdatedAt)
	w.b.found.campaigns.put(k.ID, lockedCampaign{Campaign: k})
	w.writeTerms(k)
	w.emitCampaign("campaign.created", k, nil)
	return nil
}

// writeTerms keeps since when the campaign's terms are what they are.
func (w *work) writeTerms(c rebate.Campaign) {
	w.write(insertTerms, c.ID+"/"+strconv.FormatInt(c.Sequence, 10), c.ID, c.Sequence, c.UpdatedAt, c.Status, c.Version, c.StartsAt, c.EndsAt, c.Priority, c.Exclusive,
		w.step.By.Kind, w.step.By.ID, w.step.By.Reason)
}

type saveVersion struct{ rebate.SaveVersion }

var (
	insertVersion = inserting("campaign_versions", `campaign_id text, version int, definition jsonb, note text, by_kind text, by_id text,
		created_at timestamptz`)
	updateCampaign = updating("campaigns", `id text, name text, status text, version int, latest_version int, starts_at timestamptz,
		ends_at timestamptz, priority int, exclusive boolean, funded bigint, sequence bigint, updated_at timestamptz`, `id = n.id`, `
			name = n.name, status = n.status, version = n.version, latest_version = n.latest_version, starts_at = n.starts_at,
			ends_at = n.ends_at, priority = n.priority, exclusive = n.exclusive, funded = n.funded, sequence = n.sequence,
			updated_at = n.updated_at`)
)

func (c lockedCampaign) write(w *work) {
	w.write(updateCampaign, c.ID, c.ID, c.Name, c.Status, c.Version, c.Latest, c.StartsAt, c.EndsAt, c.Priority, c.Exclusive, c.funded, c.Sequence, c.UpdatedAt)
}

func (v saveVersion) claim(l *locks) { l.campaigns = append(l.campaigns, v.Version.CampaignID) }

func (v saveVersion) judge(w *work) error {
	c, err := w.campaignOf(v.MerchantID, v.Version.CampaignID)
	if err != nil {
		return err
	}
	if v.Version.Number != c.Latest+1 {
		return fault.Conflict("stale_state", "another version was saved meanwhile")
	}
	text, err := json.Marshal(v.Version.Definition)
	if err != nil {
		return fault.Internal("a definition that is no JSON", err)
	}
	c.Latest, c.Sequence, c.UpdatedAt = v.Version.Number, c.Sequence+1, kept(w.at)
	c.write(w)
	w.write(insertVersion, c.ID+"/"+strconv.Itoa(c.Latest), c.ID, c.Latest, string(text), v.Version.Note, w.step.By.Kind, w.step.By.ID, c.UpdatedAt)
	w.emitCampaign("campaign.version_saved", c.Campaign, nil)
	return nil
}

type reviseCampaign struct{ rebate.Revise }

func (r reviseCampaign) claim(l *locks) { l.campaigns = append(l.campaigns, r.CampaignID) }

func (r reviseCampaign) judge(w *work) error {
	c, err := w.campaignOf(r.MerchantID, r.CampaignID)
	if err != nil {
		return err
	}
	after, kind, err := c.Revised(r.Revision, kept(w.at))
	if err != nil || kind == "" {
		return err
	}
	after.StartsAt, after.EndsAt = kept(after.StartsAt), kept(after.EndsAt)
	c.Campaign = after
	c.write(w)
	w.writeTerms(after)
	w.emitCampaign(kind, after, nil)
	return nil
}

// fundCampaign moves money between its merchant and a campaign's budget, judged by what is there (I-06).
type fundCampaign struct {
	rebate.Fund
	book id.Book
}

var insertFunding = inserting("campaign_fundings", `id text, campaign_id text, amount bigint, by_kind text, by_id text, reason text,
	created_at timestamptz`)

func (f fundCampaign) chart() ledger.Chart {
	return ledger.Chart{Book: f.book, Currency: f.Amount.Currency}
}

func (f fundCampaign) claim(l *locks) {
	l.claimKey(f.Idempotency, f.ID)
	l.campaigns = append(l.campaigns, f.CampaignID)
}

func (f fundCampaign) posts() posts {
	return posts{accounts: []ledger.Account{f.chart().Available(f.MerchantID), f.chart().Budget(f.CampaignID)}}
}

func (f fundCampaign) judge(w *work) error {
	c, err := w.campaignOf(f.MerchantID, f.CampaignID)
	switch {
	case err != nil:
		return err
	case c.Currency != f.Amount.Currency:
		return fault.Invalid("currency_mismatch", "currency", "a budget is in its campaign's currency, "+string(c.Currency))
	case c.Status == rebate.Ended && f.Amount.Sign() > 0:
		return fault.Conflict("campaign_ended", "the campaign has ended")
	case f.Amount.Sign() == 0:
		return fault.Invalid("amount_invalid", "amount", "an amount is above zero")
	}
	from, need := f.chart().Available(f.MerchantID), f.Amount.Minor
	if need < 0 {
		from, need = f.chart().Budget(f.CampaignID), -need
	}
	there, err := w.balance(from)
	if err != nil {
		return err
	}
	if there < need {
		w.short = true
		return fault.Conflict("balance_insufficient", "there is "+money.New(max(0, there), f.Amount.Currency).Text()+" only").
			WithDetail("available", money.New(max(0, there), f.Amount.Currency).Decimal())
	}
	j, err := ledger.BudgetFunded(w.step.Cause, f.chart(), f.MerchantID, f.CampaignID, f.Amount)
	if err != nil {
		return err
	}
	w.late = append(w.late, j)
	c.funded += f.Amount.Minor
	c.Sequence, c.UpdatedAt = c.Sequence+1, kept(w.at)
	c.write(w)
	w.write(insertFunding, f.ID, f.ID, c.ID, f.Amount.Minor, w.step.By.Kind, w.step.By.ID, f.Reason, c.UpdatedAt)
	shown := rebate.Funding{ID: f.ID, Amount: f.Amount, Reason: f.Reason, CreatedAt: c.UpdatedAt}.Public()
	w.emitCampaign(map[bool]string{true: "campaign.funded", false: "campaign.defunded"}[f.Amount.Sign() > 0], c.Campaign, &shown)
	return nil
}
