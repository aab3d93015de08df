package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/rebate"
)

const sqlCampaigns = `SELECT` + campaignColumns + ` FROM campaigns c WHERE c.book = $1`

// Campaign reads one campaign. Another merchant's is NotFound (I-25); an empty merchantID is an operator's view.
func (s *Store) Campaign(ctx context.Context, book id.Book, merchantID, campaignID string) (rebate.Campaign, error) {
	db, err := s.db(book)
	if err != nil {
		return rebate.Campaign{}, err
	}
	rows, _ := db.pool.Query(ctx, sqlCampaigns+` AND c.id = $2`, book, campaignID)
	c, err := pgx.CollectExactlyOneRow(rows, scanCampaign)
	if err == pgx.ErrNoRows || err == nil && merchantID != "" && c.MerchantID != merchantID {
		return rebate.Campaign{}, fault.NotFound("campaign")
	}
	return c.Campaign, failure(err)
}

// Campaigns lists campaigns, newest first, those before an id if that isn't empty.
func (s *Store) Campaigns(ctx context.Context, f rebate.Filter) (page []rebate.Campaign, more bool, err error) {
	db, err := s.db(f.Book)
	if err != nil {
		return nil, false, err
	}
	limit := min(max(f.Limit, 1), 100)
	rows, _ := db.pool.Query(ctx, sqlCampaigns+` AND ($2 = '' OR c.merchant_id = $2) AND ($3 = '' OR c.status = $3) AND ($4 = '' OR c.id < $4)
		ORDER BY c.id DESC LIMIT $5`, f.Book, f.MerchantID, f.Status, f.After, limit+1)
	list, err := pgx.CollectRows(rows, scanCampaign)
	for _, c := range list[:min(len(list), limit)] {
		page = append(page, c.Campaign)
	}
	return page, len(list) > limit, failure(err)
}

const sqlVersions = `
	SELECT v.campaign_id, v.version, v.definition, v.note, v.by_kind, v.by_id, v.created_at
	FROM campaign_versions v WHERE v.book = $1 AND v.campaign_id = $2`

func scanVersion(row pgx.CollectableRow) (v rebate.Version, err error) {
	var text []byte
	if err = row.Scan(&v.CampaignID, &v.Number, &text, &v.Note, &v.By.Kind, &v.By.ID, &v.CreatedAt); err != nil {
		return v, err
	}
	return v, json.Unmarshal(text, &v.Definition)
}

// CampaignVersion reads one version. Whose campaign it is, is the caller's to know.
func (s *Store) CampaignVersion(ctx context.Context, book id.Book, campaignID string, version int) (rebate.Version, error) {
	db, err := s.db(book)
	if err != nil {
		return rebate.Version{}, err
	}
	rows, _ := db.pool.Query(ctx, sqlVersions+` AND v.version = $3`, book, campaignID, version)
	v, err := pgx.CollectExactlyOneRow(rows, scanVersion)
	if err == pgx.ErrNoRows {
		return v, fault.NotFound("campaign version")
	}
	return v, failure(err)
}

// CampaignVersions lists versions, newest first, those before a version if that isn't 0.
func (s *Store) CampaignVersions(ctx context.Context, book id.Book, campaignID string, before, limit int) (page []rebate.Version, more bool, err error) {
	db, err := s.db(book)
	if err != nil {
		return nil, false, err
	}
	rows, _ := db.pool.Query(ctx, sqlVersions+` AND ($3 = 0 OR v.version < $3) ORDER BY v.version DESC LIMIT $4`, book, campaignID, before, limit+1)
	list, err := pgx.CollectRows(rows, scanVersion)
	if len(list) > limit {
		return list[:limit], true, failure(err)
	}
	return list, false, failure(err)
}

const sqlSpend = `
	SELECT c.currency, c.funded, coalesce((SELECT -a.balance FROM accounts a WHERE a.book = $1 AND a.code = $3 AND a.currency = c.currency), 0),
		coalesce((SELECT -a.balance FROM accounts a WHERE a.book = $1 AND a.code = $4 AND a.currency = c.currency), 0)
	FROM campaigns c WHERE c.book = $1 AND c.id = $2`

// CampaignSpend reads a campaign's budget as it stands, in one look.
func (s *Store) CampaignSpend(ctx context.Context, book id.Book, campaignID string) (rebate.Spend, error) {
	db, err := s.db(book)
	if err != nil {
		return rebate.Spend{}, err
	}
	chart := ledger.Chart{Book: book}
	var cur money.Currency
	var funded, left, recoverable int64
	err = db.pool.QueryRow(ctx, sqlSpend, book, campaignID, chart.Budget(campaignID).Code, chart.Recoverable(campaignID).Code).
		Scan(&cur, &funded, &left, &recoverable)
	if err == pgx.ErrNoRows {
		return rebate.Spend{}, fault.NotFound("campaign")
	}
	return rebate.Spend{Funded: money.New(funded, cur), Left: money.New(left, cur), Recoverable: money.New(recoverable, cur)}, failure(err)
}

