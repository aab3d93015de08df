package api_test

import (
	"context"
	"strings"
	"time"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/risk"
	"paysaga/domain/rule"
)

// ruleBook keeps rule sets and lists as the store promises to.
type ruleBook struct {
	sets    []rule.Set
	inForce map[string]int
	lines   []risk.Line
}

func ruleOwner(book id.Book, merchantID string, kind rule.Kind) string {
	return string(book) + "|" + merchantID + "|" + string(kind)
}

func (m *memory) SaveRules(_ context.Context, r rule.Set) (rule.Set, error) {
	unlock, err := m.lock("SaveRules")
	defer unlock()
	r.Version = 1
	for _, old := range m.rules.sets {
		if ruleOwner(old.Book, old.MerchantID, old.Kind) == ruleOwner(r.Book, r.MerchantID, r.Kind) {
			r.Version++
		}
	}
	m.rules.sets = append(m.rules.sets, r)
	return r, err
}

func (m *memory) find(book id.Book, merchantID string, kind rule.Kind, version int) (rule.Set, error) {
	for _, r := range m.rules.sets {
		if ruleOwner(r.Book, r.MerchantID, r.Kind) == ruleOwner(book, merchantID, kind) && r.Version == version {
			r.Active = m.rules.inForce[ruleOwner(book, merchantID, kind)] == version
			return r, nil
		}
	}
	return rule.Set{}, fault.NotFound("rule set")
}

func (m *memory) RuleSet(_ context.Context, book id.Book, merchantID string, kind rule.Kind, version int) (rule.Set, error) {
	unlock, err := m.lock("RuleSet")
	defer unlock()
	if err != nil {
		return rule.Set{}, err
	}
	return m.find(book, merchantID, kind, version)
}

func (m *memory) RuleSets(_ context.Context, of rule.Set, before, limit int) ([]rule.Set, bool, error) {
	unlock, err := m.lock("RuleSets")
	defer unlock()
	var list []rule.Set
	for v := len(m.rules.sets); v > 0; v-- {
		if r, missing := m.find(of.Book, of.MerchantID, of.Kind, v); missing == nil && (before == 0 || v < before) {
			list = append(list, r)
		}
	}
	if len(list) > limit {
		return list[:limit], true, err
	}
	return list, false, err
}

func (m *memory) ActivateRules(_ context.Context, a rule.Activation) (rule.Set, error) {
	unlock, err := m.lock("ActivateRules")
	defer unlock()
	if err != nil {
		return rule.Set{}, err
	}
	if _, err := m.find(a.Book, a.MerchantID, a.Kind, a.Version); err != nil {
		return rule.Set{}, err
	}
	m.rules.inForce[ruleOwner(a.Book, a.MerchantID, a.Kind)] = a.Version
	return m.find(a.Book, a.MerchantID, a.Kind, a.Version)
}

func (m *memory) InForce(_ context.Context, book id.Book, merchantID string, kind rule.Kind) (rule.InForce, error) {
	unlock, err := m.lock("InForce")
	defer unlock()
	for _, owner := range []string{merchantID, ""} {
		if v := m.rules.inForce[ruleOwner(book, owner, kind)]; v > 0 {
			return rule.InForce{MerchantID: owner, Version: v}, err
		}
	}
	return rule.InForce{}, err
}

func (m *memory) Opening(ctx context.Context, book id.Book, paymentID string) (payment.Dossier, risk.Briefing, error) {
	p, err := m.Payment(ctx, book, "", paymentID)
	f := risk.Facts{Facts: rule.Facts{PaymentID: p.ID, MerchantID: p.MerchantID, Method: p.Method, Currency: p.Amount.Currency,
		AmountMinor: p.Amount.Minor, CreatedAt: p.CreatedAt}}
	return payment.Dossier{Payment: p}, risk.Briefing{Facts: f}, err
}

func (m *memory) ListEntry(_ context.Context, l risk.Line) (risk.Line, error) {
	unlock, err := m.lock("ListEntry")
	defer unlock()
	for _, old := range m.rules.lines {
		if old.Book == l.Book && old.MerchantID == l.MerchantID && old.Listed == l.Listed && old.Block == l.Block {
			return l, fault.Conflict("list_entry_exists", "it stands there already")
		}
	}
	l.ID = mint(id.ListEntry)
	m.rules.lines = append(m.rules.lines, l)
	return l, err
}

func (m *memory) ListEntries(_ context.Context, q risk.Query) ([]risk.Line, bool, error) {
	unlock, err := m.lock("ListEntries")
	defer unlock()
	var list []risk.Line
	for i := len(m.rules.lines) - 1; i >= 0; i-- {
		l := m.rules.lines[i]
		if l.Book == q.Book && l.MerchantID == q.MerchantID && (q.Kind == "" || l.Kind == q.Kind) && (q.After == "" || l.ID < q.After) {
			list = append(list, l)
		}
	}
	if len(list) > q.Limit {
		return list[:q.Limit], true, err
	}
	return list, false, err
}

func (m *memory) UnlistEntry(_ context.Context, book id.Book, merchantID, entryID string, _ ledger.Principal) error {
	unlock, err := m.lock("UnlistEntry")
	defer unlock()
	for i, l := range m.rules.lines {
		if l.ID == entryID && l.Book == book && l.MerchantID == merchantID {
			m.rules.lines = append(m.rules.lines[:i:i], m.rules.lines[i+1:]...)
			return err
		}
	}
	return fault.NotFound("list entry")
}

func (m *memory) Digest(_ context.Context, _ id.Book, kind risk.Kind, value string) (string, error) {
	if !kind.Personal() {
		return value, nil
	}
	return risk.Digest([]byte("a secret of the tests"), kind, value)
}

func (m *memory) RiskData(_ context.Context, book id.Book, merchantID string, values []risk.Listed, _ []risk.Counter) ([]risk.Entry, map[string]risk.Value, error) {
	unlock, err := m.lock("RiskData")
	defer unlock()
	var hits []risk.Entry
	for _, l := range m.rules.lines {
		for _, v := range values {
			if l.Book == book && (l.MerchantID == "" || l.MerchantID == merchantID) && l.Listed == v {
				hits = append(hits, l.Entry)
			}
		}
	}
	return hits, nil, err
}

func (m *memory) Seal(plain []byte) ([]byte, error) {
	return []byte(strings.ToUpper(string(plain))), nil
}

// Review lets a payment that risk holds go on.
func (s *sagas) Review(_ context.Context, p payment.Payment, v access.Vouch, code string) error {
	if p.ReviewDue.IsZero() || !strings.HasPrefix(code, access.VouchPrefix) {
		return fault.Conflict("review_over", "nobody has to judge this payment")
	}
	s.store.move(p.ID, func(p *payment.Payment) {
		p.ReviewDue, p.Parked = time.Time{}, ""
		if v.Decision == risk.Refuse {
			p.Status, p.DeclineCode = payment.Failed, "risk_refused"
		}
	})
	return nil
}
