package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/risk"
	"paysaga/domain/routing"
	"paysaga/domain/rule"
	"paysaga/domain/trade"
)

// question is what a simulation is asked about, of either kind.
type question struct {
	paymentID *string
	facts     *FactsRequest
	version   *int
	defined   bool
}

func (q question) check() error {
	switch {
	case (q.paymentID == nil) == (q.facts == nil):
		return fault.Invalid("simulation_ambiguous", "payment_id", "give exactly one of payment_id and facts")
	case q.version != nil && q.defined:
		return fault.Invalid("simulation_ambiguous", "version", "give version or definition, not both")
	case q.version != nil && !numbered(*q.version):
		return fault.Invalid("version_invalid", "version", "a version is a number from 1")
	}
	return nil
}

// SimulateRouting says where a payment would be tried, and why. Nothing is kept.
func (s *server) SimulateRouting(c echo.Context, _ SimulateRoutingParams) error {
	var r SimulateRoutingRequest
	raw, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	q := question{r.PaymentID, r.Facts, r.Version, r.Definition != nil}
	if err := q.check(); err != nil {
		return err
	}
	facts, err := s.factsOf(c, q)
	if err != nil {
		return err
	}
	if err := s.conforms("simulateRouting", raw); err != nil {
		return err
	}
	set, label := &routing.RuleSet{}, "unsaved"
	if r.Definition != nil {
		set, err = s.routingOf(c, *r.Definition)
		err = fault.Under("definition", err)
	} else {
		var stored rule.Set
		stored, label, err = s.inForce(c, rule.Routing, facts.MerchantID, r.Version)
		if err == nil && stored.Version > 0 {
			set, err = compileRouting(stored.Definition, label)
		}
	}
	if err != nil {
		return err
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	open, err := s.Accounts.OpenAccounts(ctx, callerOf(c).Book, facts.MerchantID)
	if err != nil {
		return err
	}
	health := s.Health(open)
	out := set.Simulate(facts.Facts, s.Channels.Candidates(open, facts.Currency), health)
	out.Plan.Version = label
	v := RoutingSimulation{Object: "routing_simulation", Version: label, Plan: out.Plan, Rules: out.Rules, Health: healthView(open, health)}
	if v.Rules == nil {
		v.Rules = []routing.Tried{}
	}
	if v.Plan.Routes == nil {
		v.Plan.Routes = []routing.Route{}
	}
	if f := out.Refused; f != nil {
		v.Refused = &Refusal{Code: f.Code, Detail: f.Message}
		if f.Param != "" {
			v.Refused.Param = &f.Param
		}
	}
	return reply(c, http.StatusOK, mediaJSON, v)
}

func compileRouting(stored json.RawMessage, label string) (*routing.RuleSet, error) {
	var def routing.Definition
	if err := json.Unmarshal(stored, &def); err != nil {
		return nil, fault.Internal("a stored definition can't be read", err)
	}
	def.Version = label
	return routing.Compile(def)
}

func healthView(open []channels.OpenAccount, health map[string]routing.Health) []AccountHealth {
	list := []AccountHealth{}
	for _, a := range open {
		h, known := health[a.ID]
		if !known {
			h.Stats.SuccessPerMille = 1000
		}
		list = append(list, AccountHealth{ChannelAccount: a.ID, Circuit: cmp.Or(string(h.State), "closed"), Calls: h.Stats.Calls,
			Failures: h.Stats.Failures, SuccessPerMille: h.Stats.SuccessPerMille, P95Ms: h.Stats.P95.Milliseconds()})
	}
	return list
}

// SimulateRisk says how a payment would be judged, and why. Nothing is kept, and nothing is counted.
func (s *server) SimulateRisk(c echo.Context, _ SimulateRiskParams) error {
	var r SimulateRiskRequest
	raw, err := readJSON(c, &r)
	if err != nil {
		return err
	}
	q := question{r.PaymentID, r.Facts, r.Version, r.Definition != nil}
	if err := q.check(); err != nil {
		return err
	}
	facts, err := s.factsOf(c, q)
	if err != nil {
		return err
	}
	if err := s.conforms("simulateRisk", raw); err != nil {
		return err
	}
	def, label := risk.Definition{}, "unsaved"
	if r.Definition != nil {
		def = *r.Definition
	} else {
		var stored rule.Set
		stored, label, err = s.inForce(c, rule.Risk, facts.MerchantID, r.Version)
		if err == nil && stored.Version > 0 {
			err = json.Unmarshal(stored.Definition, &def)
		}
		if err != nil {
			return err
		}
	}
	if _, err := riskOf(def); err != nil {
		return fault.Under("definition", err)
	}
	def.Version = label
	set, err := risk.Compile(def)
	if err != nil {
		return err
	}
	return s.judged(c, set, facts)
}

// judged reads what lists and counters say, and answers.
func (s *server) judged(c echo.Context, set *risk.RuleSet, facts risk.Facts) error {
	ctx, cancel := s.reading(c)
	defer cancel()
	hits, now, err := s.Lists.RiskData(ctx, callerOf(c).Book, facts.MerchantID, facts.Lookup(), set.Screen(facts, nil).Counters)
	v := RiskSimulation{Object: "risk_simulation", Version: set.Version()}
	if err != nil {
		unreadable := true
		v.Unreadable = &unreadable
	}
	out := set.Simulate(facts, hits, now)
	if err != nil {
		out.Verdict = set.Screen(facts, nil).Blind(set.Unreadable(), money.New(facts.AmountMinor, facts.Currency))
	}
	v.Verdict, v.Rules, v.Bounds = out.Verdict, out.Rules, out.Bounds
	return reply(c, http.StatusOK, mediaJSON, v)
}

// inForce is the version that the caller names, or the one that payments of the merchant go by; none is the built-in one.
func (s *server) inForce(c echo.Context, kind rule.Kind, merchantID string, version *int) (rule.Set, string, error) {
	who := callerOf(c)
	if version != nil {
		set, err := s.version(c, kind, *version)
		return set, rule.InForce{MerchantID: who.merchant, Version: *version}.Label(), err
	}
	ctx, cancel := s.reading(c)
	defer cancel()
	f, err := s.Rules.InForce(ctx, who.Book, merchantID, kind)
	if err != nil || f.Version == 0 {
		return rule.Set{}, f.Label(), err
	}
	set, err := s.Rules.RuleSet(ctx, who.Book, f.MerchantID, kind, f.Version)
	return set, f.Label(), err
}

// factsOf are those of a payment that the caller may see, or the made-up ones.
func (s *server) factsOf(c echo.Context, q question) (risk.Facts, error) {
	ctx, cancel := s.reading(c)
	defer cancel()
	if q.facts != nil {
		return s.madeUp(ctx, callerOf(c), *q.facts)
	}
	if _, err := s.mine(c, *q.paymentID); err != nil {
		return risk.Facts{}, err
	}
	_, briefing, err := s.Rules.Opening(ctx, callerOf(c).Book, *q.paymentID)
	return briefing.Facts, err
}

var countryCode = regexp.MustCompile(`^[A-Z]{2}$`)

func (s *server) madeUp(ctx context.Context, who caller, r FactsRequest) (risk.Facts, error) {
	currency, err := parseCurrency(r.Currency)
	if err != nil {
		return risk.Facts{}, fault.Under("facts", err)
	}
	amount, err := money.ParsePositive(r.Amount, currency)
	if err != nil {
		return risk.Facts{}, fault.Under("facts.amount", err)
	}
	f := risk.Facts{Facts: rule.Facts{PaymentID: s.Book.Mint(id.Payment), MerchantID: who.merchant, Channel: value(r.Channel), Method: r.Method,
		Capture: payment.CaptureAutomatic, Currency: currency, AmountMinor: amount.Minor, OrderType: "purchase", OrderRef: value(r.OrderReference),
		CustomerID: value(r.CustomerID), CustomerRef: value(r.CustomerReference), CustomerSince: value(r.CustomerSince),
		Country: value(r.Country), Metadata: value(r.Metadata), CreatedAt: s.Now()}}
	if err := judgeFacts(r); err != nil {
		return f, err
	}
	if r.CaptureMethod != nil {
		f.Capture = *r.CaptureMethod
	}
	if r.OrderType != nil {
		f.OrderType = string(*r.OrderType)
	}
	if r.CreatedAt != nil {
		f.CreatedAt = *r.CreatedAt
	}
	for _, d := range []struct {
		kind risk.Kind
		from *string
		to   *string
	}{{risk.KindCard, r.Fingerprint, &f.Card}, {risk.KindEmail, r.Email, &f.Email}, {risk.KindPhone, r.Phone, &f.Phone}} {
		if d.from == nil || strings.TrimSpace(*d.from) == "" {
			continue
		}
		if *d.to, err = s.Lists.Digest(ctx, who.Book, d.kind, *d.from); err != nil {
			return f, err
		}
	}
	return f, nil
}

// judgeFacts refuses facts that no payment could have.
func judgeFacts(r FactsRequest) error {
	refuse := func(name, message string) error { return fault.Invalid("fact_invalid", "facts."+name, message) }
	since := func(t *time.Time) bool { return t != nil && (t.Year() < 1970 || t.Year() >= 2200) }
	switch {
	case !r.Method.OverChannel():
		return fault.Invalid("method_unsupported", "facts.method", "a method is qr, redirect, card_token, barcode, in_app, mini_program or bank_transfer")
	case r.CaptureMethod != nil && *r.CaptureMethod != payment.CaptureAutomatic && *r.CaptureMethod != payment.CaptureManual:
		return refuse("capture_method", "a capture is automatic or manual")
	case r.Channel != nil && !channelName.MatchString(*r.Channel):
		return refuse("channel", "no channel has such a name")
	case r.CustomerID != nil && !id.Is(id.User, *r.CustomerID):
		return refuse("customer_id", "this is not a customer's id")
	case r.Country != nil && !countryCode.MatchString(*r.Country):
		return refuse("country", "a country has two capital letters")
	case r.OrderType != nil && !slices.Contains(trade.Types(), string(*r.OrderType)):
		return refuse("order_type", "there is no such type of order")
	case since(r.CreatedAt):
		return refuse("created_at", "no payment is received then")
	case since(r.CustomerSince):
		return refuse("customer_since", "nobody can have been a customer then")
	}
	if r.Metadata != nil {
		return fault.Under("facts", checkMetadata(*r.Metadata))
	}
	return nil
}