const sqlFundings = `
	SELECT f.id, f.amount, c.currency, f.reason, f.by_id, f.created_at
	FROM campaign_fundings f JOIN campaigns c ON c.book = f.book AND c.id = f.campaign_id
	WHERE f.book = $1 AND f.campaign_id = $2 AND ($3 = '' OR f.id = $3) AND ($4 = '' OR f.id < $4) ORDER BY f.id DESC LIMIT $5`

// Fundings lists what was put into a campaign's budget and taken out, newest first; one, if an id is given.
func (s *Store) Fundings(ctx context.Context, book id.Book, campaignID, one, before string, limit int) (page []rebate.Funding, more bool, err error) {
	db, err := s.db(book)
	if err != nil {
		return nil, false, err
	}
	rows, _ := db.pool.Query(ctx, sqlFundings, book, campaignID, one, before, limit+1)
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f rebate.Funding, err error) {
		err = row.Scan(&f.ID, &f.Amount.Minor, &f.Amount.Currency, &f.Reason, &f.By, &f.CreatedAt)
		return f, err
	})
	if len(list) > limit {
		return list[:limit], true, failure(err)
	}
	return list, false, failure(err)
}

// termsHistory is all terms that a merchant's campaigns in a currency ever had, and the versions by then, as read at an instant: what
// came later can't change what held before.
type termsHistory struct {
	readAt    time.Time
	campaigns []pastCampaign
}

type pastCampaign struct {
	rebate.Campaign
	terms []termsSince // oldest first
}

type termsSince struct {
	at time.Time
	rebate.Terms
}

type historyKey struct {
	book     id.Book
	merchant string
	currency money.Currency
}

// termsCertain is how long after an instant its terms are certain: a Step that changed them may have been under way.
const termsCertain = 2 * time.Second

const sqlTerms = `
	SELECT` + campaignColumns + `, t.at, t.status, t.version, t.starts_at, t.ends_at, t.priority, t.exclusive
	FROM campaigns c CROSS JOIN LATERAL (SELECT * FROM campaign_terms WHERE book = $1 AND campaign_id = c.id OFFSET 0) t
	WHERE c.book = $1 AND c.merchant_id = $2 AND c.currency = $3 ORDER BY c.id, t.sequence`

func (s *Store) campaignHistory(ctx context.Context, key historyKey) (h termsHistory, err error) {
	db, err := s.db(key.book)
	if err != nil {
		return h, err
	}
	h.readAt = s.clock()
	rows, err := db.pool.Query(ctx, sqlTerms, key.book, key.merchant, key.currency)
	if err != nil {
		return h, failure(err)
	}
	defer rows.Close()
	for rows.Next() {
		var c rebate.Campaign
		var t termsSince
		var funded int64
		if err := rows.Scan(&c.Book, &c.ID, &c.MerchantID, &c.Name, &c.Currency, &c.Status, &c.Version, &c.Latest, &c.StartsAt, &c.EndsAt, &c.Priority,
			&c.Exclusive, &c.Sequence, &c.By.Kind, &c.By.ID, &c.CreatedAt, &c.UpdatedAt, &funded, &t.at, &t.Status, &t.Version, &t.StartsAt, &t.EndsAt,
			&t.Priority, &t.Exclusive); err != nil {
			return h, failure(err)
		}
		if n := len(h.campaigns); n == 0 || h.campaigns[n-1].ID != c.ID {
			h.campaigns = append(h.campaigns, pastCampaign{Campaign: c})
		}
		last := &h.campaigns[len(h.campaigns)-1]
		last.terms = append(last.terms, t)
	}
	return h, failure(rows.Err())
}

// RebateRules are the compiled versions that an order of a merchant, paid at an instant, goes by: what was active then, whatever has
// changed since. What it once knew it doesn't ask for again.
func (s *Store) RebateRules(ctx context.Context, book id.Book, merchantID string, currency money.Currency, paidAt time.Time) ([]*rebate.Rules, error) {
	key := historyKey{book, merchantID, currency}
	read := func() (termsHistory, error) { return s.campaignHistory(ctx, key) }
	h, err := s.cache.campaigns.get(key, read)
	if err == nil && !paidAt.Before(h.readAt.Add(-termsCertain)) {
		s.cache.campaigns.drop(key)
		h, err = s.cache.campaigns.get(key, read)
	}
	if err != nil {
		return nil, err
	}
	var list []*rebate.Rules
	for _, p := range h.campaigns {
		c := p.Campaign
		c.Terms = rebate.Terms{}
		for _, t := range p.terms {
			if t.at.After(paidAt) {
				break
			}
			c.Terms = t.Terms
		}
		if !c.In(paidAt) {
			continue
		}
		r, err := s.RebateVersion(ctx, c, c.Version)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

type versionKey struct {
	book     id.Book
	campaign string
	version  int
}

// RebateVersion is a version of a campaign, compiled, under the terms that come with c.
func (s *Store) RebateVersion(ctx context.Context, c rebate.Campaign, version int) (*rebate.Rules, error) {
	r, err := s.cache.versions.get(versionKey{c.Book, c.ID, version}, func() (*rebate.Rules, error) {
		v, err := s.CampaignVersion(ctx, c.Book, c.ID, version)
		if err != nil {
			return nil, err
		}
		return rebate.Compile(c, v)
	})
	if err != nil {
		return nil, err
	}
	return r.Of(c), nil
}
