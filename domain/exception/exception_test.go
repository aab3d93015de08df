package exception

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/money"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func of(kind Kind, change ...func(*Case)) Case {
	c := Case{ID: ID("pay_1", kind, "1"), PaymentID: "pay_1", Kind: kind, Amount: money.New(1000, "CNY"), OpenedAt: noon, Policy: Default(kind), Sequence: 1}
	for _, f := range change {
		f(&c)
	}
	return c
}

func step(s string) func(*Case) { return func(c *Case) { c.ID = ID("pay_1", c.Kind, s) } }
func booked(c *Case)            { c.Booked = true }
func incredible(c *Case)        { c.Amount.Minor = maxCredible + 1 }
func refunded(c *Case)          { c.RefundID = "rfd_1" }
func closed(c *Case)            { c.Decision, c.ClosedAt = Accept, noon }

// What may be decided about which case, and that everything else is refused and changes nothing.
func TestDecisionsFitTheirCase(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		of  Case
		may []Decision
	}{
		"a part":                          {of(PartialPayment), []Decision{Accept, Wait, Return, WriteOff}},
		"too much":                        {of(AmountMismatch), []Decision{Accept, Return, WriteOff}},
		"too much, beyond belief":         {of(AmountMismatch, incredible), []Decision{Dismiss}},
		"too much, captured":              {of(AmountMismatch, step("cp1")), []Decision{Return, WriteOff}},
		"too late":                        {of(LateSuccess, step("cs1")), []Decision{Accept, Return, WriteOff}},
		"too late, given back in vain":    {of(LateSuccess, step("cs1"), refunded), []Decision{Accept, WriteOff}},
		"twice":                           {of(DuplicatePayment, step("cs1")), []Decision{Return, WriteOff}},
		"twice, given back in vain":       {of(DuplicatePayment, step("cs1"), refunded), []Decision{WriteOff}},
		"twice, by order":                 {of(DuplicatePayment, step("ch1"), booked), []Decision{Return, Accept}},
		"twice, by order, back in vain":   {of(DuplicatePayment, step("ch1"), booked, refunded), []Decision{Accept}},
		"a word taken back":               {of(Contradiction, step("ct1")), []Decision{Dismiss}},
		"nobody's":                        {of(Orphan), []Decision{Dismiss}},
		"a refund came back":              {of(RefundReturned, booked), []Decision{Accept, Dismiss}},
		"a refund came back, to nobody":   {of(RefundReturned), []Decision{WriteOff}},
		"judged blind":                    {of(RiskRecheck), []Decision{Dismiss}},
		"judged blind, and paid":          {of(RiskRecheck, booked), []Decision{Return, Dismiss}},
		"judged blind, back in vain":      {of(RiskRecheck, booked, refunded), []Decision{Dismiss}},
		"a refund was paid after all":     {of(RefundPaidAfterAll), []Decision{WriteOff}},
		"a case that is closed":           {of(PartialPayment, closed), nil},
		"a case whose money goes back":    {of(PartialPayment, func(c *Case) { c.Decision, c.RefundID = Return, "rfd_1" }), nil},
		"an amount in no currency at all": {of(LateSuccess, func(c *Case) { c.Amount.Currency = "" }), []Decision{Dismiss}},
	} {
		for _, d := range []Decision{Accept, Wait, Return, WriteOff, Dismiss} {
			m, err := c.of.Decide(d, By{Actor: "ada", Verified: true, Reason: "seen"}, "rfd_2", noon)
			if !slices.Contains(c.may, d) {
				require.Equal(t, fault.KindConflict, fault.Of(err), "%s: %s", name, d)
				continue
			}
			require.NoError(t, err, "%s: %s", name, d)
			require.Equal(t, c.of, m.Before)
			require.Equal(t, c.of.Sequence+1, m.After.Sequence, "an event counts one (I-23)")
			switch d {
			case Wait:
				require.Equal(t, "case.updated", m.Event())
				require.Equal(t, noon.Add(72*time.Hour), m.After.Deadline)
				require.Equal(t, Open, m.After.State())
			case Return:
				require.Equal(t, "case.decided", m.Event())
				require.Equal(t, "rfd_2", m.After.RefundID)
				done := m.After.Returned(noon)
				require.Equal(t, "case.closed", done.Event())
				require.Equal(t, Closed, done.After.State())
				again := m.After.Reopened("the refund failed")
				require.Equal(t, Open, again.After.State())
				require.True(t, again.After.NeedsPerson())
				require.NotContains(t, again.After.Allowed(), Return, "a case has one refund")
			default:
				require.Equal(t, "case.closed", m.Event())
				require.Equal(t, "ada", m.After.Actor)
			}
		}
		for _, d := range []Decision{"", Ask, Fulfil, "sell_it", "Accept"} {
			require.Equal(t, fault.KindInvalid, fault.Of(c.of.Check(d)), "%s: %q", name, d)
		}
	}
	_, err := of(LateSuccess).Decide(Return, By{}, "", noon)
	require.Error(t, err, "nothing goes back without a refund")
}

