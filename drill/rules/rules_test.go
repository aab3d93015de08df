package rules_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/activities"
	"paysaga/domain/payment"
	"paysaga/domain/risk"
	"paysaga/domain/routing"
	"paysaga/domain/rule"
)

const allowed = `SELECT count(*) FROM payments WHERE risk->>'decision' = 'allow'`

// atOnce opens payments in all processes at the same time.
func (h *shop) atOnce(ids []string, then func(activities.Opened)) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	begin := make(chan struct{})
	for i, p := range ids {
		wg.Go(func() {
			<-begin
			o := h.open(i%len(h.processes), p)
			mu.Lock()
			defer mu.Unlock()
			then(o)
		})
	}
	close(begin)
	wg.Wait()
}

// Two at once can't both pass a bound that has room for one: of 200 that two processes open at once exactly ten pass, by their
// number or by their sum, and the counters hold exactly them.
func TestTwoAtOnceCantBothPass(t *testing.T) {
	t.Parallel()
	for name, bound := range map[string]risk.Definition{
		"count":       {Velocities: []risk.Velocity{{Name: "ten", By: risk.ByMerchant, Window: risk.PerDay, Currency: "CNY", MaxCount: 10}}},
		"sum":         {Velocities: []risk.Velocity{{Name: "ten", By: risk.ByCustomer, Window: risk.PerDay, Currency: "CNY", MaxSumMinor: 10*1234 + 1233}}},
		"daily limit": {Limits: []risk.Limit{{Currency: "CNY", MaxDailyMinor: 10 * 1234}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newShop(t, 2)
			h.activate(rule.Risk, h.save(rule.Risk, bound))
			var ids []string
			for range 200 {
				ids = append(ids, h.receive(1234))
			}
			passed, refused := 0, 0
			h.atOnce(ids, func(o activities.Opened) {
				switch {
				case o.Key != "" && o.Status == payment.Processing:
					passed++
				case o.Status == payment.Failed:
					refused++
				}
			})
			require.Equal(t, [2]int{10, 190}, [2]int{passed, refused})
			require.EqualValues(t, 10, h.count(allowed))
			require.EqualValues(t, 10, h.count(`SELECT count(*) FROM attempts`))
			require.EqualValues(t, 190, h.count(`SELECT count(*) FROM payments WHERE decline_code = 'risk_refused' AND risk->>'rule' LIKE '%@1'`))
			require.Equal(t, "10 12340", h.text(`SELECT count || ' ' || sum_minor FROM risk_counters`))
		})
	}
}

// While versions change under 200 payments, each payment goes by one of them, whole.
func TestEachPaymentGoesByOneVersion(t *testing.T) {
	t.Parallel()
	h := newShop(t, 2)
	for v := 1; v <= 4; v++ {
		require.Equal(t, v, h.save(rule.Routing, routing.Definition{Rules: []routing.RuleDef{{Name: fmt.Sprint("rule-", v), Use: []routing.Target{{Channel: "sandbox"}}}}}))
	}
	var ids []string
	for range 200 {
		ids = append(ids, h.receive(100))
	}
	h.activate(rule.Routing, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 40 {
			h.activate(rule.Routing, i%4+1)
		}
	}()
	h.atOnce(ids, func(o activities.Opened) { require.NotEmpty(t, o.Key) })
	<-done
	require.EqualValues(t, 200, h.count(`SELECT count(*) FROM payments WHERE plan->>'rule' = 'rule-' || (plan->>'version')`))
	require.EqualValues(t, 40, h.count(`SELECT count(*) FROM rule_activations`), "who activated what is kept; the first was in force already")
	// The next payment goes by what was activated last, in both processes.
	h.activate(rule.Routing, 3)
	for process := range h.processes {
		p := h.receive(100)
		h.open(process, p)
		require.Equal(t, "rule-3", h.text(`SELECT plan->>'rule' FROM payments WHERE id = $1`, p))
	}
}

