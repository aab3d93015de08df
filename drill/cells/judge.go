package cells

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// End names how everything of a run ended: each payment's status, or "parked", and each case's kind with its decision.
func End(s state) string {
	var parts []string
	for _, p := range s.Payments {
		switch {
		case !payment.Status(p.Status).Terminal() && p.Parked != "":
			parts = append(parts, "parked")
		default:
			parts = append(parts, p.Status)
		}
	}
	for _, f := range s.Refunds {
		name := "refund-" + f.Status
		if f.Status == "processing" && f.Parked != "" {
			name = "refund-parked"
		}
		parts = append(parts, name)
	}
	for _, y := range s.Payouts {
		name := "payout-" + y.Status
		if y.Status == "processing" && y.Parked != "" {
			name = "payout-parked"
		}
		parts = append(parts, name)
	}
	for _, t := range s.Transfers {
		parts = append(parts, "transfer-"+t.Status)
	}
	for _, c := range s.Cases {
		name := "case:" + c.Kind
		if c.State == "closed" {
			name += ":" + c.Decision
		}
		parts = append(parts, name)
	}
	return strings.Join(parts, "+")
}

// judge holds the books against each other. It believes the sandboxes first.
func (r *Run) judge(s state) Verdict {
	v := Verdict{Cell: r.Cell, End: End(s), Fired: r.hasFired(), Settled: r.settled, Nudged: r.nudged, Violations: r.plain}
	breaks := func(format string, args ...any) { v.Violations = append(v.Violations, fmt.Sprintf(format, args...)) }
	if !v.Fired {
		breaks("drill: the fault never struck")
	}
	if !done(s) || !r.sagasAgree() {
		breaks("I-18: not settled after %s: %s %s", r.settled.Round(1e8), v.End, r.why(s))
	} else if r.settled > Bound {
		breaks("I-18: settled only after %s", r.settled.Round(1e8))
	}
	if ends := r.Scenario.ends(r.Cell); !slices.Contains(ends, v.End) {
		breaks("I-17: it ended as %s, and it may as %s", v.End, strings.Join(ends, " or "))
	}
	for _, p := range s.Payments {
		r.payment(p, breaks)
	}
	for _, y := range s.Payouts {
		r.payout(y, breaks)
	}
	if err := r.money(breaks); err != nil {
		breaks("drill: the books couldn't be read: %v", err)
	}
	r.requests(s, breaks)
	return v
}

// readPatience is how long the judges wait for a row.
const readPatience = 20 * time.Second

type breaker func(format string, args ...any)

// why is what the sagas say of themselves.
func (r *Run) why(s state) string {
	list := []string{fmt.Sprintf("%d callbacks wait", s.Waiting)}
	for workflowID, want := range sagas(s) {
		open, err := r.open(workflowID)
		text := ""
		if err == nil && open {
			text, err = r.details(workflowID)
		}
		list = append(list, fmt.Sprintf("%s has to be open %t, is %t: %s (%v)", workflowID, want, open, text, err))
	}
	list = append(list, fmt.Sprintf("%+v", s))
	return strings.Join(list, "; ")
}

// payment holds a payment against the sandboxes' books (I-09, I-10).
func (r *Run) payment(p paymentRow, breaks breaker) {
	taken, waiting := 0, 0
	var charges []server.Charge
	for _, sb := range r.merchant.Sandboxes {
		charges = append(charges, sb.Lookup(p.ID).Charges...)
		for _, c := range sb.Lookup(p.ID).Charges {
			switch {
			case c.Tombstone, c.Extra || c.Late: // the customer's own doing, and a case's business
			case c.State == server.Succeeded:
				taken++
			case c.State == server.Authorized || c.State == server.Pending:
				waiting++
			}
		}
	}
	terminal := payment.Status(p.Status).Terminal()
	switch {
	case taken > 1:
		breaks("I-09: %s was charged %d times", p.ID, taken)
	case terminal && waiting > 0:
		breaks("I-10: %s is %s, and at the sandbox a charge still waits to be paid or captured: %+v", p.ID, p.Status, charges)
	case p.Status == string(payment.Paid) && taken == 0 && p.Captured > p.Wallet && !r.late(p.ID):
		breaks("I-10: %s is %s, and the sandboxes took nothing", p.ID, p.Status)
	}
	terms := payment.Terms{FeeBasisPoints: fee}
	if isTopUp(p.ID) {
		terms.FeeBasisPoints = 0 // it is no sale
	}
	if fees, err := terms.Fee(money.New(p.Captured, money.Currency(p.Currency))); p.Refunded == 0 && (err != nil || fees.Minor != p.Fee) {
		breaks("I-10: %s captured %d, and its fee is %d", p.ID, p.Captured, p.Fee)
	}
}