// What policies do, and what they wait for.
func TestNext(t *testing.T) {
	t.Parallel()
	hour := func(do, then Decision) func(*Case) {
		return func(c *Case) {
			c.Policy, c.Deadline = Policy{Do: do, After: time.Hour, Then: then}, noon.Add(time.Hour)
		}
	}
	do := func(d Decision) func(*Case) { return func(c *Case) { c.Policy = Policy{Do: d} } }
	later := func(v *View) { v.Now = noon.Add(time.Hour) }
	ended := func(v *View) { v.PaymentEnded = true }
	paid := func(v *View) { v.PaymentEnded, v.PaymentPaid = true, true }
	wants := func(v *View) { v.OrderWants = true }
	rest := func(v *View) { v.RestPaid = true }
	whole := func(v *View) { v.RestPaid, v.OrderPaid = true, true }
	for name, c := range map[string]struct {
		of   Case
		view []func(*View)
		want Decision
	}{
		"a person":                           {of(PartialPayment), nil, ""},
		"a person, in vain":                  {of(PartialPayment, hour(Ask, Return)), []func(*View){later}, Return},
		"a person has an hour":               {of(PartialPayment, hour(Ask, Return)), nil, ""},
		"a part is taken":                    {of(PartialPayment, do(Accept)), []func(*View){wants}, Accept},
		"a part of what others have paid":    {of(PartialPayment, do(Accept)), []func(*View){whole}, Return},
		"the rest isn't paid":                {of(PartialPayment, hour(Wait, Return)), nil, ""},
		"the rest is paid":                   {of(PartialPayment, hour(Wait, Return)), []func(*View){rest}, Accept},
		"others have paid it whole":          {of(PartialPayment, hour(Wait, Return)), []func(*View){whole}, Return},
		"the rest isn't paid in time":        {of(PartialPayment, hour(Wait, Return)), []func(*View){later}, Return},
		"too late, and wanted":               {of(LateSuccess), []func(*View){ended, wants}, Accept},
		"too late, and not wanted":           {of(LateSuccess), []func(*View){ended}, Return},
		"too late, and paid elsewhere":       {of(LateSuccess), []func(*View){paid, wants}, Return},
		"too late, while another is tried":   {of(LateSuccess), []func(*View){wants}, ""},
		"too late, and never wanted":         {of(LateSuccess, do(Return)), nil, Return},
		"twice":                              {of(DuplicatePayment), []func(*View){paid}, Return},
		"twice, and it can't be given back":  {of(DuplicatePayment, refunded), []func(*View){paid}, ""},
		"beyond belief":                      {of(DuplicatePayment, incredible), []func(*View){paid}, ""},
		"nobody's":                           {of(Orphan), nil, ""},
		"a refund that came back, in time":   {of(RefundReturned, booked, hour(Ask, Accept)), nil, ""},
		"a refund that came back, an hour":   {of(RefundReturned, booked, hour(Ask, Accept)), []func(*View){later}, Accept},
		"closed":                             {of(DuplicatePayment, closed), []func(*View){later}, ""},
		"captured too much: no sale of ours": {of(AmountMismatch, step("cp1"), do(Accept)), []func(*View){wants}, ""},
	} {
		v := View{Case: c.of, Now: noon}
		for _, f := range c.view {
			f(&v)
		}
		got, why := Next(v)
		require.Equal(t, c.want, got, name)
		require.Equal(t, got == "" && c.of.State() == Open, why != "", "%s: %q", name, why)
	}
}

