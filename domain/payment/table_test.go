package payment

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/trade"
)

var update = flag.Bool("update", false, "write the tables and books of testdata anew, to be read before they are committed")

// golden holds text against a file of testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), text, "%s; go test ./domain/payment -update writes it anew", path)
}

// Outcomes by name, for attempt 1 of a payment over CNY 12.34.
var (
	qr         = &Action{Type: "qr_code", URL: "weixin://pay/1"}
	succeeded  = Outcome{Verdict: Succeeded, AmountMinor: meant, Currency: "CNY", ChannelID: "tx_1", EffectiveAt: at("2026-11-21T11:59:58Z")}
	authorized = Outcome{Verdict: Authorized, AmountMinor: meant, Currency: "CNY", ChannelID: "tx_1", ExpiresAt: at("2026-11-28T12:00:00Z")}
	softNo     = Outcome{Verdict: Declined, Dead: true, Decline: &Decline{Code: "insufficient_funds", Channel: "51"}}
	aliveNo    = Outcome{Verdict: Declined, Decline: &Decline{Code: "do_not_honor", Channel: "05"}}
	closed     = Outcome{Verdict: Closed, Dead: true}
	waiting    = Outcome{Verdict: Pending}
	toScan     = Outcome{Verdict: Pending, Action: qr, ExpiresAt: at("2026-11-21T13:00:00Z")}
	nobodySays = Outcome{Verdict: Unknown, Reason: "timeout"}
	absent     = Outcome{Verdict: Absent}
)

func of(o Outcome, minor int64, currency string) Outcome {
	o.AmountMinor, o.Currency = minor, currency
	return o
}

// second is what a channel says of another charge under the same reference.
func second(o Outcome) Outcome {
	o.ChannelID = "tx_2"
	return o
}

var outcomes = []struct {
	name string
	Outcome
}{
	{"unknown", nobodySays},
	{"absent", absent},
	{"pending", waiting},
	{"pending, to scan", toScan},
	{"authorized", authorized},
	{"authorized less", of(authorized, 1000, "CNY")},
	{"authorized USD", of(authorized, meant, "USD")},
	{"succeeded", succeeded},
	{"succeeded less", of(succeeded, 1000, "CNY")},
	{"succeeded more", of(succeeded, 9999, "CNY")},
	{"succeeded USD", of(succeeded, meant, "USD")},
	{"succeeded as tx_2", second(succeeded)},
	{"declined, dead", softNo},
	{"declined, alive", aliveNo},
	{"declined as tx_2", second(softNo)},
	{"closed", closed},
	{"closed as tx_2", second(closed)},
}

// states are where attempt 1 and its payment may stand, and how they got there.
var states = []struct {
	name string
	make func(*world)
}{
	{"processing", func(w *world) { w.open() }},
	{"processing, in doubt", func(w *world) { w.open(); w.settle(1, nobodySays) }},
	{"processing, in doubt for a day", func(w *world) { w.open(); w.settle(1, nobodySays); w.payment.Parked = "unknown for 24h" }},
	{"processing, pending", func(w *world) { w.open(); w.settle(1, waiting) }},
	{"processing, doubt became pending", func(w *world) { w.open(); w.settle(1, nobodySays); w.settle(1, waiting) }},
	{"requires_action", func(w *world) { w.open(); w.settle(1, toScan) }},
	{"requires_action after doubt", func(w *world) { w.open(); w.settle(1, nobodySays); w.settle(1, toScan) }},
	{"authorized", func(w *world) { w.open(); w.settle(1, authorized) }},
	{"parked, less was authorized", func(w *world) { w.open(); w.settle(1, of(authorized, 1000, "CNY")) }},
	{"parked, less was taken", func(w *world) { w.open(); w.settle(1, of(succeeded, 1000, "CNY")) }},
	{"parked, USD was taken", func(w *world) { w.open(); w.settle(1, of(succeeded, meant, "USD")) }},
	{"authorized, parked, less was taken", func(w *world) { w.open(); w.settle(1, authorized); w.settle(1, of(succeeded, 1000, "CNY")) }},
	{"processing, attempt declined", func(w *world) { w.open(); w.settle(1, softNo) }},
	{"processing, attempt closed", func(w *world) { w.open(); w.settle(1, closed) }},
	{"processing, attempt declined, another follows", func(w *world) { w.open(); w.settle(1, softNo); w.open() }},
	{"in doubt over another that follows", func(w *world) { w.open(); w.settle(1, softNo); w.open(); w.settle(2, nobodySays) }},
	{"succeeded", func(w *world) { w.open(); w.settle(1, succeeded) }},
	{"succeeded by another that follows", func(w *world) { w.open(); w.settle(1, softNo); w.open(); w.settle(2, succeeded) }},
	{"succeeded, less was accepted", func(w *world) { w.open(); w.settle(1, of(succeeded, 1000, "CNY")); w.must(Accept) }},
	{"failed, declined", func(w *world) { w.open(); w.settle(1, softNo, last) }},
	{"failed, less was rejected", func(w *world) { w.open(); w.settle(1, of(succeeded, 1000, "CNY")); w.must(Reject) }},
	{"failed, by decision", func(w *world) { w.open(); w.settle(1, nobodySays); w.must(MarkFailed) }},
	{"canceled", func(w *world) { w.open(); w.settle(1, toScan); w.settle(1, closed, ends(Canceled)) }},
	{"canceled, voided", func(w *world) { w.open(); w.settle(1, authorized); w.settle(1, closed, ends(Canceled)) }},
	{"expired", func(w *world) { w.open(); w.settle(1, toScan); w.settle(1, closed, ends(Expired)) }},
}

