package activities

import (
	"context"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/risk"
	"paysaga/domain/rule"
)

// riskVerdict is what risk says of a payment, and the changes that go into the
// Step that carries it out.
type riskVerdict struct {
	record    risk.Record
	reviewFor time.Duration
	changes   []ledger.Change
}

// recheckDelay is how soon a payment that was judged blind is judged again.
const recheckDelay = 10 * time.Second

// judgeRisk screens the payment, reads lists and counters, and decides. If those
// can't be read, the rule set's own policy decides (Blind).
func (s *Steps) judgeRisk(ctx context.Context, p payment.Payment, b risk.Briefing) (riskVerdict, error) {
	set, err := s.rules.get(ctx, p.Book, rule.Risk, b.Risk)
	if err != nil {
		return riskVerdict{}, err
	}
	j := riskVerdict{reviewFor: set.risk.ReviewFor()}
	screening, values, err := s.screen(ctx, set.risk, p, b)
	if err != nil {
		if ctx.Err() != nil {
			return j, err
		}
		j.record.Verdict = screening.Blind(set.risk.Unreadable(), p.Amount)
		if j.record.Recheck {
			j.changes = append(j.changes, payment.RecheckAt{PaymentID: p.ID, At: s.c.Now().Add(recheckDelay)})
		}
	} else {
		var after map[string]risk.Value
		j.record.Verdict, after = screening.Decide(values)
		if len(after) > 0 {
			j.changes = append(j.changes, risk.Count{Screening: screening, Decision: j.record.Decision})
		}
	}
	j.record.Notes = screening.Notes
	for _, n := range screening.Notes {
		j.changes = append(j.changes, rule.Failed{Kind: rule.Risk, Set: b.Risk, Rule: n.Rule, Failure: n.Failure, PaymentID: p.ID})
	}
	return j, nil
}

// riskPatience is how long a payment waits for lists and counters.
const riskPatience = 500 * time.Millisecond

// screen is the judgement as far as it needs no locks. With an error the
// screening is the one without lists, and no counter is known.
func (s *Steps) screen(ctx context.Context, set *risk.RuleSet, p payment.Payment, b risk.Briefing) (risk.Screening, map[string]risk.Value, error) {
	screening := set.Screen(b.Facts, nil)
	var lookup []risk.Listed
	if b.Listed {
		lookup = b.Facts.Lookup()
	}
	if len(lookup) == 0 && len(screening.Counters) == 0 {
		return screening, nil, nil
	}
	ctx, stop := context.WithTimeout(ctx, riskPatience)
	defer stop()
	hits, values, err := s.c.Rules.RiskData(ctx, p.Book, p.MerchantID, lookup, screening.Counters)
	if err == nil && len(hits) > 0 {
		screening = set.Screen(b.Facts, hits)
	}
	return screening, values, err
}

// movedTries bounds how often a payment is decided anew because others counted
// between the reading and the commit. Counters only grow, so that a verdict
// moves twice at most within a window.
const movedTries = 6

func verdictMoved(err error) bool { return fault.Is(err, fault.KindConflict, "verdict_moved") }