func TestPoliciesThatCantBeKeptAreRefused(t *testing.T) {
	t.Parallel()
	good := map[Kind][]string{
		PartialPayment:   {`{"do":"ask"}`, `{"do":"accept"}`, `{"do":"return"}`, `{"do":"wait","after":"72h0m0s","then":"return"}`, `{"do":"ask","after":"1h0m0s","then":"accept"}`},
		AmountMismatch:   {`{"do":"ask","after":"48h0m0s","then":"return"}`, `{"do":"accept"}`},
		LateSuccess:      {`{"do":"fulfil"}`, `{"do":"return"}`, `{"do":"ask","after":"24h0m0s","then":"fulfil"}`},
		DuplicatePayment: {`{"do":"return"}`, `{"do":"ask"}`},
		RefundReturned:   {`{"do":"ask","after":"24h0m0s","then":"accept"}`},
	}
	for kind, list := range good {
		for _, text := range list {
			var p Policy
			require.NoError(t, json.Unmarshal([]byte(text), &p))
			require.NoError(t, p.Check(kind), "%s %s", kind, text)
			again, err := json.Marshal(p)
			require.NoError(t, err)
			require.JSONEq(t, text, string(again))
		}
		require.NoError(t, Default(kind).Check(kind))
	}
	bad := map[Kind][]string{
		PartialPayment: {`{"do":""}`, `{"do":"fulfil"}`, `{"do":"wait"}`, `{"do":"wait","after":"1h","then":"accept"}`, `{"do":"accept","after":"1h","then":"return"}`,
			`{"do":"ask","after":"1h"}`, `{"do":"ask","then":"return"}`, `{"do":"ask","after":"-1h","then":"return"}`, `{"do":"ask","after":"2161h","then":"return"}`,
			`{"do":"ask","after":"1h","then":"write_off"}`, `{"do":"dismiss"}`},
		AmountMismatch:   {`{"do":"wait","after":"1h","then":"return"}`},
		LateSuccess:      {`{"do":"accept"}`},
		DuplicatePayment: {`{"do":"accept"}`},
		Contradiction:    {`{"do":"ask"}`, `{"do":"dismiss"}`},
		Orphan:           {`{"do":"dismiss"}`},
		"theft":          {`{"do":"return"}`},
	}
	for kind, list := range bad {
		for _, text := range list {
			var p Policy
			require.NoError(t, json.Unmarshal([]byte(text), &p))
			require.True(t, fault.Is(p.Check(kind), fault.KindInvalid, "policy_invalid"), "%s %s", kind, text)
		}
	}
	var p Policy
	require.Error(t, json.Unmarshal([]byte(`{"do":"ask","after":"soon"}`), &p))
	require.Equal(t, Policy{Do: Return}, Policies(nil).Of(DuplicatePayment))
	require.Equal(t, Policy{Do: Ask}, Policies{DuplicatePayment: {Do: Ask}}.Of(DuplicatePayment))
}

func TestAnIDStandsInAURL(t *testing.T) {
	t.Parallel()
	c := of(LateSuccess, step("cs1"))
	require.Equal(t, "case.pay_1.late_success.cs1", c.Path())
	for _, text := range []string{c.ID, c.Path()} {
		got, err := FromPath(text)
		require.NoError(t, err)
		require.Equal(t, c.ID, got)
	}
	for _, text := range []string{"", "case", "case/pay_1/late_success", "case/pay_1/late_success/cs1/x", "case/pay_1/theft/cs1", "case//late_success/cs1", "x/pay_1/late_success/cs1",
		"case/pay_1/late_success/", "case/PAY_1/late_success/cs1", "case/pay 1/late_success/cs1", "case/../late_success/cs1", "case/" + strings.Repeat("a", 100) + "/late_success/cs1"} {
		_, err := FromPath(text)
		require.Equal(t, fault.KindNotFound, fault.Of(err), text)
	}
	v := c.Public()
	require.True(t, v.OnSuspense)
	require.Equal(t, []Decision{Accept, Return, WriteOff}, v.Decisions)
	c.Decision, c.ClosedAt = WriteOff, noon
	require.True(t, c.Public().OnSuspense, "it stays there, and is named")
	c.Decision = Accept
	require.False(t, c.Public().OnSuspense)
	require.NotNil(t, c.Public().Decisions)
}
