package payment

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/money"
)

// TestBooks tells whole payments as an accountant would read them: each file of
// testdata/books holds the journals of one scenario in the order of their
// commits, then what the accounts stand at.
func TestBooks(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]struct {
		about string
		terms func(*Terms)
		run   func(*world)
	}{
		"succeeded": {about: "paid at once, and available at once",
			run: func(w *world) { w.open(); w.settle(1, succeeded) }},
		"settled_later": {about: "the merchant's money matures two days later, by another saga",
			terms: func(x *Terms) { x.SettlementDays = 2 },
			run:   func(w *world) { w.open(); w.settle(1, succeeded) }},
		"free": {about: "a merchant without fees",
			terms: func(x *Terms) { x.FeeBasisPoints, x.FeeFixed = 0, nil },
			run:   func(w *world) { w.open(); w.settle(1, succeeded) }},
		"eaten_by_the_fee": {about: "the fixed fee is above the amount: all of it is ours, nothing matures",
			terms: func(x *Terms) { x.FeeFixed = map[money.Currency]int64{"CNY": 5000} },
			run:   func(w *world) { w.open(); w.settle(1, succeeded) }},
		"doubt_then_succeeded": {about: "unknown for a while, then known",
			run: func(w *world) { w.open(); w.settle(1, nobodySays); w.later(); w.settle(1, succeeded) }},
		"doubt_then_declined_then_paid_elsewhere": {about: "the doubt ends with a no that a merchant's event tells of; the next channel takes the money",
			run: func(w *world) {
				w.open()
				w.settle(1, nobodySays)
				w.later()
				w.settle(1, softNo)
				w.open()
				w.settle(2, of(succeeded, meant, "CNY"))
			}},
		"two_doubts": {about: "two channels, both unknown for a while; the second is closed in the end",
			run: func(w *world) {
				w.open()
				w.settle(1, nobodySays)
				w.settle(1, softNo)
				w.open()
				w.settle(2, nobodySays)
				w.later()
				w.settle(2, closed, failing("channel_unavailable"))
			}},
		"doubt_then_scanned": {about: "unknown, then a QR code, then paid",
			run: func(w *world) {
				w.open()
				w.settle(1, nobodySays)
				w.settle(1, toScan)
				w.later()
				w.settle(1, succeeded)
			}},
		"authorized_then_captured": {about: "an authorization posts nothing; its capture does",
			run: func(w *world) { w.open(); w.settle(1, authorized); w.later(); w.settle(1, succeeded) }},
		"authorized_then_voided": {about: "nothing was ever ours", run: func(w *world) {
			w.open()
			w.settle(1, authorized)
			w.settle(1, closed, ends(Canceled))
		}},
		"less_was_taken_and_accepted": {about: "what came is explained out of suspense, by decision",
			run: func(w *world) { w.open(); w.settle(1, of(succeeded, 1000, "CNY")); w.later(); w.must(Accept) }},
		"more_was_taken_and_rejected": {about: "it stays on suspense until it is returned",
			run: func(w *world) { w.open(); w.settle(1, of(succeeded, 9999, "CNY")); w.later(); w.must(Reject) }},
		"dollars_were_taken": {about: "another currency has accounts of its own; it can't be accepted",
			run: func(w *world) {
				w.open()
				w.settle(1, nobodySays)
				w.settle(1, of(succeeded, meant, "USD"))
			}},
		"marked_succeeded": {about: "unknown, then settled on evidence from the channel's back office",
			run: func(w *world) { w.open(); w.settle(1, nobodySays); w.later(); w.must(MarkSucceeded) }},
		"marked_failed_then_a_late_success": {about: "the decision was wrong: the money stands on suspense, a case is open",
			run: func(w *world) {
				w.open()
				w.settle(1, nobodySays)
				w.must(MarkFailed)
				w.later()
				w.settle(1, succeeded)
				w.settle(1, succeeded)
			}},
		"paid_twice": {about: "two charges under one reference: the second is a case, and is booked once",
			run: func(w *world) {
				w.open()
				w.settle(1, toScan)
				w.settle(1, succeeded)
				w.later()
				w.settle(1, second(succeeded))
				w.settle(1, second(succeeded))
			}},
		"dead_channel_pays_after_all": {about: "the first channel said no, the second took the money, then the first took it too",
			run: func(w *world) {
				w.open()
				w.settle(1, softNo)
				w.open()
				w.settle(2, succeeded)
				w.later()
				w.settle(1, second(succeeded))
			}},
		"own_funds": {about: "the channel account is the merchant's own: the money never becomes ours, and the fee is owed",
			terms: func(x *Terms) { x.SettlementDays = 2 },
			run: func(w *world) {
				w.openOwn()
				w.settle(1, nobodySays)
				w.later()
				w.settle(1, succeeded)
			}},
		"own_funds_authorized_then_captured": {about: "own funds, captured later",
			run: func(w *world) { w.openOwn(); w.settle(1, authorized); w.later(); w.settle(1, succeeded) }},
		"own_funds_less_was_taken_and_accepted": {about: "own funds: what came is explained out of the memo's suspense, by decision",
			run: func(w *world) { w.openOwn(); w.settle(1, of(succeeded, 1000, "CNY")); w.later(); w.must(Accept) }},
		"own_funds_paid_twice": {about: "own funds: the second charge is a case on the memo's suspense",
			run: func(w *world) {
				w.openOwn()
				w.settle(1, toScan)
				w.settle(1, succeeded)
				w.later()
				w.settle(1, second(succeeded))
			}},
		"incredible": {about: "an amount beyond all measure is a case, and posts nothing",
			run: func(w *world) { w.open(); w.settle(1, nobodySays); w.settle(1, of(succeeded, 1<<62, "CNY")) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if s.terms != nil {
				s.terms(&w.terms)
			}
			s.run(w)
			golden(t, "books/"+name+".txt", w.page(s.about))
		})
	}
}

