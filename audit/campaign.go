package audit

var campaignChecks = []invariant{
	{"I-05", "each movement of a budget has its journal, over the same amount, and each such journal its movement", sqlFundings, false},
	{"I-16", "what a campaign was funded with is the sum of the movements of its budget", sqlFunded, false},
	{"I-16", "a campaign's terms are the newest that were kept", sqlTerms, false},
	{"I-16", "a campaign's versions are numbered without a gap", sqlVersions, false},
}

const sqlFundings = `
	SELECT format('%s: %s, journal %s', coalesce(f.id, split_part(j.cause, ':', 1)), f.amount, j.amount)
	FROM (SELECT j.book, j.cause, -e.amount AS amount FROM journals j
		CROSS JOIN LATERAL (SELECT e.amount FROM entries e JOIN accounts a ON a.no = e.account AND a.code LIKE 'campaign/%/budget'
			WHERE e.journal = j.no) e
		WHERE j.kind = 'budget_funded') j
	FULL JOIN campaign_fundings f ON f.book = j.book AND f.id || ':tf1' = j.cause
	WHERE f.amount IS DISTINCT FROM j.amount AND NOT (j.cause IS NULL AND EXISTS (
		SELECT FROM causes c WHERE c.book = f.book AND c.cause = f.id || ':tf1' AND detached(c.journal)))`

const sqlFunded = `
	SELECT format('%s: funded %s, movements %s', c.id, c.funded, coalesce(f.sum, 0))
	FROM campaigns c LEFT JOIN (SELECT book, campaign_id, sum(amount) AS sum FROM campaign_fundings GROUP BY book, campaign_id) f
		ON f.book = c.book AND f.campaign_id = c.id
	WHERE c.funded <> coalesce(f.sum, 0)`

const sqlTerms = `
	SELECT format('%s is %s by version %s, its terms say %s by version %s', c.id, c.status, c.version, t.status, t.version)
	FROM campaigns c LEFT JOIN LATERAL (
		SELECT * FROM campaign_terms t WHERE t.book = c.book AND t.campaign_id = c.id ORDER BY t.sequence DESC LIMIT 1) t ON true
	WHERE (c.status, c.version, c.starts_at, c.ends_at, c.priority, c.exclusive)
		IS DISTINCT FROM (t.status, t.version, t.starts_at, t.ends_at, t.priority, t.exclusive)`

const sqlVersions = `
	SELECT format('%s: latest is %s of %s', c.id, c.latest_version, count(v.version))
	FROM campaigns c LEFT JOIN campaign_versions v ON v.book = c.book AND v.campaign_id = c.id
	GROUP BY c.book, c.id, c.latest_version HAVING count(v.version) <> c.latest_version OR coalesce(max(v.version), 0) <> c.latest_version`
