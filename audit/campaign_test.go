package audit_test

import "maps"

// aCampaign is one of the shop's that nobody has paid for, with the terms that say so, and more.
func aCampaign(more string) string {
	return `INSERT INTO campaigns (book, id, merchant_id, name, currency, status, starts_at, ends_at, sequence, by_kind, by_id, created_at, updated_at)
		SELECT book, 'cmp_1', id, 'spring', 'CNY', 'draft', now(), now() + interval '1 day', 1, 'service', 'test', now(), now() FROM merchants LIMIT 1;
	INSERT INTO campaign_terms (book, campaign_id, sequence, at, status, version, starts_at, ends_at, priority, exclusive, by_kind, by_id, reason)
		SELECT book, id, 1, now(), status, version, starts_at, ends_at, priority, exclusive, 'service', 'test', '' FROM campaigns;` + more
}

func init() {
	maps.Copy(plants, map[string]struct{ id, sql string }{
		"a budget's movement without a journal": {"I-05", aCampaign(`INSERT INTO campaign_fundings (book, id, campaign_id, amount, by_kind, by_id, reason, created_at)
			SELECT book, 'trf_1', id, 5, 'service', 'test', '', now() FROM campaigns`)},
		"a campaign funded by nothing":       {"I-16", aCampaign(`UPDATE campaigns SET funded = 5`)},
		"a campaign's terms that nobody set": {"I-16", aCampaign(`UPDATE campaigns SET priority = 3`)},
		"a campaign's version that is lost":  {"I-16", aCampaign(`UPDATE campaigns SET latest_version = 1`)},
	})
}