func (w *world) must(d Decision) {
	_, err := w.decide(len(w.attempts), d)
	require.NoError(w.t, err)
}

// TestTable rules on every state × outcome × last × end, and holds the rulings
// against testdata/table.txt, one readable row each. A star stands where last
// or end make no difference. That each row can also be stored, balances and
// keeps its place is checked by the world it is committed in.
func TestTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# What each outcome of attempt 1 does to a payment over CNY 12.34, fee 0.6 % + 0.10, settled at once.\n" +
		"# last: no other channel is left. end: what a close is to make of the payment.\n" +
		"# → quiet, a contradiction's case, or: status | event | cause | journals | attempt | order | case or park\n")
	for _, s := range states {
		fmt.Fprintf(&b, "\n== %s ==\n", s.name)
		for _, o := range outcomes {
			for _, row := range rows(func(last bool, end Status) string { return ruled(t, s.make, o.Outcome, last, end) }) {
				fmt.Fprintf(&b, "%-17s %-4s %-9s → %s\n", o.name, row.last, row.end, row.ruling)
			}
		}
	}
	golden(t, "table.txt", b.String())
}

// ruled makes the state, commits the outcome, and says what happened.
func ruled(t *testing.T, make func(*world), o Outcome, isLast bool, end Status) string {
	w := newWorld(t)
	make(w)
	w.now = w.now.Add(time.Minute)
	before := w.payment
	r := w.settle(1, o, func(c *Case) { c.Last, c.End = isLast, end })
	again := w.settle(1, o, func(c *Case) { c.Last, c.End = isLast, end })
	require.True(t, again.Quiet || again.Case != nil, "the same once more does nothing new: %+v", again)
	return row(before, r)
}

func row(before Payment, r Ruling) string {
	if r.Quiet {
		return "quiet"
	}
	cols := []string{string(r.After.Status), r.Event, r.Step.String(), kindsOf(r), "", "", ""}
	if r.After.InDoubt {
		cols[0] += " in doubt"
	}
	if r.After.DeclineCode != "" {
		cols[0] += " (" + r.After.DeclineCode + ")"
	}
	if a := r.Attempt; a != nil {
		cols[4] = string(a.Verdict)
		if a.Dead {
			cols[4] += ", dead"
		}
	}
	if r.Order != (trade.Change{}) {
		cols[5] = fmt.Sprintf("authorized %+d paid %+d", r.Order.Authorized, r.Order.Paid)
	}
	switch {
	case r.Case != nil && r.Event == "":
		return strings.TrimRight(fmt.Sprintf("CASE %s %s | %s | %s", r.Case.Kind, r.Case.Amount.Text(), r.Step, kindsOf(r)), "| ")
	case r.Case != nil:
		cols[6] = "case " + string(r.Case.Kind) + " " + r.Case.Amount.Text()
	case r.After.Parked != "" && r.After.Parked != before.Parked:
		cols[6] = "parked"
	case before.Parked != "" && r.After.Parked == "" && !r.After.Status.Terminal():
		cols[6] = "no longer parked"
	}
	return strings.TrimRight(strings.Join(cols, " | "), "| ")
}

type ruledRow struct{ last, end, ruling string }

// rows leaves out what makes no difference.
func rows(rule func(last bool, end Status) string) []ruledRow {
	all := []Status{"", Canceled, Expired, Failed}
	var list []ruledRow
	for _, end := range all {
		name := string(end)
		if end == "" {
			name = "-"
		}
		yes, no := rule(true, end), rule(false, end)
		if yes == no {
			list = append(list, ruledRow{"*", name, yes})
			continue
		}
		list = append(list, ruledRow{"last", name, yes}, ruledRow{"next", name, no})
	}
	per := len(list) / len(all)
	for i := range list {
		if len(list)%len(all) != 0 || list[i].ruling != list[i%per].ruling || list[i].last != list[i%per].last {
			return list
		}
	}
	for i := range per {
		list[i].end = "*"
	}
	return list[:per]
}

func TestImpossibleCasesAreOurBug(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open()
	for name, c := range map[string]Case{
		"no attempt":          {Payment: w.payment, Outcome: succeeded},
		"unknown, no attempt": {Payment: w.payment, Outcome: nobodySays},
		"no status":           {Outcome: succeeded},
		"another part":        {Payment: w.payment, Attempt: &Attempt{Part: 2, Ordinal: 1}, Outcome: succeeded},
		"closed as paid":      {Payment: w.payment, Attempt: &w.attempts[0], Outcome: closed, End: Paid},
	} {
		c.Now = w.now
		_, err := Settle(c)
		require.True(t, fault.Is(err, fault.KindInternal, ""), "%s: %v", name, err)
	}
	w.settle(1, authorized)
	_, err := Settle(Case{Payment: w.payment, Now: w.now, Outcome: closed, End: Canceled})
	require.True(t, fault.Is(err, fault.KindInternal, ""), "an authorization is closed by name: %v", err)
}