// late: the customer paid after the end, or twice, and what came in was kept for the payment.
func (r *Run) late(paymentID string) bool {
	for _, sb := range r.merchant.Sandboxes {
		for _, c := range sb.Lookup(paymentID).Charges {
			if c.Extra || c.Late {
				return true
			}
		}
	}
	return false
}

const sqlBalances = `SELECT code, currency, balance FROM accounts WHERE book = 'test' AND balance <> 0 AND code = ANY($1)`

// money holds the ledger against the sandboxes: what a channel account's clearing shows is what its sandbox took, less what it
// gave back and paid out; and nothing is left in doubt.
func (r *Run) money(breaks breaker) error {
	for _, sb := range r.merchant.Sandboxes {
		got, held, err := r.balances(sb.Account)
		if err != nil {
			return err
		}
		sum := sb.Summarize()
		want := map[string]int64{}
		for currency, minor := range sum.Captured {
			want[currency] += minor
		}
		for currency, minor := range sum.GivenBack {
			want[currency] -= minor
		}
		for currency, minor := range sum.PaidOut {
			want[currency] -= minor
		}
		for currency, minor := range want {
			if minor == 0 {
				delete(want, currency)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			breaks("I-10: the sandbox took %v, less what it gave back and paid out, and the clearing shows %v", want, got)
		}
		if held != 0 {
			breaks("I-14: %d are still in doubt on memo accounts", held)
		}
	}
	return nil
}

// balances are the clearing of a channel account by currency, and how many of its memo accounts aren't empty.
func (r *Run) balances(account string) (clearing map[string]int64, memo int, err error) {
	ctx, stop := r.judging()
	defer stop()
	codes := []string{"channel/" + account + "/clearing", "memo/in_doubt/" + account, "memo/in_doubt/" + account + "/contra"}
	rows, err := r.house.pool.Query(ctx, sqlBalances, codes)
	if err != nil {
		return nil, 0, err
	}
	clearing = map[string]int64{}
	var code, currency string
	var balance int64
	_, err = pgx.ForEachRow(rows, []any{&code, &currency, &balance}, func() error {
		if strings.HasPrefix(code, "memo/") {
			memo++
		} else {
			clearing[currency] += balance
		}
		return nil
	})
	return clearing, memo, err
}

// requests holds what was acknowledged against what is there (I-19, I-20), and what the API says against the rows.
func (r *Run) requests(s state, breaks breaker) {
	rows := map[string]paymentRow{}
	for _, p := range s.Payments {
		rows[p.ID] = p
	}
	asked := r.received
	for _, o := range r.orders {
		a, err := r.post(o.Path, o.Key, o.Body)
		var again struct{ ID string }
		if err == nil {
			err = json.Unmarshal(a.Raw, &again)
		}
		switch {
		case err != nil:
			breaks("I-20: a repeat of %s couldn't be read: %v", o.Key, err)
		case again.ID != o.ID:
			breaks("I-20: %s stood for %s, its repeat for %q: %s", o.Key, o.ID, again.ID, a.Raw)
		}
		if o.Path != "/v1/payments" && o.Path != "/v1/topups" {
			continue
		}
		asked++
		row, stored := rows[o.ID]
		if !stored {
			breaks("I-19: %s was acknowledged, and isn't there", o.ID)
			continue
		}
		got, err := r.until(http.MethodGet, o.Path+"/"+o.ID, "", nil)
		if err != nil || string(got.Status) != row.Status || got.Sequence != row.Sequence {
			breaks("I-19: %s is %s at %d, and the API says %s (%v)", o.ID, row.Status, row.Sequence, got.Raw, err)
		}
	}
	if len(s.Payments) > asked {
		breaks("I-20: %d payments were asked for, and there are %d", asked, len(s.Payments))
	}
}
