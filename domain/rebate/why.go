package rebate

// Reason explains what came of a rule on a line: which amount it would have given, what was given, and what kept it from more.
type Reason struct {
	CampaignID  string `json:"campaign_id"`
	Version     int    `json:"version"`
	Rule        string `json:"rule"`
	Line        int    `json:"line,omitempty"` // 0: the rule doesn't hold for the order
	Level       int    `json:"level"`
	Beneficiary string `json:"beneficiary,omitempty"`
	OfferMinor  int64  `json:"offer_minor"`
	Minor       int64  `json:"minor"`
	// Because: "" where all of the offer is given, else what kept it: "condition", "stacking", "exclusive", "line_paid", "budget", or the
	// name of a cap ("user_day", "rule_order", …).
	Because string `json:"because,omitempty"`
}

func (t *rater) explain(o *offer, minor int64, because string) {
	if t.why {
		t.out.Why = append(t.out.Why, Reason{t.rules.Campaign.ID, t.rules.Version, o.rule.Name, t.order.Lines[o.line].Number, o.level, o.to, o.minor, minor, because})
	}
}

func (t *rater) noOffer(c *compiled, line int) { t.note(c, line, NotHeld) }
func (t *rater) closed(c *compiled, line int)  { t.note(c, line, Exclusive) }

func (t *rater) note(c *compiled, line int, because string) {
	if !t.why {
		return
	}
	r := Reason{CampaignID: t.rules.Campaign.ID, Version: t.rules.Version, Rule: c.Name, Because: because}
	if line >= 0 {
		r.Line = t.order.Lines[line].Number
	}
	t.out.Why = append(t.out.Why, r)
}