// While lists and counters can't be read, the merchant's policy decides; what it let through is judged again later, counted, and
// flagged if it shouldn't have passed.
func TestBlindJudgementsAreMadeGood(t *testing.T) {
	t.Parallel()
	h := newShop(t, 1)
	book := &blindBook{Store: h.db.Store}
	h.processes = []*activities.Steps{steps(h.db.Store, book, nil)}
	h.activate(rule.Risk, h.save(rule.Risk, risk.Definition{
		Velocities: []risk.Velocity{{Name: "two", By: risk.ByMerchant, Window: risk.PerDay, MaxCount: 2}},
		Unreadable: risk.Unreadable{RefuseAboveMinor: map[string]int64{"CNY": 1000}}}))
	book.blind.Store(true)
	large := h.receive(1001)
	require.Equal(t, payment.Failed, h.open(0, large).Status, "above what is allowed blind")
	var small []string
	for range 3 {
		small = append(small, h.receive(1000))
		require.NotEmpty(t, h.open(0, small[len(small)-1]).Key)
	}
	require.Equal(t, "true", h.text(`SELECT risk->>'recheck' FROM payments WHERE id = $1`, small[0]))
	require.EqualValues(t, 0, h.count(`SELECT count(*) FROM risk_counters`))
	require.EqualValues(t, 3, h.count(`SELECT count(*) FROM payments WHERE recheck_due_at > now()`))

	again := func(p string) error {
		return h.processes[0].Recheck(t.Context(), activities.Ref{Book: h.Book, PaymentID: p})
	}
	require.Error(t, again(small[0]), "there is still nothing to be read: it stays due")
	book.blind.Store(false)
	for _, p := range small {
		require.NoError(t, again(p))
		require.NoError(t, again(p), "twice changes nothing")
	}
	require.EqualValues(t, 0, h.count(`SELECT count(*) FROM payments WHERE recheck_due_at IS NOT NULL`))
	require.Equal(t, "3", h.text(`SELECT count::text FROM risk_counters`))
	require.Equal(t, small[2]+" two@1", h.text(`SELECT string_agg(id || ' ' || risk_flag, ',') FROM payments WHERE risk_flag IS NOT NULL`))
	require.Equal(t, small[2], h.text(`SELECT string_agg(object_id, ',') FROM events WHERE type = 'risk.recheck_failed'`))
	require.NotEmpty(t, h.open(0, small[2]).Key, "a flagged payment goes on")
	require.Equal(t, "case/"+small[2]+"/risk_recheck/rv3 open false", h.text(`SELECT string_agg(id || ' ' || state || ' ' || booked::text, ',') FROM cases`))
	require.EqualValues(t, 1, h.count(`SELECT count(*) FROM events WHERE type = 'case.opened'`))
	lines, err := h.db.Store.Timeline(t.Context(), h.Book, h.MerchantID, small[2])
	require.NoError(t, err)
	var told []string
	for _, l := range lines {
		if l.Kind == "risk" {
			told = append(told, l.Text)
		}
	}
	require.Len(t, told, 2, "the timeline tells both judgements")
}

// The policy of a merchant that has none is to refuse.
func TestBlindWithoutPolicyRefuses(t *testing.T) {
	t.Parallel()
	h := newShop(t, 1)
	book := &blindBook{Store: h.db.Store}
	book.blind.Store(true)
	h.processes = []*activities.Steps{steps(h.db.Store, book, nil)}
	h.activate(rule.Risk, h.save(rule.Risk, risk.Definition{Velocities: []risk.Velocity{{Name: "two", By: risk.ByMerchant, Window: risk.PerDay, MaxCount: 2}}}))
	require.Equal(t, payment.Failed, h.open(0, h.receive(1)).Status)
	// Without counters and lists there is nothing to be read, and nobody is blind.
	h.activate(rule.Risk, h.save(rule.Risk, risk.Definition{}))
	require.NotEmpty(t, h.open(0, h.receive(1)).Key)
}

// A rule that fails on payments sends them to the default, and tells so once a minute, in events without a gap.
func TestRulesThatFailTellSo(t *testing.T) {
	t.Parallel()
	h := newShop(t, 1)
	h.activate(rule.Routing, h.save(rule.Routing, routing.Definition{Rules: []routing.RuleDef{{Name: "tier", When: `metadata["tier"] == "vip"`, Use: []routing.Target{{Channel: "sandbox"}}}}}))
	h.activate(rule.Risk, h.save(rule.Risk, risk.Definition{OnError: risk.Allow, Rules: []risk.RuleDef{{Name: "tier", When: `metadata["tier"] == "bad"`, Then: risk.Refuse}}}))
	now := time.Now()
	h.processes = []*activities.Steps{steps(h.db.Store, h.db.Store, func() time.Time { return now })}
	for range 5 {
		p := h.receive(100)
		require.NotEmpty(t, h.open(0, p).Key)
		require.Equal(t, "tier no_such_key", h.text(`SELECT plan->'notes'->0->>'rule' || ' ' || (risk->'notes'->0->>'failure') FROM payments WHERE id = $1`, p))
	}
	const told = `SELECT string_agg(object_id || ' ' || sequence, ',' ORDER BY object_id, sequence) FROM events WHERE type LIKE '%.rule_failed'`
	require.Equal(t, "risk/"+h.MerchantID+" 1,routing/"+h.MerchantID+" 1", h.text(told))
	_, err := h.db.Owner.Exec(t.Context(), `UPDATE active_rules SET failed_at = failed_at - interval '2 minutes' WHERE kind = 'risk'`)
	require.NoError(t, err)
	h.open(0, h.receive(100))
	require.Equal(t, "risk/"+h.MerchantID+" 1,risk/"+h.MerchantID+" 2,routing/"+h.MerchantID+" 1", h.text(told))
}
