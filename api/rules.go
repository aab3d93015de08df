package api

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/risk"
	"paysaga/domain/routing"
	"paysaga/domain/rule"
)

// SaveRoutingRules keeps a version of somebody's routing rules.
func (s *server) SaveRoutingRules(c echo.Context, _ SaveRoutingRulesParams) error {
	var r RoutingRulesRequest
	raw, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	if _, err := s.routingOf(c, r.Definition); err != nil {
		return fault.Under("definition", err)
	}
	return s.saveRules(c, "saveRoutingRules", raw, rule.Set{Kind: rule.Routing, Note: value(r.Note)}, r.Definition)
}

// SaveRiskRules keeps a version of somebody's risk rules.
func (s *server) SaveRiskRules(c echo.Context, _ SaveRiskRulesParams) error {
	var r RiskRulesRequest
	raw, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	if _, err := riskOf(r.Definition); err != nil {
		return fault.Under("definition", err)
	}
	return s.saveRules(c, "saveRiskRules", raw, rule.Set{Kind: rule.Risk, Note: value(r.Note)}, r.Definition)
}

// routingOf compiles routing rules, and refuses what names a channel or an account that isn't open to their owner.
func (s *server) routingOf(c echo.Context, def routing.Definition) (*routing.RuleSet, error) {
	if def.Version != "" {
		return nil, versionGiven()
	}
	set, err := routing.Compile(def)
	if err != nil {
		return nil, err
	}
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	open, err := s.Accounts.OpenAccounts(ctx, who.Book, who.merchant)
	if err != nil {
		return nil, err
	}
	accounts := map[string]bool{}
	for _, a := range open {
		accounts[a.ID] = true
	}
	for i, r := range def.Rules {
		for j, t := range r.Use {
			path := "rules[" + strconv.Itoa(i) + "].use[" + strconv.Itoa(j) + "]"
			if _, known := s.Channels[t.Channel]; t.Channel != "" && !known {
				return nil, fault.Invalid("channel_unknown", path+".channel", "there is no such channel")
			}
			if t.Account != "" && !accounts[t.Account] { // I-25
				return nil, fault.Invalid("account_unknown", path+".account", "no such channel account is open to whose rules these are")
			}
		}
	}
	return set, nil
}

func riskOf(def risk.Definition) (*risk.RuleSet, error) {
	if def.Version != "" {
		return nil, versionGiven()
	}
	return risk.Compile(def)
}

func versionGiven() error {
	return fault.Invalid("field_unknown", "version", "there is no such field; versions are numbered by us")
}

func (s *server) saveRules(c echo.Context, operation string, raw []byte, set rule.Set, def any) error {
	if err := rule.CheckNote("note", set.Note, false); err != nil {
		return err
	}
	if err := s.conforms(operation, raw); err != nil {
		return err
	}
	who := callerOf(c)
	set.Book, set.MerchantID, set.By = who.Book, who.merchant, who.by(c)
	text, err := json.Marshal(def)
	if err != nil {
		return fault.Internal("a definition that is no JSON", err)
	}
	set.Definition = text
	ctx, cancel := s.durable(c)
	defer cancel()
	saved, err := s.Rules.SaveRules(ctx, set)
	if err != nil {
		return err
	}
	return reply(c, http.StatusCreated, mediaJSON, saved.Public())
}

// ListRoutingRules lists versions of the routing rules.
func (s *server) ListRoutingRules(c echo.Context, p ListRoutingRulesParams) error {
	return s.listRules(c, rule.Routing, p.StartingAfter, p.Limit)
}

// ListRiskRules lists versions of the risk rules.
func (s *server) ListRiskRules(c echo.Context, p ListRiskRulesParams) error {
	return s.listRules(c, rule.Risk, p.StartingAfter, p.Limit)
}

func (s *server) listRules(c echo.Context, kind rule.Kind, after *string, limit *int) error {
	before := 0
	if after != nil {
		before, _ = strconv.Atoi(*after) // a number, or the guard had refused it
	}
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	list, more, err := s.Rules.RuleSets(ctx, rule.Set{Book: who.Book, MerchantID: who.merchant, Kind: kind}, before, pageSize(limit))
	if err != nil {
		return err
	}
	page := RuleSetList{Data: []rule.Public{}, HasMore: more}
	for _, r := range list {
		page.Data = append(page.Data, r.Public())
	}
	return reply(c, http.StatusOK, mediaJSON, page)
}

// GetRoutingRules reads a version of the routing rules.
func (s *server) GetRoutingRules(c echo.Context, version RuleVersion, _ GetRoutingRulesParams) error {
	return s.getRules(c, rule.Routing, version)
}

// GetRiskRules reads a version of the risk rules.
func (s *server) GetRiskRules(c echo.Context, version RuleVersion, _ GetRiskRulesParams) error {
	return s.getRules(c, rule.Risk, version)
}

func (s *server) getRules(c echo.Context, kind rule.Kind, version int) error {
	set, err := s.version(c, kind, version)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, set.Public())
}

// version reads one of the caller's own (I-25).
func (s *server) version(c echo.Context, kind rule.Kind, version int) (rule.Set, error) {
	if !numbered(version) {
		return rule.Set{}, fault.NotFound("rule set")
	}
	who := callerOf(c)
	ctx, cancel := s.reading(c)
	defer cancel()
	return s.Rules.RuleSet(ctx, who.Book, who.merchant, kind, version)
}

func numbered(version int) bool { return version >= 1 && version <= 1_000_000 }

// ActivateRoutingRules puts a version of the routing rules in force.
func (s *server) ActivateRoutingRules(c echo.Context, version RuleVersion, _ ActivateRoutingRulesParams) error {
	return s.activate(c, rule.Routing, "activateRoutingRules", version)
}

// ActivateRiskRules puts a version of the risk rules in force.
func (s *server) ActivateRiskRules(c echo.Context, version RuleVersion, _ ActivateRiskRulesParams) error {
	return s.activate(c, rule.Risk, "activateRiskRules", version)
}

func (s *server) activate(c echo.Context, kind rule.Kind, operation string, version int) error {
	var r ActivateRequest
	raw, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	if err := rule.CheckNote("reason", r.Reason, true); err != nil {
		return err
	}
	if err := s.conforms(operation, raw); err != nil {
		return err
	}
	if !numbered(version) {
		return fault.NotFound("rule set")
	}
	who := callerOf(c)
	by := who.by(c)
	by.Reason = r.Reason
	ctx, cancel := s.durable(c)
	defer cancel()
	set, err := s.Rules.ActivateRules(ctx, rule.Activation{Book: who.Book, MerchantID: who.merchant, Kind: kind, Version: version, By: by})
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, mediaJSON, set.Public())
}

func isVersion(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && numbered(n) && strconv.Itoa(n) == text
}

func isListKind(text string) bool { return risk.Kind(text).Valid() }

func isRiskEntry(text string) bool { return id.Is(id.ListEntry, text) }
