package activities

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/risk"
	"paysaga/domain/routing"
	"paysaga/domain/rule"
)

// Rulebook reads what decides about a payment before any channel hears of it.
type Rulebook interface {
	// Opening reads a payment's dossier together with the facts of its rules and
	// the versions in force, in one round trip.
	Opening(ctx context.Context, book id.Book, paymentID string) (payment.Dossier, risk.Briefing, error)
	RuleSet(ctx context.Context, book id.Book, merchantID string, kind rule.Kind, version int) (rule.Set, error)
	// RiskData reads lists and counters; whatever keeps it from that is an error.
	RiskData(ctx context.Context, book id.Book, merchantID string, values []risk.Listed, counters []risk.Counter) ([]risk.Entry, map[string]risk.Value, error)
}

// setKey names a version of a rule set. What it stands for never changes.
type setKey struct {
	book id.Book
	kind rule.Kind
	rule.InForce
}

// compiled is one of the two.
type compiled struct {
	routing *routing.RuleSet
	risk    *risk.RuleSet
}

// ruleCache keeps compiled rule sets. Which version holds comes with each
// payment, so nothing in it can be stale: an activation is noticed by the next
// payment. Readers load one pointer; whoever adds a set swaps the whole map.
type ruleCache struct {
	source  Rulebook
	builtIn compiled
	sets    atomic.Pointer[map[setKey]compiled]
	mu      sync.Mutex // of those who add
}

// maxSets bounds the cache; a full one starts anew.
const maxSets = 10_000

// newRuleCache panics if the built-in rules don't compile: that is a mistake in
// the wiring.
func newRuleCache(source Rulebook, builtIn risk.Definition) *ruleCache {
	builtIn.Version = rule.InForce{}.Label()
	judge, err := risk.Compile(builtIn)
	if err != nil {
		panic("activities: the built-in rules don't compile: " + err.Error())
	}
	c := &ruleCache{source: source, builtIn: compiled{&routing.RuleSet{}, judge}}
	c.sets.Store(&map[setKey]compiled{})
	return c
}

// get returns the rule set in force, compiled.
func (c *ruleCache) get(ctx context.Context, book id.Book, kind rule.Kind, f rule.InForce) (compiled, error) {
	if f.Version == 0 {
		return c.builtIn, nil
	}
	key := setKey{book, kind, f}
	if set, ok := (*c.sets.Load())[key]; ok {
		return set, nil
	}
	stored, err := c.source.RuleSet(ctx, book, f.MerchantID, kind, f.Version)
	if err != nil {
		return compiled{}, err
	}
	set, err := compile(stored)
	if err != nil {
		return compiled{}, fault.Internal("a stored rule set doesn't compile any more", err)
	}
	c.add(key, set)
	return set, nil
}

// add keeps a set, and forgets the other versions of its owner's: payments that
// still ask for one of those read it again.
func (c *ruleCache) add(key setKey, set compiled) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := *c.sets.Load()
	next := make(map[setKey]compiled, len(old)+1)
	for k, v := range old {
		if len(old) < maxSets && (k.book != key.book || k.kind != key.kind || k.MerchantID != key.MerchantID) {
			next[k] = v
		}
	}
	next[key] = set
	c.sets.Store(&next)
}

// compile makes a stored set ready for use. Its version is the store's.
func compile(stored rule.Set) (set compiled, err error) {
	label := rule.InForce{MerchantID: stored.MerchantID, Version: stored.Version}.Label()
	if stored.Kind == rule.Routing {
		var def routing.Definition
		if err := json.Unmarshal(stored.Definition, &def); err != nil {
			return set, err
		}
		def.Version = label
		set.routing, err = routing.Compile(def)
		return set, err
	}
	var def risk.Definition
	if err := json.Unmarshal(stored.Definition, &def); err != nil {
		return set, err
	}
	def.Version = label
	set.risk, err = risk.Compile(def)
	return set, err
}