// openOwn opens an attempt at the merchant's own account.
func (w *world) openOwn() {
	w.open()
	w.attempts[len(w.attempts)-1].OwnFunds = true
}

func (w *world) later() { w.now = w.now.Add(90 * time.Minute) }

func (w *world) page(about string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", about)
	for _, j := range w.journals {
		b.WriteString("\n" + written(j))
	}
	b.WriteString("\nbalances\n")
	balances := w.balances()
	for _, account := range sortedKeys(balances) {
		if minor := balances[account]; minor != 0 {
			code, cur, _ := strings.Cut(account, " ")
			side := "Dr"
			if minor < 0 {
				side, minor = "Cr", -minor
			}
			fmt.Fprintf(&b, "  %-38s %s %12s %s\n", code, cur, money.New(minor, money.Currency(cur)).Decimal(), side)
		}
	}
	p, date := w.payment, ""
	if p.BusinessDate != "" {
		date = ", business date " + p.BusinessDate
	}
	fmt.Fprintf(&b, "\npayment  %s, captured %s, fee %s%s\norder    %s, paid %s, authorized %s\nevents   %s\n",
		p.Status, p.Captured.Decimal(), p.Fee.Decimal(), date, w.order.Status, w.order.Paid.Decimal(), w.order.Authorized.Decimal(),
		strings.Join(w.events, ", "))
	if p.Parked != "" {
		fmt.Fprintf(&b, "parked   %s\n", p.Parked)
	}
	for _, k := range w.cases {
		fmt.Fprintf(&b, "case     %s %s: %s\n", k.Kind, k.Amount.Text(), k.Reason)
	}
	return b.String()
}

// Decisions are taken only where they apply, and a refused one changes nothing.
func TestDecisionsApplyWhereTheyMay(t *testing.T) {
	t.Parallel()
	allowed := map[string][]Decision{
		"processing, in doubt":               {MarkSucceeded, MarkFailed},
		"processing, in doubt for a day":     {MarkSucceeded, MarkFailed},
		"parked, less was taken":             {Accept, Reject},
		"parked, USD was taken":              {Reject},
		"authorized, parked, less was taken": {Accept, Reject},
		"in doubt over another that follows": {MarkSucceeded, MarkFailed},
	}
	for _, s := range states {
		for _, d := range []Decision{Accept, Reject, MarkSucceeded, MarkFailed, "sell_it"} {
			w := newWorld(t)
			s.make(w)
			r, err := w.decide(len(w.attempts), d)
			may := false
			for _, a := range allowed[s.name] {
				may = may || a == d
			}
			if !may {
				require.ErrorContains(t, err, "decision_refused", "%s: %s", s.name, d)
				continue
			}
			require.NoError(t, err, "%s: %s", s.name, d)
			require.True(t, r.After.Status.Terminal())
			require.Equal(t, w.now, r.After.UpdatedAt)
		}
	}
	w := newWorld(t)
	_, err := w.decide(0, MarkFailed)
	require.ErrorContains(t, err, "decision_refused", "no attempt, nothing to decide")
	require.False(t, Decision("").Valid())
	require.True(t, MarkFailed.Valid())
}
